"""The registry as one process reaches it: late, not at all, or without hearing what became of it.

Behind it stands the one twin in memory. Every call takes its time on the way there and back; on
either way it may be lost, and then the process hears ``RegistryUnreachable``: nothing was done, or
all of it. What a process that died or stands still had asked for may still come about.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hub.core.errors import HubError, RegistryUnreachable
from tests.simulation.loop import SECOND, current

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Coroutine
    from random import Random

    from hub.ports.registry import Change
    from hub.registry.memory import MemoryRegistry
    from tests.simulation.loop import Process, SimLoop

MILLISECOND = SECOND // 1000
LATEST = 9 * SECOND
"""The longest that a call is on its way (ns): longer than a lease lasts."""
PARTS = (
    "peers",
    "clients",
    "leases",
    "lanes",
    "packets",
    "outcomes",
    "exceptions",
    "audit",
    "certificates",
    "overview",
    "watching",
    "relayers",
    "forwarding",
)


class Link:
    """The way from one process to the database, whose calls arrive whatever becomes of it."""

    def __init__(self, loop: SimLoop, database: Process, chance: Random) -> None:
        self.loop = loop
        self.database = database
        self.chance = chance
        self.is_cut = False
        self.lost_in = 0
        """Of 1,000 calls so many are lost, half of them after they were carried out."""
        self.late_in = 0
        """Of 1,000 ways so many take up to ``LATEST``."""
        self.hints_lost_in = 0
        self.read: Callable[[str, Any], None] | None = None
        """Told of every answer that the process has heard."""

    def delay(self) -> int:
        """How long one way takes (ns)."""
        if self.late_in and self.chance.randrange(1000) < self.late_in:
            return self.chance.randrange(LATEST)
        return self.chance.randrange(MILLISECOND)

    def loses(self) -> bool:
        """Whether a call is lost on this way."""
        return self.is_cut or self.chance.randrange(2000) < self.lost_in


class Call:
    """One call, from its sending to its answer."""

    def __init__(self, link: Link, work: Callable[[], Any], seen: Callable[[], None]) -> None:
        self._link = link
        self._work = work
        self._seen = seen
        self._caller = current()
        self._answer: asyncio.Future[Any] = link.loop.create_future()

    async def answer(self) -> Any:
        """What the database said. Raises what it refused, or ``RegistryUnreachable``."""
        link = self._link
        if link.loses():
            link.loop.after(self._caller, link.delay(), self._lost, "the call was lost")
        else:
            link.loop.after(link.database, link.delay(), self._carry_out)
        return await self._answer

    def _carry_out(self) -> None:
        """At the database."""
        link, found = self._link, None
        respond: Callable[[Any], None] = self._found
        try:
            found = done(self._work())
        except HubError as error:
            respond, found = self._refused, error
        else:
            self._seen()
        if link.loses():
            respond, found = self._lost, "the answer was lost"
        link.loop.after(self._caller, link.delay(), respond, found)

    def _found(self, value: Any) -> None:
        if not self._answer.done():
            self._answer.set_result(value)

    def _refused(self, error: HubError) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)

    def _lost(self, problem: str) -> None:
        self._refused(RegistryUnreachable(problem=problem))


class Remote:
    """One part of the registry, at the other end of a link."""

    def __init__(self, link: Link, part: Any, seen: Callable[[str, Any, Any], None]) -> None:
        self._link = link
        self._part = part
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)

        call = self.__dict__[name] = partial(self._call, name, method)
        return call

    async def _call(self, name: str, method: Any, *args: Any, **named: Any) -> Any:
        work = partial(method, *args, **named)
        found = await Call(self._link, work, partial(self._seen, name, args)).answer()
        if self._link.read is not None:
            self._link.read(name, found)
        return found


class RemoteChanges:
    """Hints, some of which are lost."""

    def __init__(self, link: Link, changes: Any) -> None:
        self._link = link
        self._changes = changes

    def listen(self) -> AsyncIterator[Change]:
        """As the port says."""
        return self._some(self._changes.listen())

    def relax(self, is_relaxed: bool) -> None:  # noqa: FBT001 - as the port says
        """Hints may wait."""

    async def _some(self, changes: AsyncIterator[Change]) -> AsyncIterator[Change]:
        async for change in changes:
            link = self._link
            if not link.is_cut and link.chance.randrange(1000) >= link.hints_lost_in:
                yield change


class RemoteRegistry:
    """``hub.ports.registry.Registry`` at the other end of a link."""

    def __init__(
        self,
        link: Link,
        registry: MemoryRegistry,
        seen: Callable[[str, str, Any], None],
    ) -> None:
        self.link = link
        for name in PARTS:
            setattr(self, name, Remote(link, getattr(registry, name), partial(seen, name)))
        self.changes = RemoteChanges(link, registry.changes)


def done(work: Coroutine[Any, Any, Any]) -> Any:
    """What *work*, which waits for nothing, returns."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError(f"{work} waits for something")
