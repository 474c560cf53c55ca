"""The hub server process: the registry is chosen here, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToJson

from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Duration
from hub.exchange import invariants, overview
from hub.registry import schema
from hub.registry.embedded import URL_VARIABLE, EmbeddedPostgres
from hub.registry.registry import PostgresRegistry, awaited
from hub.registry.rehearsal import Rehearsal
from hub.server import retention
from hub.server.clock import SystemClock
from hub.server.enrolment import EnrolmentServer
from hub.server.failpoints import Failpoint, hit
from hub.server.health_report import health_to_proto
from hub.server.hub import Hub
from hub.server.rehearsal import Rehearsing
from hub.server.server import HubServer
from hub.server.telemetry import HubTelemetry
from hub.wire.identity.credentials import listener_credentials, server_credentials
from hub.wire.identity.issuing import IssuingAuthority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import date
    from pathlib import Path

    from hub.core.invariants import InvariantViolation
    from hub.ports.issuer import Issuer
    from hub.server.config import ServerConfig


def database_url(configured: str) -> str:
    """The registry's address: *configured*, or the environment's. Raises ``FieldInvalid``."""
    url = configured or os.environ.get(URL_VARIABLE, "")
    if not url:
        raise FieldInvalid(field="database_url", problem=f"is empty, and so is {URL_VARIABLE}")
    return url


async def serve(config: ServerConfig) -> None:
    """The process, until SIGTERM or SIGINT. Raises ``HubError`` where it cannot start."""
    tls = config.tls
    credentials = server_credentials(tls.cert_file, tls.key_file, tls.ca_file)
    registry = await awaited(
        database_url(config.database_url),
        name="server",
        demands_standby=config.require_synchronous_standby,
    )
    try:
        telemetry = HubTelemetry(version("ydhub"), tls.cert_file)
        hub = Hub(
            registry=registry,
            clock=SystemClock(),
            trust_domain=config.trust_domain,
            version=version("ydhub"),
            issuer=_issuer(config),
            heard=telemetry.call,
        )
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        server = HubServer(hub, reflection=config.reflection)
        every = Duration(config.invariants_every_s * SECOND)
        async with (
            _asking_invariants(hub, every, telemetry),
            _retiring(registry, hub, config.keep_days),
            _telling(telemetry, registry, hub, config.metrics_port),
            _enrolling(hub, config),
        ):
            await server.start(config.listen, credentials)
            await stopping.wait()
            await server.stop(notice_s=config.notice_s, drain_s=config.drain_s)
    finally:
        await registry.close()


def _issuer(config: ServerConfig) -> Issuer | None:
    """Who signs certificates for the hub, if anyone does. Raises ``FieldInvalid``."""
    files = config.issuer
    if files is None:
        return None
    return IssuingAuthority.open(files.cert_file, files.key_file, files.days)


@asynccontextmanager
async def _enrolling(hub: Hub, config: ServerConfig) -> AsyncIterator[None]:
    """Cities enrol where the configuration says, if it does. Raises ``FieldInvalid``."""
    if not config.enrolment_listen:
        yield
        return
    tls = config.tls
    server = EnrolmentServer(hub)
    await server.start(config.enrolment_listen, listener_credentials(tls.cert_file, tls.key_file))
    try:
        yield
    finally:
        await server.stop(config.drain_s)


@asynccontextmanager
async def _asking_invariants(
    hub: Hub, every: Duration, telemetry: HubTelemetry
) -> AsyncIterator[None]:
    """The invariants are asked each *every* (ns), where it is not 0."""
    if not every:
        yield
        return
    watching = invariants.watch(hub.registry, hub.clock, every, telemetry.invariants)
    asking = asyncio.create_task(watching)
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


@asynccontextmanager
async def _retiring(registry: PostgresRegistry, hub: Hub, keep_days: int) -> AsyncIterator[None]:
    """Old days are dropped where *keep_days* is not 0. Raises ``FieldInvalid``."""
    if not keep_days:
        yield
        return
    retention.check("keep_days", keep_days)
    watching = retention.watch(registry.retire, hub.clock, keep_days)
    retiring = asyncio.create_task(watching)
    try:
        yield
    finally:
        retiring.cancel()
        await asyncio.gather(retiring, return_exceptions=True)


@asynccontextmanager
async def _telling(
    telemetry: HubTelemetry, registry: PostgresRegistry, hub: Hub, port: int
) -> AsyncIterator[None]:
    """Metrics are read at the loopback's *port*, where it is not 0. Raises ``FieldInvalid``."""
    if not port:
        yield
        return
    database = registry.database
    telemetry.exposition.connections(lambda: database.connections_used, database.connection_limit)
    served = telemetry.exposition.serve(port)
    looking = asyncio.create_task(telemetry.run(registry, hub.clock))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        served.shutdown()
        served.server_close()


