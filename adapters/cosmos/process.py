"""The process of one Cosmos chain's adapter: nodes on one side, a relayer on the other."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from adapters.cosmos.adapter import CosmosAdapter
from adapters.cosmos.blocks.follower import BlockFollower
from adapters.cosmos.connecting import connect
from adapters.cosmos.executor import Executor
from adapters.cosmos.tx.gas import GasModel
from adapters.cosmos.tx.keys import read_keys
from adapters.cosmos.tx.signer import Signer
from adapters.cosmos.tx.submitter import Submitter
from adapters.sdk.accepted_log import AcceptedLog
from adapters.sdk.anchors import Anchors
from adapters.sdk.client import AdapterClient, Relayers
from adapters.sdk.clock import SystemClock, SystemRandomness
from adapters.sdk.directory import lock
from adapters.sdk.session import City
from hub.core.errors import FieldInvalid
from hub.wire import tracing

if TYPE_CHECKING:
    from adapters.cosmos.config import CosmosConfig
    from adapters.sdk.clock import Clock, Randomness

ADAPTER: Final = "cosmos"

_log = structlog.get_logger()


class CosmosProcess:
    """One chain's adapter, on one event loop."""

    def __init__(self, config: CosmosConfig, clock: Clock, randomness: Randomness) -> None:
        """Joined, not started. Raises ``HubError``."""
        self._config = config
        keys = read_keys(Path(config.keys.file), config.keys.address_prefix)
        self._node = node = connect(config, config.nodes, clock)
        self._blocks = BlockFollower(node, clock)
        signers = [Signer(node, key) for key in keys]
        self._submitter = Submitter(node, self._blocks, signers, GasModel(), config.settings)
        executor = Executor(node, self._blocks, self._submitter)
        chain = CosmosAdapter(node, self._blocks, self._submitter, executor)
        with ExitStack() as opened:
            accepted = _accepted_log(Path(config.directory), opened)
            traces = tracing.start(config.trace_endpoint, "ydhub-cosmos", config.peer)
            opened.callback(traces.close)
            self._client = AdapterClient(
                City(
                    chain=chain,
                    anchors=Anchors.of_files(config.counterparties),
                    log=accepted,
                    clock=clock,
                    randomness=randomness,
                    adapter=ADAPTER,
                    execution_credits=config.execution_credits,
                    tracing=traces,
                ),
                Relayers(
                    addresses=config.relayers,
                    cert_file=config.tls.cert_file,
                    key_file=config.tls.key_file,
                    ca_file=config.tls.ca_file,
                ),
            )
            self._opened = opened.pop_all()

    async def run(self) -> None:
        """Follows the chain and serves the relayer; ends by failing or by being cancelled."""
        config = self._config
        _log.info("cosmos_started", peer=config.peer, chain_id=config.chain_id, nodes=config.nodes)
        try:
            async with asyncio.TaskGroup() as tasks:
                for work in (self._blocks.run(), self._submitter.run(), self._client.run()):
                    tasks.create_task(work)
        finally:
            await self._node.close()
            self._opened.close()
            _log.info("cosmos_stopped", peer=config.peer)


async def run(config: CosmosConfig) -> None:
    """The process, until SIGTERM or SIGINT. Raises ``HubError`` where it cannot start."""
    process = CosmosProcess(config, SystemClock(), SystemRandomness())
    loop = asyncio.get_running_loop()
    work = loop.create_task(process.run())
    stopped = asyncio.Event()

    def stop() -> None:
        if not stopped.is_set():  # a second signal does not disturb what the first began
            stopped.set()
            work.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await work
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise


def _accepted_log(directory: Path, opened: ExitStack) -> AcceptedLog:
    """The log of *directory*, which is this process's alone. Raises ``FieldInvalid``."""
    try:
        opened.enter_context(lock(directory))
        return opened.enter_context(closing(AcceptedLog(directory / "accepted.jsonl")))
    except OSError as error:
        problem = f"{directory} cannot be used: {error.strerror}"
        raise FieldInvalid(field="directory", problem=problem) from error
