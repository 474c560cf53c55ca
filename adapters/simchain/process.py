"""The process of one embedded chain: it makes blocks, attaches to a relayer, serves its users.

Or two: one makes the blocks and serves users, the other follows them, as a full node, and attaches.
Everything is chosen and joined here. A block is on disk before anyone hears of it, so a process may
be killed at any moment; started again, it goes on from its log.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import structlog
from ydhub.simchain.v1 import simchain_service_pb2_grpc as service

from adapters.sdk.accepted_log import AcceptedLog
from adapters.sdk.anchors import Anchors
from adapters.sdk.client import AdapterClient, Relayers
from adapters.sdk.clock import SystemClock, SystemRandomness
from adapters.sdk.directory import lock
from adapters.sdk.session import City
from adapters.simchain.adapter import SimchainAdapter
from adapters.simchain.block_log import FileLog
from adapters.simchain.chain import Chain
from adapters.simchain.config import Role
from adapters.simchain.node import Node
from adapters.simchain.offences import Offences
from adapters.simchain.remote_chain import MAX_TRANSACTION, RemoteChain
from adapters.simchain.replica import Replica
from adapters.simchain.service import Adapter, Owner, SimchainService
from adapters.simchain.switches import OF_CHAIN
from hub.core.errors import FieldInvalid
from hub.light_clients.cometbft.client import CometBftClient
from hub.wire import listening, tracing
from hub.wire.identity.credentials import server_credentials

if TYPE_CHECKING:
    from adapters.sdk.clock import Clock, Randomness
    from adapters.simchain.config import SimchainConfig
    from adapters.simchain.node import ChainNode
    from hub.wire.tracing import Tracing

ADAPTER: Final = "simchain"
STOP_WITHIN_S: Final = 2

_SERVER_OPTIONS: Final = listening.options(
    receive=MAX_TRANSACTION + 64 * listening.KIB,
    # A ledger holds every packet that ever was.
    send=-1,
    streams=32,
    connections=1024,
)

_log = structlog.get_logger()


class SimchainProcess:
    """One chain, its adapter and its service, or what its role has of them, on one event loop."""

    def __init__(self, config: SimchainConfig, clock: Clock, randomness: Randomness) -> None:
        """Joined and replayed, not started. Raises ``HubError``."""
        self._config = config
        self._client: AdapterClient | None = None
        with ExitStack() as opened:
            directory = Path(config.directory)
            opened.enter_context(lock(directory))
            blocks = opened.enter_context(closing(FileLog(directory / "blocks.log")))
            chain = Chain(config.chain, CometBftClient(), blocks)
            self.node = _node(config, chain, clock, randomness)
            adapter = None
            if config.role is not Role.CHAIN:
                accepted = opened.enter_context(closing(AcceptedLog(directory / "accepted.jsonl")))
                traces = tracing.start(config.trace_endpoint, "ydhub-simchain", config.peer)
                opened.callback(traces.close)
                client = _client(config, self.node, accepted, clock, randomness, traces=traces)
                adapter = Adapter(Offences(chain, client), accepted)
                self._client = client
            owner = Owner(
                peer=config.peer_id,
                trust_domain=config.trust_domain,
                trust_options=config.trust_options,
            )
            self._service = SimchainService(self.node, owner, adapter, clock)
            self._opened = opened.pop_all()
        self._server = grpc.aio.server(options=_SERVER_OPTIONS, maximum_concurrent_rpcs=256)
        self._work: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        """Blocks are made, and users can dial; the port that they dial. Raises ``FieldInvalid``."""
        config, tls = self._config, self._config.tls
        service.add_SimchainServiceServicer_to_server(self._service, self._server)
        credentials = server_credentials(tls.cert_file, tls.key_file, tls.ca_file)
        try:
            port = self._server.add_secure_port(config.listen, credentials)
        except RuntimeError as error:
            problem = f"cannot be bound: {config.listen}"
            raise FieldInvalid(field="listen", problem=problem) from error
        await self._server.start()
        loop = asyncio.get_running_loop()
        self._work = [loop.create_task(self._make_blocks())]
        if self._client is not None:
            self._work.append(loop.create_task(self._attach(self._client)))
        _log.info(
            "simchain_started",
            peer=config.peer,
            role=config.role,
            chain_id=config.chain_id,
            height=self.node.chain.height,
            port=port,
        )
        return port

    async def failed(self) -> None:
        """Raises what ended the chain or its adapter; neither ends by itself."""
        done, _ = await asyncio.wait(self._work, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Nothing runs any more, and both logs are closed."""
        await self._server.stop(STOP_WITHIN_S)
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        self.node.stop()
        self._opened.close()
        _log.info("simchain_stopped", peer=self._config.peer, height=self.node.chain.height)

    async def _make_blocks(self) -> None:
        """Blocks are made, or followed."""
        if isinstance(self.node, Replica):
            await self.node.run()
        else:
            await self.node.run(self._config.block_interval)

    async def _attach(self, client: AdapterClient) -> None:
        """The adapter attaches, once it knows all that it may be asked for."""
        if isinstance(self.node, Replica):
            await self.node.caught_up()
        await client.run()


async def run(config: SimchainConfig) -> None:
    """The process, until SIGTERM or SIGINT. Raises ``HubError`` where it cannot start."""
    process = SimchainProcess(config, SystemClock(), SystemRandomness())
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await process.start()
    try:
        ends = [loop.create_task(stopping.wait()), loop.create_task(process.failed())]
        done, pending = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        for task in done:
            task.result()
    finally:
        await process.stop()


def _node(
    config: SimchainConfig, chain: Chain, clock: Clock, randomness: Randomness
) -> Node | Replica:
    """Who makes *chain*'s blocks in this process, or follows them."""
    match config.role:
        case Role.WHOLE:
            return Node(chain, clock)
        case Role.CHAIN:
            return Node(chain, clock, OF_CHAIN)
        case Role.ADAPTER:
            upstream = RemoteChain(config.chain_address, config.tls, clock)
            return Replica(chain, upstream, clock, randomness)


def _client(
    config: SimchainConfig,
    node: ChainNode,
    accepted: AcceptedLog,
    clock: Clock,
    randomness: Randomness,
    *,
    traces: Tracing,
) -> AdapterClient:
    city = City(
        chain=SimchainAdapter(node),
        anchors=Anchors.of_files(config.counterparties),
        log=accepted,
        clock=clock,
        randomness=randomness,
        adapter=ADAPTER,
        execution_credits=config.execution_credits,
        tracing=traces,
    )
    tls = config.tls
    relayers = Relayers(
        addresses=config.relayers,
        cert_file=tls.cert_file,
        key_file=tls.key_file,
        ca_file=tls.ca_file,
    )
    return AdapterClient(city, relayers)
