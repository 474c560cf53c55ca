"""The system under test: an embedded Postgres, relayer processes, certificates; all of it real.

Everything stands in one temporary directory and is gone afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import psutil

from hub.core.lane import Order
from hub.core.ranges import RangeSet
from hub.ports.caller import Caller
from hub.ports.lanes import OpeningPlan
from hub.registry.embedded import EmbeddedPostgres
from hub.registry.registry import PostgresRegistry
from hub.registry.schema import migrate
from tests.bench.accounting import Postgres, Process
from tests.bench.load import PORT
from tests.harness.certificates import TRUST_DOMAIN, Certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hub.core.client import Anchor
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from tests.bench.plan import Plan

_BY: Final = Caller(identity=f"spiffe://{TRUST_DOMAIN}/admins/bench")
_START_S: Final = 20
_STOP_S: Final = 20
_POLL_S: Final = 0.005
_COMPLETE_S: Final = 60


@dataclass(slots=True, kw_only=True)
class Relayer:
    """One relayer process."""

    name: str
    address: str
    log: Path
    process: asyncio.subprocess.Process

    @property
    def usage(self) -> Process:
        """What it uses."""
        return Process(psutil.Process(self.process.pid))


@dataclass(slots=True, kw_only=True)
class System:
    """What runs, and the registry as the bench itself reads it."""

    registry: PostgresRegistry
    postgres: Postgres
    certificates: Certificates
    url: str
    relayers: list[Relayer] = field(default_factory=list)

    async def set_up(self, plan: Plan, anchors: Mapping[PeerId, Anchor]) -> None:
        """The peers are registered with their anchors; all lanes are open, their route allowed."""
        for peer in plan.peers:
            await self.registry.peers.register(peer, f"City {peer}", anchors[peer], _BY)
        for pair in plan.pairs:
            opening = await self.registry.lanes.start_opening(
                OpeningPlan(
                    source=pair.left,
                    destination=pair.right,
                    source_client=pair.client,
                    destination_client=pair.client,
                    from_sequence=1,
                    order=Order.UNORDERED,
                    allow_routes=((PORT, PORT),),
                ),
                _BY,
            )
            await self.registry.lanes.finish_opening(
                opening.number, [(lane, 1) for lane in pair.lanes]
            )

    async def completed(self, lanes: Mapping[LaneKey, int]) -> None:
        """Every lane has completed that many packets. Raises ``TimeoutError``."""
        async with asyncio.timeout(_COMPLETE_S):
            for key, count in lanes.items():
                while await self.completed_count(key) < count:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(_POLL_S)

    async def completed_count(self, key: LaneKey) -> int:
        """Packets of the lane that were acknowledged, and whose source has executed that."""
        lane = await self.registry.lanes.get(key)
        view = await self.registry.lanes.view(lane.lane_id)
        outcomes = RangeSet.span(0, view.destination.outcome_count)
        return len(view.source.progress & outcomes)

    async def violations(self) -> dict[str, int]:
        """How many rows break each invariant of the registry, by name."""
        found = await self.registry.audit.violations()
        return {entry.invariant: entry.count for entry in found}


@asynccontextmanager
async def system(
    relayers: int, plan: Plan, anchors: Mapping[PeerId, Anchor]
) -> AsyncIterator[System]:
    """Everything runs, and lanes are open; nothing is left behind."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="ydhub-bench-")))
        server = EmbeddedPostgres(directory / "pg")
        stack.callback(server.stop)
        url = await asyncio.to_thread(server.start)
        await migrate(url)
        registry = await PostgresRegistry.connect(url)
        stack.push_async_callback(registry.close)
        postgres = await Postgres.connect(url, server)
        stack.push_async_callback(postgres.close)
        found = System(
            registry=registry,
            postgres=postgres,
            certificates=Certificates.make(directory / "certs"),
            url=url,
        )
        await found.set_up(plan, anchors)
        for number in range(1, relayers + 1):
            relayer = await _start(found, directory, f"relayer-{number}")
            stack.push_async_callback(_stop, relayer)
            found.relayers.append(relayer)
            await _until_listening(relayer)
        yield found


async def _start(found: System, directory: Path, name: str) -> Relayer:
    certificate, key, ca = found.certificates.files(f"/relayers/{name}", serves=True)
    address = f"127.0.0.1:{_free_port()}"
    tls = {"cert_file": str(certificate), "key_file": str(key), "ca_file": str(ca)}
    values = {
        "name": name,
        "listen": address,
        "database_url": found.url,
        "trust_domain": TRUST_DOMAIN,
    }
    config = directory / f"{name}.toml"
    config.write_text(f"{_toml(values)}[tls]\n{_toml(tls)}", encoding="utf-8")
    log = directory / f"{name}.log"
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "relayer",
            "--config",
            str(config),
            stdout=stream,
            stderr=stream,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    return Relayer(name=name, address=address, log=log, process=process)


async def _stop(relayer: Relayer) -> None:
    """The relayer has drained and ended. Raises ``RuntimeError`` if it had died before."""
    if relayer.process.returncode is None:
        relayer.process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_S):
            code = await relayer.process.wait()
    except TimeoutError:
        relayer.process.kill()
        code = await relayer.process.wait()
    if code:
        raise RuntimeError(f"{relayer.name} ended with {code}: {_tail(relayer.log)}")


async def _until_listening(relayer: Relayer) -> None:
    host, _, port = relayer.address.partition(":")
    async with asyncio.timeout(_START_S):
        while True:
            if relayer.process.returncode is not None:
                raise RuntimeError(f"{relayer.name} did not start: {_tail(relayer.log)}")
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(_POLL_S)
                continue
            writer.close()
            return


def _toml(values: Mapping[str, str]) -> str:
    return "".join([f"{name} = {json.dumps(value)}\n" for name, value in values.items()])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
