"""Accept proven packets: judge each by the lane and its policy, record what is new.

The proof is checked before (relayer/verification.py). Here it is decided what a proven packet
becomes: new, denied by policy, a duplicate, or refused. A denied packet takes its place in the
lane, so that it ends by a proven timeout and nothing stays locked. Where a frame shows another
packet under a sequence that was proven before, its chain contradicts itself: nothing of it is
taken.

Source: design section 3, "Identity of a packet" and "Life".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from hub.core.errors import (
    BelowFirstSequence,
    ClientFrozen,
    CommitUnknown,
    Conflict,
    ConsensusStateMissing,
    GateChanged,
    LaneNotOpen,
    LanePaused,
    PacketDiffers,
    PeerSuspended,
)
from hub.core.lane import LaneState, RouteAction
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import Acceptance, Denial, FrameProof, NewPacket, SkippedLeaf
from hub.core.time import SECOND
from hub.exchange.reading import in_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.errors import HubError
    from hub.core.ids import PeerId
    from hub.core.lane import LaneView, Route
    from hub.core.packet import Packet
    from hub.core.time import Timestamp
    from hub.ports.leases import Fence
    from hub.ports.registry import Registry

_NONE: Final[Mapping[int, HubError]] = {}
JUDGE_ATTEMPTS = 4
"""A freeze or pause may come between judging and recording, but not for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenPackets:
    """Packets of one lane whose commitments are proven under one verified root."""

    packets: tuple[Packet, ...]
    contents: tuple[bytes, ...]
    """Their canonical bytes."""
    commitments: tuple[bytes, ...]
    proof_height: int
    proven_at: Timestamp
    """Time of the header whose root proves them (ns)."""
    proof_batch: bytes


class ShownPackets(Protocol):
    """Packets that are claimed, sequences rising."""

    @property
    def packets(self) -> tuple[Packet, ...]:
        """Decoded."""
        ...

    @property
    def contents(self) -> tuple[bytes, ...]:
        """Their canonical bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What becomes of the items of one frame."""

    accepted: RangeSet = EMPTY
    already_done: RangeSet = EMPTY
    refused: tuple[tuple[int, HubError], ...] = ()
    """(sequence, why)."""
    denied: RangeSet = EMPTY
    """Those of the accepted that policy forbids."""


async def accept(
    registry: Registry,
    fence: Fence,
    view: LaneView,
    routes: Mapping[tuple[str, str], Route],
    proven: ProvenPackets,
    *,
    over: Mapping[int, HubError] = _NONE,
) -> tuple[Judgement, LaneView]:
    """What became of each packet, durable now; and the lane as it was judged by.

    Those that are *over* a limit, by sequence, are refused unless they are known already.

    Raises as ``check_accepts``, or as ``check_stands``; ``LeaseLost``, ``GapTooWide``,
    ``GateChanged`` when the lane never rests, ``RegistryUnreachable``.
    """
    for _ in range(JUDGE_ATTEMPTS):
        check_accepts(view)
        check_stands(view.lane.key.source_peer, view.source_anchor, proven.proof_height)
        judged = await _judge(registry, view, routes, proven, over)
        if judged.acceptance is None:
            return judged.judgement, view
        try:
            await registry.packets.accept(fence, [judged.acceptance])
        except (GateChanged, CommitUnknown):
            # What is read now stays, so what an unknown commit has done shows as done already.
            view = await registry.lanes.view(view.lane.lane_id)
            continue
        return judged.judgement, view
    raise GateChanged(lane=view.lane.key.name, gate=view.source.gate)


async def repeated(registry: Registry, view: LaneView, shown: ShownPackets) -> Judgement | None:
    """The judgement where all that is *shown* is accepted already, with the same contents.

    No proof is needed for that. None where any of it is new, or differs. Raises
    ``RegistryUnreachable``.
    """
    sequences = RangeSet.of([packet.sequence for packet in shown.packets])
    if sequences - view.source.done:
        return None
    # Others may be longer than what is shown, and are not read for that.
    most = sum(map(len, shown.contents)) + 1
    stored = await registry.packets.read(view.lane.lane_id, sequences, most)
    if tuple([packet.content for packet in stored]) != shown.contents:
        return None
    return Judgement(already_done=sequences)


def check_accepts(view: LaneView) -> None:
    """The lane takes packets now.

    Raises ``LaneNotOpen``, ``LanePaused``, ``PeerSuspended`` or ``ClientFrozen``.
    """
    name = view.lane.key.name
    if view.lane.state is LaneState.PAUSED:
        raise LanePaused(lane=name, cause=view.lane.pause_cause)
    if view.lane.state is not LaneState.OPEN:
        raise LaneNotOpen(lane=name, state=view.lane.state)
    for peer in view.suspended:
        raise PeerSuspended(peer=f"peers/{peer}")
    if view.source_stopped:
        client = f"peers/{view.lane.key.source_peer}/client"
        raise ClientFrozen(client=client, cause=view.source_stopped)


