"""Peers whose evidence has failed again and again are told to wait; the others notice nothing.

Each kind of frame counts for itself: a peer that sends false packets is still heard where it
acknowledges others' packets. What is refused so has cost no look at its contents. It outlives
sessions, so dialling again helps nobody.

Source: reliability notes section 4, "flood of valid-looking proofs".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.errors import (
    LaneNotFound,
    Malformed,
    NotAllowed,
    RateLimited,
    VerificationFailed,
)
from hub.core.time import MILLISECOND, Duration
from relayer.steps.strikes import Strikes, failed, wait

if TYPE_CHECKING:
    from hub.core.errors import HubError
    from hub.core.ids import PeerId
    from hub.ports.clock import Clock

PACE: Final = Duration(50 * MILLISECOND)
"""Between two frames of a peer that are refused so: whoever does not wait is read more slowly."""


_COUNTED: Final = (Malformed, VerificationFailed, NotAllowed, LaneNotFound)
"""Refusals that are the peer's own fault."""


class Penalties:
    """What the failures of every peer cost it."""

    def __init__(self, clock: Clock) -> None:
        """Nobody has failed."""
        self._clock = clock
        self._strikes: dict[tuple[PeerId, str], Strikes] = {}

    def check(self, peer: PeerId, kind: str) -> None:
        """*peer* may show frames of *kind* now. Raises ``RateLimited``."""
        found = self._strikes.get((peer, kind))
        left = wait(found, self._clock.monotonic()) if found is not None else 0
        if left:
            what = f"{kind} of peers/{peer}, after so many that failed"
            raise RateLimited(what=what, wait_ms=-(-left // MILLISECOND))

    def judged(self, peer: PeerId, kind: str, error: HubError) -> None:
        """A frame of *kind* from *peer* was refused as a whole."""
        if isinstance(error, _COUNTED):
            before = self._strikes.get((peer, kind), Strikes())
            self._strikes[peer, kind] = failed(before, self._clock.monotonic())
