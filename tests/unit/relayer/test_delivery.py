from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.queries import PREFIX
from hub.core.commitment import commit_packet
from hub.core.errors import (
    AdapterOffline,
    ChainUnreachable,
    LeaseLost,
    Reason,
    RecordCorrupt,
)
from hub.core.lane import Order
from hub.core.paths import commitment_key
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import ExceptionKind, Refusal, SkippedLeaf
from hub.core.time import Timestamp
from hub.wire.packet import decode_packet, encode_packet
from relayer.delivery import Delivery, exceptions
from relayer.steps.events import Done, Park, Refused, Reported, Send, Wait
from relayer.switchboard import LaneDesk
from tests.harness.clock import ManualClock, settle
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.registry import SEQUENCES
from tests.harness.simchain import LIGHT_CLIENT
from tests.harness.station import Station, goes_on, proto_height

if TYPE_CHECKING:
    from hub.core.packet import Packet

LATER = Refusal(Reason.BACKLOG_FULL, "later", is_final=False)
NEVER = Refusal(Reason.PACKET_INVALID, "never", is_final=True)


async def delivery(board: Station) -> Delivery:
    return Delivery(board.board, await board.fresh_desk(), board.exchange.fences[SUZHOU])


async def accepted(board: Station, count: int, **how: Any) -> list[Packet]:
    """Packets that the hub has accepted in one frame, whose headers it has."""
    packets = board.exchange.send(count)
    await board.exchange.accept(packets, **how)
    await board.know()
    return packets


def send(*sequences: int, again: bool = False) -> Send:
    return Send(1, RangeSet.of(sequences), possible_duplicate=again)


def received(execution: pb.Execution) -> list[int]:
    return [decode_packet(content).sequence for content in execution.receive.packets]


