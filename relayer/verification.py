"""Check what a frame claims against a verified root: pure, and safe to run in a thread.

One frame costs one pass over its proof batch; one failure refuses the frame.

Source: design section 4; ICS-04 v2 (recv, acknowledge, time out).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import FieldInvalid, HubError, TimeoutNotReached
from hub.core.packet import MAX_SEQUENCE
from hub.core.paths import (
    acknowledgement_key,
    commitment_key,
    next_sequence_send_key,
    receipt_key,
)
from hub.core.ranges import RangeSet
from hub.core.record import NewOutcome, OutcomeKind
from hub.core.time import whole_seconds
from hub.exchange.outcomes import ProvenOutcomes
from hub.exchange.packets import ProvenPackets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.client import ConsensusState
    from hub.core.ids import ClientId
    from hub.light_clients.interface import LightClient
    from hub.wire.frames import AbsenceFrame, AcknowledgementsFrame, PacketsFrame


SEQUENCE_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Root:
    """A verified root to check proofs against, and how its chain is read."""

    client: LightClient
    prefix: tuple[bytes, ...]
    state: ConsensusState


def prove_packets(root: Root, frame: PacketsFrame) -> ProvenPackets:
    """The packets of *frame*, each commitment shown at the source. Raises ``HubError``."""
    source = frame.lane.source_client
    commitments = tuple([commit_packet(packet) for packet in frame.packets])
    leaves = [
        (commitment_key(source, packet.sequence), commitment)
        for packet, commitment in zip(frame.packets, commitments, strict=True)
    ]
    root.client.verify_batch(root.state.root, root.prefix, leaves, frame.proof_batch)
    return ProvenPackets(
        packets=frame.packets,
        contents=frame.contents,
        commitments=commitments,
        proof_height=root.state.height.number,
        proven_at=root.state.time,
        proof_batch=frame.proof_batch,
    )


def prove_acknowledgements(root: Root, frame: AcknowledgementsFrame) -> ProvenOutcomes:
    """The acknowledgements of *frame*, each shown at the destination. Raises ``HubError``."""
    destination = frame.lane.destination_client
    commitments = tuple([commit_acknowledgement(answer) for answer in frame.acknowledgements])
    leaves = [
        (acknowledgement_key(destination, sequence), commitment)
        for sequence, commitment in zip(frame.sequences, commitments, strict=True)
    ]
    root.client.verify_batch(root.state.root, root.prefix, leaves, frame.proof_batch)
    outcomes = [
        NewOutcome(sequence, OutcomeKind.ACKNOWLEDGEMENT, content)
        for sequence, content in zip(frame.sequences, frame.contents, strict=True)
    ]
    return ProvenOutcomes(
        outcomes=tuple(outcomes),
        commitments=commitments,
        proof_height=root.state.height.number,
        proof=frame.proof_batch,
    )


def prove_absence(root: Root, frame: AbsenceFrame, timeout_timestamp: int) -> ProvenOutcomes:
    """The packet of *frame* was not received, at a time at or past its timeout (s).

    One header gives both the time and the root. Raises ``TimeoutNotReached`` or another
    ``HubError``.
    """
    time = whole_seconds(root.state.time)
    if time < timeout_timestamp:
        raise TimeoutNotReached(timeout=timeout_timestamp, time=time)
    key = receipt_key(frame.lane.destination_client, frame.sequence)
    root.client.verify_non_membership(root.state.root, root.prefix, key, frame.proof)
    return ProvenOutcomes(
        outcomes=(NewOutcome(frame.sequence, OutcomeKind.ABSENCE, b""),),
        commitments=(b"",),
        proof_height=root.state.height.number,
        proof=frame.proof,
    )


def prove_gone(
    root: Root, client: ClientId, missing: RangeSet, shown: Mapping[bytes, tuple[bytes, bytes]]
) -> tuple[int, RangeSet]:
    """The source's next sequence, and those of *missing* that are gone, each proven.

    *shown* is the value and the proof that its adapter gave for each key. Raises ``HubError``.
    """
    key = next_sequence_send_key(client)
    end = prove_next_sequence(root, key, *shown[key])
    gone: list[int] = []
    for sequence in missing:
        key = commitment_key(client, sequence)
        value, proof = shown[key]
        if not value and sequence < end:
            root.client.verify_non_membership(root.state.root, root.prefix, key, proof)
            gone.append(sequence)
    return end, RangeSet.of(gone)


def look(root: Root, shown: Sequence[tuple[bytes, bytes, bytes]]) -> tuple[bool | HubError, ...]:
    """Whether anything stands at each key, as (key, value, proof) shows; or why it is not proven.

    An empty value says that nothing does.
    """
    return tuple([_stands(root, *one) for one in shown])


def _stands(root: Root, key: bytes, value: bytes, proof: bytes) -> bool | HubError:
    light_client, state, prefix = root.client, root.state, root.prefix
    try:
        if value:
            light_client.verify_membership(state.root, prefix, key, value, proof)
        else:
            light_client.verify_non_membership(state.root, prefix, key, proof)
    except HubError as error:
        return error
    return bool(value)


def prove_next_sequence(root: Root, key: bytes, value: bytes, proof: bytes) -> int:
    """The next sequence that the chain keeps at *key*: to give out, or to receive; at first 1.

    Raises ``FieldInvalid`` where *value* is no sequence, or another ``HubError``.
    """
    if not value:
        root.client.verify_non_membership(root.state.root, root.prefix, key, proof)
        return 1
    root.client.verify_membership(root.state.root, root.prefix, key, value, proof)
    number = int.from_bytes(value, "big")
    # Source: ibc-go v10 04-channel/v2 keeper, SetNextSequenceSend: 8 bytes, big endian.
    if len(value) != SEQUENCE_BYTES or not 1 <= number <= MAX_SEQUENCE:
        problem = f"is no sequence: {value[:SEQUENCE_BYTES].hex()}"
        raise FieldInvalid(field="next sequence", problem=problem)
    return number
