"""Of whom of a process's sessions others ask something: one question every two seconds for all.

Source: design section 5 ("a slow poll stands behind the hints").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.time import SECOND, Duration
from relayer.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Collection

    from hub.core.ids import PeerId
    from hub.ports.clock import Clock
    from hub.ports.registry import Registry

POLL_EVERY: Final = Duration(2 * SECOND)
"""The slow poll behind the hints."""


class Asked:
    """The question, and the answer of this round."""

    def __init__(self, registry: Registry, clock: Clock, sessions: Collection[PeerId]) -> None:
        """Nothing is asked of *sessions*, whichever these are by then."""
        self._registry = registry
        self._rounds = Rounds(clock, POLL_EVERY)
        self._sessions = sessions
        self._peers: frozenset[PeerId] = frozenset()

    async def next_round(self) -> None:
        """Returns when the question is due again, at the same moment for every session."""
        await self._rounds.next()

    async def of(self, peer: PeerId) -> bool:
        """Whether something is asked of *peer*'s session; looked up once in each round.

        Raises ``HubError``.
        """
        await self._rounds.once(self._look_up)
        return peer in self._peers

    async def _look_up(self) -> None:
        self._peers = frozenset(await self._registry.forwarding.asked(list(self._sessions)))
