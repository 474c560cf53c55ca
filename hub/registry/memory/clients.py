"""Clients, headers and evidence in memory."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.core.client import HubClient, check_began, check_recovery
from hub.core.errors import (
    ClientFrozen,
    ClientNotFound,
    ConsensusStateDiffers,
    EvidenceNotFound,
    LeaseLost,
)
from hub.ports.clients import Evidence
from hub.ports.registry import Topic
from hub.registry.validator_sets import sets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor, ChainClient, ConsensusState, VerifiedHeader
    from hub.core.errors import Reason
    from hub.core.ids import ClientId, PeerId
    from hub.core.time import Timestamp
    from hub.ports.caller import Caller
    from hub.ports.leases import Fence
    from hub.registry.memory.state import State


class MemoryClients:
    """``hub.ports.clients.Clients`` in memory."""

    def __init__(self, state: State) -> None:
        """The clients of *state*."""
        self._state = state

    async def hub_client(self, peer: PeerId) -> HubClient:
        """As the port says."""
        row = self._state.client(peer)
        headers = self._state.headers[peer]
        newest = headers[max(headers)].state if headers else None
        is_reached = newest is not None and newest.height.number >= row.anchor.height.number
        return HubClient(
            peer=peer,
            anchor=row.anchor,
            is_frozen=row.frozen_at is not None,
            frozen_cause=row.frozen_cause,
            latest=newest if is_reached else None,
            verified_height=newest.height.number if newest is not None else 0,
        )

    async def hub_clients(self, after: str, limit: int) -> Sequence[HubClient]:
        """As the port says."""
        names = sorted(name for name in self._state.clients if name > after)
        return [await self.hub_client(name) for name in names[:limit]]

    async def frozen(self) -> Sequence[PeerId]:
        """As the port says."""
        rows = self._state.clients.items()
        return sorted([peer for peer, row in rows if row.frozen_at is not None])

    async def header(self, peer: PeerId, height: int) -> VerifiedHeader | None:
        """As the port says."""
        return self._state.headers[peer].get(height)

    async def header_at_or_below(self, peer: PeerId, height: int) -> VerifiedHeader | None:
        """As the port says."""
        numbers = self._numbers(peer)
        at = bisect_right(numbers, height)
        return self._state.headers[peer][numbers[at - 1]] if at else None

    async def header_above(self, peer: PeerId, height: int) -> VerifiedHeader | None:
        """As the port says."""
        numbers = self._numbers(peer)
        at = bisect_right(numbers, height)
        return self._state.headers[peer][numbers[at]] if at < len(numbers) else None

    async def heights(self, peer: PeerId, low: int, high: int) -> Sequence[int]:
        """As the port says."""
        return [number for number in self._numbers(peer) if low <= number <= high]

    async def consensus_state(self, peer: PeerId, height: int) -> ConsensusState | None:
        """As the port says."""
        stored = self._state.headers[peer].get(height)
        return stored.state if stored is not None else None

    async def validators(self, digest: bytes) -> bytes | None:
        """As the port says."""
        return self._state.validator_sets.get(digest)

    async def add_headers(
        self, fence: Fence, anchor: Anchor, headers: Sequence[VerifiedHeader]
    ) -> None:
        """As the port says."""
        if not headers:
            return
        state, peer = self._state, fence.peer
        state.check_lease(fence)
        row = state.client(peer)
        name = f"peers/{peer}/client"
        if row.frozen_at is not None:
            raise ClientFrozen(client=name, cause=row.frozen_cause)
        check_began(name, row.anchor, anchor)
        sets = sets_of(row.anchor.client_type, headers)
        new = dict(state.headers[peer])
        for header in headers:
            number = header.state.height.number
            stored = new.setdefault(number, header)
            if stored.state.header_hash != header.state.header_hash:
                raise ConsensusStateDiffers(
                    client=name,
                    height=number,
                    got=header.state.header_hash.hex(),
                    stored=stored.state.header_hash.hex(),
                )
        for number in new.keys() - state.headers[peer].keys():
            state.header_times[peer, number] = state.now()
        state.headers[peer] = new
        state.validator_sets.update(sets)
        state.announce(Topic.HEADERS, peer)

    async def freeze(
        self,
        peer: PeerId,
        cause: str,
        evidence: tuple[Reason, bytes, bytes] | None,
        by: Caller,
        under: Anchor | None = None,
    ) -> bool:
        """As the port says."""
        state = self._state
        row = state.client(peer)
        if under is not None:
            check_began(f"peers/{peer}/client", row.anchor, under)
        again = state.repeated(by)
        if evidence is not None:
            self._keep(peer, evidence)
        if again is not None:
            return True
        state.carried_out(by)
        if row.frozen_at is not None:
            return True
        row.frozen_cause, row.frozen_at = cause, state.now()
        state.audit(by.identity, "client.freeze", f"peers/{peer}/client", 1, cause)
        state.announce(Topic.PEERS, peer)
        state.raise_gates(lambda lane, side: lane.sides[side].peer == peer)
        return False

    async def recover(
        self, peer: PeerId, anchor: Anchor, now: Timestamp, cause: str, by: Caller
    ) -> bool:
        """As the port says."""
        state = self._state
        row, client = state.client(peer), await self.hub_client(peer)
        if state.repeated(by) is not None or client.has_started(anchor, now):
            state.carried_out(by)
            return True
        check_recovery(client, anchor, now)
        state.carried_out(by)
        row.anchor, row.recovered_at = anchor, state.now()
        row.frozen_cause, row.frozen_at = "", None
        state.peers[peer] = replace(state.peers[peer], anchor=anchor)
        detail = f"{cause}; {client.recovery_detail(anchor, now)}"
        state.audit(by.identity, "client.recover", client.name, 1, detail)
        state.announce(Topic.PEERS, peer)
        state.raise_gates(lambda lane, side: lane.sides[side].peer == peer)
        return False

    async def note_carried(self, fence: Fence, peer: PeerId, number: int, client: ClientId) -> None:
        """As the port says."""
        state = self._state
        state.check_lease(fence)
        kept = state.evidence[peer]
        if not 1 <= number <= len(kept):
            raise EvidenceNotFound(name=f"peers/{peer}/client/evidence/{number}")
        await self.chain_client(fence.peer, client)
        old = kept[number - 1]
        carried_to = tuple(sorted({*old.carried_to, (fence.peer, client)}))
        kept[number - 1] = replace(old, carried_to=carried_to)

    async def evidence(self, peer: PeerId, *, standing: bool = False) -> Sequence[Evidence]:
        """As the port says."""
        kept = list(self._state.evidence[peer])
        if not kept or not standing:
            return kept
        since = self._state.client(peer).recovered_at or 0
        return [one for one in kept if one.recorded_at > since]

    async def put_chain_client(self, fence: Fence, client: ChainClient) -> None:
        """As the port says."""
        self._state.check_lease(fence)
        if client.peer != fence.peer:
            raise LeaseLost(peer=client.peer, epoch=fence.epoch)
        self._state.chain_clients[client.peer, client.client] = client

    async def chain_client(self, peer: PeerId, client: ClientId) -> ChainClient:
        """As the port says."""
        found = self._state.chain_clients.get((peer, client))
        if found is None:
            raise ClientNotFound(name=f"peers/{peer}/clients/{client}")
        return found

    async def chain_clients(self, peer: PeerId) -> Sequence[ChainClient]:
        """As the port says."""
        found = [client for client in self._state.chain_clients.values() if client.peer == peer]
        return sorted(found, key=lambda client: client.client)

    def _numbers(self, peer: PeerId) -> list[int]:
        return sorted(self._state.headers[peer])

    def _keep(self, peer: PeerId, evidence: tuple[Reason, bytes, bytes]) -> None:
        reason, first, second = evidence
        kept = self._state.evidence[peer]
        if any((old.reason, old.first, old.second) == evidence for old in kept):
            return
        entry = Evidence(
            reason=reason,
            first=first,
            second=second,
            recorded_at=self._state.now(),
            number=len(kept) + 1,
        )
        kept.append(entry)
