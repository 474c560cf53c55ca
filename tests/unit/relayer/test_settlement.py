from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    AdapterOffline,
    LeaseLost,
    Reason,
    RecordCorrupt,
    RegistryUnreachable,
)
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import ExceptionKind, Refusal
from hub.core.time import SECOND, Timestamp
from hub.wire.packet import decode_packet, encode_packet
from relayer.settlement import Settlement
from relayer.steps.events import Done, Park, Refused, Reported, Send, Wait
from tests.harness.clock import settle
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.registry import SEQUENCES, disproof
from tests.harness.station import Station, goes_on, proto_height

if TYPE_CHECKING:
    from hub.core.packet import Packet

LATER = Refusal(Reason.BACKLOG_FULL, "later", is_final=False)
NEVER = Refusal(Reason.PACKET_INVALID, "never", is_final=True)


async def settlement(board: Station) -> Settlement:
    return Settlement(board.board, await board.fresh_desk(), board.exchange.fences[HANGZHOU])


async def acknowledged(board: Station, count: int) -> list[Packet]:
    """Packets whose acknowledgements are recorded, with one proof for all."""
    exchange = board.exchange
    packets = exchange.send(count)
    await exchange.accept(packets)
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    await board.know()
    return packets


async def expired(board: Station, count: int = 1) -> list[Packet]:
    """Packets whose absence at their timeout is recorded, each with its own proof."""
    exchange = board.exchange
    packets = exchange.send(count, timeout=30)
    await exchange.accept(packets)
    for packet in packets:
        await exchange.time_out(packet)
    await board.know()
    return packets


def send(*indexes: int, again: bool = False) -> Send:
    return Send(1, RangeSet.of(indexes), possible_duplicate=again)


def effects(board: Station, sequence: int) -> Any:
    """What the left's chain did for one of its packets."""
    chain = board.exchange.path.left
    return chain.ledger.outgoing[board.exchange.key.source_client].of(sequence)


class TestAcknowledgements:
    async def test_a_whole_frame_goes_back_with_the_batch_that_its_adapter_sent(
        self, wired: Station
    ) -> None:
        packets = await acknowledged(wired, 3)
        height = wired.right.chain.height
        reported = await (await settlement(wired)).carry(send(0, 1, 2), goes_on)
        assert (reported.executed, reported.refused) == (RangeSet.of([0, 1, 2]), ())
        [execution] = wired.left.executions
        assert execution.client == wired.exchange.key.source_client
        assert list(execution.acknowledge.packets) == list(map(encode_packet, packets))
        assert len(execution.acknowledge.acknowledgements) == 3
        assert execution.acknowledge.proof_height == proto_height(height)
        assert wired.right.requests == []
        assert [effects(wired, number).acknowledged for number in (1, 2, 3)] == [1, 1, 1]

    async def test_indexes_are_those_of_the_outcomes_in_whatever_order_they_came(
        self, wired: Station
    ) -> None:
        exchange = wired.exchange
        packets = exchange.send(2)
        await exchange.accept(packets)
        await exchange.deliver(packets)
        await exchange.acknowledge(packets[1:])
        await exchange.acknowledge(packets[:1])
        await wired.know()
        reported = await (await settlement(wired)).carry(send(0), goes_on)
        assert reported.executed == RangeSet.of([0])
        assert [decode_packet(one).sequence for one in sent(wired)[0].acknowledge.packets] == [2]

    async def test_a_part_of_a_frame_is_proven_afresh(self, wired: Station) -> None:
        await acknowledged(wired, 3)
        wired.exchange.grow(2)
        await wired.know()
        reported = await (await settlement(wired)).carry(send(1, again=True), goes_on)
        assert reported.executed == RangeSet.of([1])
        [execution] = sent(wired)
        assert execution.acknowledge.proof_height == proto_height(wired.right.chain.height - 1)
        assert execution.possible_duplicate
        assert effects(wired, 2).acknowledged == 1

    async def test_what_a_freeze_lies_behind_is_proven_afresh(self, wired: Station) -> None:
        await acknowledged(wired, 2)
        lanes, key = wired.registry.lanes, wired.exchange.key
        await lanes.pause(key, "inspection", ADMIN)
        await lanes.resume(key, ADMIN)
        reported = await (await settlement(wired)).carry(send(0, 1), goes_on)
        assert reported.executed == RangeSet.of([0, 1])
        assert [one.proofs.batch for one in wired.right.requests] == [True]

    async def test_what_was_executed_before_is_complete(self, wired: Station) -> None:
        await acknowledged(wired, 2)
        carrier = await settlement(wired)
        await carrier.carry(send(0, 1), goes_on)
        reported = await carrier.carry(send(0, 1, again=True), goes_on)
        assert reported.executed == RangeSet.of([0, 1])
        assert effects(wired, 1).acknowledged == 1

    async def test_refusals_are_told_by_index(self, wired: Station) -> None:
        await acknowledged(wired, 2)
        entry = pb.Refusal(sequence=2, reason="BACKLOG_FULL", detail="later", retryable=True)
        foreign = pb.Refusal(sequence=77, reason="BACKLOG_FULL")
        wired.left.reports = lambda _: pb.ExecutionReport(
            executed=[pb.SequenceRange(first=1, last=1)], refused=[entry, foreign]
        )
        reported = await (await settlement(wired)).carry(send(0, 1), goes_on)
        assert reported.executed == RangeSet.of([0])
        assert reported.refused == (Refused(1, LATER),)


