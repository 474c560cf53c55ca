"""How often a caller whom nobody knows may ask: so many at once, then one for each interval.

For the listener of enrolment alone, where a guess must cost time. Kept by the caller's host, and
for all of them together; what is kept is bounded.

Source: the generic cell rate algorithm (ITU-T I.371), in integers of nanoseconds.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import RateLimited
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.server.interceptors.around import Around

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from hub.ports.clock import Clock
    from hub.server.interceptors.around import Context

EVERY: Final = Duration(2 * SECOND)
BURST: Final = 5
EVERY_OF_ALL: Final = Duration(100 * MILLISECOND)
BURST_OF_ALL: Final = 50
MAX_HOSTS: Final = 4096


class Rates(Around):
    """Refuses what comes too often."""

    def __init__(self, clock: Clock) -> None:
        """By *clock*'s monotonic time."""
        self._clock = clock
        self._hosts: dict[str, int] = {}
        """By host: when all that it has asked is paid for (ns)."""
        self._all = 0

    @asynccontextmanager
    async def around(
        self, method: str, request: Message | None, context: Context[Any, Any]
    ) -> AsyncIterator[None]:
        """As said above. Raises ``RateLimited``."""
        del method, request
        self._take(host_of(context.peer()))
        yield

    def _take(self, host: str) -> None:
        now = self._clock.monotonic()
        if len(self._hosts) >= MAX_HOSTS:
            self._hosts = {name: until for name, until in self._hosts.items() if until > now}
        own, everyone = max(self._hosts.get(host, 0), now), max(self._all, now)
        wait = max(
            own - now - (BURST - 1) * EVERY, everyone - now - (BURST_OF_ALL - 1) * EVERY_OF_ALL
        )
        if wait > 0 or len(self._hosts) >= MAX_HOSTS:
            wait_ms = -(-max(wait, EVERY) // MILLISECOND)
            raise RateLimited(what="enrolment", wait_ms=wait_ms)
        self._hosts[host], self._all = own + EVERY, everyone + EVERY_OF_ALL


def host_of(peer: str) -> str:
    """The host of gRPC's name of a caller, as ``ipv4:192.0.2.1:4711``."""
    return peer.rpartition(":")[0]
