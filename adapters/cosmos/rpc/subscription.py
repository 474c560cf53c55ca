"""Hints of new blocks, over a node's websocket; nothing depends on them but speed.

A hint only says that it is worth asking. The connection is dialled again, later and later, for as
long as it fails, each time with the node that is preferred then.

Source: CometBFT 0.38 rpc/core/events.go, types/events.go (EventDataNewBlockHeader).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec
import structlog

from adapters.cosmos.rpc.endpoint import problem_of
from adapters.sdk.backoff import CHANCES, delay
from adapters.sdk.waiting import within
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from adapters.cosmos.rpc.transport import Rpc
    from adapters.sdk.clock import Clock

_log = structlog.get_logger(__name__)

QUIET: Final = Duration(60 * SECOND)
"""A connection that tells of no block for so long is given up; the node may stand still (ns)."""
DIAL: Final = Duration(10 * SECOND)
_MAX_TEXT: Final = 300
_SUBSCRIBE: Final = msgspec.json.encode(
    {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "subscribe",
        "params": {"query": "tm.event='NewBlockHeader'"},
    }
).decode()


class _Result(msgspec.Struct, frozen=True):
    data: msgspec.Raw = msgspec.Raw()
    """There in the answer that tells of an event, and not in the one to the subscription."""


class _Message(msgspec.Struct, frozen=True):
    result: _Result | None = None
    error: msgspec.Raw = msgspec.Raw()


_MESSAGE: Final = msgspec.json.Decoder(_Message)


class Hints:
    """Tells that a node may have a newer block."""

    def __init__(self, rpc: Rpc, clock: Clock) -> None:
        self._rpc = rpc
        self._clock = clock
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._tries = 0

    def news(self) -> asyncio.Event:
        """What is set at the next hint; taken before a question, no hint after it is missed."""
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        return self._news

    async def stop(self) -> None:
        """The connection is closed, until ``news`` is asked for again."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            name = self._rpc.preferred.name
            try:
                problem = await self._listen()
            except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
                problem = problem_of(error)
            self._tries += 1
            _log.info("block_hints_ended", node=name, problem=problem[:_MAX_TEXT])
            await self._clock.sleep(delay(self._tries, CHANCES - 1))

    async def _listen(self) -> str:
        """Tells of every event, until the connection ends; why it did."""
        socket = await within(self._rpc.preferred.websocket(), self._clock, DIAL)
        try:
            await socket.send_str(_SUBSCRIBE)
            while True:
                frame = await within(socket.receive(), self._clock, QUIET)
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    return frame.type.name
                message = _MESSAGE.decode(frame.data)
                if message.error:
                    return bytes(message.error).decode(errors="replace")
                if message.result is not None and message.result.data:
                    self._tell()
        finally:
            await socket.close()

    def _tell(self) -> None:
        self._tries = 0
        told, self._news = self._news, asyncio.Event()
        told.set()
