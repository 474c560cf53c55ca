"""Which session a relayer hands over so that each has its fair share: a pure step.

All relayers read the same registry and compute the same plan, so two of them never hand a session
to the same free place. One session goes at a time, then there is a pause. A peer that came straight
back is left alone, each time for twice as long: its adapter may not know the other relayer.

Source: design section 5 ("A relayer process owns a peer's session by a lease").
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from hub.core.time import SECOND, Duration, Timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.ids import PeerId
    from hub.core.relayer import Relayer

STEADY: Final = Duration(3 * SECOND)
"""A share that is too large for so long (ns) is; adapters that dial anew are no reason."""
PAUSE: Final = Duration(2 * SECOND)
"""Between two hand-overs (ns), and up to as much again by chance."""
REST: Final = Duration(15 * SECOND)
"""A peer that came straight back is left alone for so long (ns), then for twice as long."""
LONGEST_REST: Final = Duration(960 * SECOND)
STRAIGHT_BACK: Final = 2
"""Epochs from a session to the next one of the same owner: it is given back, and taken."""
CHANCES: Final = 1 << 16
"""A chance is an integer from 0 up to, not including, this."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A peer that was handed over."""

    at: Timestamp
    epoch: int
    """Of the lease that it was handed over under."""
    times: int = 1
    """How often in turn; each time but the last it came straight back."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What one relayer remembers between two looks."""

    over_since: Timestamp | None = None
    """Since when its share is too large."""
    next_at: Timestamp = Timestamp(0)
    """When the next session may go."""
    handed: Mapping[PeerId, Handed] = field(default_factory=dict)
    """Peers that others have not been seen to own since they were handed over."""


@dataclass(frozen=True, slots=True)
class Move:
    """One session goes to another relayer."""

    peer: PeerId
    address: str
    """Of the relayer that has room."""


def step(
    state: Balance,
    target: Relayer | None,
    attached: Mapping[PeerId, int],
    now: Timestamp,
    chance: int,
) -> tuple[Balance, Move | None]:
    """What a relayer remembers, and the session among its *attached* that goes to *target* now.

    *attached* has each peer's lease epoch; *target* is what ``room_for`` says.
    """
    state = replace(state, handed=_not_settled(state.handed, attached))
    if target is None:
        return replace(state, over_since=None), None
    over_since = now if state.over_since is None else state.over_since
    state = replace(state, over_since=over_since)
    candidates = sorted(peer for peer in attached if _may_go(state.handed.get(peer), now))
    if now < over_since + STEADY or now < state.next_at or not candidates:
        return state, None
    peer = candidates[0]
    before = state.handed.get(peer)
    handed = Handed(now, attached[peer], before.times + 1 if before is not None else 1)
    next_at = Timestamp(now + PAUSE + PAUSE * chance // CHANCES)
    after = replace(state, next_at=next_at, handed={**state.handed, peer: handed})
    return after, Move(peer, target.address)


def _not_settled(
    handed: Mapping[PeerId, Handed], attached: Mapping[PeerId, int]
) -> dict[PeerId, Handed]:
    """Those of *handed* that nobody else is seen to have owned since."""
    return {
        peer: one
        for peer, one in handed.items()
        if attached.get(peer, one.epoch) <= one.epoch + STRAIGHT_BACK
    }


def _may_go(handed: Handed | None, now: Timestamp) -> bool:
    if handed is None:
        return True
    return now >= handed.at + min(REST << min(handed.times - 1, 16), LONGEST_REST)


def room_for(name: str, relayers: Sequence[Relayer]) -> Relayer | None:
    """The relayer that takes a session of *name*'s; None where its share is not too large.

    The fair share is the number of sessions by that of relayers that take some, rounded up.
    """
    living = sorted([one for one in relayers if one.takes_sessions], key=lambda one: one.relayer)
    if not living:
        return None
    total = sum(one.sessions for one in living)
    most, least = -(-total // len(living)), total // len(living)
    surplus = [one.relayer for one in living for _ in range(one.sessions - most)]
    free = [one for one in living for _ in range(least - one.sessions)]
    if name not in surplus:
        return None
    at = surplus.index(name)
    if at < len(free):
        return free[at]
    # Nobody is below the share rounded down; somebody below the share rounded up takes one.
    below = [one for one in living for _ in range(most - one.sessions)]
    return below[at] if at < len(below) else None
