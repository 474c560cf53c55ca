"""Keep clients from expiring, and their mirrors at the hub true.

Each client is updated at half of its trusting period, idle or not, and shown with proof now and
then.

Source: design section 5, "Every client, hub's and chains', is refreshed".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import HubError
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from hub.core.ids import ClientId, PeerId
    from hub.core.time import Timestamp
    from hub.ports.leases import Fence
    from relayer.headers import HeaderKeeper
    from relayer.switchboard import LaneDesk, Switchboard

_log = structlog.get_logger()

EVERY: Final = Duration(5 * SECOND)
MIRROR_EVERY: Final = Duration(60 * SECOND)
MIRRORS: Final = 16
"""Clients of one round that are shown anew."""


class ClientRefresh:
    """Refreshes the clients that live on one attached chain."""

    def __init__(self, board: Switchboard, fence: Fence, lanes: Mapping[int, LaneDesk]) -> None:
        """Refreshes the clients that the *lanes* of the fence's peer use there."""
        self._board = board
        self._fence = fence
        self._peer = fence.peer
        self._lanes = lanes
        self._mirror_due: dict[ClientId, int] = {}
        """When each is shown again (monotonic ns)."""
        self._newest: dict[ClientId, tuple[int, Timestamp]] = {}
        """The newest height that each trusts, and the time of its header."""

    async def run(self) -> None:
        """Looks at every client now and then."""
        while True:
            await self._board.clock.sleep(EVERY)
            for client, other in self._clients().items():
                await self._attempt("refresh_failed", client, self.refresh(client, other))
            for client in self.to_mirror():
                await self._attempt("mirror_failed", client, self.mirror(client))

    async def mirror(self, client: ClientId) -> bool:
        """Whether the registry holds *client* as its chain proves it now. Raises ``HubError``.

        One that waits for its anchor's header is asked for again.
        """
        found = await self._board.clients_of(self._peer).query(client)
        record = found.record(self._peer)
        if record is None:
            return False
        await self._board.registry.clients.put_chain_client(self._fence, record)
        self._mirror_due[client] = self._board.clock.monotonic() + MIRROR_EVERY
        return True

    def to_mirror(self) -> list[ClientId]:
        """The clients whose mirrors are due, a round's worth."""
        now = self._board.clock.monotonic()
        due = [client for client in self._clients() if self._mirror_due.get(client, 0) <= now]
        return due[:MIRRORS]

    async def refresh(self, client: ClientId, other: PeerId) -> bool:
        """Whether *client* was over half of its period and is updated now. Raises ``HubError``."""
        clients = self._board.clients_of(self._peer)
        mirror = await clients.mirror(client)
        keeper = await self._board.keeper(other)
        latest = keeper.latest_verified()
        if not mirror.trusted or mirror.trusted[-1] >= latest.height.number:
            return False
        trusted_at = await self._trusted_at(client, keeper, mirror.trusted[-1])
        now = self._board.clock.now()
        if now < trusted_at + mirror.state.options.trusting_period // 2:
            return False
        updates = await clients.updates(client, keeper, latest.height.number, now)
        execution = pb.Execution(client=client, updates=updates)
        report = await self._board.session(self._peer).execute(execution)
        if report.refused:
            clients.forget(client)
        return not report.refused

    async def _trusted_at(self, client: ClientId, keeper: HeaderKeeper, height: int) -> Timestamp:
        """The time of the newest header that *client* trusts, read once for each."""
        known = self._newest.get(client)
        if known is None or known[0] != height:
            _, trusted = await keeper.claimed(height)
            known = self._newest[client] = (height, trusted.time)
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

    def _clients(self) -> dict[ClientId, PeerId]:
        """The chain's own clients that its lanes use, and whom each verifies."""
        found: dict[ClientId, PeerId] = {}
        for desk in self._lanes.values():
            key = desk.key
            if key.source_peer == self._peer:
                found[key.source_client] = key.destination_peer
            else:
                found[key.destination_client] = key.source_peer
        return found
