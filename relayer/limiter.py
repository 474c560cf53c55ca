"""Which packets of a lane are over the limits of their routes, and when they may come again.

A packet over a limit is not accepted yet and takes no place in the lane. Those that were refused
come first when there is room again: until then, or until they are long overdue, what follows them
waits too. So nothing that is new overtakes them for ever, and a lane in order keeps its order.

The buckets are this process's own; one that takes the lane over begins with full ones.

Source: reliability notes section 4 (a rate limit of each lane bounds what a city can do).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.errors import RateLimited
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp
from relayer.steps.bucket import FULL, taken, wait

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.lane import Route
    from hub.core.packet import Packet

GRID: Final = Duration(100 * MILLISECOND)
"""Waits are multiples of it, so that what waits comes back together."""
LONGEST: Final = Duration(15 * SECOND)
OVERDUE: Final = Duration(15 * SECOND)
"""A refused packet that has not come that long after its time holds nothing up any more."""
MAX_GROUPS: Final = 256
"""Groups of refused packets that are remembered."""

Ports = tuple[str, str]
_NOTHING_HELD: Final = (Timestamp(0), EMPTY)


class Limiter:
    """The buckets of one lane's routes."""

    def __init__(self) -> None:
        """All are full."""
        self._full_at: dict[Ports, Timestamp] = {}
        self._refused: list[tuple[Timestamp, RangeSet]] = []
        """Until when they hold up others, and which sequences of limited routes."""

    def over(
        self, packets: Sequence[Packet], routes: Mapping[Ports, Route], now: Timestamp
    ) -> dict[int, RateLimited]:
        """Those of *packets*, sequences rising, that may not be taken at *now* (monotonic ns).

        Each with how long to wait. Nothing is taken by that.
        """
        found: dict[int, RateLimited] = {}
        if all(route.limit is None for route in routes.values()):
            return found
        full_at = dict(self._full_at)
        self._refused = [entry for entry in self._refused if entry[0] > now]
        held = min(self._refused, key=lambda entry: entry[1].first, default=_NOTHING_HELD)
        first, due = held[1].first if held[1] else 0, held[0] - OVERDUE
        shown = RangeSet.of([packet.sequence for packet in packets])
        for packet in packets:
            longest, name = 0, ""
            for ports, route in _limited(packet, routes):
                limit = route.limit
                if limit is None:
                    continue
                left = wait(full_at.get(ports, FULL), limit, now)
                if first and first < packet.sequence and first not in shown:
                    left = Duration(max(left, GRID, due - now))
                full_at[ports] = taken(full_at.get(ports, FULL), limit, now)
                if left > longest:
                    longest, name = left, route.key.name
            if longest:
                found[packet.sequence] = _refusal(name, longest)
        return found

    def note(
        self,
        packets: Sequence[Packet],
        routes: Mapping[Ports, Route],
        accepted: RangeSet,
        refused: Mapping[int, RateLimited],
        now: Timestamp,
    ) -> None:
        """Of *packets* these were *accepted*, and these *refused* by ``over``."""
        for packet in packets:
            for ports, route in _limited(packet, routes):
                if packet.sequence in accepted and route.limit is not None:
                    full_at = self._full_at.get(ports, FULL)
                    self._full_at[ports] = taken(full_at, route.limit, now)
        left = [(until, sequences - accepted) for until, sequences in self._refused]
        self._refused = [entry for entry in left if entry[1]]
        if refused:
            wait_ms = max(error.wait_ms for error in refused.values())
            until = Timestamp(now + wait_ms * MILLISECOND + OVERDUE)
            self._refused.append((until, RangeSet.of(refused)))
            del self._refused[:-MAX_GROUPS]


def _limited(packet: Packet, routes: Mapping[Ports, Route]) -> list[tuple[Ports, Route]]:
    """The routes of *packet* that have a limit, each once."""
    found = {}
    for payload in packet.payloads:
        ports = (payload.source_port, payload.destination_port)
        route = routes.get(ports)
        if route is not None and route.limit is not None:
            found[ports] = route
    return list(found.items())


def _refusal(name: str, left: int) -> RateLimited:
    """What goes over the route's limit waits *left* (ns), on the grid."""
    waited = min(-(-left // GRID) * GRID, LONGEST)
    return RateLimited(what=f"over the limit of {name}", wait_ms=waited // MILLISECOND)
