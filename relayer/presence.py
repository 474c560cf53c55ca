"""One process among others: it says that it runs, drains when told, hands over its surplus."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from hub.core.errors import HubError
from hub.core.time import SECOND, Duration
from relayer.steps.balance import CHANCES, Balance, room_for, step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.relayer import Relayer
    from relayer.gateway import RelayGateway
    from relayer.switchboard import Switchboard

_log = structlog.get_logger()

EVERY: Final = Duration(SECOND)
AWAY_EVERY: Final = 5
"""Looks between two readings of the clients of peers that are attached elsewhere."""


class Presence:
    """One relayer process as others see it, and what it does about them."""

    def __init__(
        self, board: Switchboard, gateway: RelayGateway, address: str, version: str
    ) -> None:
        """Nobody knows of it yet; *address* is where adapters reach it, if not where it listens."""
        self._board = board
        self._gateway = gateway
        self._address = address
        self._version = version
        self._told = asyncio.Event()
        self._balance = Balance()
        self._has_begun = False
        self._looks = 0

    def told(self) -> None:
        """Something has changed among the relayers, by a hint."""
        self._told.set()

    async def run(self, listens: str) -> None:
        """Looks every second, and at every hint; *listens* is where it can be dialled."""
        while True:
            try:
                await self.look(listens)
            except HubError as error:
                _log.warning("presence_unknown", reason=error.reason)
            except Exception:  # noqa: BLE001 - a bug costs one look
                _log.exception("presence_broke")
            await self._wait()

    async def look(self, listens: str) -> None:
        """The registry knows that it runs, and it has done what follows. Raises ``HubError``."""
        registry, name = self._board.registry, self._board.name
        if not self._has_begun:
            own = await registry.relayers.begin(name, self._address or listens, self._version)
            self._has_begun = True
        else:
            own = await registry.relayers.beat(name)
        others = await self.others()
        self._gateway.take_sessions(not own.is_draining, others)
        self._hand_over([own, *others])
        self._looks += 1
        if self._looks % AWAY_EVERY == 0:
            await self._board.refresh_away()

    async def others(self) -> Sequence[Relayer]:
        """Other relayers that take sessions, the least loaded first; none if nobody answers."""
        try:
            found = await self._board.registry.relayers.all()
        except HubError as error:
            _log.warning("others_unknown", reason=error.reason)
            return []
        name = self._board.name
        # Where no other relayer waits for them, hints of packets are for watchers alone.
        self._board.registry.changes.relax(all(one.relayer == name for one in found))
        free = [one for one in found if one.takes_sessions and one.relayer != name]
        self._board.renewals.has_others = bool(free)
        return sorted(free, key=lambda one: (one.sessions, one.relayer))

    async def end(self) -> None:
        """Others know that it does not run any more, if anybody can be told."""
        try:
            await self._board.registry.relayers.end(self._board.name)
        except HubError as error:
            _log.warning("end_untold", reason=error.reason)

    def _hand_over(self, relayers: Sequence[Relayer]) -> None:
        board = self._board
        chance = board.randomness.below(CHANCES)
        attached = {peer: owner.fence.epoch for peer, owner in self._gateway.owners.items()}
        now = board.clock.monotonic()
        target = room_for(board.name, relayers)
        self._balance, move = step(self._balance, target, attached, now, chance)
        if move is not None:
            _log.info("session_moves", peer=move.peer, to=move.address)
            self._gateway.hand_over(move.peer, move.address)

    async def _wait(self) -> None:
        """Returns when a hint came, or the next look is due."""
        hint = asyncio.ensure_future(self._told.wait())
        due = asyncio.ensure_future(self._board.clock.sleep(EVERY))
        try:
            await asyncio.wait((hint, due), return_when=asyncio.FIRST_COMPLETED)
        finally:
            hint.cancel()
            due.cancel()
        self._told.clear()
