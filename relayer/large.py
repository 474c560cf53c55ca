"""Who may hold much content now: a process holds little of it, however much waits on all lanes.

Most attempts hold a few hundred small packets, and wait for nobody. One that finds more reads again
as much as there is room for, once there is: first what its peer may hold, so that an adapter which
executes nothing takes only its own part, then what the process may.

Source: reliability notes section 4, "slow stream reader"; section 6 (fairness).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from hub.core.time import SECOND, Duration
from relayer.room import Room

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AsyncExitStack

    from hub.core.ids import PeerId
    from hub.ports.clock import Clock

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
"""The same of one peer's: about what a chain executes in a block."""
TELL_EVERY: Final = Duration(SECOND)


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

    async def read(
        self,
        read: Callable[[int], Awaitable[Found[T]]],
        items: int,
        whose: tuple[PeerId, str],
        goes_on: Callable[[], None],
        held: AsyncExitStack,
    ) -> Found[T]:
        """What *read* finds of so many *items* within the bytes that it is given.

        Where it is much, *held* keeps room for it, of peer and lane *whose*. *goes_on* hears now
        and then that the attempt still waits.
        """
        found = await read(SMALL)
        if not found.is_cut:
            return found
        # The others are taken to be as large, or little more.
        size = min(LARGE, found.size * items * 5 // (found.items * 4))
        del found  # nothing is held while it waits
        await held.enter_async_context(self._room(*whose, size, goes_on))
        return await read(size)

    @asynccontextmanager
    async def _room(
        self, peer: PeerId, lane: str, size: int, goes_on: Callable[[], None]
    ) -> AsyncIterator[None]:
        telling = asyncio.get_running_loop().create_task(self._tell(goes_on))
        try:
            # In this order always, so that nobody has what the other waits for.
            async with (
                self._of[peer].hold(lane, size=size),
                self.all.hold(peer, lane, size=size),
            ):
                telling.cancel()
                yield
        finally:
            telling.cancel()

    async def _tell(self, goes_on: Callable[[], None]) -> None:
        while True:
            await self._clock.sleep(TELL_EVERY)
            goes_on()
