"""Stored headers that lead from one height to another, each following from the one before.

As few as bisection over what is stored finds, and only by validator sets that the chosen headers
carry themselves, so that whoever holds them can verify them with nothing else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub.core.errors import FieldInvalid, HeaderNotFound, LimitExceeded, TrustExpired
from hub.exchange.claims import MAX_CHAIN
from hub.light_clients.interface import NeedsBisection
from hub.light_clients.router import light_client

if TYPE_CHECKING:
    from hub.core.client import Anchor, VerifiedHeader
    from hub.core.ids import PeerId
    from hub.light_clients.interface import LightClient
    from hub.ports.registry import Registry


async def header_chain(
    registry: Registry, peer: PeerId, anchor: Anchor, start: int, target: int
) -> list[VerifiedHeader]:
    """Headers of *peer* from height *start* to *target*, both included.

    Raises ``HeaderNotFound``, ``FieldInvalid`` for a start above the target, ``LimitExceeded``.
    """
    if start > target:
        raise FieldInvalid(field="starts", problem=f"is above the proof's height {target}")
    search = _Search(registry, peer, light_client(anchor.client_type), anchor)
    last = await search.header(target)
    chain = [await search.header(start)]
    while chain[-1].state.height.number < target:
        if len(chain) == MAX_CHAIN:
            raise LimitExceeded(what="headers of a claim", count=len(chain) + 1, limit=MAX_CHAIN)
        chain.append(await search.farthest(chain[-1], last))
    return chain


async def lowest_start(registry: Registry, peer: PeerId, anchor: Anchor, target: int) -> int:
    """Where headers up to *target* begin: at *anchor*, or before it at the lowest that is stored.

    A client that has started again from a later anchor has verified headers from earlier ones on.
    """
    if anchor.height.number <= target:
        return anchor.height.number
    found = await registry.clients.header_above(peer, 0)
    return min(found.state.height.number, target) if found is not None else target


@dataclass(frozen=True, slots=True)
class _Search:
    registry: Registry
    peer: PeerId
    client: LightClient
    anchor: Anchor
    sets: dict[bytes, bytes] = field(default_factory=dict)
    """Validator sets of the headers chosen so far, by hash."""

    async def header(self, height: int) -> VerifiedHeader:
        found = await self.registry.clients.header(self.peer, height)
        if found is None:
            raise HeaderNotFound(client=f"peers/{self.peer}/client", height=height)
        return found

    async def farthest(self, trusted: VerifiedHeader, last: VerifiedHeader) -> VerifiedHeader:
        """A header as near to *last* as bisection finds, that follows from *trusted*."""
        own = trusted.header.validators
        self.sets[self.client.hash_validators(own)] = own
        low, candidate = trusted.state.height.number, last
        while not await asyncio.to_thread(self._follows, trusted, candidate):
            number = candidate.state.height.number
            clients = self.registry.clients
            found = await clients.header_at_or_below(self.peer, (low + number) // 2)
            if found is None or found.state.height.number <= low:
                found = await clients.header_above(self.peer, low)
            if found is None or found.state.height.number >= number:
                raise HeaderNotFound(client=f"peers/{self.peer}/client", height=low + 1)
            candidate = found
        return candidate

    def _follows(self, trusted: VerifiedHeader, candidate: VerifiedHeader) -> bool:
        """Whether *candidate* verifies from *trusted* by sets that the chosen headers carry.

        Judged as of the candidate's own time: who checks the headers judges by a time of his own.
        """
        own = candidate.header.validators
        validators = self.sets.get(trusted.state.next_validators_hash)
        if validators is None:
            if self.client.hash_validators(own) != trusted.state.next_validators_hash:
                return False
            validators = own
        try:
            verdict = self.client.verify_header(
                self.anchor,
                trusted.state,
                validators,
                candidate.header,
                now=candidate.state.time,
            )
        except TrustExpired:
            return False
        return not isinstance(verdict, NeedsBisection)
