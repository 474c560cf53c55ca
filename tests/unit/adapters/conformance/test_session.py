from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance.demand import Failed
from adapters.conformance.session import ANSWER_WITHIN, Session
from adapters.conformance.watch import CREDITS, FRAMES, Watch
from hub.core.errors import ShuttingDown
from hub.core.time import SECOND
from tests.harness.clock import ManualClock, settle


class Said:
    """A session and what goes either way."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.watch = Watch(self.clock)
        self.session = Session("spiffe://ydhub.local/peers/hangzhou", self.watch, self.clock)
        self._last = 0

    def frame(self, **body: Any) -> None:
        self._last += 1
        self.session.receive(pb.AdapterFrame(frame_id=self._last, **body))

    def out(self) -> list[Any]:
        queue = self.session.outbound
        return [queue.get_nowait() for _ in range(queue.qsize())]


def packets(count: int) -> pb.PacketBatch:
    return pb.PacketBatch(packets=[b"p"] * count)


def test_the_first_frame_is_kept_and_later_ones_go_where_they_belong() -> None:
    both = Said()
    both.frame(hello=pb.Hello(adapter="paper"))
    both.frame(heartbeat=pb.Heartbeat())
    both.frame(headers=pb.HeaderBatch())
    assert both.session.hello.adapter == "paper"
    assert both.session.kinds == ["hello", "heartbeat", "headers"]
    assert len(both.session.beats) == both.session.work.qsize() == 1
    assert FRAMES not in both.watch.breaches


def test_a_frame_id_that_does_not_rise_by_one_is_a_breach() -> None:
    for number in (0, 2):
        both = Said()
        both.session.receive(pb.AdapterFrame(frame_id=number, hello=pb.Hello()))
        assert FRAMES in both.watch.breaches


def test_items_take_room_until_they_are_answered() -> None:
    both = Said()
    both.frame(hello=pb.Hello())
    both.session.welcome(pb.Welcome(item_credits=3))
    both.frame(packets=packets(2))
    both.frame(headers=pb.HeaderBatch(headers=[pb.SignedHeader()] * 9))
    both.frame(packets=packets(1))
    assert CREDITS not in both.watch.breaches
    both.session.answer(pb.Verdict(frame_id=2))
    both.frame(packets=packets(2))
    assert CREDITS not in both.watch.breaches
    both.frame(packets=packets(1))
    assert both.watch.breaches[CREDITS][0].came == "1 more"


async def test_an_answer_comes_to_who_has_asked() -> None:
    both = Said()
    both.frame(hello=pb.Hello())
    asked = asyncio.ensure_future(both.session.ask(headers=pb.HeaderRequest(heights=[1])))
    await settle()
    [said] = both.out()
    both.frame(answer=pb.Answer(request_id=said.request.request_id + 1))
    await settle()
    assert not asked.done()
    both.frame(answer=pb.Answer(request_id=said.request.request_id, clients=pb.ClientAnswer()))
    assert (await asked).HasField("clients")


async def test_no_answer_is_a_failure_and_so_is_the_end() -> None:
    both = Said()
    late = asyncio.ensure_future(both.session.ask(client=pb.ClientQuery()))
    await settle()
    await both.clock.advance(ANSWER_WITHIN)
    with pytest.raises(Failed, match="answer to the request for client"):
        await late
    asked = asyncio.ensure_future(both.session.report(both.session.begin(pb.Execution())))
    await settle()
    both.session.over()
    with pytest.raises(Failed, match="the end of the stream"):
        await asked


async def test_a_report_comes_by_its_number() -> None:
    both = Said()
    both.frame(hello=pb.Hello())
    number = both.session.begin(pb.Execution(client="07-tendermint-0"))
    both.frame(report=pb.ExecutionReport(execution_id=number))
    assert (await both.session.report(number)).execution_id == number


async def test_it_beats_until_it_is_over_and_says_nothing_while_silent() -> None:
    both = Said()
    beating = asyncio.ensure_future(both.session.beat())
    await settle()
    await both.clock.advance(SECOND)
    assert [said.WhichOneof("body") for said in both.out()] == ["heartbeat"] * 2
    both.session.is_silent = True
    await both.clock.advance(SECOND)
    both.session.say(drain=pb.Drain())
    assert both.out() == []
    both.session.over()
    await both.clock.advance(SECOND)
    await beating
    both.session.end(ShuttingDown())
    assert isinstance(both.out()[0], ShuttingDown)


async def test_its_end_is_waited_for() -> None:
    both = Said()
    waiting = asyncio.ensure_future(both.session.gone(SECOND, "its end"))
    await settle()
    both.session.over()
    await waiting