class TestCarrying:
    async def test_a_whole_frame_goes_on_with_the_batch_that_its_adapter_sent(
        self, wired: Station
    ) -> None:
        packets = await accepted(wired, 3)
        height = wired.left.chain.height
        reported = await (await delivery(wired)).carry(send(1, 2, 3), goes_on)
        assert reported == Reported(1, RangeSet.of([1, 2, 3]), (), reported.chance)
        [execution] = wired.right.executions
        key = wired.exchange.key
        assert (execution.lane, execution.client) == (key.name, key.destination_client)
        assert list(execution.receive.packets) == list(map(encode_packet, packets))
        assert execution.receive.proof_height == proto_height(height)
        assert [step.header.content for step in execution.updates][-1:] == [
            wired.left.chain.light_block(height).header.content
        ]
        assert not execution.possible_duplicate
        assert wired.left.requests == []

    async def test_leaves_that_are_not_for_execution_are_named(self, wired: Station) -> None:
        first, *packets = wired.exchange.send(3)
        leaf = SkippedLeaf(first.sequence, commit_packet(first))
        await wired.exchange.accept(packets, skipped=[leaf])
        await wired.know()
        reported = await (await delivery(wired)).carry(send(2, 3), goes_on)
        assert reported.executed == RangeSet.of([2, 3])
        [skipped] = wired.right.executions[0].receive.skipped
        assert (skipped.sequence, skipped.commitment) == (1, commit_packet(first))
        assert wired.left.requests == []

    async def test_what_policy_denied_is_never_carried_and_not_parked(self, wired: Station) -> None:
        """The flow does not get it; this holds where it did."""
        await accepted(wired, 1)
        denied = await accepted(wired, 2, denied="no route")
        carrier = await delivery(wired)
        reported = await carrier.carry(send(1, 2, 3), goes_on)
        assert reported.executed == RangeSet.of([1])
        assert [received(execution) for execution in wired.right.executions] == [[1]]
        assert [one.item for one in reported.refused] == [packet.sequence for packet in denied]
        lane_id = (await wired.desk()).view.lane.lane_id
        before = await wired.registry.exceptions.among(lane_id, SEQUENCES)
        for one in reported.refused:
            assert one.refusal == Refusal(Reason.POLICY_DENIES_ROUTE, "no route", is_final=True)
            assert await carrier.record(Park(one.item, one.refusal)) == EMPTY
        after = await wired.registry.exceptions.among(
            (await wired.desk()).view.lane.lane_id, SEQUENCES
        )
        assert [(one.sequence, one.kind) for one in after] == [
            (2, ExceptionKind.DENIED),
            (3, ExceptionKind.DENIED),
        ]
        assert after == before

    async def test_what_policy_denied_and_has_lapsed_is_shown_as_too_late(
        self, wired: Station
    ) -> None:
        await accepted(wired, 1, denied="no route")
        late = replace(send(1), lapsed=RangeSet.of([1]))
        await (await delivery(wired)).carry(late, goes_on)
        assert [received(execution) for execution in wired.right.executions] == [[1]]

    async def test_a_part_of_a_frame_is_proven_afresh_alone(self, wired: Station) -> None:
        await accepted(wired, 3)
        wired.exchange.grow(2)
        await wired.know()
        reported = await (await delivery(wired)).carry(send(2), goes_on)
        assert reported.executed == RangeSet.of([2])
        [execution] = wired.right.executions
        assert received(execution) == [2]
        assert execution.receive.proof_height == proto_height(wired.left.chain.height - 1)

    async def test_what_waits_for_its_turn_as_a_pause_comes_does_not_leave(
        self, wired: Station
    ) -> None:
        await accepted(wired, 2)
        carrier, session = await delivery(wired), wired.board.session(SUZHOU)
        for _ in range(session.execution_credits):
            await session._executions.acquire()
        carrying = asyncio.ensure_future(carrier.carry(send(1, 2), goes_on))
        await settle()
        lanes, key = wired.registry.lanes, wired.exchange.key
        await lanes.pause(key, "inspection", ADMIN)
        await wired.fresh_desk()
        session._executions.release()
        assert await carrying == Reported(1, EMPTY, untried=RangeSet.of([1, 2]))
        assert wired.right.executions == []
        again = await (await delivery(wired)).carry(send(1, 2), goes_on)
        assert again == Reported(1, EMPTY, untried=RangeSet.of([1, 2])), "it is paused"
        await lanes.resume(key, ADMIN)
        wired.exchange.grow(2)
        await wired.know()
        reported = await (await delivery(wired)).carry(send(1, 2), goes_on)
        assert reported.executed == RangeSet.of([1, 2])

    async def test_what_a_pause_held_is_proven_afresh(self, wired: Station) -> None:
        await accepted(wired, 2)
        lanes, key = wired.registry.lanes, wired.exchange.key
        await lanes.pause(key, "inspection", ADMIN)
        await lanes.resume(key, ADMIN)
        wired.exchange.grow(2)
        await wired.know()
        newest = wired.left.chain.height
        reported = await (await delivery(wired)).carry(send(1, 2), goes_on)
        assert reported.executed == RangeSet.of([1, 2])
        assert wired.right.executions[0].receive.proof_height == proto_height(newest)

    async def test_what_the_client_has_passed_by_is_proven_at_a_height_that_it_can_reach(
        self, wired: Station
    ) -> None:
        """Its adapter names its newest heights only, and an old packet's proof is below them."""
        await accepted(wired, 2)
        wired.exchange.grow(3)
        await wired.know()
        newest, key = wired.left.chain.height, wired.exchange.key
        source = await wired.keeper(HANGZHOU)
        clients = wired.board.clients_of(SUZHOU)
        steps = await clients.updates(key.destination_client, source, newest, wired.clock.now())
        wired.right.execute(pb.Execution(client=key.destination_client, updates=steps))
        clients.reported(key.destination_client, [(await source.state(newest)).height])
        reported = await (await delivery(wired)).carry(send(1, 2), goes_on)
        assert reported.executed == RangeSet.of([1, 2])
        assert wired.right.executions[0].receive.proof_height == proto_height(newest)

    async def test_each_frame_is_an_execution_of_its_own_updates_once(self, wired: Station) -> None:
        await accepted(wired, 2)
        await accepted(wired, 2)
        reported = await (await delivery(wired)).carry(send(1, 2, 3, 4, again=True), goes_on)
        assert reported.executed == RangeSet.of([1, 2, 3, 4])
        first, second = wired.right.executions
        assert (received(first), received(second)) == ([1, 2], [3, 4])
        assert first.possible_duplicate
        trusted = [step.trusted_height.number for step in second.updates]
        assert trusted == [first.receive.proof_height.number]

    async def test_what_was_executed_before_is_done(self, wired: Station) -> None:
        packets = await accepted(wired, 2)
        await wired.exchange.deliver(packets)
        await wired.know()
        reported = await (await delivery(wired)).carry(send(1, 2, again=True), goes_on)
        assert reported.executed == RangeSet.of([1, 2])

    async def test_what_the_chain_refuses_is_told_one_by_one(self, wired: Station) -> None:
        await accepted(wired, 2)
        entry = pb.Refusal(sequence=2, reason="BACKLOG_FULL", detail="later", retryable=True)
        wired.right.reports = lambda _: pb.ExecutionReport(
            executed=[pb.SequenceRange(first=1, last=1)], refused=[entry]
        )
        reported = await (await delivery(wired)).carry(send(1, 2), goes_on)
        assert reported.executed == RangeSet.of([1])
        assert reported.refused == (Refused(2, LATER),)

    async def test_a_frame_that_cannot_be_proven_holds_up_no_other(self, wired: Station) -> None:
        await accepted(wired, 2)
        await accepted(wired, 2)
        state = wired.registry.state
        del state.proofs[min(state.proofs)]
        reported = await (await delivery(wired)).carry(send(1, 2, 3, 4), goes_on)
        assert reported.executed == RangeSet.of([3, 4])
        with pytest.raises(RecordCorrupt):
            await (await delivery(wired)).carry(send(1, 2), goes_on)

    async def test_a_packet_whose_commitment_is_gone_holds_up_no_other(
        self, wired: Station
    ) -> None:
        """Others brought it and its answer; what the hub has of it is no proof any more."""
        packets = await accepted(wired, 3)
        path = wired.exchange.path
        await wired.exchange.deliver(packets[:1])
        path.advance()
        result = path.deliver(path.left, path.acknowledge(path.left, packets[:1]))
        assert result.error is None
        path.advance()
        await wired.registry.lanes.pause(wired.exchange.key, "inspection", ADMIN)
        await wired.registry.lanes.resume(wired.exchange.key, ADMIN)
        await wired.know()
        reported = await (await delivery(wired)).carry(send(1, 2, 3), goes_on)
        assert reported.executed == RangeSet.of([2, 3])
        assert reported.refused == ()

    async def test_without_the_destinations_adapter_nothing_is_carried(
        self, board: Station
    ) -> None:
        await board.wire(HANGZHOU)
        await accepted(board, 1)
        with pytest.raises(AdapterOffline):
            await (await delivery(board)).carry(send(1), goes_on)

    async def test_without_the_sources_adapter_only_what_is_proven_already_is_carried(
        self, board: Station
    ) -> None:
        await board.wire(SUZHOU)
        await accepted(board, 2)
        with pytest.raises(AdapterOffline):
            await (await delivery(board)).carry(send(1), goes_on)
        reported = await (await delivery(board)).carry(send(1, 2), goes_on)
        assert reported.executed == RangeSet.of([1, 2])

    async def test_a_session_that_ends_meanwhile_is_no_bug(self, wired: Station) -> None:
        await accepted(wired, 1)
        wired.right.reports_nothing = True
        carrying = asyncio.ensure_future((await delivery(wired)).carry(send(1), goes_on))
        await settle()
        wired.right.session.end(ChainUnreachable(chain="x", problem="y"))
        del wired.board.sessions[SUZHOU], wired.board.chain_clients[SUZHOU]
        with pytest.raises(AdapterOffline):
            await carrying

    async def test_what_is_to_be_proven_afresh_is_until_it_is_reported_executed(
        self, wired: Station
    ) -> None:
        await accepted(wired, 3)
        height = wired.left.chain.height
        carrier = await delivery(wired)
        carrier.prove_afresh(RangeSet.of([2]))
        wired.exchange.grow(2)
        await wired.know()
        await carrier.carry(send(1, 2, 3), goes_on)
        await carrier.record(Done(RangeSet.of([2])))
        await carrier.carry(send(1, 2, 3), goes_on)
        heights = [one.receive.proof_height.number for one in wired.right.executions]
        assert heights[0] > height == heights[1]


