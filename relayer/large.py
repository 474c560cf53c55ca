"""Who may hold much content now: a process holds little of it, however much waits on all lanes.

Most attempts hold a few hundred small packets, and wait for nobody. One that finds more gives its
turn at the chain back, and reads again once there is room: among those between the same two peers,
of either of the two, and of the process. So an adapter that executes nothing, or proves slowly,
takes only its own part, and who waits for room is in nobody's way.

Source: reliability notes section 4, "slow stream reader"; section 6 (fairness).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from hub.core.time import SECOND, Duration
from relayer.room import Room

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hub.core.ids import PeerId
    from hub.ports.clock import Clock
    from relayer.turns import Turn

T = TypeVar("T")

SMALL: Final = 128 * 1024
"""Bytes that an attempt reads and holds without asking; 256 packets of 512 bytes are as many."""
LARGE: Final = 2 * 1024 * 1024
"""Most bytes of one attempt: two full frames, which go on with the proofs that they have.

Any attempt may hold one packet more, for only with that it is known to be enough.
"""
OF_PROCESS: Final = 16 * 1024 * 1024
"""Bytes that large attempts hold at once. Each is held up to four times (as read, as an execution,
as a frame, on the wire), so they are about 70 MiB of a process."""
OF_PEER: Final = 4 * 1024 * 1024
"""The same of those that one peer executes or proves: about what a chain executes in a block."""
OF_PAIR: Final = LARGE
"""The same of those that one peer executes and another one proves: half of either's."""
TELL_EVERY: Final = Duration(SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """An attempt that may come to hold much."""

    executor: PeerId
    """Whose chain executes it."""
    prover: PeerId
    """Whose adapter is asked for proofs and headers that it needs."""
    lane: str
    held: AsyncExitStack
    """Keeps its room until it ends."""
    goes_on: Callable[[], None]
    """Hears now and then that it still waits."""
    turn: Turn | None = None
    """At the executor's chain."""

    @property
    def ends(self) -> tuple[PeerId, PeerId]:
        """Both peers, in the order in which everybody asks for their rooms."""
        first, last = sorted([self.executor, self.prover])
        return first, last


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """What was read within some bytes."""

    content: T
    items: int
    size: int
    """Bytes that it takes to read so much."""
    is_cut: bool
    """Whether the bytes ended it; if not, that was all."""


class LargeContent:
    """The room that attempts with much content share."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is held."""
        self._clock = clock
        self.all = Room(OF_PROCESS)
        self._of: defaultdict[PeerId, Room] = defaultdict(lambda: Room(OF_PEER))
        self._between: defaultdict[tuple[PeerId, PeerId], Room]
        self._between = defaultdict(lambda: Room(OF_PAIR))

    @asynccontextmanager
    async def holder(
        self,
        executor: PeerId,
        prover: PeerId,
        lane: str,
        goes_on: Callable[[], None],
        turn: Turn | None,
    ) -> AsyncIterator[Holder]:
        """An attempt, which holds nothing any more once this ends."""
        async with AsyncExitStack() as held:
            yield Holder(
                executor=executor,
                prover=prover,
                lane=lane,
                held=held,
                goes_on=goes_on,
                turn=turn,
            )

    async def read(
        self, read: Callable[[int], Awaitable[Found[T]]], items: int, holder: Holder
    ) -> Found[T]:
        """What *read* finds of so many *items* within the bytes that it is given.

        Where it is much, *holder* has room for it; until there is some, it waits without its turn.
        """
        found = await read(SMALL)
        if not found.is_cut:
            return found
        # The others are taken to be as large, or little more.
        size = min(LARGE, found.size * items * 5 // (found.items * 4))
        del found  # nothing is held while it waits
        async with self._telling(holder.goes_on):
            if holder.turn is not None:
                holder.turn.give_back()
            await holder.held.enter_async_context(self._room(holder, size))
            if holder.turn is not None:
                await holder.turn.take()
        return await read(size)

    @asynccontextmanager
    async def _room(self, holder: Holder, size: int) -> AsyncIterator[None]:
        """In this order always, so that nobody has what another one waits for."""
        executor, prover, lane = holder.executor, holder.prover, holder.lane
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._between[holder.ends].hold(lane, size=size))
            for end in holder.ends:
                other = prover if end == executor else executor
                await held.enter_async_context(self._of[end].hold(other, lane, size=size))
            await held.enter_async_context(self.all.hold(executor, prover, lane, size=size))
            yield

    @asynccontextmanager
    async def _telling(self, goes_on: Callable[[], None]) -> AsyncIterator[None]:
        telling = asyncio.get_running_loop().create_task(self._tell(goes_on))
        try:
            yield
        finally:
            telling.cancel()

    async def _tell(self, goes_on: Callable[[], None]) -> None:
        while True:
            await self._clock.sleep(TELL_EVERY)
            goes_on()
