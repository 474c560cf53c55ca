"""One Cosmos chain on this machine: a node for each validator, all of it in one directory.

Nothing of it outlives the thread that started it (``process.start_bound``).
"""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp

from adapters.cosmos.tx.keys import read_keys, write_new_keys
from adapters.sdk.clock import SystemClock
from hub.core.time import SECOND
from tests.chains.cosmos.build import build, default_genesis
from tests.chains.cosmos.genesis import PREFIX, Validator, make_genesis
from tests.chains.cosmos.node_home import ConsensusKey, NodeHome
from tests.chains.cosmos.options import ChainOptions
from tests.chains.cosmos.process import kill, start_bound
from tests.harness.ports import free_ports

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from adapters.cosmos.tx.keys import Key
    from adapters.sdk.clock import Clock
    from hub.core.time import Timestamp

POLL_S: Final = 0.1
READY_WITHIN_S: Final = 60
ENDED_WITHIN_S: Final = 20
LAST_LINES: Final = 5


class CosmosNetwork:
    """A chain of *name*-1; start it, wait for its first blocks, and stop it."""

    def __init__(
        self,
        directory: Path,
        name: str,
        options: ChainOptions | None = None,
        *,
        simd: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """A chain that lives in *directory*, which may not exist yet; nothing runs until ``start``.

        The program is built first where it is not named.
        """
        self.directory = directory
        self.chain_id = f"{name}-1"
        self.options = options or ChainOptions()
        self._simd = simd or build(print)
        self._clock = clock or SystemClock()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        ports = iter(free_ports(2 * len(self.options.powers)))
        self.nodes = tuple(
            NodeHome(
                directory=directory / f"node{number}",
                validator=ConsensusKey.new(),
                node=ConsensusKey.new(),
                rpc_port=next(ports),
                peer_port=next(ports),
            )
            for number in range(len(self.options.powers))
        )

    def __enter__(self) -> Self:
        """The chain, started."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """All its nodes are gone; its directory is left."""
        self.stop()

    @property
    def operators(self) -> tuple[Key, ...]:
        """The account of each validator's operator, which holds its stake and much more."""
        return read_keys(self._operators_file, PREFIX)

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        """The RPC of each node."""
        return tuple(home.rpc_url for home in self.nodes)

    def rpc_url(self, number: int = 0) -> str:
        """The RPC of node *number*."""
        return self.nodes[number].rpc_url

    def home(self, number: int = 0) -> Path:
        """The home directory of node *number*."""
        return self.nodes[number].directory

    def pid(self, number: int = 0) -> int:
        """The process of node *number*, which runs."""
        return self._processes[number].pid

    def now(self) -> Timestamp:
        """The time by this machine's clock, which is the chain's but for a block's length."""
        return self._clock.now()

    def start(self) -> None:
        """The chain's files are written, and every node's process runs."""
        self._write()
        for number in range(len(self.nodes)):
            self.restart(number)

    def restart(self, number: int) -> None:
        """Node *number* runs, on what it had written; one that runs is killed first."""
        self.kill(number)
        home = self.nodes[number]
        command = [str(self._simd), "start", "--home", str(home.directory)]
        self._processes[number] = start_bound(command, home.log)

    def kill(self, number: int) -> None:
        """Node *number* is gone at once (-9); nothing happens if it was."""
        process = self._processes.pop(number, None)
        if process is not None:
            kill(process)

    def end(self, number: int) -> None:
        """Node *number* has ended in order (SIGTERM)."""
        process = self._processes[number]
        process.send_signal(signal.SIGTERM)
        process.wait(ENDED_WITHIN_S)
        del self._processes[number]

    def halt(self, number: int) -> None:
        """Node *number* stands still (SIGSTOP): connections to it open, and nothing answers."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """Node *number* goes on after ``halt``."""
        self._processes[number].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Every node is gone."""
        for number in tuple(self._processes):
            self.kill(number)

    async def wait_ready(self, height: int = 1, within_s: float = READY_WITHIN_S) -> None:
        """Every node that runs is at *height* or above. Raises ``AssertionError`` with its log."""
        for number in tuple(self._processes):
            await self.wait_height(height, number, within_s)

    async def wait_height(self, height: int, number: int = 0, within_s: float = 60) -> int:
        """The height of node *number*, at *height* or above."""
        try:
            async with asyncio.timeout(within_s):
                while (found := await self._height_or_zero(number)) < height:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
                return found
        except TimeoutError:
            raise AssertionError(
                f"node {number} is not at {height}: {self._last_lines(number)}"
            ) from None

    async def height(self, number: int = 0) -> int:
        """The newest height of node *number*. Raises ``aiohttp.ClientError``."""
        status = await self.call("status", {}, number)
        return int(status["sync_info"]["latest_block_height"])

    async def call(self, method: str, params: dict[str, Any], number: int = 0) -> Any:
        """What node *number* answers to one call of its RPC.

        Raises ``aiohttp.ClientError``, and ``AssertionError`` where the node answers with an error.
        """
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.rpc_url(number), json=question) as answer,
        ):
            told = await answer.json(content_type=None)
        assert "error" not in told, f"{method}: {told['error']}"
        return told["result"]

    @property
    def _operators_file(self) -> Path:
        return self.directory / "operators.keys"

    def _write(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        keys = write_new_keys(self._operators_file, len(self.nodes), PREFIX)
        validators = tuple(
            Validator(operator=key.address, public_key=home.validator.public, power=power)
            for key, home, power in zip(keys, self.nodes, self.options.powers, strict=True)
        )
        defaults = json.loads(default_genesis(self._simd).read_bytes())
        genesis = make_genesis(
            defaults,
            chain_id=self.chain_id,
            time=self._time(),
            validators=validators,
            options=self.options,
        )
        document = json.dumps(genesis).encode()
        for home in self.nodes:
            peers = [other.peer for other in self.nodes if other is not home]
            home.write(document, peers, self.options)

    def _time(self) -> str:
        seconds = self._clock.now() // SECOND
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"

    async def _height_or_zero(self, number: int) -> int:
        process = self._processes.get(number)
        if process is None or process.poll() is not None:
            raise AssertionError(f"node {number} does not run: {self._last_lines(number)}")
        try:
            return await self.height(number)
        except (aiohttp.ClientError, OSError):
            return 0

    def _last_lines(self, number: int) -> str:
        lines = self.nodes[number].log.read_text("utf-8", "replace").splitlines()
        return " | ".join(lines[-LAST_LINES:])
