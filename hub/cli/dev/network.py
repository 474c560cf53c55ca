"""A development network: an embedded PostgreSQL, a hub, a relayer and three chains.

Everything is made at run time, in one directory: keys, certificates, ports, anchors. Starting a
network that runs starts what is missing; its chains go on from their own logs.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hub.cli.clock import wall_clock
from hub.cli.dev import addresses, readiness
from hub.cli.dev.ca import is_fresh, issue, open_authority
from hub.cli.dev.configs import BLOCK_INTERVAL, write_configs
from hub.cli.dev.layout import (
    ADAPTERS,
    CHAINS,
    DISPLAY_NAMES,
    HUB,
    POSTGRES,
    PROCESSES,
    RELAYER,
    Layout,
    leaves,
)
from hub.cli.dev.processes import POLL_S, Processes
from hub.core.errors import AnswerOverdue, RegistryUnreachable
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire import anchor_file
from hub.wire.anchors import anchor_from_proto

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hub.cli.dev.addresses import Addresses
    from hub.core.ids import PeerId

    Tell = Callable[[str, str], None]
    """Hears of progress: what, and how it is."""

URL_VARIABLE: Final = "YDHUB_DATABASE_URL"
READY_WITHIN: Final = Duration(60 * SECOND)
STOP_WITHIN: Final = Duration(10 * SECOND)
_PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    HUB: ("hub.server", "serve"),
    RELAYER: ("relayer",),
    **dict.fromkeys((*CHAINS, *ADAPTERS.values()), ("adapters.simchain",)),
}


class Network:
    """The development network of one directory."""

    def __init__(
        self,
        directory: Path,
        tell: Tell,
        *,
        block_interval: Duration = BLOCK_INTERVAL,
        chains: Sequence[PeerId] = CHAINS,
        is_split: bool = False,
    ) -> None:
        """Whatever is there; *tell* hears of progress; a block comes each *block_interval* (ns).

        Those of *chains* alone are run; who runs other chains has certificates all the same. Where
        *is_split*, each chain and its adapter are two processes.
        """
        self.layout = Layout(directory.absolute())
        self.processes = Processes(self.layout)
        self._tell = tell
        self._block_interval = block_interval
        self._chains = tuple(chains)
        self._is_split = is_split
        adapters = [ADAPTERS[peer] for peer in self._chains] if is_split else []
        self.names = (HUB, RELAYER, *self._chains, *adapters)
        """Its processes, in the order in which they start."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """host:port by name, as ``dev.toml`` has them."""
        return addresses.read(self.layout.dev_file)

    async def up(self) -> Addresses:
        """Everything runs and answers. Raises ``RegistryUnreachable`` or ``AnswerOverdue``."""
        self.layout.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_certificates()
        url = await self._start_database()
        is_running = self.processes.is_running
        chosen = addresses.choose(self.addresses, is_running, is_split=self._is_split)
        write_configs(self.layout, chosen, url, self._block_interval)
        # They wait for each other by themselves, so they need not start in order.
        try:
            async with asyncio.TaskGroup() as group:
                for name in self.names:
                    group.create_task(self.start(name))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        await self._write_anchors(chosen)
        return chosen

    async def start(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """The process runs and answers. Raises ``AnswerOverdue``."""
        if not self.processes.is_running(name):
            self.launch(name, environment)
        await self._wait_until_it_answers(name)
        self._tell(name, f"answers at {self.addresses[name]}")

    def launch(self, name: str, environment: Mapping[str, str] | None = None) -> int:
        """The process has begun, whether it answers or not; its number."""
        module, *arguments = _PROGRAMS[name]
        config = str(self.layout.config(name))
        command = [sys.executable, "-m", module, *arguments, "--config", config]
        return self.processes.start(name, command, environment)

    async def down(self) -> None:
        """Nothing of it runs any more. Raises ``AnswerOverdue`` or ``RegistryUnreachable``."""
        for name in reversed((*PROCESSES, *ADAPTERS.values())):
            if self.processes.is_running(name):
                await self.processes.stop(name, STOP_WITHIN)
                self._tell(name, "stopped")
            self.layout.pid(name).unlink(missing_ok=True)
        if self.layout.postgres.exists():
            await self._server("postgres", "stop", "--dir", str(self.layout.postgres))
            self._tell(POSTGRES, "stopped")
        names = (*PROCESSES, *ADAPTERS.values(), POSTGRES)
        left = [name for name in names if self.number(name) is not None]
        if left:
            what = f"the end of {', '.join(left)}"
            raise AnswerOverdue(what=what, waited_ms=STOP_WITHIN // MILLISECOND)

    def number(self, name: str) -> int | None:
        """The process's number while it runs, PostgreSQL's too; None where it does not."""
        if name != POSTGRES:
            return self.processes.number(name)
        data = self.layout.postgres / "data"
        try:
            first = (data / "postmaster.pid").read_text(encoding="utf-8").partition("\n")[0]
            with open(f"/proc/{int(first)}/cmdline", "rb") as command:  # noqa: PTH123
                is_ours = os.fsencode(data) in command.read()
        except (OSError, ValueError):
            return None
        return int(first) if is_ours else None

    async def answers(self, name: str) -> bool:
        """Whether the process answers its users."""
        address = self.addresses.get(name, "")
        if not address:
            return False
        if name == HUB:
            return await readiness.hub_answers(self.layout, address)
        if name == RELAYER:
            return await readiness.relayer_answers(self.layout, address)
        return await readiness.newest_anchor(self.layout, address) is not None

    def _make_certificates(self) -> None:
        now = wall_clock()
        authority = open_authority(self.layout.ca, now=now)
        for name, (identity, serves) in leaves().items():
            if not is_fresh(self.layout.certificate(name)[0], now=now):
                issue(authority, identity, self.layout.certs, name, serves=serves, now=now)
        self._tell("certificates", f"{len(leaves())} identities, mutual TLS")

    async def _start_database(self) -> str:
        """The registry's schema stands; its address."""
        url = os.environ.get(URL_VARIABLE, "")
        if not url:
            url = await self._server("postgres", "start", "--dir", str(self.layout.postgres))
        revision = await self._server("migrate", "--database-url", url)
        self._tell(POSTGRES, f"answers, schema {revision}")
        return url

    async def _server(self, *arguments: str) -> str:
        """What ``ydhub-server`` prints. Raises ``RegistryUnreachable`` where it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hub.server",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        if process.returncode != 0:
            said = error.decode(errors="replace").strip().splitlines()
            raise RegistryUnreachable(problem=said[-1] if said else f"{arguments[0]} failed")
        return out.decode().strip()

    async def _wait_until_it_answers(self, name: str) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN / SECOND):
                while self.processes.is_running(name):
                    if await self.answers(name):
                        return
                    await asyncio.sleep(POLL_S)
        waited = 0 if not self.processes.is_running(name) else READY_WITHIN // MILLISECOND
        error = AnswerOverdue(
            what=f"{name} has ended, or is" if not waited else name, waited_ms=waited
        )
        for line in self.last_lines(name, 3):
            error.add_note(line)
        raise error

    def last_lines(self, name: str, count: int) -> Sequence[str]:
        """The last *count* lines of the process's log."""
        try:
            text = self.layout.log(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return text.splitlines()[-count:]

    async def _write_anchors(self, chosen: Addresses) -> None:
        """Every operator has its own anchor file of each chain; one that stands is left alone."""
        for peer in self._chains:
            await self._write_anchor(peer, chosen.chains[peer])
        self._tell("anchors", f"{len(self._chains)} chains, each operator's own files")

    async def _write_anchor(self, peer: PeerId, address: str) -> None:
        files = [self.layout.anchor(owner, peer) for owner in (HUB, *CHAINS) if owner != peer]
        missing = [file for file in files if not file.exists()]
        if not missing:
            return
        # All operators of this network ask the chain's node at one moment.
        found = await readiness.newest_anchor(self.layout, address)
        if found is None:
            raise AnswerOverdue(what=f"the anchor of {peer}", waited_ms=0)
        anchor = anchor_from_proto(found, "anchor")
        for file in missing:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            anchor_file.write(file, anchor, peer=peer, display_name=DISPLAY_NAMES[peer])
