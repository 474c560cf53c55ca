from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.queries import prove
from hub.core.errors import (
    Reason,
)
from hub.core.lane import LaneState, Side
from hub.core.paths import receipt_key
from hub.core.ranges import RangeSet
from hub.core.record import NewOutcome, OutcomeKind
from hub.exchange.outcomes import ProvenOutcomes
from relayer.steps.events import Added, Ended
from tests.harness.exchange import ADMIN, SUZHOU
from tests.harness.station import proto_height

if TYPE_CHECKING:
    from hub.core.packet import Packet


from tests.harness.inbound import Working, delivered, numbers, reasons


class TestAcknowledgements:
    async def show(self, at: Working, packets: list[Packet], **changes: Any) -> pb.Verdict:
        right = at.board.right
        await right.show()
        return await right.verdict(acknowledgements=right.acknowledgements(packets, **changes))

    async def test_they_end_what_is_delivered_and_go_back_to_the_source(
        self, at_work: Working
    ) -> None:
        packets = await delivered(at_work, 2)
        verdict = await self.show(at_work, packets)
        assert numbers(verdict.accepted) == [1, 2]
        assert at_work.delivery.events == [Ended(RangeSet.of([1, 2]))]
        assert at_work.settlement.events == [Added(RangeSet.of([0, 1]))]
        sample = at_work.board.telemetry.collection.get_sample_value
        assert sample("ydhub_outcomes_total", {"lane": str(at_work.board.exchange.key)}) == 2

    async def test_a_lane_that_is_not_open_takes_none_and_costs_no_proof(
        self, at_work: Working
    ) -> None:
        board = at_work.board
        packets = await delivered(at_work, 1)
        row = board.registry.state.lanes[1]
        row.lane = replace(row.lane, state=LaneState.CLOSED)
        await board.fresh_desk()
        verdict = await self.show(at_work, packets, proof_batch=b"no proof")
        assert reasons(verdict) == [(0, "LANE_NOT_OPEN")]
        absence = pb.Absence(lane=board.exchange.key.name, sequence=1, proof_height=proto_height(5))
        verdict = await board.right.verdict(absence=absence)
        assert reasons(verdict) == [(0, "LANE_NOT_OPEN")]

    async def test_replayed_ones_are_already_done(self, at_work: Working) -> None:
        packets = await delivered(at_work, 2)
        await self.show(at_work, packets[:1])
        verdict = await self.show(at_work, packets)
        assert (numbers(verdict.already_done), numbers(verdict.accepted)) == ([1], [2])
        assert at_work.settlement.events == [Added(RangeSet.of([0])), Added(RangeSet.of([1]))]

    async def test_of_a_packet_that_was_never_accepted_there_is_none(
        self, at_work: Working
    ) -> None:
        exchange = at_work.board.exchange
        packets = exchange.send(2)
        await exchange.accept(packets[:1])
        message = exchange.path.receive(exchange.path.left, packets)
        assert exchange.path.deliver(exchange.path.right, message).error is None
        exchange.path.advance()
        await at_work.board.know()
        verdict = await self.show(at_work, packets)
        assert numbers(verdict.accepted) == [1]
        assert reasons(verdict) == [(2, "PACKET_NOT_FOUND")]

    async def test_a_paused_lane_still_takes_them_and_a_frozen_client_not(
        self, at_work: Working
    ) -> None:
        board = at_work.board
        packets = await delivered(at_work, 2)
        await board.registry.lanes.pause(board.exchange.key, "inspection", ADMIN)
        assert numbers((await self.show(at_work, packets[:1])).accepted) == [1]
        await board.registry.clients.freeze(SUZHOU, "inspection", None, ADMIN)
        assert reasons(await self.show(at_work, packets[1:])) == [(0, "CLIENT_FROZEN")]

    async def test_the_source_cannot_speak_for_the_destination(self, at_work: Working) -> None:
        board = at_work.board
        packets = await delivered(at_work, 1)
        batch = board.right.acknowledgements(packets)
        verdict = await board.left.verdict(acknowledgements=batch)
        assert reasons(verdict) == [(0, "IDENTITY_NOT_ALLOWED")]

    async def test_another_answer_to_the_same_packet_freezes_the_destination(
        self, at_work: Working
    ) -> None:
        board = at_work.board
        packets = await delivered(at_work, 2)
        await self.show(at_work, packets[:1])
        row = board.registry.state.lanes[1]
        row.outcomes[0] = msgspec.structs.replace(row.outcomes[0], content=b"another")
        at_work.settlement.events.clear()
        verdict = await self.show(at_work, packets)
        assert reasons(verdict) == [(1, "OUTCOME_DIFFERS"), (2, "CLIENT_FROZEN")]
        assert row.sides[Side.DESTINATION].stopped
        assert len(row.outcomes) == 1
        assert at_work.settlement.events == []
        [evidence] = await board.registry.clients.evidence(SUZHOU)
        assert evidence.reason is Reason.OUTCOME_DIFFERS
        assert evidence.first == b"ACKNOWLEDGEMENT another"
        shown = pb.AdapterFrame.FromString(evidence.second)
        assert list(shown.acknowledgements.sequences) == [1, 2]


