"""Carry a lane's accepted packets to the destination's adapter, with updates and proofs.

The source's proof batch goes on unchanged where all its leaves go. Where only some do, or a freeze
or pause lies between, the packets are proven afresh at the source's newest height.

Source: design section 5 ("delivers [updates, packets] in order") and section 3 ("held").
"""

from __future__ import annotations

import asyncio
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.commitment import commit_packet
from hub.core.paths import commitment_key
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import ExceptionKind, PacketException
from hub.wire.frames import height_to_proto
from hub.wire.packet import decode_packet
from relayer.failpoints import Failpoint, hit
from relayer.reports import read_report
from relayer.reproof import fresh_batch
from relayer.steps.flow import Done, Park, Refused, Reported, Send, Wait

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.record import FrameProof, Refusal, StoredPacket
    from hub.ports.leases import Fence
    from relayer.switchboard import LaneDesk, Switchboard


class Delivery:
    """The carrier of one lane towards its destination, which this process owns."""

    def __init__(self, board: Switchboard, desk: LaneDesk, fence: Fence) -> None:
        """Delivery of *desk*'s lane under the destination's *fence*."""
        self._board = board
        self._desk = desk
        self._fence = fence

    async def carry(self, send: Send) -> Reported:
        """What the destination's chain made of the packets. Raises ``HubError``."""
        packets = await self._board.registry.packets.read(self._lane_id, send.items)
        by_proof = sorted(packets, key=attrgetter("proof_id", "sequence"))
        groups = [list(group) for _, group in groupby(by_proof, key=attrgetter("proof_id"))]
        hit(Failpoint.DELIVERY_PLANNED)
        executions = [
            await self._execution(group, possible_duplicate=send.possible_duplicate)
            for group in groups
        ]
        session = self._board.session(self._desk.key.destination_peer)
        sent = [
            session.execute(execution, lambda: hit(Failpoint.DELIVERY_SENT))
            for execution in executions
        ]
        reports = await asyncio.gather(*sent)
        hit(Failpoint.DELIVERY_REPORTED)
        executed, refused = EMPTY, []
        for group, report in zip(groups, reports, strict=True):
            done, refusals = self._read(group, report)
            executed |= done
            refused += [Refused(sequence, refusal) for sequence, refusal in refusals]
        chance = self._board.randomness.below(1 << 16)
        return Reported(send.number, executed, tuple(refused), chance)

    async def record(self, effect: Done | Park | Wait) -> None:
        """What the destination reported is durable. Raises ``HubError``."""
        registry = self._board.registry
        if isinstance(effect, Done):
            await registry.outcomes.record_delivered(self._fence, self._lane_id, effect.items)
            hit(Failpoint.DELIVERY_RECORDED)
            return
        found = exceptions(effect)
        if found:
            await registry.exceptions.put(self._fence, self._lane_id, found)

    @property
    def _lane_id(self) -> int:
        return self._desk.view.lane.lane_id

    async def _execution(
        self, packets: list[StoredPacket], *, possible_duplicate: bool
    ) -> pb.Execution:
        proof_id = packets[0].proof_id
        stored = (await self._board.registry.packets.proofs([proof_id]))[proof_id]
        proof = stored.proof
        whole = len(packets) + len(proof.skipped) == proof.leaf_count
        if whole and stored.gate == self._desk.view.source.gate:
            receive = _receive(packets, proof)
        else:
            receive = await self._prove_afresh(packets)
        key = self._desk.key
        source = await self._board.keeper(key.source_peer)
        state = await source.state(receive.proof_height.number)
        receive.proof_height.CopyFrom(height_to_proto(state.height))
        clients = self._board.chain_clients[key.destination_peer]
        updates = await clients.updates(
            key.destination_client, source, state.height.number, self._board.clock.now()
        )
        return pb.Execution(
            lane=key.name,
            client=key.destination_client,
            updates=updates,
            possible_duplicate=possible_duplicate,
            receive=receive,
        )

    async def _prove_afresh(self, packets: list[StoredPacket]) -> pb.Receive:
        """The packets with a new proof batch from the source's adapter, checked here first."""
        key = self._desk.key
        decoded = [decode_packet(packet.content) for packet in packets]
        leaves = [
            (commitment_key(key.source_client, packet.sequence), commit_packet(packet))
            for packet in decoded
        ]
        height, batch = await fresh_batch(self._board, key.source_peer, leaves)
        return pb.Receive(
            packets=[packet.content for packet in packets],
            proof_height=height_to_proto(height),
            proof_batch=batch,
        )

    def _read(
        self, packets: list[StoredPacket], report: pb.ExecutionReport
    ) -> tuple[RangeSet, list[tuple[int, Refusal]]]:
        key = self._desk.key
        clients = self._board.chain_clients.get(key.destination_peer)
        sequences = RangeSet.of([packet.sequence for packet in packets])
        return read_report(clients, key.destination_client, report, sequences)


def exceptions(
    effect: Park | Wait, sequences: Mapping[int, int] | None = None
) -> list[PacketException]:
    """The exceptions that *effect* asks to record; a wait without a refusal leaves none.

    *sequences* are those of the items, where the items are not sequences themselves.
    """
    if effect.refusal is None:
        return []
    is_parked = isinstance(effect, Park)
    items = [effect.item] if isinstance(effect, Park) else list(effect.items)
    return [
        PacketException(
            sequence=item if sequences is None else sequences[item],
            kind=ExceptionKind.PARKED if is_parked else ExceptionKind.RETRY,
            reason=effect.refusal.reason,
            detail=effect.refusal.detail,
            attempts=1 if isinstance(effect, Park) else effect.tries,
            next_attempt_at=None,
        )
        for item in items
    ]


def _receive(packets: list[StoredPacket], proof: FrameProof) -> pb.Receive:
    skipped = [
        pb.SkippedLeaf(sequence=leaf.sequence, commitment=leaf.commitment) for leaf in proof.skipped
    ]
    receive = pb.Receive(
        packets=[packet.content for packet in packets],
        skipped=skipped,
        proof_batch=proof.content,
    )
    receive.proof_height.number = proof.height
    return receive
