"""Open lanes, show them, stop them and let them go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.errors import LaneNotFound, PeerSuspended
from hub.core.peer import PeerState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ids import PeerId
    from hub.core.lane import Lane, LaneKey, LaneView
    from hub.ports.caller import Caller
    from hub.ports.lanes import Opening, OpeningPlan
    from hub.ports.registry import Registry


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """A lane, both its rows, and how many exceptions it has."""

    view: LaneView
    exception_count: int


@dataclass(frozen=True, slots=True)
class OpeningProgress:
    """An opening, and its lanes once they are open."""

    opening: Opening
    lanes: tuple[LaneCounts, ...]


async def start_opening(registry: Registry, plan: OpeningPlan, by: Caller) -> OpeningProgress:
    """The opening under way, or the same one from before.

    Raises ``PeerNotFound``, ``PeerSuspended``, ``RequestIdReused``.
    """
    for name in (plan.source, plan.destination):
        peer = await registry.peers.get(name)
        if peer.state is not PeerState.ACTIVE:
            raise PeerSuspended(peer=peer.name)
    return await _progress(registry, await registry.lanes.start_opening(plan, by))


async def opening(registry: Registry, number: int) -> OpeningProgress:
    """How far the opening is. Raises ``LaneNotFound``."""
    return await _progress(registry, await registry.lanes.opening(number))


async def get(registry: Registry, key: LaneKey) -> LaneCounts:
    """The lane. Raises ``LaneNotFound``."""
    [counts] = await _counts(registry, [await registry.lanes.get(key)])
    return counts


async def page(
    registry: Registry, peer: PeerId | None, after: str, limit: int
) -> tuple[Sequence[LaneCounts], bool]:
    """At most *limit* lanes above *after*, by key, and whether there are more.

    With *peer* only those with it at an end.
    """
    lanes = await registry.lanes.page(peer, after, limit + 1)
    return await _counts(registry, lanes[:limit]), len(lanes) > limit


async def pause(
    registry: Registry, key: LaneKey, cause: str, by: Caller
) -> tuple[LaneCounts, bool]:
    """The paused lane, and whether it was paused before.

    Raises ``LaneNotFound``, ``LaneNotOpen``, ``RequestIdReused``.
    """
    already = await registry.lanes.pause(key, cause, by)
    return await get(registry, key), already


async def drain(
    registry: Registry, key: LaneKey, cause: str, by: Caller, *, ends_pause: bool = False
) -> tuple[LaneCounts, bool]:
    """The draining lane, CLOSED where nothing is left; and whether it was draining before.

    A paused one delivers again: it drains where *ends_pause*. Raises as ``pause``, or
    ``LanePaused``.
    """
    already = await registry.lanes.drain(key, cause, by, ends_pause=ends_pause)
    return await get(registry, key), already


async def resume(registry: Registry, key: LaneKey, by: Caller) -> tuple[LaneCounts, bool]:
    """The open lane, and whether it was open before. Raises as ``pause``."""
    already = await registry.lanes.resume(key, by)
    return await get(registry, key), already


async def _progress(registry: Registry, found: Opening) -> OpeningProgress:
    lanes: list[LaneCounts] = []
    for key in found.lanes:
        try:
            lanes.append(await get(registry, key))
        except LaneNotFound:  # its opening failed after it was planned
            continue
    return OpeningProgress(found, tuple(lanes))


async def _counts(registry: Registry, lanes: Sequence[Lane]) -> list[LaneCounts]:
    views = [await registry.lanes.view(lane.lane_id) for lane in lanes]
    counts = await registry.exceptions.counts([lane.lane_id for lane in lanes])
    return [LaneCounts(view, sum(counts.get(view.lane.lane_id, {}).values())) for view in views]
