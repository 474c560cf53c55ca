"""Towards a gateway that enforces order: what lapsed is shown in its turn, and where it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.client_store import STORE
from hub.core.errors import Reason
from hub.core.lane import Order
from hub.core.paths import next_sequence_receive_key
from hub.core.ranges import EMPTY, RangeSet
from hub.wire.frames import ranges_to_proto
from hub.wire.packet import decode_packet
from relayer.delivery import Delivery
from relayer.steps.events import Send
from relayer.switchboard import LaneDesk
from tests.harness.exchange import SUZHOU
from tests.harness.station import Station, goes_on

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_NEXT = Reason.SEQUENCE_OUT_OF_ORDER.value


@pytest.fixture
async def carrier(wired: Station) -> Delivery:
    row = wired.registry.state.lanes[1]
    row.lane = replace(row.lane, order=Order.ENFORCED)
    view = await wired.registry.lanes.view(1)
    desk = LaneDesk(view, (await wired.desk()).routes)
    wired.right.reports = everything
    return Delivery(wired.board, desk, wired.exchange.fences[SUZHOU])


def brought(execution: pb.Execution) -> tuple[str, list[int]]:
    if execution.HasField("pass_over"):
        return "gone", [one.sequence for one in execution.pass_over.gone]
    return "packets", [decode_packet(content).sequence for content in execution.receive.packets]


def everything(execution: pb.Execution) -> pb.ExecutionReport:
    done = RangeSet.of(brought(execution)[1])
    return pb.ExecutionReport(executed=ranges_to_proto(done))


def refusing(**reasons: str) -> Callable[[pb.Execution], pb.ExecutionReport]:
    """A report that refuses the n-th packet, by ``_n``, for a reason."""
    refused = [
        pb.Refusal(sequence=int(name[1:]), reason=reason, retryable=True)
        for name, reason in reasons.items()
    ]
    return lambda _: pb.ExecutionReport(refused=refused)


def send(*sequences: int, lapsed: tuple[int, ...] = ()) -> Send:
    items = RangeSet.of(sequences)
    return Send(1, items, possible_duplicate=False, lapsed=RangeSet.of(lapsed))


async def accepted(board: Station, count: int, **how: Any) -> None:
    await board.exchange.accept(board.exchange.send(count, **how))


async def refund(board: Station, *sequences: int) -> None:
    """The packets are refunded at the source, and the hub has the header that shows it."""
    path, key = board.exchange.path, board.exchange.key
    pending = board.left.chain.ledger.outgoing[key.source_client].pending
    path.advance(30)
    path.advance()
    for sequence in sequences:
        message = path.time_out(path.left, pending[sequence].packet)
        assert path.deliver(path.left, message).error is None
    path.advance()
    await board.know()


async def test_what_is_gone_is_shown_before_the_packets_that_stand(
    wired: Station, carrier: Delivery
) -> None:
    await accepted(wired, 4, timeout=20)
    await refund(wired, 1, 3)
    reported = await carrier.carry(send(1, 2, 3, 4, lapsed=(1, 2, 3)), goes_on)
    assert reported.executed == RangeSet.span(1, 5)
    assert [brought(one) for one in wired.right.executions] == [
        ("gone", [1, 3]),
        ("packets", [2, 4]),
    ]
    assert {one.in_order for one in wired.right.executions} == {True}
    assert wired.right.executions[0].client == wired.exchange.key.destination_client


async def test_what_is_gone_may_be_all(wired: Station, carrier: Delivery) -> None:
    await accepted(wired, 2, timeout=20)
    await refund(wired, 1, 2)
    assert (await carrier.carry(send(1, 2, lapsed=(1, 2)), goes_on)).executed == RangeSet.span(1, 3)
    assert [brought(one) for one in wired.right.executions] == [("gone", [1, 2])]


async def test_what_nobody_has_shown_and_is_gone_is_passed_over_too(
    wired: Station, carrier: Delivery
) -> None:
    wired.exchange.send(1, timeout=20)
    await accepted(wired, 1, timeout=90)
    await refund(wired, 1)
    assert (await carrier.carry(send(1, 2, lapsed=(1,)), goes_on)).executed == RangeSet.span(1, 3)
    assert [brought(one) for one in wired.right.executions] == [("gone", [1]), ("packets", [2])]


async def test_no_more_is_asked_for_than_one_question_holds(
    wired: Station, carrier: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accepted(wired, 3, timeout=20)
    await refund(wired, 1, 2)
    monkeypatch.setattr("relayer.delivery.MOST", 1)
    assert (await carrier.carry(send(1, 2, 3, lapsed=(1, 2)), goes_on)).executed == RangeSet.of([1])
    assert [brought(one) for one in wired.right.executions] == [("gone", [1])]


async def test_frames_go_on_as_they_came_in_their_order(wired: Station, carrier: Delivery) -> None:
    for _ in range(3):
        await accepted(wired, 2)
    await wired.know()
    await carrier.carry(send(1, 2, 3, 4, 5, 6), goes_on)
    assert [brought(one)[1] for one in wired.right.executions] == [[1, 2], [3, 4], [5, 6]]
    assert wired.left.requests == []


async def test_many_small_frames_are_proven_afresh_as_one(
    wired: Station, carrier: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayer.delivery.GROUPS", 2)
    for _ in range(3):
        await accepted(wired, 1)
    await wired.know()
    await carrier.carry(send(1, 2, 3), goes_on)
    assert [brought(one)[1] for one in wired.right.executions] == [[1, 2, 3]]


class TestWhereItStands:
    async def stands(self, board: Station, following: int) -> None:
        key = next_sequence_receive_key(board.exchange.key.destination_client)
        board.right.chain.state.set(STORE, key, following.to_bytes(8, "big"))
        board.exchange.grow(2)
        await board.know()

    async def test_a_gateway_that_will_not_have_the_first_one_is_asked(
        self, wired: Station, carrier: Delivery
    ) -> None:
        await accepted(wired, 2)
        await self.stands(wired, 7)
        wired.right.reports = refusing(_1=NOT_NEXT, _2=NOT_NEXT)
        reported = await carrier.carry(send(1, 2), goes_on)
        assert (reported.executed, reported.next_item) == (EMPTY, 7)

    @pytest.mark.parametrize(
        "reasons", [{"_2": NOT_NEXT}, {"_1": Reason.BACKLOG_FULL.value, "_2": NOT_NEXT}]
    )
    async def test_one_that_will_not_have_a_later_one_is_not(
        self, wired: Station, carrier: Delivery, reasons: dict[str, str]
    ) -> None:
        await accepted(wired, 2)
        await self.stands(wired, 7)
        wired.right.reports = refusing(**reasons)
        assert (await carrier.carry(send(1, 2), goes_on)).next_item == 0

    async def test_one_that_does_not_answer_is_not_known(
        self, wired: Station, carrier: Delivery
    ) -> None:
        await accepted(wired, 1)
        await self.stands(wired, 7)
        wired.right.reports = refusing(_1=NOT_NEXT)
        wired.right.answers = lambda request: (
            pb.Answer(refusal=pb.Refusal(reason="HEADER_NOT_FOUND"))
            if request.HasField("proofs")
            else None
        )
        assert (await carrier.carry(send(1), goes_on)).next_item == 0
