"""Keep clients from expiring: each is updated at half of its trusting period, idle or not.

Source: design section 5, "Every client, hub's and chains', is refreshed".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import HubError
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.ids import ClientId, PeerId
    from relayer.switchboard import LaneDesk, Switchboard

_log = structlog.get_logger()

EVERY: Final = Duration(5 * SECOND)


class ClientRefresh:
    """Refreshes the clients that live on one attached chain."""

    def __init__(self, board: Switchboard, peer: PeerId, lanes: Mapping[int, LaneDesk]) -> None:
        """Refreshes the clients that the *lanes* of *peer* use there."""
        self._board = board
        self._peer = peer
        self._lanes = lanes

    async def run(self) -> None:
        """Looks at every client now and then."""
        while True:
            await self._board.clock.sleep(EVERY)
            for client, other in self._clients().items():
                try:
                    await self.refresh(client, other)
                except HubError as error:
                    _log.info(
                        "refresh_failed",
                        peer=self._peer,
                        client=client,
                        reason=error.reason,
                        detail=str(error),
                    )

    async def refresh(self, client: ClientId, other: PeerId) -> bool:
        """Whether *client* was over half of its period and is updated now. Raises ``HubError``."""
        clients = self._board.clients_of(self._peer)
        mirror = await clients.mirror(client)
        keeper = await self._board.keeper(other)
        latest = keeper.latest_verified()
        if not mirror.trusted or mirror.trusted[-1] >= latest.height.number:
            return False
        _, trusted = await keeper.claimed(mirror.trusted[-1])
        now = self._board.clock.now()
        if now < trusted.time + mirror.state.options.trusting_period // 2:
            return False
        updates = await clients.updates(client, keeper, latest.height.number, now)
        execution = pb.Execution(client=client, updates=updates)
        report = await self._board.session(self._peer).execute(execution)
        if report.refused:
            clients.forget(client)
        return not report.refused

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
