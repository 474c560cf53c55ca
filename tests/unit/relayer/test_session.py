from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    ChainUnreachable,
    CreditsSpent,
    FrameInvalid,
    LeaseLost,
    ShuttingDown,
)
from hub.core.ids import PeerId
from hub.core.time import SECOND, Duration
from relayer.session import (
    ANSWER_WITHIN,
    ITEM_CREDITS,
    MAX_BYTES,
    MAX_EXECUTIONS,
    MAX_FRAMES,
    MAX_REQUESTS,
    REPORT_WITHIN,
    SILENCE,
    Session,
)
from tests.harness.clock import ManualClock, settle

HANGZHOU = PeerId("hangzhou")
HEADERS = pb.Request(headers=pb.HeaderRequest(heights=[7]))


def session(clock: ManualClock | None = None, **hello: Any) -> Session:
    first = pb.AdapterFrame(frame_id=1, hello=pb.Hello(**hello))
    return Session(HANGZHOU, first, clock or ManualClock())


def frame(number: int, **body: Any) -> pb.AdapterFrame:
    return pb.AdapterFrame(frame_id=number, **body)


def packets(count: int, size: int = 1) -> pb.PacketBatch:
    return pb.PacketBatch(packets=[bytes(size)] * count)


def drained(session: Session) -> list[pb.RelayerFrame]:
    """Every frame that waits to go out."""
    waiting = []
    while not session._outbound.empty():
        waiting.append(session._outbound.get_nowait())
    return [entry[0] for entry in waiting if entry is not None]


class TestFrames:
    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_a_frame_id_that_does_not_rise_ends_the_session(self, number: int) -> None:
        """The hello had the first one."""
        one = session()
        one.receive(frame(2, heartbeat=pb.Heartbeat()))
        with pytest.raises(FrameInvalid):
            one.receive(frame(number, heartbeat=pb.Heartbeat()))

    @pytest.mark.parametrize("body", [{"hello": pb.Hello()}, {}])
    def test_a_second_hello_or_a_frame_without_a_body_ends_the_session(
        self, body: dict[str, Any]
    ) -> None:
        with pytest.raises(FrameInvalid):
            session().receive(frame(2, **body))

    @pytest.mark.parametrize(
        "body",
        [
            {"headers": pb.HeaderBatch()},
            {"packets": pb.PacketBatch()},
            {"acknowledgements": pb.AcknowledgementBatch()},
            {"absence": pb.Absence()},
            {"misbehaviour": pb.Misbehaviour()},
        ],
    )
    async def test_what_a_verdict_answers_is_worked_on_in_order(self, body: dict[str, Any]) -> None:
        one = session()
        one.receive(frame(2, **body))
        one.receive(frame(3, **body))
        assert [(await one.work.get()).frame_id for _ in range(2)] == [2, 3]

    def test_heartbeats_credits_and_answers_to_nothing_are_no_work(self) -> None:
        one = session()
        one.receive(frame(2, heartbeat=pb.Heartbeat()))
        one.receive(frame(3, credits=pb.Credits(count=9)))
        one.receive(frame(4, answer=pb.Answer(request_id=77)))
        one.receive(frame(5, report=pb.ExecutionReport(execution_id=77)))
        assert not one.work.qsize()


class TestWelcome:
    async def test_what_is_sent_before_goes_out_after_it(self) -> None:
        one = session()
        one.hold()
        asked = asyncio.ensure_future(one.ask(HEADERS))
        await settle()
        one.drain()
        assert drained(one) == []
        one.welcome(pb.Welcome(relayer="east-1"))
        one.send(pb.RelayerFrame(heartbeat=pb.Heartbeat()))
        kinds = [found.WhichOneof("body") for found in drained(one)]
        assert kinds == ["welcome", "request", "drain", "heartbeat"]
        asked.cancel()

    async def test_a_session_that_ends_before_it_sends_nothing(self) -> None:
        one = session()
        one.hold()
        one.drain()
        one.end(ShuttingDown())
        one.welcome(pb.Welcome())
        assert drained(one) == []