async def migrate(url: str) -> str:
    """The registry's schema is the newest one; its revision. Raises ``RegistryUnreachable``."""
    revision = await schema.migrate(url, lambda: hit(Failpoint.MIGRATION_STEPPED))
    hit(Failpoint.MIGRATION_COMMITTED)
    return revision


async def check(url: str) -> tuple[str, Sequence[InvariantViolation]]:
    """The registry's revision, and one entry for each invariant, count 0 where it holds.

    Raises ``RegistryUnreachable`` or ``SchemaVersionMismatch``.
    """
    registry = await PostgresRegistry.connect(url, name="check")
    try:
        return await registry.audit.schema_revision(), await registry.audit.violations()
    finally:
        await registry.close()


async def report(url: str, *, ask_invariants: bool) -> str:
    """How the database is, as JSON of ``GetDatabaseResponse``; asks no hub.

    Raises ``RegistryUnreachable`` or ``SchemaVersionMismatch``.
    """
    registry = await PostgresRegistry.connect(url, name="report")
    try:
        found = await overview.database(registry, SystemClock(), ask_invariants=ask_invariants)
    finally:
        await registry.close()
    message = health_to_proto(found, version=version("ydhub"))
    return MessageToJson(message, always_print_fields_with_no_presence=True)


async def retire(url: str, keep_days: int) -> Sequence[date]:
    """Days of records before the last *keep_days* are dropped where all has ended; which ones.

    Raises ``FieldInvalid``, ``RegistryUnreachable`` or ``SchemaVersionMismatch``.
    """
    retention.check("--keep-days", keep_days)
    async with await PostgresRegistry.connect(url, name="retire") as registry:
        return await registry.retire(keep_days, "ydhub-server retire")


async def rehearse(url: str) -> None:
    """Questions of a bench are answered, line by line, until its input ends.

    Raises ``RegistryUnreachable`` or ``SchemaVersionMismatch``.
    """

    async def read() -> bytes:
        return await asyncio.to_thread(sys.stdin.buffer.readline)

    def say(line: bytes) -> None:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

    async with await PostgresRegistry.connect(url, name="rehearse") as registry:
        await Rehearsing(registry, Rehearsal(registry.database)).serve(read, say)


def start_postgres(directory: Path) -> str:
    """An embedded PostgreSQL of *directory* runs, and goes on by itself; its address.

    Raises ``RegistryUnreachable``.
    """
    return EmbeddedPostgres(directory).start()


def run_postgres(directory: Path) -> None:
    """An embedded PostgreSQL of *directory* runs until the input ends; its address is said as JSON.

    Raises ``RegistryUnreachable``.
    """
    server = EmbeddedPostgres(directory)
    try:
        sys.stdout.write(json.dumps({"url": server.start()}) + "\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()
    finally:
        server.stop()


def stop_postgres(directory: Path) -> None:
    """The embedded PostgreSQL of *directory* is down. Raises ``RegistryUnreachable``."""
    EmbeddedPostgres(directory).stop()
