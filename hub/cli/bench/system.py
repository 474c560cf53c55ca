"""The system under test: a PostgreSQL, a hub, relayers, certificates; all of it real and new.

Everything stands in one directory, listens on the loopback, and is gone afterwards. Each process
has a pipe from this one as its input and ends with it, so none is left where this one is killed.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hub.cli.bench.accounting import Accounts, parent
from hub.cli.bench.line_process import LineProcess, failure
from hub.cli.bench.plan import PORT
from hub.cli.clock import wall_clock
from hub.cli.dev.ca import Authority, issue, open_authority
from hub.cli.dev.configs import write
from hub.cli.loopback import HOST, free_port
from hub.core.errors import AnswerOverdue, FieldInvalid, RegistryUnreachable
from hub.wire import lifeline
from hub.wire.identity.spiffe import SpiffeId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from hub.cli.bench.options import Options
    from hub.cli.bench.plan import Plan

TRUST_DOMAIN: Final = "ydhub.local"
HUB, POSTGRES = "hub", "Postgres"
START_S: Final = 60
STOP_S: Final = 20
POLL_S: Final = 0.01


@dataclass(slots=True, kw_only=True)
class Program:
    """One process that serves."""

    name: str
    address: str
    log: Path
    process: asyncio.subprocess.Process


@dataclass(slots=True, kw_only=True)
class System:
    """What runs."""

    directory: Path
    authority: Authority
    registry: LineProcess
    """``ydhub-server rehearse``."""
    url: str
    version: str = ""
    """PostgreSQL's."""
    accounts: Accounts = field(default_factory=Accounts)
    relayers: list[Program] = field(default_factory=list)

    def files(self, path: str, *, serves: bool = False) -> tuple[str, str, str]:
        """Certificate, key and CA file of the identity at *path*, as ``/peers/hangzhou``."""
        name, certs = path.strip("/").replace("/", "-"), self.directory / "certs"
        if not (certs / f"{name}.crt").exists():
            identity = SpiffeId(TRUST_DOMAIN, path)
            issue(self.authority, identity, certs, name, serves=serves, now=wall_clock())
        ca = self.directory / "ca" / "ca.crt"
        return str(certs / f"{name}.crt"), str(certs / f"{name}.key"), str(ca)

    def sessions(self, plan: Plan) -> dict[str, Any]:
        """Where each adapter dials, and as whom: peers are dealt out to relayers in turn."""
        return {
            "do": "attach",
            "addresses": {
                peer: self.relayers[at % len(self.relayers)].address
                for at, peer in enumerate(plan.peers)
            },
            "files": {peer: self.files(f"/peers/{peer}") for peer in plan.peers},
        }


@asynccontextmanager
async def system(
    directory: Path, options: Options, plan: Plan, anchors: Mapping[str, Any]
) -> AsyncIterator[System]:
    """Everything runs in *directory*, and lanes are open; nothing runs afterwards.

    Raises ``RegistryUnreachable``, ``AnswerOverdue``, or ``FieldInvalid`` of a database that is no
    such one.
    """
    async with AsyncExitStack() as stack:
        url = options.database_url or await _start_database(directory, stack)
        await run_server("migrate", "--database-url", url)
        log = directory / "registry.log"
        words = ("rehearse", "--database-url", url)
        registry = await LineProcess.start("the registry", "hub.server", *words, log=log)
        stack.push_async_callback(registry.close)
        authority = open_authority(directory / "ca", now=wall_clock())
        found = System(directory=directory, authority=authority, registry=registry, url=url)
        answer = await registry.ask(_set_up(plan, anchors))
        found.version = answer["version"]
        postmaster = parent(answer["backend"])
        if not postmaster:
            problem = "runs where its processes cannot be seen, so nothing of it can be counted"
            raise FieldInvalid(field="--database-url", problem=problem)
        names = [f"relayer-{number}" for number in range(1, options.relayers + 1)]
        programs = [await _start(found, name, "relayer", stack) for name in names]
        hub = await _start(found, HUB, "hub.server", stack)
        for program in (*programs, hub):
            await _until_listening(program)
        found.relayers += programs
        found.accounts.add_server(POSTGRES, postmaster)
        yield found


async def run_server(*arguments: str) -> str:
    """What ``ydhub-server`` prints. Raises ``RegistryUnreachable`` where it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hub.server",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    out, error = await process.communicate()
    if process.returncode != 0:
        said = error.decode(errors="replace").strip().splitlines()
        raise RegistryUnreachable(problem=said[-1] if said else f"{arguments[0]} failed")
    return out.decode().strip()


async def _start_database(directory: Path, stack: AsyncExitStack) -> str:
    where, log = ("--dir", str(directory / "pg")), directory / "postgres.log"
    stack.push_async_callback(run_server, "postgres", "stop", *where)
    words = ("postgres", "run", *where)
    server = await LineProcess.start("the database", "hub.server", *words, log=log)
    stack.push_async_callback(server.close)
    return str((await server.hear())["url"])


def _set_up(plan: Plan, anchors: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "do": "set_up",
        "anchors": dict(anchors),
        "pairs": [
            {"client": pair.client, "left": pair.left, "right": pair.right} for pair in plan.pairs
        ],
        "order": plan.order,
        "port": PORT,
        "past": {lane.name: plan.past for lane in plan.lanes} if plan.past else {},
    }


async def _start(found: System, name: str, module: str, stack: AsyncExitStack) -> Program:
    """The hub, or a relayer; it is stopped with the *stack*."""
    is_hub = name == HUB
    path = "/hub" if is_hub else f"/relayers/{name}"
    certificate, key, ca = found.files(path, serves=True)
    address = f"{HOST}:{free_port()}"
    values: dict[str, object] = {
        "listen": address,
        "trust_domain": TRUST_DOMAIN,
        "database_url": found.url,
        **({"notice_s": 0, "drain_s": 1} if is_hub else {"name": name}),
        "tls": {"cert_file": certificate, "key_file": key, "ca_file": ca},
    }
    config, log = found.directory / f"{name}.toml", found.directory / f"{name}.log"
    write(config, values)
    words = ["serve"] if is_hub else []
    with log.open("ab") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", module, *words, "--config", str(config), lifeline.OPTION),
            stdin=asyncio.subprocess.PIPE,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    program = Program(name=name, address=address, log=log, process=process)
    stack.push_async_callback(_stop, program)
    found.accounts.add(name, process.pid)
    return program


async def _stop(program: Program) -> None:
    """The program has drained and ended. Raises ``AnswerOverdue`` if it had died before."""
    if program.process.returncode is None:
        program.process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            code = await program.process.wait()
    except TimeoutError:
        program.process.kill()
        code = await program.process.wait()
    if code:
        raise failure(program.name, f"ended with {code}\n{_tail(program.log)}")


async def _until_listening(program: Program) -> None:
    host, _, port = program.address.partition(":")
    try:
        async with asyncio.timeout(START_S):
            while program.process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(host, int(port))
                except OSError:
                    await asyncio.sleep(POLL_S)
                    continue
                writer.close()
                return
    except TimeoutError:
        raise AnswerOverdue(what=program.name, waited_ms=START_S * 1000) from None
    raise failure(program.name, _tail(program.log))


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
