"""A node that may lie, lag, forget, be slow or be gone: a proxy before a real node's RPC.

It takes JSON-RPC by POST, single and in arrays, and passes its websocket through. Queries in
addresses (GET) are passed through as they are.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from aiohttp import WSMsgType, web

from tests.chains.cosmos.lies import GARBAGE, Lies
from tests.harness.ports import free_ports

if TYPE_CHECKING:
    from tests.chains.cosmos.lies import Json

HOST: Final = "127.0.0.1"
BROADCAST: Final = "broadcast_tx_sync"
MAX_BODY: Final = 1_000_000
"""Bytes of one POST; as nodes have it."""
CUT_WITHIN_S: Final = 0.01
"""What is being answered when the node goes down; 0 would mean for ever."""


class LyingNode:
    """Stands at ``url`` before the node at *target*; ``lies`` says what it does."""

    def __init__(self, target: str) -> None:
        """A node that tells what the one at *target* tells."""
        self.lies = Lies()
        self.asked = 0
        """Questions so far."""
        self.passed_on = 0
        """Transactions that the real node was given so far."""
        self._target = target
        (self._port,) = free_ports(1)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """The address of its RPC, up or down."""
        return f"http://{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        """The node, up."""
        self._session = aiohttp.ClientSession()
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        """It is gone."""
        await self.down()
        await self._upstream.close()

    def lie(self, **changes: Any) -> None:
        """From now on its lies are *changes* alone."""
        self.lies = Lies(**changes)

    def be_honest(self) -> None:
        """From now on it tells the truth, at once."""
        self.lies = Lies()

    async def up(self) -> None:
        """It takes connections; nothing happens if it did."""
        if self._runner is not None:
            return
        application = web.Application(client_max_size=MAX_BODY)
        application.add_routes(
            [
                web.post("/", self._post),
                web.get("/websocket", self._websocket),
                web.get("/{method}", self._get),
            ]
        )
        self._runner = web.AppRunner(
            application, shutdown_timeout=CUT_WITHIN_S, handler_cancellation=True
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port, reuse_address=True).start()

    async def down(self) -> None:
        """It refuses connections, and those that it had are cut."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _post(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        questions = asked if isinstance(asked, list) else [asked]
        self.asked += len(questions)
        await asyncio.sleep(self.lies.delay_s)
        if self.lies.is_garbage:
            return web.Response(body=GARBAGE, content_type="application/json")
        try:
            answers = await self._answers(questions)
        except aiohttp.ClientError:
            return web.Response(status=502)
        # As a node does it: an array of one question has an answer that is no array.
        return web.json_response(answers if len(answers) > 1 else answers[0])

    async def _answers(self, questions: list[Json]) -> list[Json]:
        newest = await self._newest()
        answers = [self.lies.answer_instead(question, newest) for question in questions]
        left = [at for at, answer in enumerate(answers) if answer is None]
        passed = [self.lies.ask(questions[at], newest) for at in left]
        told = await self._forward(passed) if passed else []
        self.passed_on += sum(one.get("method") == BROADCAST for one in passed)
        for at, answer in zip(left, told, strict=True):
            answers[at] = self.lies.tell(questions[at], answer, newest)
        return [answer for answer in answers if answer is not None]

    async def _forward(self, questions: list[Json]) -> list[Json]:
        """The node's answers; one that refuses all of them refuses each."""
        async with self._upstream.post(self._target, json=questions) as response:
            told = await response.json(content_type=None)
        if isinstance(told, dict) or len(told) != len(questions):
            refusal = told if isinstance(told, dict) else told[0]
            return [refusal] * len(questions)
        return list(told)

    async def _newest(self) -> int:
        question = {"jsonrpc": "2.0", "id": 0, "method": "status", "params": {}}
        (told,) = await self._forward([question])
        return int(told["result"]["sync_info"]["latest_block_height"])

    async def _get(self, request: web.Request) -> web.Response:
        async with self._upstream.get(f"{self._target}{request.rel_url}") as response:
            body = await response.read()
            return web.Response(body=body, status=response.status, content_type="application/json")

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        near = web.WebSocketResponse()
        await near.prepare(request)
        async with self._upstream.ws_connect(f"{self._target}/websocket") as far:
            tasks = {
                asyncio.create_task(self._pass_questions(near, far)),
                asyncio.create_task(self._pass_events(far, near)),
            }
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(*tasks, return_exceptions=True)
        await near.close()
        return near

    async def _pass_questions(self, near: Any, far: Any) -> None:
        async for message in near:
            if message.type is WSMsgType.TEXT:
                await far.send_str(message.data)

    async def _pass_events(self, far: Any, near: Any) -> None:
        """What the node says by itself arrives as many blocks later as it is behind."""
        held: deque[str] = deque()
        async for message in far:
            if message.type is not WSMsgType.TEXT:
                continue
            if "data" not in json.loads(message.data).get("result", {}):
                await near.send_str(message.data)
                continue
            held.append(message.data)
            while len(held) > self.lies.behind:
                await near.send_str(held.popleft())

    @property
    def _upstream(self) -> aiohttp.ClientSession:
        assert self._session is not None, "used as an async context manager"
        return self._session
