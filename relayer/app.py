"""The relayer process: everything is chosen and joined here, and nowhere else."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import structlog
from ydhub.relay.v1 import relay_service_pb2_grpc as service

from hub.core.errors import FieldInvalid, HubError, RegistryUnreachable
from hub.core.ids import parse_peer_id
from hub.core.time import SECOND, Duration, Timestamp
from hub.exchange import vitals
from hub.ports.registry import Topic
from hub.registry.registry import awaited
from hub.wire import listening, tracing
from hub.wire.identity.credentials import server_credentials
from relayer.fair_pool import FairPool
from relayer.gateway import RelayGateway
from relayer.openings import Openings
from relayer.presence import Presence
from relayer.switchboard import Switchboard
from relayer.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from wsgiref.simple_server import WSGIServer

    from hub.core.census import Vitals
    from hub.core.ids import PeerId
    from hub.ports.clock import Clock, Randomness
    from hub.ports.registry import Change, Registry
    from relayer.config import RelayerConfig
    from relayer.owner import PeerOwner
    from relayer.switchboard import LaneDesk

_log = structlog.get_logger()

OPENINGS_EVERY: Final = Duration(SECOND)
DRAIN_WITHIN: Final = Duration(5 * SECOND)
STOP_WITHIN_S: Final = 2


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Timestamp:
        """The wall clock (ns)."""
        return Timestamp(time.time_ns())  # noqa: TID251 - this is the Clock port's own clock

    def monotonic(self) -> Timestamp:
        """A clock that never steps back (ns)."""
        return Timestamp(time.monotonic_ns())  # noqa: TID251 - likewise

    async def sleep(self, duration: Duration) -> None:
        """Returns *duration* (ns) later."""
        await asyncio.sleep(duration / SECOND)


class SystemRandomness:
    """The machine's chance."""

    def __init__(self) -> None:
        """Seeded by the operating system."""
        self._source = random.SystemRandom()

    def below(self, bound: int) -> int:
        """An integer from 0 up to, not including, *bound*."""
        return self._source.randrange(bound)


