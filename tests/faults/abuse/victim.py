"""Somebody else, who calls the listener steadily while it is attacked."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc

from tests.harness.http2 import clock_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Call = Callable[[], Awaitable[object]]

EVERY_S: Final = 0.01
PATIENCE_S: Final = 5
AT_ONCE: Final = 4
"""Calls under way; who waits for a turn waits in its own time."""


@dataclass(slots=True)
class Felt:
    """How long calls took (s), and those that failed."""

    times: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def quantile_ms(self, per_mille: int) -> float:
        """Milliseconds."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) * per_mille // 1000, len(ordered) - 1)] * 1000


async def feel(call: Call, until: Callable[[], bool]) -> Felt:
    """A call each 10 ms, whatever becomes of those before, as long as it is not *until*."""
    felt, under_way, turn = Felt(), set[asyncio.Task[None]](), asyncio.Semaphore(AT_ONCE)
    began = clock_s()
    number = 0
    while not until():
        task = asyncio.create_task(_one(call, felt, turn))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        number += 1
        await asyncio.sleep(max(0, began + number * EVERY_S - clock_s()))
    await asyncio.gather(*under_way)
    return felt


async def _one(call: Call, felt: Felt, turn: asyncio.Semaphore) -> None:
    began = clock_s()
    try:
        async with turn:
            await call()
    except grpc.aio.AioRpcError as error:
        felt.failures[f"{error.code().name}: {error.details()}"[:80]] += 1
    felt.times.append(clock_s() - began)


def unknown(channel: grpc.aio.Channel) -> Call:
    """A call of a method that is not there, where nothing else may be called by everybody."""
    method: Any = channel.unary_unary("/ydhub.none.v1.NoService/NoMethod")

    async def call() -> None:
        try:
            await method(b"", timeout=PATIENCE_S)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise

    return call
