"""Keep clients from expiring, and their mirrors at the hub true.

Each client is updated at half of its trusting period, idle or not, and shown with proof now and
then.

Source: design section 5, "Every client, hub's and chains', is refreshed".
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import HubError
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hub.core.ids import ClientId, PeerId
    from hub.ports.leases import Fence
    from relayer.chain_clients import ChainClients, Mirror
    from relayer.headers import HeaderKeeper
    from relayer.switchboard import LaneDesk, Switchboard

_log = structlog.get_logger()

EVERY: Final = Duration(5 * SECOND)
MIRROR_EVERY: Final = Duration(60 * SECOND)
AGAIN_AFTER: Final = Duration(60 * SECOND)
"""A client about which nothing was found out is looked at again then."""
REFRESHED: Final = 16
"""Clients of one round that are looked at."""
MIRRORS: Final = 16
"""Clients of one round, over all sessions of the process, that are shown anew."""


class ClientRefresh:
    """Refreshes the clients that live on one attached chain.

    One is looked at when half of its period may be over, and shown anew in turn with all others of
    the process: so ten thousand cost no more than a few.
    """

    def __init__(self, board: Switchboard, fence: Fence) -> None:
        """Refreshes the clients that the lanes of the fence's peer use there."""
        self._board = board
        self._fence = fence
        self._peer = fence.peer
        self._clients: dict[ClientId, PeerId] = {}
        """The chain's own clients that its lanes use, and whom each verifies."""
        self._line: list[tuple[int, ClientId]] = []
        """When each is looked at (ns since 1970), the earliest first."""
        self._mirrors: deque[tuple[int, ClientId]] = deque()
        """When each is shown again (monotonic ns), the earliest first."""
        self._share = 0
        self._half_at: dict[ClientId, tuple[int, int]] = {}
        """The newest height that each trusts, and when half of its period is over then (ns)."""

    def add(self, desk: LaneDesk) -> None:
        """The lane is owned; its client here is refreshed."""
        key = desk.key
        is_source = key.source_peer == self._peer
        client = key.source_client if is_source else key.destination_client
        if client not in self._clients:
            self._clients[client] = key.destination_peer if is_source else key.source_peer
            at_once = (0, client)
            heapq.heappush(self._line, at_once)
            self._mirrors.appendleft(at_once)

    async def run(self) -> None:
        """Looks at clients that are due now and then."""
        while True:
            await self._board.clock.sleep(EVERY)
            for client in self.to_refresh():
                work = self.refresh(client, self._clients[client])
                await self._attempt("refresh_failed", client, work)
                self._line_up(client)
            for client in self.to_mirror():
                await self._attempt("mirror_failed", client, self.mirror(client))

    def to_refresh(self) -> list[ClientId]:
        """The clients half of whose periods may be over, a round's worth, taken out of the line."""
        found: list[ClientId] = []
        now = self._board.clock.now()
        while self._line and self._line[0][0] <= now and len(found) < REFRESHED:
            found.append(heapq.heappop(self._line)[1])
        return found

    def _line_up(self, client: ClientId) -> None:
        """*client* is looked at when half of its period is over, or soon."""
        soon = self._board.clock.now() + AGAIN_AFTER
        _, half_at = self._half_at.pop(client, (0, 0))
        heapq.heappush(self._line, (max(soon, half_at), client))

    async def mirror(self, client: ClientId) -> bool:
        """Whether the registry holds *client* as its chain proves it now. Raises ``HubError``.

        One that waits for its anchor's header is asked for again.
        """
        clients = self._board.clients_of(self._peer)
        is_used = clients.knows(client)
        found = await clients.query(client)
        if not is_used:
            clients.forget(client)
        record = found.record(self._peer)
        if record is None:
            return False
        await self._board.registry.clients.put_chain_client(self._fence, record)
        return True

    def to_mirror(self) -> list[ClientId]:
        """The clients that are due to be shown anew, the peer's share of a round's worth."""
        found: list[ClientId] = []
        now = self._board.clock.monotonic()
        self._share = min(self._share + MIRRORS, len(self._board.sessions) * MIRRORS)
        while self._mirrors and self._mirrors[0][0] <= now:
            if self._share < len(self._board.sessions):
                break
            self._share -= len(self._board.sessions)
            client = self._mirrors.popleft()[1]
            found.append(client)
            self._mirrors.append((now + MIRROR_EVERY, client))
        return found

    async def refresh(self, client: ClientId, other: PeerId) -> bool:
        """Whether *client* was over half of its period and is updated now. Raises ``HubError``."""
        clients = self._board.clients_of(self._peer)
        is_used = clients.knows(client)
        try:
            return await self._refresh(clients, client, other)
        finally:
            if not is_used:
                clients.forget(client)

    async def _refresh(self, clients: ChainClients, client: ClientId, other: PeerId) -> bool:
        mirror = await clients.mirror(client)
        keeper = await self._board.keeper(other)
        latest = keeper.latest_verified()
        if not mirror.trusted or mirror.trusted[-1] >= latest.height.number:
            return False
        half_at = await self._half(client, keeper, mirror)
        now = self._board.clock.now()
        if now < half_at:
            return False
        updates = await clients.updates(client, keeper, latest.height.number, now)
        execution = pb.Execution(client=client, updates=updates)
        report = await self._board.session(self._peer).execute(execution)
        if report.refused:
            clients.forget(client)
        return not report.refused

    async def _half(self, client: ClientId, keeper: HeaderKeeper, mirror: Mirror) -> int:
        """When half of *client*'s period is over (ns); its newest header is read once."""
        height = mirror.trusted[-1]
        known = self._half_at.get(client)
        if known is None or known[0] != height:
            trusted = await keeper.claimed_state(height)
            half_at = trusted.time + mirror.state.options.trusting_period // 2
            known = self._half_at[client] = (height, half_at)
        return known[1]

    async def _attempt(self, event: str, client: ClientId, work: Awaitable[bool]) -> None:
        try:
            await work
        except HubError as error:
            _log.info(
                event,
                peer=self._peer,
                client=client,
                reason=error.reason,
                detail=str(error),
            )