class TestManyFrames:
    """Answers of more frames than may go back one by one."""

    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("relayer.merging.MAX_PROOFS", 2)

    async def test_they_are_proven_afresh_together_and_absences_go_by_themselves(
        self, wired: Station
    ) -> None:
        for count in (2, 1, 2):
            await acknowledged(wired, count)
        await expired(wired)
        reported = await (await settlement(wired)).carry(send(*range(6)), goes_on)
        assert reported.executed == RangeSet.span(0, 6)
        answers, refund = sent(wired)
        assert [decode_packet(one).sequence for one in answers.acknowledge.packets] == [
            1,
            2,
            3,
            4,
            5,
        ]
        assert decode_packet(refund.time_out.packet).sequence == 6
        assert [len(one.proofs.keys) for one in wired.right.requests if one.proofs.batch] == [5]
        assert [effects(wired, n).acknowledged for n in range(1, 7)] == [1, 1, 1, 1, 1, 0]

    async def test_where_they_cannot_be_proven_afresh_they_go_back_as_they_came(
        self, wired: Station
    ) -> None:
        for count in (1, 2, 1):
            await acknowledged(wired, count)
        refused = pb.Answer(refusal=pb.Refusal(reason="HEADER_NOT_FOUND"))
        wired.right.answers = lambda request: refused if request.proofs.batch else None
        reported = await (await settlement(wired)).carry(send(0, 1, 2, 3), goes_on)
        assert reported.executed == RangeSet.span(0, 4)
        assert [len(one.acknowledge.packets) for one in sent(wired)] == [1, 2, 1]