class TestRecording:
    async def test_what_is_reported_executed_is_delivered_and_not_ended(
        self, wired: Station
    ) -> None:
        await accepted(wired, 2)
        carrier = await delivery(wired)
        assert await carrier.record(Done(RangeSet.of([2]))) == EMPTY
        assert (await wired.fresh_desk()).view.destination.progress == RangeSet.of([2])

    async def test_refusals_are_exceptions_and_failures_without_one_are_none(
        self, wired: Station
    ) -> None:
        await accepted(wired, 3)
        carrier = await delivery(wired)
        await carrier.record(Wait(RangeSet.of([1]), None, Timestamp(0), 1))
        await carrier.record(Wait(RangeSet.of([2]), LATER, Timestamp(0), 4))
        await carrier.record(Park(3, NEVER))
        found = await wired.registry.exceptions.among(carrier._lane_id, SEQUENCES)
        assert [(one.sequence, one.kind, one.reason, one.attempts) for one in found] == [
            (2, ExceptionKind.RETRY, Reason.BACKLOG_FULL, 4),
            (3, ExceptionKind.PARKED, Reason.PACKET_INVALID, 1),
        ]

    async def test_under_a_lease_that_is_over_nothing_is_recorded(self, wired: Station) -> None:
        await accepted(wired, 1)
        carrier = await delivery(wired)
        await wired.lease(SUZHOU)
        with pytest.raises(LeaseLost):
            await carrier.record(Done(RangeSet.of([1])))
        with pytest.raises(LeaseLost):
            await carrier.record(Park(1, NEVER))
        assert not (await wired.fresh_desk()).view.destination.progress