def check_stands(peer: PeerId, anchor: int, proof_height: int) -> None:
    """What *peer*'s client verified at *proof_height* counts still: it started from *anchor*.

    The gate that comes with *anchor* is another one once the client starts again, so what is
    recorded under it was verified by the client as it is then. Raises ``ConsensusStateMissing``.
    """
    if proof_height < anchor:
        raise ConsensusStateMissing(client=f"peers/{peer}/client", height=proof_height)


def denial(packet: Packet, routes: Mapping[tuple[str, str], Route], proven_at: Timestamp) -> str:
    """Why policy forbids *packet*, in a sentence; empty if it does not."""
    size = sum(len(payload.value) for payload in packet.payloads)
    for payload in packet.payloads:
        ports = f"{payload.source_port}~{payload.destination_port}"
        route = routes.get((payload.source_port, payload.destination_port))
        if route is None:
            return f"route {ports} is not listed"
        if route.action is not RouteAction.ALLOW:
            return f"route {ports} is denied"
        if route.max_payload_bytes and size > route.max_payload_bytes:
            return f"{size} payload bytes are over route {ports}'s {route.max_payload_bytes}"
        if route.max_timeout is not None:
            latest = (proven_at + route.max_timeout) // SECOND
            if packet.timeout_timestamp > latest:
                return f"timeout {packet.timeout_timestamp} s is after route {ports}'s {latest} s"
    return ""


@dataclass(frozen=True, slots=True)
class _Judged:
    judgement: Judgement
    acceptance: Acceptance | None


async def _judge(
    registry: Registry,
    view: LaneView,
    routes: Mapping[tuple[str, str], Route],
    proven: ProvenPackets,
    over: Mapping[int, HubError],
) -> _Judged:
    sequences = RangeSet.of([packet.sequence for packet in proven.packets])
    again = sequences & view.source.done
    known = await _compare(registry, view, again, proven) if again else {}
    below = RangeSet.span(0, view.lane.first_sequence) & sequences
    for sequence in below:
        known[sequence] = BelowFirstSequence(
            lane=view.lane.key.name, first=view.lane.first_sequence, sequence=sequence
        )
    for sequence in against_conflicts(sequences, known):
        known[sequence] = ClientFrozen(
            client=f"peers/{view.lane.key.source_peer}/client",
            cause=f"the same frame shows another truth for {view.lane.key.name}",
        )
    known = {**over, **known}
    new: list[NewPacket] = []
    denials: list[Denial] = []
    skipped: list[SkippedLeaf] = []
    for packet, content, commitment in zip(
        proven.packets, proven.contents, proven.commitments, strict=True
    ):
        if packet.sequence in known:
            skipped.append(SkippedLeaf(packet.sequence, commitment))
            continue
        new.append(NewPacket(packet.sequence, content, packet.timeout_timestamp))
        why = denial(packet, routes, proven.proven_at)
        if why:
            denials.append(Denial(packet.sequence, why))
    judgement = Judgement(
        accepted=RangeSet.of([packet.sequence for packet in new]),
        already_done=RangeSet.of([s for s, error in known.items() if error is None]),
        refused=tuple([(s, error) for s, error in known.items() if error is not None]),
        denied=RangeSet.of([denied.sequence for denied in denials]),
    )
    return _Judged(judgement, _acceptance(view, proven, new, denials, skipped))


def against_conflicts(sequences: RangeSet, known: Mapping[int, HubError | None]) -> RangeSet:
    """Those of *sequences* that are not *known*, if one that is known contradicts what is stored.

    Evidence that its chain contradicts itself proves nothing else.
    """
    if any(isinstance(error, Conflict) for error in known.values()):
        return sequences - RangeSet.of(known)
    return EMPTY


def _acceptance(
    view: LaneView,
    proven: ProvenPackets,
    new: list[NewPacket],
    denials: list[Denial],
    skipped: list[SkippedLeaf],
) -> Acceptance | None:
    """What is to be recorded; None if nothing is new."""
    if not new:
        return None
    return Acceptance(
        lane_id=view.lane.lane_id,
        gate=view.source.gate,
        packets=tuple(new),
        denials=tuple(denials),
        proof=FrameProof(
            height=proven.proof_height,
            content=proven.proof_batch,
            leaf_count=len(proven.packets),
            skipped=tuple(skipped),
        ),
    )


async def _compare(
    registry: Registry, view: LaneView, again: RangeSet, proven: ProvenPackets
) -> dict[int, HubError | None]:
    """For each sequence of *again* that is stored: None if it is the same, else the conflict.

    A sequence that counts as done but is not stored is a hole that others left: it is new.
    """
    pairs = zip(proven.packets, proven.contents, strict=True)
    shown = {packet.sequence: content for packet, content in pairs}
    known: dict[int, HubError | None] = {}
    async for part in in_parts(registry.packets.read, view.lane.lane_id, again):
        for old in part:
            content = shown[old.sequence]
            known[old.sequence] = (
                None
                if old.content == content
                else PacketDiffers(
                    lane=view.lane.key.name,
                    sequence=old.sequence,
                    got=content.hex()[:64],
                    stored=old.content.hex()[:64],
                )
            )
    return known
