from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from hub.server.interceptors.around import write_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Caller:
    """Takes some answers, and then is gone or fails otherwise."""

    def __init__(self, takes: int, failure: Exception) -> None:
        self.taken: list[int] = []
        self._takes = takes
        self._failure = failure

    async def write(self, answer: int) -> None:
        if len(self.taken) == self._takes:
            raise self._failure
        self.taken.append(answer)


async def three() -> AsyncIterator[int]:
    for number in range(3):
        yield number


@pytest.mark.parametrize("failure", [grpc.aio.InternalError(), grpc.aio.UsageError()])
async def test_a_caller_that_is_gone_ends_the_call_as_if_it_had_cancelled(
    failure: Exception,
) -> None:
    context: Any = Caller(2, failure)
    with pytest.raises(asyncio.CancelledError):
        await write_all(three(), context)
    assert context.taken == [0, 1]


async def test_whatever_else_fails_passes_on() -> None:
    context: Any = Caller(0, ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        await write_all(three(), context)


async def test_every_answer_is_written() -> None:
    context: Any = Caller(9, ValueError())
    await write_all(three(), context)
    assert context.taken == [0, 1, 2]
