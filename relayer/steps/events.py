"""What happens to a lane's flow, and what it then asks for (flow.py decides)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from hub.core.record import Refusal
    from hub.core.time import Timestamp


@dataclass(frozen=True, slots=True)
class Added:
    """Items are to be handed to the chain."""

    items: RangeSet
    starts: tuple[int, ...] = ()
    """Items among them that are the first ones under a proof; none where one proof shows all."""


@dataclass(frozen=True, slots=True)
class Again:
    """Items are to be tried now, also those that are parked or wait for a later time."""

    items: RangeSet


@dataclass(frozen=True, slots=True)
class Ended:
    """The outcome of items is proven, or their completion recorded: they need nothing more."""

    items: RangeSet


@dataclass(frozen=True, slots=True)
class Reopened:
    """Items were reported executed, and are proven not to be: they are due once more.

    With a refusal they are parked, for no try can help.
    """

    items: RangeSet
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Items have ended, and the destination has not received them: it is proven."""

    items: RangeSet


@dataclass(frozen=True, slots=True)
class Refused:
    """The chain refused an item."""

    item: int
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt has its turn at the chain, or goes on there: it has its whole time again."""

    number: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An attempt did not begin: its items are as they were."""

    number: int


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of an attempt."""

    number: int
    executed: RangeSet
    """Executed by it or before."""
    refused: tuple[Refused, ...] = ()
    chance: int = 0
    next_item: int = 0
    """That the gateway is proven to receive next; 0 where it was not asked."""
    untried: RangeSet = EMPTY
    """What it had no room for: these are as they were."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt did not reach the chain, or nobody knows."""

    number: int
    chance: int


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The item was parked, and why could not be recorded: nobody would find it."""

    item: int
    chance: int


@dataclass(frozen=True, slots=True)
class Gate:
    """The lane was stopped or goes on."""

    is_stopped: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed, or there is room again."""


Happened = (
    Added
    | Again
    | Ended
    | Reopened
    | Lapsed
    | Begun
    | Withdrawn
    | Reported
    | Failed
    | Unwritten
    | Gate
)
Event = Happened | Tick


@dataclass(frozen=True, slots=True)
class Send:
    """Hand these items to the chain, as one attempt."""

    number: int
    items: RangeSet
    possible_duplicate: bool
    lapsed: RangeSet = EMPTY
    """Those of the items that are to be passed over."""


@dataclass(frozen=True, slots=True)
class Done:
    """The chain's adapter reports these items executed: record it."""

    items: RangeSet


@dataclass(frozen=True, slots=True)
class Park:
    """The item needs an operator: record why."""

    item: int
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Wait:
    """These items are tried again later: record it where it lasts."""

    items: RangeSet
    refusal: Refusal | None
    due: Timestamp
    tries: int


Effect = Send | Done | Park | Wait