class TestCredits:
    def test_more_items_than_credits_end_the_session(self) -> None:
        one = session()
        for number in range(ITEM_CREDITS // 256):
            one.receive(frame(number + 2, packets=packets(256)))
        with pytest.raises(CreditsSpent) as caught:
            one.receive(frame(9000, absence=pb.Absence()))
        assert (caught.value.sent, caught.value.credits) == (ITEM_CREDITS + 1, ITEM_CREDITS)

    async def test_with_too_many_frames_unanswered_nothing_more_is_read_until_some_are(
        self,
    ) -> None:
        """A city with thousands of lanes shows a frame of each."""
        one = session()
        for number in range(MAX_FRAMES):
            one.receive(frame(number + 2, absence=pb.Absence()))
            await one.room()
        last = frame(9000, absence=pb.Absence())
        one.receive(last)
        waiting = asyncio.ensure_future(one.room())
        await settle()
        assert not waiting.done()
        one.answered(last, pb.Verdict(frame_id=9000))
        await one.next_frame()
        await waiting

    async def test_with_too_many_bytes_unanswered_nothing_more_is_read_until_some_are(
        self,
    ) -> None:
        """Large payloads are no offence: the adapter is only slowed down."""
        clock = ManualClock()
        one, size = session(clock), 1024 * 1024
        sent = [frame(n + 2, packets=packets(1, size)) for n in range(MAX_BYTES // size)]
        for each in sent[:-1]:
            one.receive(each)
            await one.room()
        one.receive(sent[-1])
        waiting = asyncio.ensure_future(one.room())
        beating = asyncio.ensure_future(one.beat())
        await settle()
        await clock.advance(Duration(2 * SILENCE))
        assert not waiting.done()
        assert not one.ended.is_set()
        one.answered(sent[0], pb.Verdict(frame_id=2))
        while one._outbound.qsize():
            await one.next_frame()
        await waiting
        await clock.advance(SILENCE)
        assert not one.ended.is_set()
        await clock.advance(SECOND)
        assert one.ended.is_set()
        await beating

    async def test_credits_are_free_again_once_the_verdict_has_left_not_before(self) -> None:
        """Who sends and never reads runs out of credits: no queue grows for him."""
        one = session()
        sent = [frame(number + 2, packets=packets(256)) for number in range(ITEM_CREDITS // 256)]
        for each in sent:
            one.receive(each)
            one.answered(each, pb.Verdict(frame_id=each.frame_id))
        with pytest.raises(CreditsSpent):
            one.receive(frame(8000, packets=packets(1)))
        for _ in sent:
            await one.next_frame()
        one.receive(frame(9000, packets=packets(255)))


class TestRequests:
    async def test_the_answer_comes_to_whoever_asked(self) -> None:
        one = session()
        first = asyncio.ensure_future(one.request(pb.Request(headers=pb.HeaderRequest())))
        second = asyncio.ensure_future(one.request(pb.Request(proofs=pb.ProofRequest())))
        await settle()
        ids = [out.request.request_id for out in drained(one)]
        assert len(set(ids)) == 2
        one.receive(frame(2, answer=pb.Answer(request_id=ids[1], proofs=pb.ProofAnswer())))
        one.receive(frame(3, answer=pb.Answer(request_id=ids[0], headers=pb.HeaderBatch())))
        assert (await second).WhichOneof("body") == "proofs"
        assert (await first).WhichOneof("body") == "headers"
        assert one._answers == {}

    @pytest.mark.parametrize(
        ("request_body", "answer_body"),
        [
            ({"headers": pb.HeaderRequest()}, {"proofs": pb.ProofAnswer()}),
            ({"proofs": pb.ProofRequest()}, {"headers": pb.HeaderBatch()}),
            ({"client": pb.ClientQuery()}, {"headers": pb.HeaderBatch()}),
            ({"create_client": pb.CreateClient()}, {"proofs": pb.ProofAnswer()}),
            ({"register_counterparty": pb.RegisterCounterparty()}, {}),
        ],
    )
    async def test_an_answer_of_another_kind_is_none(
        self, request_body: dict[str, Any], answer_body: dict[str, Any]
    ) -> None:
        one = session()
        asked = asyncio.ensure_future(one.request(pb.Request(**request_body)))
        await settle()
        one.receive(frame(2, answer=pb.Answer(request_id=1, **answer_body)))
        with pytest.raises(FrameInvalid):
            await asked

    async def test_a_refusal_says_why_in_bounded_words(self) -> None:
        one = session()
        asked = asyncio.ensure_future(one.request(HEADERS))
        await settle()
        refusal = pb.Refusal(reason="HEADER_NOT_FOUND", detail="\x00" + "x" * 100_000)
        one.receive(frame(2, answer=pb.Answer(request_id=1, refusal=refusal)))
        with pytest.raises(ChainUnreachable) as caught:
            await asked
        assert caught.value.problem.startswith("HEADER_NOT_FOUND:  x")
        assert len(caught.value.problem) < 600

    async def test_more_than_an_adapter_takes_at_once_wait_for_answers(self) -> None:
        one = session()
        asked = [asyncio.ensure_future(one.request(HEADERS)) for _ in range(MAX_REQUESTS + 2)]
        await settle()
        ids = [out.request.request_id for out in drained(one)]
        assert len(ids) == MAX_REQUESTS
        one.receive(frame(2, answer=pb.Answer(request_id=ids[7], headers=pb.HeaderBatch())))
        await settle()
        assert len(drained(one)) == 1
        assert sum(task.done() for task in asked) == 1
        one.end(AdapterOffline(peer=HANGZHOU))
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(result, AdapterOffline) for result in found) == MAX_REQUESTS + 1

    async def test_a_request_that_is_not_answered_is_overdue(self) -> None:
        clock = ManualClock()
        one = session(clock)
        asked = asyncio.ensure_future(one.request(HEADERS))
        await settle()
        await clock.advance(Duration(ANSWER_WITHIN - 1))
        assert not asked.done()
        await clock.advance(Duration(1))
        with pytest.raises(AnswerOverdue) as caught:
            await asked
        assert caught.value.what == "headers"
        one.receive(frame(2, answer=pb.Answer(request_id=1)))
        assert one._answers == {}

    async def test_a_second_answer_changes_nothing(self) -> None:
        one = session()
        asked = asyncio.ensure_future(one.request(HEADERS))
        await settle()
        answer = pb.Answer(request_id=1, headers=pb.HeaderBatch())
        one.receive(frame(2, answer=answer))
        one.receive(frame(3, answer=answer))
        assert await asked == answer


class TestExecutions:
    async def test_the_report_comes_to_whoever_asked_once_it_was_sent(self) -> None:
        one, sent = session(), []
        running = asyncio.ensure_future(one.execute(pb.Execution(), lambda: sent.append(1)))
        await settle()
        [out] = drained(one)
        assert (out.execution.execution_id, sent) == (1, [1])
        one.receive(frame(2, report=pb.ExecutionReport(execution_id=1)))
        assert (await running).execution_id == 1

    @pytest.mark.parametrize(("granted", "outstanding"), [(0, 1), (3, 3), (10_000, MAX_EXECUTIONS)])
    async def test_no_more_are_outstanding_than_the_adapter_granted(
        self, granted: int, outstanding: int
    ) -> None:
        one = session(execution_credits=granted)
        running = [asyncio.ensure_future(one.execute(pb.Execution())) for _ in range(100)]
        await settle()
        assert len(drained(one)) == outstanding
        one.receive(frame(2, report=pb.ExecutionReport(execution_id=1)))
        await settle()
        assert len(drained(one)) == 1
        one.end(ShuttingDown())
        await asyncio.gather(*running, return_exceptions=True)

    async def test_one_that_is_not_reported_is_overdue_and_makes_room(self) -> None:
        clock = ManualClock()
        one = session(clock, execution_credits=1)
        first = asyncio.ensure_future(one.execute(pb.Execution()))
        second = asyncio.ensure_future(one.execute(pb.Execution()))
        await settle()
        await clock.advance(REPORT_WITHIN)
        with pytest.raises(AnswerOverdue):
            await first
        assert [out.execution.execution_id for out in drained(one)] == [1, 2]
        second.cancel()
        await settle()
        assert one._reports == {}

    async def test_while_draining_nothing_more_is_handed_over(self) -> None:
        one = session()
        one.drain()
        with pytest.raises(ShuttingDown):
            await one.execute(pb.Execution())
        assert [out.WhichOneof("body") for out in drained(one)] == ["drain"]


class TestEnd:
    async def test_everything_that_waits_hears_of_the_end_and_the_first_cause_stays(self) -> None:
        one = session(execution_credits=1)
        waiting = [
            asyncio.ensure_future(one.request(HEADERS)),
            asyncio.ensure_future(one.execute(pb.Execution())),
            asyncio.ensure_future(one.execute(pb.Execution())),
        ]
        await settle()
        one.end(LeaseLost(peer=HANGZHOU, epoch=4))
        one.end(ShuttingDown())
        for each in waiting:
            with pytest.raises(AdapterOffline):
                await each
        assert isinstance(one.end_cause, LeaseLost)

    async def test_afterwards_nothing_is_sent_or_asked(self) -> None:
        one = session()
        one.end(ShuttingDown())
        one.send(pb.RelayerFrame(heartbeat=pb.Heartbeat()))
        one.answered(frame(2), pb.Verdict())
        assert drained(one) == []
        with pytest.raises(AdapterOffline):
            await one.request(HEADERS)
        with pytest.raises(AdapterOffline):
            await one.execute(pb.Execution())


class TestHeartbeats:
    async def test_they_go_out_every_second_unless_something_waits_to_go_out(self) -> None:
        clock = ManualClock()
        one = session(clock)
        beating = asyncio.ensure_future(one.beat())
        await settle()
        assert len(drained(one)) == 1
        await clock.advance(SECOND)
        one.receive(frame(2, heartbeat=pb.Heartbeat()))
        await clock.advance(SECOND)
        assert one._outbound.qsize() == 1
        beating.cancel()

    async def test_while_it_waits_for_its_welcome_an_adapter_owes_nothing(self) -> None:
        clock = ManualClock()
        one = session(clock)
        one.hold()
        await clock.advance(SILENCE)  # as another process's lease may take
        one.welcome(pb.Welcome())
        beating = asyncio.ensure_future(one.beat())
        await settle()
        await clock.advance(SILENCE)
        assert not one.ended.is_set()
        await clock.advance(SECOND)
        assert isinstance(one.end_cause, AnswerOverdue)
        await beating

    async def test_an_adapter_that_is_silent_for_three_of_them_is_gone(self) -> None:
        clock = ManualClock()
        one = session(clock)
        beating = asyncio.ensure_future(one.beat())
        await settle()
        await clock.advance(SECOND)
        one.receive(frame(2, heartbeat=pb.Heartbeat()))
        await clock.advance(SILENCE)
        assert not one.ended.is_set()
        await clock.advance(SECOND)
        assert isinstance(one.end_cause, AnswerOverdue)
        await beating
