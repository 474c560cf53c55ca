"""A lane's way out is told what the registry holds of the lane: what is due, excepted, and ended.

Source: design section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.ranges import RangeSet
from hub.exchange.reading import exceptions_of, in_parts
from relayer.starts import frame_starts
from relayer.steps.events import Added, Ended, Gate
from relayer.steps.retries import excluded, retries, unparked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.ids import PeerId
    from hub.core.record import ExceptionKind
    from hub.ports.registry import Registry
    from relayer.runner import FlowRunner
    from relayer.switchboard import LaneDesk


async def feed_delivery(
    registry: Registry,
    desk: LaneDesk,
    peer: PeerId,
    found: Mapping[ExceptionKind, RangeSet] | None,
) -> None:
    """The way to *peer*, the lane's destination, has all that is accepted and not excepted.

    *found* are the lane's exceptions; None where nobody has read them since the view of the desk.
    Raises ``HubError``.
    """
    view, lane_id = desk.view, desk.view.lane.lane_id
    open_ones = view.source.done - view.destination.done
    runner = desk.delivery if open_ones else desk.standing(peer)
    if runner is None:
        return
    runner.feed(Gate(is_stopped=not view.delivers))
    runner.feed(Ended(view.destination.done))
    if open_ones:
        if found is None:
            found = await exceptions_of(registry.exceptions, lane_id)
        starts = await frame_starts(registry.packets, lane_id, open_ones, runner)
        # Outcomes may have come meanwhile.
        open_ones -= desk.view.destination.done
        runner.again(unparked(retries(found) & open_ones, runner.flow))
        runner.feed(Added(open_ones - excluded(found), starts))


async def feed_settlement(registry: Registry, desk: LaneDesk, peer: PeerId) -> None:
    """The way back to *peer*, the lane's source, has all outcomes that it has not executed.

    Raises ``HubError``.
    """
    view, lane_id = desk.view, desk.view.lane.lane_id
    owed = RangeSet.span(0, view.destination.outcome_count) - view.source.progress
    runner = desk.settlement if owed else desk.standing(peer)
    if runner is None:
        return
    runner.feed(Gate(is_stopped=bool(view.destination_stopped)))
    starts = await frame_starts(registry.outcomes, lane_id, owed, runner)
    # Some may be complete meanwhile.
    runner.feed(Added(owed - desk.view.source.progress, starts))
    if runner.flow.parked:
        await _retry_outcomes(registry, lane_id, runner)


async def outcome_indexes(registry: Registry, lane_id: int, sequences: RangeSet) -> RangeSet:
    """The indexes of the outcomes of *sequences*, of those that have one. Raises ``HubError``."""
    parts = in_parts(registry.outcomes.find, lane_id, sequences)
    return RangeSet.of([one.outcome_index async for part in parts for one in part])


async def _retry_outcomes(registry: Registry, lane_id: int, runner: FlowRunner) -> None:
    """Outcomes that were parked, and no longer are in the registry, are tried."""
    found = await exceptions_of(registry.exceptions, lane_id)
    asked = await outcome_indexes(registry, lane_id, retries(found))
    runner.again(asked & runner.flow.parked)
