"""What the hub server tells of itself and of the registry, for Prometheus."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from hub.core.errors import HubError
from hub.core.metrics import Program
from hub.core.time import SECOND, Duration
from hub.exchange import census, vitals
from hub.wire.exposition import Exposition

if TYPE_CHECKING:
    from hub.core.census import Vitals
    from hub.exchange.invariants import Standing
    from hub.ports.clock import Clock
    from hub.ports.registry import Registry

CENSUS_EVERY: Final = Duration(5 * SECOND)
SHARE: Final = 9
"""A census that takes long is followed by a rest that many times as long."""

_log = structlog.get_logger()


class HubTelemetry:
    """The metrics of one hub server."""

    def __init__(self, version: str, cert_file: str) -> None:
        """Nothing is known yet; the server shows the certificate in *cert_file*."""
        self.exposition = Exposition(Program.HUB, version)
        self._cert_file = Path(cert_file)
        self._calls = self.exposition.counter("ydhub_calls_total")
        self._seconds = self.exposition.histogram("ydhub_call_seconds")

    def call(self, method: str, reason: str, took: Duration) -> None:
        """A call of *method* ended, OK or for a *reason*, after *took* (ns)."""
        self._calls.labels(method, reason).inc()
        self._seconds.labels(method).observe(took / SECOND)

    def invariants(self, found: Standing) -> None:
        """The invariants stand as *found* says."""
        rows = self.exposition.gauge("ydhub_invariant_broken_rows")
        for name, count in found.broken.items():
            rows.labels(name).set(count)
        if found.finished_at is not None:
            seconds = found.finished_at / SECOND
            self.exposition.gauge("ydhub_invariants_timestamp_seconds").set(seconds)

    async def run(self, registry: Registry, clock: Clock) -> None:
        """Looks again and again, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(vitals.watch(registry, clock, self._feel))
            group.create_task(self._count(registry, clock))

    def _feel(self, found: Vitals) -> None:
        self.exposition.vitals(found)
        self.exposition.certificate(self._cert_file)

    async def _count(self, registry: Registry, clock: Clock) -> None:
        while True:
            began = clock.monotonic()
            try:
                self.exposition.census(await census.take(registry, clock.now()))
            except HubError as error:
                _log.warning("census_failed", reason=error.reason, detail=str(error))
            except Exception:  # noqa: BLE001 - a bug costs one census; its age tells
                _log.exception("census_broke")
            took = clock.monotonic() - began
            await clock.sleep(Duration(max(CENSUS_EVERY, SHARE * took)))
