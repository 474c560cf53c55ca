"""What is stored of one chain's headers, with the newest uses kept in memory: bounded, never wrong.

A verified header never changes, so what was read once stays true.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import ConsensusState, Header, VerifiedHeader
    from hub.core.ids import PeerId
    from hub.ports.clients import Clients

K = TypeVar("K")
V = TypeVar("V")

STATES_KEPT: Final = 512
HEADERS_KEPT: Final = 64
SETS_KEPT: Final = 8
"""Of one chain; a header with its set may be a hundred times as large as its state."""


class RecentHeaders:
    """Verified headers of one peer's chain, as the registry holds them."""

    def __init__(self, clients: Clients, peer: PeerId) -> None:
        """Nothing is in memory yet."""
        self._clients = clients
        self._peer = peer
        self._states: OrderedDict[int, ConsensusState] = OrderedDict()
        self._headers: OrderedDict[int, Header] = OrderedDict()
        self._sets: OrderedDict[bytes, bytes] = OrderedDict()

    async def state(self, height: int) -> ConsensusState | None:
        """The verified state at *height*."""
        known = self._states.get(height)
        if known is None:
            known = await self._clients.consensus_state(self._peer, height)
            if known is not None:
                _remember(self._states, height, known, STATES_KEPT)
        return known

    async def header(self, height: int) -> Header | None:
        """The verified header at *height*."""
        known = self._headers.get(height)
        if known is None:
            stored = await self._clients.header(self._peer, height)
            if stored is not None:
                known = stored.header
                _remember(self._headers, height, known, HEADERS_KEPT)
        return known

    async def validators(self, digest: bytes) -> bytes | None:
        """The bytes of the validator set with that hash."""
        known = self._sets.get(digest)
        if known is None:
            known = await self._clients.validators(digest)
            if known is not None:
                _remember(self._sets, digest, known, SETS_KEPT)
        return known

    def keep(self, verified: Sequence[VerifiedHeader]) -> None:
        """*verified* are stored now."""
        for entry in verified:
            number = entry.state.height.number
            _remember(self._states, number, entry.state, STATES_KEPT)
            _remember(self._headers, number, entry.header, HEADERS_KEPT)


def _remember(cache: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > limit:
        cache.popitem(last=False)