class TestTimeouts:
    async def test_each_absence_is_an_execution_of_its_own(self, wired: Station) -> None:
        packets = await expired(wired, 2)
        reported = await (await settlement(wired)).carry(send(0, 1), goes_on)
        assert reported.executed == RangeSet.of([0, 1])
        assert [one.time_out.packet for one in sent(wired)] == list(map(encode_packet, packets))
        assert wired.right.requests == []
        assert [effects(wired, number).refunded for number in (1, 2)] == [1, 1]

    async def test_what_a_freeze_lies_behind_is_proven_afresh_at_a_later_height(
        self, wired: Station
    ) -> None:
        await expired(wired)
        lanes, key = wired.registry.lanes, wired.exchange.key
        await lanes.pause(key, "inspection", ADMIN)
        await lanes.resume(key, ADMIN)
        wired.exchange.grow(1)
        await wired.know()
        newest = wired.right.chain.height
        reported = await (await settlement(wired)).carry(send(0), goes_on)
        assert reported.executed == RangeSet.of([0])
        assert sent(wired)[0].time_out.proof_height == proto_height(newest)

    @pytest.mark.parametrize("lie", ["present", "forged"])
    async def test_a_lie_about_the_receipt_brings_no_refund_and_holds_up_no_other(
        self, wired: Station, lie: str
    ) -> None:
        await expired(wired)
        await acknowledged(wired, 1)
        lanes, key = wired.registry.lanes, wired.exchange.key
        await lanes.pause(key, "inspection", ADMIN)
        await lanes.resume(key, ADMIN)

        def answer(request: pb.Request) -> pb.Answer | None:
            if request.WhichOneof("body") != "proofs" or request.proofs.batch:
                return None
            found = wired.right.prove(request.proofs)
            if lie == "present":
                found.proofs.values[0] = b"\x01"
            else:
                found.proofs.proofs[0] = found.proofs.proofs[0][:-1]
            return found

        wired.right.answers = answer
        reported = await (await settlement(wired)).carry(send(0, 1), goes_on)
        assert reported.executed == RangeSet.of([1])
        assert effects(wired, 1).refunded == 0
        assert effects(wired, 2).acknowledged == 1


class TestOthers:
    async def test_what_is_settled_elsewhere_is_owed_to_nobody(self, board: Station) -> None:
        await board.exchange.settle_elsewhere(5)
        reported = await (await settlement(board)).carry(send(0), goes_on)
        assert reported.executed == RangeSet.of([0])

    async def test_without_the_sources_adapter_nothing_is_carried(self, board: Station) -> None:
        await acknowledged(board, 1)
        with pytest.raises(AdapterOffline):
            await (await settlement(board)).carry(send(0), goes_on)

    async def test_an_outcome_without_its_packet_is_damage(self, wired: Station) -> None:
        await acknowledged(wired, 1)
        wired.registry.state.lanes[1].packets.clear()
        with pytest.raises(RecordCorrupt):
            await (await settlement(wired)).carry(send(0), goes_on)

    async def test_an_outcome_without_its_proof_is_damage(self, wired: Station) -> None:
        await acknowledged(wired, 1)
        wired.registry.state.proofs.clear()
        with pytest.raises(RecordCorrupt):
            await (await settlement(wired)).carry(send(0), goes_on)


