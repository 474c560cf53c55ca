"""What the registry remembers of lanes, their routes, and their opening."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hub.core.errors import HubError
    from hub.core.ids import ClientId, PeerId
    from hub.core.lane import Lane, LaneKey, LaneView, Order, RateLimit, Route, RouteKey
    from hub.ports.caller import Caller


MAX_VIEWS: Final = 65_536
"""Lanes of one peer; more than an adapter takes."""


class OpeningState(StrEnum):
    """How far an opening is."""

    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningPlan:
    """What shall be opened: a pair of lanes between two peers."""

    source: PeerId
    destination: PeerId
    source_client: ClientId | None
    """To adopt; None to create one."""
    destination_client: ClientId | None
    from_sequence: int
    """0 means the proven next one."""
    order: Order
    allow_routes: tuple[tuple[str, str], ...]
    """(source port, destination port), allowed in both directions from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An opening as it stands."""

    number: int
    plan: OpeningPlan
    state: OpeningState
    step: str
    reason: str
    detail: str
    lanes: tuple[LaneKey, ...]

    @property
    def name(self) -> str:
        """The resource name, ``laneOpenings/{number}``."""
        return f"laneOpenings/{self.number}"


class Lanes(Protocol):
    """Lanes by key, their two rows, their routes."""

    async def start_opening(self, plan: OpeningPlan, by: Caller) -> Opening:
        """The opening, RUNNING; the one of the same plan if it runs or is done.

        Raises ``PeerNotFound``, ``RequestIdReused``.
        """
        ...

    async def opening(self, number: int) -> Opening:
        """The opening. Raises ``LaneNotFound``."""
        ...

    async def running_openings(self) -> Sequence[Opening]:
        """Every opening that runs, by number."""
        ...

    async def note_opening(
        self, number: int, *, step: str, error: HubError | None, failed: bool
    ) -> None:
        """A running opening is at *step*; its last attempt ended with *error*.

        It is over if *failed*.
        """
        ...

    async def finish_opening(self, number: int, lanes: Sequence[tuple[LaneKey, int]]) -> None:
        """The opening is DONE and its lanes, (key, first sequence), are OPEN with their routes.

        One transaction; lanes that are open already stay as they are.
        """
        ...

    async def get(self, key: LaneKey) -> Lane:
        """The lane. Raises ``LaneNotFound``."""
        ...

    async def page(self, peer: PeerId | None, after: str, limit: int) -> Sequence[Lane]:
        """At most *limit* lanes above *after*, by key; with *peer* at an end if given."""
        ...

    async def view(self, lane_id: int) -> LaneView:
        """The lane, both its rows, and what stops it. Raises ``LaneNotFound``.

        Sequences that the row counts as done because they are exceptions of kind HOLE are shown as
        what they are: missing.
        """
        ...

    async def views(
        self, peer: PeerId, after: int = 0, limit: int = MAX_VIEWS
    ) -> Sequence[LaneView]:
        """The views of lanes with *peer* at an end, by lane id: at most *limit* above *after*."""
        ...

    async def views_of(self, lane_ids: Collection[int]) -> Sequence[LaneView]:
        """The views of these lanes, by lane id; one that does not exist is left out."""
        ...

    async def pause(self, key: LaneKey, cause: str, by: Caller) -> bool:
        """The lane is PAUSED and its gates are raised; whether it was before.

        Raises ``LaneNotFound``, ``LaneNotOpen``, ``RequestIdReused``.
        """
        ...

    async def drain(
        self, key: LaneKey, cause: str, by: Caller, *, ends_pause: bool = False
    ) -> bool:
        """The lane is DRAINING and its gates are raised; whether it was before.

        A paused one would deliver again: it drains where *ends_pause*. Raises as ``pause``, or
        ``LanePaused``.
        """
        ...

    async def resume(self, key: LaneKey, by: Caller) -> bool:
        """The lane is OPEN and its gates are raised; whether it was before. Raises as ``pause``."""
        ...

    async def set_route(self, route: Route, by: Caller) -> bool:
        """The route is as given, its limit as it was; whether it was so before.

        Raises ``LaneNotFound``, ``RequestIdReused``.
        """
        ...

    async def limit_route(self, key: RouteKey, limit: RateLimit | None, by: Caller) -> bool:
        """The route takes so many packets, or as they come; whether it did before.

        Raises ``LaneNotFound``, ``RouteNotFound``, ``RequestIdReused``.
        """
        ...

    async def routes(self, key: LaneKey | None) -> Sequence[Route]:
        """The routes of a lane, or of all, by name. Raises ``LaneNotFound``."""
        ...