class TestAbsences:
    def absence(self, at: Working, packet: Packet, height: int = 0) -> pb.Absence:
        chain = at.board.right.chain
        height = height or chain.height
        key = receipt_key(packet.destination_client, packet.sequence)
        return pb.Absence(
            lane=at.board.exchange.key.name,
            sequence=packet.sequence,
            proof_height=proto_height(height),
            proof=prove(chain, key, height).proof,
        )

    async def late(self, at: Working) -> Packet:
        """A packet whose timeout has passed at the destination."""
        exchange = at.board.exchange
        [packet] = exchange.send(timeout=20)
        await exchange.accept([packet])
        exchange.path.advance(20)
        exchange.path.advance()
        await at.board.know()
        await at.board.fresh_desk()
        return packet

    async def test_an_adapter_may_show_one_itself(self, at_work: Working) -> None:
        packet = await self.late(at_work)
        verdict = await at_work.board.right.verdict(absence=self.absence(at_work, packet))
        assert numbers(verdict.accepted) == [1]
        assert at_work.settlement.events == [Added(RangeSet.of([0]))]
        [outcome] = at_work.board.registry.state.lanes[1].outcomes
        assert outcome.kind is OutcomeKind.ABSENCE

    async def test_at_too_early_a_height_it_says_nothing(self, at_work: Working) -> None:
        packet = await self.late(at_work)
        early = at_work.board.right.chain.height - 2
        absence = self.absence(at_work, packet, early)
        verdict = await at_work.board.right.verdict(absence=absence)
        assert reasons(verdict) == [(0, "TIMEOUT_NOT_REACHED")]
        assert verdict.refused[0].retryable

    async def test_of_a_packet_that_was_never_accepted_there_is_none(
        self, at_work: Working
    ) -> None:
        [packet] = at_work.board.exchange.send(timeout=20)
        await at_work.board.know()
        verdict = await at_work.board.right.verdict(absence=self.absence(at_work, packet))
        assert reasons(verdict) == [(0, "PACKET_NOT_FOUND")]

    async def test_the_source_cannot_show_it(self, at_work: Working) -> None:
        packet = await self.late(at_work)
        verdict = await at_work.board.left.verdict(absence=self.absence(at_work, packet))
        assert reasons(verdict) == [(0, "IDENTITY_NOT_ALLOWED")]

    async def test_an_acknowledgement_and_an_absence_of_one_packet_freeze_the_destination(
        self, at_work: Working
    ) -> None:
        """Executed and refunded at once is what must never be; both are kept."""
        packet = await self.late(at_work)
        absence = self.absence(at_work, packet)
        await at_work.board.right.verdict(absence=absence)
        row = at_work.board.registry.state.lanes[1]
        row.outcomes[0] = msgspec.structs.replace(
            row.outcomes[0], kind=OutcomeKind.ACKNOWLEDGEMENT, content=b"answer"
        )
        verdict = await at_work.board.right.verdict(absence=absence)
        assert reasons(verdict) == [(1, "OUTCOME_DIFFERS")]
        [evidence] = await at_work.board.registry.clients.evidence(SUZHOU)
        assert evidence.first == b"ACKNOWLEDGEMENT answer"
        assert pb.AdapterFrame.FromString(evidence.second).absence == absence
        assert row.sides[Side.DESTINATION].stopped


async def test_outcomes_that_come_at_once_are_numbered_one_after_the_other(
    at_work: Working,
) -> None:
    """A timeout of the sweep and an acknowledgement of the adapter, for two packets of one lane."""
    exchange = at_work.board.exchange
    packets = exchange.send(2)
    await exchange.accept(packets)
    desk = await at_work.board.fresh_desk()

    def proven(sequence: int, kind: OutcomeKind) -> ProvenOutcomes:
        outcome = NewOutcome(sequence, kind, b"answer")
        return ProvenOutcomes(
            outcomes=(outcome,), commitments=(b"",), proof_height=5, proof=b"proof"
        )

    await asyncio.gather(
        at_work.right.record_outcomes(desk, proven(1, OutcomeKind.ABSENCE), pb.AdapterFrame()),
        at_work.right.record_outcomes(
            desk, proven(2, OutcomeKind.ACKNOWLEDGEMENT), pb.AdapterFrame()
        ),
    )
    found = await at_work.board.registry.outcomes.read(1, RangeSet.of([0, 1]))
    told = [event.items for event in at_work.settlement.events if isinstance(event, Added)]
    assert [outcome.outcome_index for outcome in found] == [0, 1]
    assert told == [RangeSet.of([0]), RangeSet.of([1])]
