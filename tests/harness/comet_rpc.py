"""A CometBFT node on loopback of which a test says every answer, good or bad."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMsgType, web

from adapters.cosmos.rpc.node import CometNode
from adapters.cosmos.rpc.transport import Rpc
from adapters.sdk.clock import Clock, SystemClock
from hub.core.ids import ChainId
from tests.harness.comet_json import commit_json, validators_json
from tests.harness.cometbft import CHAIN_ID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.harness.cometbft import Block

CHAIN: Final = ChainId(CHAIN_ID)
NOWHERE: Final = "http://127.0.0.1:9"
INTERNAL: Final = -32603
INVALID_REQUEST: Final = -32600


class CallFailed(Exception):
    """A JSON-RPC error; its texts are ones that no reader may go by."""

    def __init__(self, code: int = INTERNAL) -> None:
        super().__init__(code)
        self.code = code


class ScriptedNode:
    """Answers by ``methods``, which a test changes; ``body`` overrules the answer to a POST."""

    def __init__(self, blocks: Sequence[Block] = (), *, chain_id: str = CHAIN_ID) -> None:
        self.chain_id = chain_id
        self.blocks = {block.height: block for block in blocks}
        self.methods: dict[str, Callable[[dict[str, Any]], Any]] = {
            "status": lambda _: self.status(),
            "commit": lambda params: commit_json(self.block(params)),
            "validators": lambda params: validators_json(
                self.block(params), int(params["page"]), int(params["per_page"])
            ),
        }
        self.body: Callable[[bytes], web.StreamResponse] | None = None
        self.batch_limit = 10
        self.is_reversed = False
        """Answers of an array come in the other order."""
        self.posts: list[list[tuple[str, dict[str, Any]]]] = []
        """The calls of each POST."""
        self.sockets: list[web.WebSocketResponse] = []
        self.subscribed: list[str] = []
        self.dialled = 0
        """Websockets so far."""
        self.subscription: dict[str, Any] = {"result": {}}
        """The answer to a subscription."""

    @property
    def latest(self) -> int:
        return max(self.blocks, default=0)

    def status(self) -> dict[str, Any]:
        return {
            "node_info": {"network": self.chain_id, "version": "0.38.26"},
            "sync_info": {
                "latest_block_height": str(self.latest),
                "earliest_block_height": str(min(self.blocks, default=0)),
                "catching_up": False,
            },
            "validator_info": {"voting_power": "10"},
        }

    def block(self, params: dict[str, Any]) -> Block:
        found = self.blocks.get(int(params["height"]))
        if found is None:
            raise CallFailed
        return found

    def calls(self, method: str) -> list[dict[str, Any]]:
        """Parameters of all calls of *method* so far."""
        return [params for post in self.posts for name, params in post if name == method]

    async def announce(self, height: int) -> None:
        """Whoever subscribed is told of a block."""
        value = {"header": {"height": str(height)}}
        data = {"type": "tendermint/event/NewBlockHeader", "value": value}
        message = {"jsonrpc": "2.0", "id": 0, "result": {"query": "", "data": data, "events": {}}}
        for socket in self.sockets:
            await socket.send_json(message)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        if self.body is not None:
            return self.body(content)
        asked = json.loads(content)
        many = asked if isinstance(asked, list) else [asked]
        self.posts.append([(one["method"], one["params"]) for one in many])
        if len(many) > self.batch_limit:
            error = {"code": INVALID_REQUEST, "message": "Invalid Request", "data": "too many"}
            return web.json_response({"jsonrpc": "2.0", "error": error})
        answers = [self._answer(one) for one in many]
        if self.is_reversed:
            answers.reverse()
        return web.json_response(answers[0] if len(answers) == 1 else answers)

    async def serve_websocket(self, request: web.Request) -> web.StreamResponse:
        self.dialled += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            assert frame.type is WSMsgType.TEXT
            self.subscribed.append(json.loads(frame.data)["params"]["query"])
            await socket.send_json({"jsonrpc": "2.0", "id": 0} | self.subscription)
            self.sockets.append(socket)
        return socket

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        answer = {"jsonrpc": "2.0", "id": asked["id"]}
        try:
            return answer | {"result": self.methods[asked["method"]](asked["params"])}
        except CallFailed as error:
            about = {"code": error.code, "message": "Internal error", "data": "whatever it says"}
            return answer | {"error": about}


@asynccontextmanager
async def served(*nodes: ScriptedNode) -> AsyncIterator[tuple[str, ...]]:
    """The URLs of *nodes*, which answer until the end."""
    runners: list[web.AppRunner] = []
    urls: list[str] = []
    try:
        for node in nodes:
            app = web.Application(client_max_size=2 * 1024 * 1024)
            app.router.add_post("/", node.handle)
            app.router.add_get("/websocket", node.serve_websocket)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            runners.append(runner)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        yield tuple(urls)
    finally:
        for runner in runners:
            await runner.cleanup()


@asynccontextmanager
async def comet(
    *nodes: ScriptedNode, before: tuple[str, ...] = (), clock: Clock | None = None
) -> AsyncIterator[CometNode]:
    """The chain that *nodes* serve, with URLs *before* theirs; closed at the end."""
    clock = clock or SystemClock()
    async with served(*nodes) as urls:
        node = CometNode(CHAIN, Rpc(CHAIN, (*before, *urls), clock), clock)
        try:
            yield node
        finally:
            await node.close()
