"""Packets and outcomes of the small exchange, whose proofs nobody reads: all of them are true."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.core.commitment import commit_packet
from hub.core.record import NewOutcome, OutcomeKind
from hub.core.time import Timestamp
from hub.exchange.outcomes import ProvenOutcomes
from hub.exchange.packets import ProvenPackets
from hub.wire.packet import encode_packet
from tests.harness.packet_samples import PACKET
from tests.simulation.books import CLIENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.packet import Packet
    from hub.core.ranges import RangeSet

ANSWER: Final = b"done"


def packets_of(sequences: RangeSet, timeouts: Sequence[int]) -> ProvenPackets:
    """The packets of those *sequences*; *timeouts* (s) are those of all, from sequence 1 on."""
    found = [_packet(sequence, timeouts[sequence - 1]) for sequence in sequences]
    return ProvenPackets(
        packets=tuple([packet for packet, _, _ in found]),
        contents=tuple([content for _, content, _ in found]),
        commitments=tuple([commitment for _, _, commitment in found]),
        proof_height=1,
        proven_at=Timestamp(0),
        proof_batch=b"",
    )


def answers_to(sequences: RangeSet) -> ProvenOutcomes:
    """The destination's answers to those packets."""
    kind = OutcomeKind.ACKNOWLEDGEMENT
    return ProvenOutcomes(
        outcomes=tuple([NewOutcome(sequence, kind, ANSWER) for sequence in sequences]),
        commitments=tuple([b"" for _ in sequences]),
        proof_height=1,
        proof=b"",
    )


def absence_of(sequence: int) -> ProvenOutcomes:
    """That the packet was not received in time."""
    return ProvenOutcomes(
        outcomes=(NewOutcome(sequence, OutcomeKind.ABSENCE, b""),),
        commitments=(b"",),
        proof_height=1,
        proof=b"",
    )


@lru_cache(maxsize=256)
def _packet(sequence: int, timeout: int) -> tuple[Packet, bytes, bytes]:
    packet = replace(
        PACKET,
        sequence=sequence,
        source_client=CLIENT,
        destination_client=CLIENT,
        timeout_timestamp=timeout,
    )
    return packet, encode_packet(packet), commit_packet(packet)
