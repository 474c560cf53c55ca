"""One relayer's process: the real relayer but for its sockets, its threads and its database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc

from hub.wire.tracing import OFF
from relayer.app import RelayerApp
from relayer.config import RelayerConfig, Tls
from relayer.gateway import RelayGateway
from relayer.presence import Presence
from relayer.switchboard import Switchboard
from relayer.telemetry import Telemetry
from tests.simulation.clock import SimChance, SimClock
from tests.simulation.streams import Incoming, SimCallers, SimContext

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from random import Random

    from tests.simulation.database import RemoteRegistry
    from tests.simulation.loop import Process, SimLoop
    from tests.simulation.network import Network, Wire

_TELEMETRY = Telemetry("simulation")
_TLS = Tls(cert_file="", key_file="", ca_file="")


class SimRelayer(RelayerApp):
    """The relayer *name*, from its start to its death."""

    def __init__(
        self, loop: SimLoop, network: Network, registry: RemoteRegistry, name: str, chance: Random
    ) -> None:
        self.process: Process = loop.process(name)
        self.clock = SimClock(loop, origin=chance.randrange(10**15))
        self.link = registry.link
        self._loop = loop
        self._network = network
        self._registry: Any = registry
        self._config = RelayerConfig(
            name=name, listen=f"{name}:1", database_url="", trust_domain="sim", tls=_TLS
        )
        self.telemetry = _TELEMETRY
        self.board = Switchboard(self._registry, self.clock, SimChance(chance), None, name)  # type: ignore[arg-type]
        self.board.tracing = OFF
        self.gateway = RelayGateway(self.board, self.telemetry, "sim")
        self.gateway._callers = SimCallers()  # type: ignore[assignment]
        self.presence = Presence(self.board, self.gateway, "", "simulation")
        self.address = f"{name}:1"

    def begin(self) -> None:
        """Its process runs, and can be dialled."""
        for work in (
            self._follow_changes(),
            self.gateway.revocations.run(),
            self._open_lanes(),
            self.presence.run(self.address),
        ):
            self._loop.start(self.process, self._lasting(work))
        self._network.listeners[self.address] = (self.process, self._accept)

    def die(self) -> None:
        """Whatever it had in memory is gone."""
        self._network.listeners.pop(self.address, None)
        self._loop.kill(self.process)
        self._network.drop(self.process)

    async def _lasting(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        raise AssertionError(f"a task of {self.board.name} has ended")

    def _accept(self, wire: Wire) -> None:
        task = asyncio.ensure_future(self._serve(wire))
        wire.on_hang_up = task.cancel

    async def _serve(self, wire: Wire) -> None:
        try:
            await self.gateway.Attach(Incoming(wire), SimContext(wire))  # type: ignore[arg-type]
        except (grpc.aio.AbortError, asyncio.CancelledError):
            pass
        finally:
            wire.finish(grpc.StatusCode.CANCELLED, "", ())
