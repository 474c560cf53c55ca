"""Time and chance, as arguments that can be moved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hub.core.time import Duration, Timestamp


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> Timestamp:
        """The wall clock (ns since the epoch, UTC)."""
        ...

    def monotonic(self) -> Timestamp:
        """A clock that never steps back (ns from an arbitrary point)."""
        ...

    async def sleep(self, duration: Duration) -> None:
        """Returns *duration* (ns) later."""
        ...


class Randomness(Protocol):
    """Gives chance that nobody outside foresees: for jitter, and to choose what is audited.

    Never for keys that sign or hide anything.
    """

    def below(self, bound: int) -> int:
        """An integer from 0 up to, not including, *bound*."""
        ...