class TestRecording:
    async def test_what_is_reported_executed_is_complete_and_has_ended(
        self, wired: Station
    ) -> None:
        await acknowledged(wired, 2)
        carrier = await settlement(wired)
        assert await carrier.record(Done(RangeSet.of([1]))) == RangeSet.of([1])
        assert (await wired.fresh_desk()).view.source.progress == RangeSet.of([1])

    async def test_exceptions_are_of_the_packets(self, wired: Station) -> None:
        exchange = wired.exchange
        packets = exchange.send(2)
        await exchange.accept(packets)
        await exchange.deliver(packets)
        await exchange.acknowledge(packets[1:])
        await exchange.acknowledge(packets[:1])
        carrier = await settlement(wired)
        assert await carrier.record(Wait(RangeSet.of([0]), LATER, Timestamp(0), 2)) == EMPTY
        assert await carrier.record(Park(1, NEVER)) == EMPTY
        found = await wired.registry.exceptions.among(carrier._lane_id, SEQUENCES)
        assert [(one.sequence, one.kind) for one in found] == [
            (1, ExceptionKind.PARKED),
            (2, ExceptionKind.RETRY),
        ]

    async def test_what_waits_for_its_turn_as_a_freeze_comes_does_not_leave(
        self, wired: Station
    ) -> None:
        await acknowledged(wired, 2)
        carrier, session = await settlement(wired), wired.board.session(HANGZHOU)
        for _ in range(session.execution_credits):
            await session._executions.acquire()
        carrying = asyncio.ensure_future(carrier.carry(send(0, 1), goes_on))
        await settle()
        await wired.registry.clients.freeze(SUZHOU, "inspection", None, ADMIN)
        await wired.fresh_desk()
        session._executions.release()
        assert await carrying == Reported(1, EMPTY, untried=RangeSet.of([0, 1]))
        assert wired.left.executions == []

    async def test_what_is_complete_is_no_exception_any_more(self, wired: Station) -> None:
        await acknowledged(wired, 4)
        carrier = await settlement(wired)
        await carrier.record(Wait(RangeSet.of([0, 1]), LATER, Timestamp(0), 2))
        await carrier.record(Park(2, NEVER))
        await carrier.record(Done(RangeSet.of([0])))
        assert await excepted(carrier) == [2, 3]
        # Another session knows of them too; what it cannot remove now, it does later.
        carrier = await settlement(wired)
        registry = wired.registry
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(registry.exceptions, "remove", away)
            assert await carrier.record(Done(RangeSet.of([1]))) == RangeSet.of([1])
        assert await excepted(carrier) == [2, 3]
        await carrier.record(Done(RangeSet.of([2])))
        assert await excepted(carrier) == []

    async def test_what_a_session_left_that_ended_as_it_was_complete_is_removed_by_the_next(
        self, wired: Station
    ) -> None:
        await acknowledged(wired, 3)
        carrier = await settlement(wired)
        for index in (0, 2):
            await carrier.record(Park(index, NEVER))
        indexes = RangeSet.of([0])
        await wired.registry.outcomes.record_completed(
            wired.exchange.fences[HANGZHOU], carrier._lane_id, indexes
        )
        carrier = await settlement(wired)
        await carrier.record(Done(RangeSet.of([1])))
        assert await excepted(carrier) == [3]

    async def test_exceptions_that_cannot_be_read_hold_up_no_completion(
        self, wired: Station
    ) -> None:
        await acknowledged(wired, 2)
        carrier = await settlement(wired)
        await carrier.record(Park(0, NEVER))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wired.registry.outcomes, "find", away)
            assert await carrier.record(Done(RangeSet.of([0]))) == RangeSet.of([0])
        assert await excepted(carrier) == [1]
        await carrier.record(Done(RangeSet.of([1])))
        assert await excepted(carrier) == []

    async def test_exceptions_of_earlier_sessions_are_read_again_until_they_can_be(
        self, wired: Station
    ) -> None:
        await acknowledged(wired, 2)
        await (await settlement(wired)).record(Park(0, NEVER))
        carrier = await settlement(wired)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wired.registry.outcomes, "find", away)
            await carrier.record(Done(RangeSet.of([0])))
        assert await excepted(carrier) == [1]
        await carrier.record(Done(RangeSet.of([1])))
        assert await excepted(carrier) == []

    async def test_a_wait_without_a_refusal_records_nothing(self, wired: Station) -> None:
        await acknowledged(wired, 1)
        carrier = await settlement(wired)
        await carrier.record(Wait(RangeSet.of([0]), None, Timestamp(0), 1))
        assert await wired.registry.exceptions.among(carrier._lane_id, SEQUENCES) == []

    async def test_under_a_lease_that_is_over_nothing_is_recorded(self, wired: Station) -> None:
        await acknowledged(wired, 1)
        carrier = await settlement(wired)
        await wired.lease(HANGZHOU)
        with pytest.raises(LeaseLost):
            await carrier.record(Done(RangeSet.of([0])))
        assert not (await wired.fresh_desk()).view.source.progress


async def test_the_other_sides_lease_does_not_count_here(wired: Station) -> None:
    await acknowledged(wired, 1)
    await wired.lease(SUZHOU)
    carrier = await settlement(wired)
    assert await carrier.record(Done(RangeSet.of([0]))) == RangeSet.of([0])