class RelayerApp:
    """One relayer process over one registry."""

    def __init__(
        self,
        config: RelayerConfig,
        registry: Registry,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
    ) -> None:
        """Joined, not started; *clock* and *randomness* are the machine's unless given."""
        self._config = config
        self._registry = registry
        self.telemetry = Telemetry(version("ydhub"))
        pool = FairPool(config.verification_threads, self.telemetry.verified)
        self.board = Switchboard(
            registry, clock or SystemClock(), randomness or SystemRandomness(), pool, config.name
        )
        self.board.tracing = tracing.start(config.trace_endpoint, "ydhub-relayer", config.name)
        self.board.pool_of = pool.of
        self.gateway = RelayGateway(self.board, self.telemetry, config.trust_domain)
        self.presence = Presence(self.board, self.gateway, config.advertise, version("ydhub"))
        self._server = grpc.aio.server(options=listening.SESSIONS, maximum_concurrent_rpcs=256)
        self._background: list[asyncio.Task[None]] = []
        self._metrics: WSGIServer | None = None

    async def start(self) -> int:
        """Adapters can dial; the port that it listens on. Raises ``FieldInvalid``."""
        service.add_RelayServiceServicer_to_server(self.gateway, self._server)
        tls = self._config.tls
        credentials = server_credentials(tls.cert_file, tls.key_file, tls.ca_file)
        listen = self._config.listen
        try:
            port = self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise FieldInvalid(field="listen", problem=f"{listen} cannot be bound") from error
        await self.gateway.revocations.refresh()
        await self._server.start()
        self._serve_metrics()
        loop = asyncio.get_running_loop()
        self._background += [
            loop.create_task(self._follow_changes()),
            loop.create_task(self.gateway.revocations.run()),
            loop.create_task(self._open_lanes()),
            loop.create_task(self.presence.run(f"{listen.rpartition(':')[0]}:{port}")),
        ]
        _log.info("relayer_started", name=self._config.name, listen=listen, port=port)
        return port

    async def stop(self) -> None:
        """Sessions are drained, leases given back, nothing runs any more."""
        await self.gateway.drain(DRAIN_WITHIN, await self.presence.others())
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.gateway.stop()
        await self.presence.end()
        await self._server.stop(STOP_WITHIN_S)
        if self._metrics is not None:
            self._metrics.shutdown()
            self._metrics.server_close()
        self.board.pool.shutdown(wait=False, cancel_futures=True)
        self.board.tracing.close()
        _log.info("relayer_stopped", name=self._config.name)

    def _serve_metrics(self) -> None:
        port = self._config.metrics_port
        if not port:
            return
        self._metrics = self.telemetry.exposition.serve(port)
        watching = vitals.watch(self._registry, self.board.clock, self._feel)
        self._background.append(asyncio.get_running_loop().create_task(watching))

    def _feel(self, found: Vitals) -> None:
        sessions = [owner.session for owner in self.gateway.owners.values()]
        self.telemetry.look(sessions, Path(self._config.tls.cert_file), found)

    async def _follow_changes(self) -> None:
        """Hints from other processes make this one read again."""
        async for change in self._registry.changes.listen():
            try:
                await self._changed(change)
            except HubError as error:
                _log.warning("change_failed", topic=change.topic, reason=error.reason)
            except Exception:  # noqa: BLE001 - a bug costs one hint; the slow poll finds it
                _log.exception("change_broke", topic=change.topic, key=change.key)

    async def _changed(self, change: Change) -> None:
        owners = list(self.gateway.owners.values())
        match change.topic:
            case Topic.ACCEPTED | Topic.OUTCOMES:
                await self._packets_changed(owners, change)
            case Topic.RETRIES:
                for owner in owners:
                    await owner.retries_asked(int(change.key))
            case Topic.LANES:
                await self._lanes_changed(owners, change.key)
            case Topic.CERTIFICATES:
                pass  # the gateway's revocations follow these
            case Topic.RELAYERS | Topic.FORWARDED | Topic.ANSWERED:
                self._others_changed(change)
            case Topic.PROMOTED:
                self._forget()
            case Topic.HEADERS:
                await self.board.headers_stored(parse_peer_id(change.key))
            case Topic.PEERS:
                # A freeze also tells of each lane that it stops.
                await self._peer_changed(parse_peer_id(change.key))

    def _forget(self) -> None:
        """Another server is the database's primary: everything is read anew, by new sessions."""
        self.gateway.end_sessions(RegistryUnreachable(problem="another server was promoted"))
        self.board.forget()

    def _others_changed(self, change: Change) -> None:
        """Another process asks something, answers something, or comes, drains or goes."""
        if change.topic is Topic.RELAYERS:
            self.presence.told()
        elif change.topic is Topic.ANSWERED:
            self.board.forwarder.told(int(change.key))
        else:
            owner = self.gateway.owners.get(parse_peer_id(change.key))
            if owner is not None:
                owner.forwarded()

    async def _peer_changed(self, peer: PeerId) -> None:
        is_frozen = await self.board.refresh(peer)
        own = self.gateway.owners.get(peer)
        if own is not None:
            await own.peer_changed()
        for owner in list(self.gateway.owners.values()) if is_frozen else []:
            owner.accuse(peer)

    async def _lanes_changed(self, owners: Sequence[PeerOwner], key: str) -> None:
        """The lane of that id has changed; or there may be new ones, where nobody here owns it."""
        ends = [owner for owner in owners if key and owner.lane(int(key)) is not None]
        for owner in ends:
            await owner.lane_changed(int(key))
        for owner in [] if ends else owners:
            await owner.find_lanes()

    async def _packets_changed(self, owners: Sequence[PeerOwner], change: Change) -> None:
        lane_id = int(change.key)
        for owner in owners:
            desk = owner.lane(lane_id)
            if desk is not None and self._wrote_elsewhere(owner, desk, change.topic):
                await owner.sync(desk, await self._registry.lanes.view(lane_id))

    def _wrote_elsewhere(self, owner: PeerOwner, desk: LaneDesk, topic: Topic) -> bool:
        """What this process wrote itself, its ways out were told at once."""
        key = desk.key
        writer = key.source_peer if topic is Topic.ACCEPTED else key.destination_peer
        return writer != owner.peer and writer not in self.board.sessions

    async def _open_lanes(self) -> None:
        openings = Openings(self.board, self.gateway.owners.keys())
        try:
            while True:
                await self.board.clock.sleep(OPENINGS_EVERY)
                await self._start_openings(openings)
        finally:
            await openings.end()

    async def _start_openings(self, openings: Openings) -> None:
        try:
            await openings.start_all()
        except HubError as error:
            _log.warning("openings_failed", reason=error.reason, detail=str(error))
        except Exception:  # noqa: BLE001 - a bug costs one round of openings
            _log.exception("openings_broke")


async def run(config: RelayerConfig) -> None:
    """The process, until SIGTERM or SIGINT. Raises ``HubError`` where it cannot start."""
    url = config.database_url or os.environ.get("YDHUB_DATABASE_URL", "")
    if not url:
        raise FieldInvalid(field="database_url", problem="is empty, and so is YDHUB_DATABASE_URL")
    registry = await awaited(
        url,
        name=f"relayer {config.name}",
        demands_standby=config.require_synchronous_standby,
    )
    app = RelayerApp(config, registry)
    database = registry.database
    app.telemetry.exposition.connections(
        lambda: database.connections_used, database.connection_limit
    )
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        await app.start()
        await stopping.wait()
        await app.stop()
    finally:
        await registry.close()
