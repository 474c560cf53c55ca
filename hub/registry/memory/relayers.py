"""Relayer processes, in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.core.errors import RelayerNotFound
from hub.core.relayer import ALIVE_WITHIN, Relayer
from hub.core.time import Timestamp
from hub.ports.registry import Topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.ports.caller import Caller
    from hub.registry.memory.state import State


class MemoryRelayers:
    """``hub.ports.relayers.Relayers`` in memory."""

    def __init__(self, state: State) -> None:
        """The relayers of *state*."""
        self._state = state

    async def begin(self, relayer: str, address: str, version: str) -> Relayer:
        """As the port says."""
        now = self._state.now()
        known = self._state.relayers.get(relayer)
        self._state.relayers[relayer] = Relayer(
            relayer=relayer,
            address=address,
            version=version,
            started_at=now,
            heartbeat_at=now,
            is_alive=True,
            is_draining=known.is_draining if known is not None else False,
            sessions=0,
            revision=known.revision if known is not None else 1,
        )
        self._state.announce(Topic.RELAYERS, relayer)
        return await self.get(relayer)

    async def beat(self, relayer: str) -> Relayer:
        """As the port says."""
        found = await self.get(relayer)
        self._state.relayers[relayer] = replace(found, heartbeat_at=self._state.now())
        return await self.get(relayer)

    async def end(self, relayer: str) -> None:
        """As the port says."""
        found = self._state.relayers.get(relayer)
        if found is not None:
            over = Timestamp(self._state.now() - ALIVE_WITHIN)
            self._state.relayers[relayer] = replace(found, heartbeat_at=over)
            self._state.announce(Topic.RELAYERS, relayer)

    async def all(self) -> Sequence[Relayer]:
        """As the port says."""
        return [await self.get(relayer) for relayer in sorted(self._state.relayers)]

    async def get(self, relayer: str) -> Relayer:
        """As the port says."""
        found = self._state.relayers.get(relayer)
        if found is None:
            raise RelayerNotFound(name=f"relayers/{relayer}")
        now = self._state.now()
        leases = self._state.leases.values()
        return replace(
            found,
            is_alive=found.heartbeat_at + ALIVE_WITHIN > now,
            sessions=sum(row.owner == relayer and row.expires_at > now for row in leases),
        )

    async def drain(self, relayer: str, cause: str, by: Caller) -> bool:
        """As the port says."""
        return await self._turn(relayer, cause, by, is_draining=True)

    async def undrain(self, relayer: str, cause: str, by: Caller) -> bool:
        """As the port says."""
        return await self._turn(relayer, cause, by, is_draining=False)

    async def _turn(self, relayer: str, cause: str, by: Caller, *, is_draining: bool) -> bool:
        state, found = self._state, await self.get(relayer)
        already = state.repeated(by) is not None or found.is_draining is is_draining
        state.carried_out(by)
        if already:
            return True
        revision = found.revision + 1
        state.relayers[relayer] = replace(found, is_draining=is_draining, revision=revision)
        action = "relayer.drain" if is_draining else "relayer.undrain"
        state.audit(by.identity, action, found.name, revision, cause)
        state.announce(Topic.RELAYERS, relayer)
        return False