def test_exceptions_name_sequences_where_the_items_are_others() -> None:
    clock = ManualClock()
    due = Timestamp(clock.monotonic() + 5)
    [found] = exceptions(Wait(RangeSet.of([0]), LATER, due, 2), clock, {0: 17})
    assert (found.sequence, found.kind) == (17, ExceptionKind.RETRY)
    assert found.next_attempt_at == clock.now() + 5
    assert exceptions(Wait(RangeSet.of([0]), None, due, 2), clock, {0: 17}) == []
    [parked] = exceptions(Park(0, NEVER), clock, {0: 17})
    assert parked.next_attempt_at is None


async def test_what_goes_out_is_what_was_verified(wired: Station) -> None:
    """The batch that is forwarded shows every packet under the header that goes with it."""
    packets = await accepted(wired, 3)
    await (await delivery(wired)).carry(send(1, 2, 3), goes_on)
    [execution] = wired.right.executions
    state = LIGHT_CLIENT.read_header(
        wired.left.chain.light_block(execution.receive.proof_height.number).header
    )
    leaves = [leaf_of(packet) for packet in packets]
    LIGHT_CLIENT.verify_batch(state.root, PREFIX, leaves, execution.receive.proof_batch)


def leaf_of(packet: Packet) -> tuple[bytes, bytes]:
    return commitment_key(packet.source_client, packet.sequence), commit_packet(packet)


class TestManyFrames:
    """Packets of more frames than may go on one by one."""

    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("relayer.merging.MAX_PROOFS", 2)

    async def test_they_are_proven_afresh_together(self, wired: Station) -> None:
        for count in (2, 1, 2):
            await accepted(wired, count)
        reported = await (await delivery(wired)).carry(send(1, 2, 3, 4, 5, again=True), goes_on)
        assert reported.executed == RangeSet.span(1, 6)
        [execution] = wired.right.executions
        assert received(execution) == [1, 2, 3, 4, 5]
        assert execution.possible_duplicate
        assert [len(request.proofs.keys) for request in wired.left.requests] == [5]

    async def test_few_go_on_as_they_came(self, wired: Station) -> None:
        for count in (2, 1):
            await accepted(wired, count)
        reported = await (await delivery(wired)).carry(send(1, 2, 3), goes_on)
        assert reported.executed == RangeSet.span(1, 4)
        assert [received(one) for one in wired.right.executions] == [[1, 2], [3]]
        assert wired.left.requests == []

    async def test_where_they_cannot_be_proven_afresh_they_go_on_as_they_came(
        self, wired: Station
    ) -> None:
        for count in (1, 1, 2):
            await accepted(wired, count)
        wired.left.answers = lambda _: pb.Answer(refusal=pb.Refusal(reason="HEADER_NOT_FOUND"))
        reported = await (await delivery(wired)).carry(send(1, 2, 3, 4), goes_on)
        assert reported.executed == RangeSet.span(1, 5)
        assert [received(one) for one in wired.right.executions] == [[1], [2], [3, 4]]