async def excepted(carrier: Settlement) -> list[int]:
    found = await carrier._board.registry.exceptions.among(carrier._lane_id, SEQUENCES)
    return [one.sequence for one in found]


async def away(*_: Any, **__: Any) -> None:
    raise RegistryUnreachable(problem="away")


def sent(board: Station) -> list[pb.Execution]:
    return board.left.executions


class TestAudits:
    """Which executions the source is to show, once they are recorded."""

    async def recorded(self, wired: Station, *sends: Send) -> RangeSet:
        carrier, desk = await settlement(wired), await wired.desk()
        for one in sends:
            await carrier.carry(one, goes_on)
            await carrier.record(Done(one.items))
        return RangeSet.of([item for entry in desk.to_audit.entries for item in entry.items])

    async def test_what_went_well_at_once_is_shown_only_where_chance_says_so(
        self, wired: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await acknowledged(wired, 3)
        asked: list[tuple[bytes, str, int]] = []

        def chosen(*about: Any) -> bool:
            asked.append(about)
            return bool(about[2] == 2)

        monkeypatch.setattr("relayer.settlement.is_chosen", chosen)
        assert await self.recorded(wired, send(0, 1, 2)) == RangeSet.of([1])
        key, lane = wired.board.audit_key, wired.exchange.key.name
        assert asked == [(key, lane, sequence) for sequence in (1, 2, 3)]

    async def test_every_possible_duplicate_is_shown(self, wired: Station) -> None:
        await acknowledged(wired, 3)
        found = await self.recorded(wired, send(0), send(1, 2, again=True))
        assert found == RangeSet.of([1, 2])

    async def test_what_was_an_exception_of_an_earlier_session_is_shown(
        self, wired: Station
    ) -> None:
        await acknowledged(wired, 2)
        carrier, fence = await settlement(wired), wired.exchange.fences[HANGZHOU]
        await carrier.record(Park(1, NEVER))
        assert [e.sequence for e in await wired.registry.exceptions.among(1, SEQUENCES)] == [2]
        assert await self.recorded(wired, send(0, 1)) == RangeSet.of([1])
        assert await wired.registry.exceptions.among(1, SEQUENCES) == []
        assert fence.peer == HANGZHOU

    async def test_the_exception_of_what_was_open_again_ends_with_it(self, wired: Station) -> None:
        await acknowledged(wired, 2)
        carrier, fence = await settlement(wired), wired.exchange.fences[HANGZHOU]
        await carrier.carry(send(0, 1), goes_on)
        await carrier.record(Done(RangeSet.span(0, 2)))
        await wired.registry.outcomes.reopen(fence, 1, 1, [disproof(1, 2)])
        carrier.prove_afresh(RangeSet.of([1]))
        await carrier.carry(send(1, again=True), goes_on)
        await carrier.record(Done(RangeSet.of([1])))
        assert await wired.registry.exceptions.among(1, SEQUENCES) == []

    async def test_a_clock_that_was_set_back_lets_no_known_header_refute_a_report(
        self, wired: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await acknowledged(wired, 1)
        carrier, desk = await settlement(wired), await wired.desk()
        latest = (await wired.board.keeper(HANGZHOU)).latest
        assert latest is not None
        monkeypatch.setattr(wired.clock, "now", lambda: Timestamp(latest.time - 60 * SECOND))
        await carrier.carry(send(0, again=True), goes_on)
        await carrier.record(Done(RangeSet.of([0])))
        assert [entry.since for entry in desk.to_audit.entries] == [latest.time]

    async def test_what_is_not_recorded_is_not_asked_for(
        self, wired: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await acknowledged(wired, 1)
        carrier = await settlement(wired)
        await carrier.carry(send(0, again=True), goes_on)
        await wired.lease(HANGZHOU)
        with pytest.raises(LeaseLost):
            await carrier.record(Done(RangeSet.of([0])))
        assert not (await wired.desk()).to_audit.entries
