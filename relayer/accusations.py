"""Carry the misbehaviour of other chains to the clients that live on one attached chain.

A client there verifies a chain whose validators have signed two truths, and does not know it: both
headers are handed to it, with the updates that it needs to judge them, until its chain proves it
frozen. Only headers can be judged by a chain's own client; two outcomes or two packets freeze the
hub's alone.

Source: design section 4, "Two conflicting valid headers"; ICS-02, SubmitMisbehaviour.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import ChainUnreachable, ClientPending, HubError
from hub.core.time import SECOND, Duration
from hub.exchange.evidence import HEADERS
from hub.wire.headers import decode_header, header_to_proto, height_to_proto
from relayer.refusals import read_refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import ChainClient, ConsensusState, Header
    from hub.core.ids import ClientId, PeerId
    from hub.ports.clients import Evidence
    from hub.ports.leases import Fence
    from relayer.headers import HeaderKeeper
    from relayer.switchboard import Switchboard

_log = structlog.get_logger()

AGAIN_AFTER: Final = Duration(5 * SECOND)
LOOK_EVERY: Final = Duration(60 * SECOND)
"""The slow poll behind the hints."""


class Accusations:
    """What the clients on one attached chain are still to be told of other chains."""

    def __init__(self, board: Switchboard, fence: Fence) -> None:
        """Carries to the chain of the fence's peer."""
        self._board = board
        self._fence = fence
        self._accused: set[PeerId] = set()
        self._woken = asyncio.Event()

    def accuse(self, peer: PeerId) -> None:
        """The client of *peer* has changed: it may be frozen by evidence."""
        if peer != self._fence.peer:
            self._accused.add(peer)
            self._woken.set()

    async def run(self) -> None:
        """Carries whatever there is, and tries again what failed."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            while True:
                await self._woken.wait()
                self._woken.clear()
                if await self.round():
                    await self._board.clock.sleep(AGAIN_AFTER)
                    self._woken.set()

    async def round(self) -> int:
        """Every accused chain is looked at once; how many are left."""
        for peer in sorted(self._accused):
            self._accused.discard(peer)
            try:
                is_done = await self.carry(peer)
            except HubError as error:
                self._note("accusation_failed", peer, error)
                is_done = False
            if not is_done:
                self._accused.add(peer)
        return len(self._accused)

    async def carry(self, peer: PeerId) -> bool:
        """Whether no client here is left that verifies *peer*'s frozen chain and is not frozen.

        Raises ``HubError``.
        """
        registry = self._board.registry
        client = await registry.clients.hub_client(peer)
        if not client.is_frozen:
            return True
        # What froze it before a recovery is over, and hides nothing that was found afterwards.
        standing = await registry.clients.evidence(peer, standing=True)
        kept = [one for one in standing if one.reason is HEADERS]
        if not kept:
            return True
        found = await registry.clients.chain_clients(self._fence.peer)
        mirrors = [mirror for mirror in found if mirror.chain_id == client.anchor.chain_id]
        left = [(mirror, _untold(kept, mirror)) for mirror in mirrors]
        told = [await self._tell(peer, mirror, untold) for mirror, untold in left if untold]
        # That of a lane that was just opened is mirrored a moment later.
        unseen = self._of_lanes(peer) - {mirror.client for mirror in found}
        return all(told) and not unseen

    def _of_lanes(self, peer: PeerId) -> set[ClientId]:
        """Clients here that verify *peer*'s chain for a lane."""
        ends = (self._fence.peer, peer)
        keys = (*self._board.desks, *[key.reverse for key in self._board.desks])
        return {
            key.source_client for key in keys if (key.source_peer, key.destination_peer) == ends
        }

    async def _look(self) -> None:
        """Chains that were frozen before this began, or whose hint was lost, are accused too."""
        while True:
            try:
                await self._find()
            except HubError as error:
                self._note("accusation_failed", self._fence.peer, error)
            await self._board.clock.sleep(LOOK_EVERY)

    async def _find(self) -> None:
        for peer in await self._board.registry.clients.frozen():
            self.accuse(peer)

    async def _tell(self, peer: PeerId, mirror: ChainClient, kept: Sequence[Evidence]) -> bool:
        """Whether the client is frozen now, as its chain proves."""
        for one in kept:
            try:
                if not mirror.is_frozen:
                    await self._execute(peer, mirror.client, one)
                if await self._is_frozen(mirror.client):
                    await self._board.registry.clients.note_carried(
                        self._fence, peer, one.number, mirror.client
                    )
                    _log.warning("client_accused", client=mirror.name, evidence=one.number)
                    return True
            except HubError as error:
                self._note("accusation_refused", peer, error)
        return False

    async def _execute(self, peer: PeerId, client: ClientId, found: Evidence) -> None:
        """The chain has judged *found*. Raises ``HubError``, also where it refuses."""
        keeper = await self._board.keeper(peer)
        first, second = decode_header(found.first), decode_header(found.second)
        states = [keeper.light_client.read_header(header) for header in (first, second)]
        below = min(state.height.number for state in states) - 1
        trusted, updates = await self._trusted(keeper, client, below)
        validators = await self._following(keeper, trusted, (first, second))
        execution = pb.Execution(
            client=client,
            updates=updates,
            possible_duplicate=True,
            misbehaviour=pb.Misbehaviour(
                peer=f"peers/{peer}",
                first=header_to_proto(first),
                second=header_to_proto(second),
                first_trusted_height=height_to_proto(trusted.height),
                second_trusted_height=height_to_proto(trusted.height),
                first_trusted_validators=validators,
                second_trusted_validators=validators,
            ),
        )
        report = await self._board.session(self._fence.peer).execute(execution)
        self._board.clients_of(self._fence.peer).forget(client)
        if report.refused:
            refusal = read_refusal(report.refused[0])
            problem = f"{refusal.reason}: {refusal.detail}"
            raise ChainUnreachable(chain=f"peers/{self._fence.peer}", problem=problem)

    async def _trusted(
        self, keeper: HeaderKeeper, client: ClientId, below: int
    ) -> tuple[ConsensusState, list[pb.UpdateStep]]:
        """The newest state that *client* can judge from, at *below* at most, and updates to it."""
        clients = self._board.clients_of(self._fence.peer)
        mirror = await clients.mirror(client)
        own = max([height for height in mirror.trusted if height <= below], default=0)
        stored = await self._board.registry.clients.header_at_or_below(keeper.peer, below)
        target = max(own, stored.state.height.number if stored is not None else 0)
        if (not own and target < mirror.pending_height) or not target:
            raise ClientPending(client=str(client), height=mirror.pending_height or below)
        state = await keeper.claimed_state(target)
        if target == own:
            return state, []
        return state, await clients.updates(client, keeper, target, self._board.clock.now())

    async def _following(
        self, keeper: HeaderKeeper, trusted: ConsensusState, headers: Sequence[Header]
    ) -> bytes:
        """The bytes of the set that *trusted* names as next."""
        for header in headers:
            digest = keeper.light_client.hash_validators(header.validators)
            if digest == trusted.next_validators_hash:
                return header.validators
        return await keeper.validators_after(trusted)

    async def _is_frozen(self, client: ClientId) -> bool:
        """Whether its chain proves the client frozen; the registry holds it as it is."""
        peer = self._fence.peer
        record = (await self._board.clients_of(peer).query(client)).record(peer)
        if record is None:
            return False
        await self._board.registry.clients.put_chain_client(self._fence, record)
        return record.is_frozen

    def _note(self, event: str, peer: PeerId, error: HubError) -> None:
        _log.info(
            event,
            accused=peer,
            peer=self._fence.peer,
            reason=error.reason,
            detail=str(error),
        )


def _untold(kept: Sequence[Evidence], mirror: ChainClient) -> list[Evidence]:
    """What of *kept* was not carried to *mirror* yet."""
    return [one for one in kept if (mirror.peer, mirror.client) not in one.carried_to]
