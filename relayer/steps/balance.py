"""Which session a relayer hands over so that each has its fair share: a pure step.

All relayers read the same registry and compute the same plan, so two of them never hand a session
to the same free place. One session goes at a time, then there is a pause. A peer that was handed
over and came back is left alone for long: its adapter does not know the other relayer.

Source: design section 5 ("A relayer process owns a peer's session by a lease").
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from hub.core.time import SECOND, Duration, Timestamp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hub.core.ids import PeerId
    from hub.core.relayer import Relayer

STEADY: Final = Duration(3 * SECOND)
"""A share that is too large for so long (ns) is; adapters that dial anew are no reason."""
PAUSE: Final = Duration(2 * SECOND)
"""Between two hand-overs (ns), and up to as much again by chance."""
SETTLED: Final = Duration(3 * SECOND)
"""A peer that is away for so long (ns) after it was handed over has found another relayer."""
REST: Final = Duration(600 * SECOND)
"""A peer that came back is not handed over again for so long (ns)."""
CHANCES: Final = 1 << 16
"""A chance is an integer from 0 up to, not including, this."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What one relayer remembers between two looks."""

    over_since: Timestamp | None = None
    """Since when its share is too large."""
    next_at: Timestamp = Timestamp(0)
    """When the next session may go."""
    moved: Mapping[PeerId, Timestamp] = field(default_factory=dict)
    """When each peer was handed over that has not settled elsewhere."""
    away: Mapping[PeerId, Timestamp] = field(default_factory=dict)
    """Since when each of them is not attached here."""


@dataclass(frozen=True, slots=True)
class Move:
    """One session goes to another relayer."""

    peer: PeerId
    address: str
    """Of the relayer that has room."""


def step(
    state: Balance,
    target: Relayer | None,
    attached: Collection[PeerId],
    now: Timestamp,
    chance: int,
) -> tuple[Balance, Move | None]:
    """What a relayer remembers, and the session among its *attached* that goes to *target* now.

    *target* is what ``room_for`` says.
    """
    state = _settled(state, attached, now)
    if target is None:
        return replace(state, over_since=None), None
    over_since = now if state.over_since is None else state.over_since
    state = replace(state, over_since=over_since)
    candidates = sorted(peer for peer in attached if peer not in state.moved)
    if now < over_since + STEADY or now < state.next_at or not candidates:
        return state, None
    peer = candidates[0]
    pause = PAUSE + PAUSE * chance // CHANCES
    moved = {**state.moved, peer: now}
    return replace(state, next_at=Timestamp(now + pause), moved=moved), Move(peer, target.address)


def _settled(state: Balance, attached: Collection[PeerId], now: Timestamp) -> Balance:
    """Peers that stay away are forgotten, and those that came back long ago."""
    away = {peer: state.away.get(peer, now) for peer in state.moved if peer not in attached}
    moved = {
        peer: at
        for peer, at in state.moved.items()
        if now < at + REST and now < away.get(peer, now) + SETTLED
    }
    return replace(state, moved=moved, away={peer: away[peer] for peer in away if peer in moved})


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