class TestInOrder:
    """Towards a gateway that keeps no order itself, one execution at a time is in flight."""

    @pytest.fixture
    async def carrier(self, wired: Station) -> Delivery:
        row = wired.registry.state.lanes[1]
        row.lane = replace(row.lane, order=Order.BEST_EFFORT)
        return Delivery(wired.board, await read_anew(wired), wired.exchange.fences[SUZHOU])

    async def test_frames_that_wait_together_are_proven_afresh_as_one(
        self, wired: Station, carrier: Delivery
    ) -> None:
        await accepted(wired, 2)
        await accepted(wired, 1)
        await accepted(wired, 2)
        reported = await carrier.carry(send(1, 2, 3, 4, 5), goes_on)
        assert reported.executed == RangeSet.span(1, 6)
        [execution] = wired.right.executions
        assert received(execution) == [1, 2, 3, 4, 5]
        assert execution.in_order
        assert [len(request.proofs.keys) for request in wired.left.requests] == [5]

    async def test_one_frame_goes_on_as_it_came(self, wired: Station, carrier: Delivery) -> None:
        await accepted(wired, 3)
        assert (await carrier.carry(send(1, 2, 3), goes_on)).executed == RangeSet.span(1, 4)
        assert wired.left.requests == []

    async def test_a_part_of_one_frame_with_one_of_another_is_not_taken_for_a_whole_one(
        self, wired: Station, carrier: Delivery
    ) -> None:
        await accepted(wired, 2)
        await accepted(wired, 1)
        assert (await carrier.carry(send(2, 3), goes_on)).executed == RangeSet.of([2, 3])
        assert received(wired.right.executions[0]) == [2, 3]

    async def test_where_they_cannot_be_proven_afresh_the_first_frame_goes_alone(
        self, wired: Station, carrier: Delivery
    ) -> None:
        await accepted(wired, 2)
        await accepted(wired, 1)
        wired.left.answers = lambda _: pb.Answer(refusal=pb.Refusal(reason="HEADER_NOT_FOUND"))
        reported = await carrier.carry(send(1, 2, 3), goes_on)
        assert (reported.executed, reported.refused) == (RangeSet.of([1, 2]), ())
        assert [received(one) for one in wired.right.executions] == [[1, 2]]

    async def test_no_more_bytes_go_together_than_a_frame_has(
        self, wired: Station, carrier: Delivery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        packets = [*await accepted(wired, 1), *await accepted(wired, 2)]
        size = sum(len(encode_packet(packet)) for packet in packets[:2])
        monkeypatch.setattr("relayer.delivery.MAX_FRAME_BYTES", size)
        assert (await carrier.carry(send(1, 2, 3), goes_on)).executed == RangeSet.of([1, 2])
        monkeypatch.setattr("relayer.delivery.MAX_FRAME_BYTES", 1)
        assert (await carrier.carry(send(1, 2, 3), goes_on)).executed == RangeSet.of([1])

    async def test_nothing_at_all_is_no_execution(self, wired: Station, carrier: Delivery) -> None:
        assert (await carrier.carry(send(7), goes_on)).executed == EMPTY
        assert wired.right.executions == []

    async def test_what_needs_no_order_says_so(self, wired: Station) -> None:
        await accepted(wired, 1)
        await (await delivery(wired)).carry(send(1), goes_on)
        assert not wired.right.executions[0].in_order


async def read_anew(board: Station) -> LaneDesk:
    """The lane's desk, as if it were new here."""
    view = await board.registry.lanes.view(1)
    return LaneDesk(view, (await board.desk()).routes)
