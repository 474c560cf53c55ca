"""Lanes that have changed since somebody looked last: so nobody looks at all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from hub.core.lane import LaneView


class OfLane(Protocol):
    """What is kept of one lane."""

    @property
    def view(self) -> LaneView:
        """The lane, as it was read last."""
        ...


Desk = TypeVar("Desk", bound=OfLane)


class Watch(Generic[Desk]):
    """Who looks at lanes now and then, each time at those that may have something new."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        """Nothing has changed."""
        self._seen: dict[int, Desk] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def see(self, desk: Desk) -> None:
        """The lane has changed, or is new here, or is to be looked at again."""
        self._seen[desk.view.lane.lane_id] = desk

    def drop(self, desk: Desk) -> None:
        """The lane was looked at."""
        self._seen.pop(desk.view.lane.lane_id, None)

    def take(self) -> list[Desk]:
        """Those that have changed since this was asked last, by lane id."""
        found = [self._seen[lane_id] for lane_id in sorted(self._seen)]
        self._seen.clear()
        return found
