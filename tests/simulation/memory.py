"""What each process of the small exchange holds: values that are never changed, only replaced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hub.core.lane import Side
from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    import adapters.sdk.steps as sdk
    from adapters.sdk.submission import Verdict
    from hub.core.lane import LaneView
    from hub.ports.leases import Fence
    from relayer.steps.events import Refused
    from relayer.steps.flow import Flow


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of items on its way to a relayer."""

    frame: int
    items: RangeSet


@dataclass(frozen=True, slots=True)
class Handed:
    """An execution on its way to a chain."""

    number: int
    items: RangeSet


@dataclass(frozen=True, slots=True)
class Told:
    """A report on its way to a relayer."""

    number: int
    executed: RangeSet
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """What a relayer holds of one end of the lane: its lease, its flow, its session's queues."""

    fence: Fence
    flow: Flow
    inbox: tuple[Shown | Told, ...] = ()
    outbox: tuple[Handed | Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Relayer:
    """One relayer's memory."""

    view: LaneView | None = None
    source: End | None = None
    destination: End | None = None

    def end(self, side: Side) -> End | None:
        """Its end there."""
        return self.source if side is Side.SOURCE else self.destination

    def with_end(self, side: Side, end: End | None) -> Relayer:
        """It with that end."""
        name = "source" if side is Side.SOURCE else "destination"
        return replace(self, **{name: end})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Adapter:
    """One city's adapter: its lane, which relayer it is attached to, what it was told."""

    lane: sdk.Lane | None = None
    relayer: int | None = None
    frames: int = 0
    told: RangeSet = EMPTY


@dataclass(frozen=True, slots=True)
class Chains:
    """What both chains did."""

    committed: RangeSet
    received: RangeSet = EMPTY
    acknowledged: RangeSet = EMPTY
    refunded: RangeSet = EMPTY
    is_late: bool = False
    """Whether the destination's time is at or past the short timeouts."""
    knows_late: bool = False
    """Whether the hub has verified a header that shows it."""
    orphans: tuple[tuple[Side, RangeSet], ...] = ()
    """Executions of sessions that have ended, which may still come about."""
