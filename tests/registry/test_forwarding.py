from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    LeaseLost,
    LimitExceeded,
    RateLimited,
    Reason,
)
from hub.ports.forwarding import MAX_BYTES, MAX_WAITING, ForwardedAnswer, ForwardKind
from tests.harness.registry import HANGZHOU, SUZHOU, acquire, register

if TYPE_CHECKING:
    from hub.ports.leases import Fence
    from hub.ports.registry import Registry

ANSWER = ForwardedAnswer(b"answer")
WEST = "west-1"


async def owned(registry: Registry) -> Fence:
    """Hangzhou's lease."""
    await register(registry, HANGZHOU, SUZHOU)
    return await acquire(registry, HANGZHOU)


async def ask(registry: Registry, content: bytes = b"question") -> int:
    return await registry.forwarding.ask(HANGZHOU, ForwardKind.REQUEST, content, WEST)


async def test_a_request_is_taken_once_answered_and_read_once(registry: Registry) -> None:
    fence = await owned(registry)
    number = await ask(registry)
    assert await registry.forwarding.read(number) is None
    (taken,) = await registry.forwarding.take(fence, 8)
    assert (taken.number, taken.peer, taken.kind) == (number, HANGZHOU, ForwardKind.REQUEST)
    assert taken.content == b"question"
    assert await registry.forwarding.take(fence, 8) == []
    await registry.forwarding.answer(fence, number, ANSWER)
    assert await registry.forwarding.read(number) == ANSWER
    with pytest.raises(AnswerOverdue):
        await registry.forwarding.read(number)


async def test_whoever_is_asked_something_that_has_no_answer_is_named(registry: Registry) -> None:
    fence = await owned(registry)
    both = [HANGZHOU, SUZHOU]
    assert await registry.forwarding.asked(both) == []
    number = await ask(registry)
    await ask(registry)
    assert await registry.forwarding.asked(both) == [HANGZHOU]
    assert await registry.forwarding.asked([SUZHOU]) == []
    await registry.forwarding.take(fence, 1)
    await registry.forwarding.answer(fence, number, ANSWER)
    assert await registry.forwarding.asked(both) == [HANGZHOU]
    await registry.forwarding.withdraw(number + 1)
    assert await registry.forwarding.asked(both) == []


async def test_the_oldest_are_taken_first_and_no_more_than_asked_for(registry: Registry) -> None:
    fence = await owned(registry)
    numbers = [await ask(registry) for _ in range(3)]
    assert [one.number for one in await registry.forwarding.take(fence, 2)] == numbers[:2]
    assert [one.number for one in await registry.forwarding.take(fence, 2)] == numbers[2:]


async def test_nobody_is_asked_where_nobody_owns_the_peer(registry: Registry) -> None:
    fence = await owned(registry)
    with pytest.raises(AdapterOffline):
        await registry.forwarding.ask(SUZHOU, ForwardKind.HELLO, b"", WEST)
    with pytest.raises(AdapterOffline):
        await registry.forwarding.ask(HANGZHOU, ForwardKind.HELLO, b"", "east-1")
    number = await ask(registry)
    await registry.leases.release(fence)
    with pytest.raises(AdapterOffline):
        await registry.forwarding.read(number)
    with pytest.raises(AdapterOffline):
        await ask(registry)


async def test_another_peers_owner_takes_nothing(registry: Registry) -> None:
    await owned(registry)
    other = await acquire(registry, SUZHOU, WEST)
    await ask(registry)
    assert await registry.forwarding.take(other, 8) == []


async def test_what_an_owner_took_and_left_the_next_one_takes_again(registry: Registry) -> None:
    old = await owned(registry)
    number = await ask(registry)
    await registry.forwarding.take(old, 8)
    new = await acquire(registry, HANGZHOU)
    with pytest.raises(LeaseLost):
        await registry.forwarding.take(old, 8)
    with pytest.raises(LeaseLost):
        await registry.forwarding.answer(old, number, ANSWER)
    assert await registry.forwarding.read(number) is None
    assert [one.number for one in await registry.forwarding.take(new, 8)] == [number]
    await registry.forwarding.answer(new, number, ANSWER)
    assert await registry.forwarding.read(number) == ANSWER


async def test_what_was_not_taken_is_not_answered_nor_answered_twice(registry: Registry) -> None:
    fence = await owned(registry)
    number = await ask(registry)
    await registry.forwarding.answer(fence, number, ANSWER)
    assert await registry.forwarding.read(number) is None
    await registry.forwarding.take(fence, 8)
    await registry.forwarding.answer(fence, number, ANSWER)
    await registry.forwarding.answer(fence, number, ForwardedAnswer(b"another"))
    assert await registry.forwarding.read(number) == ANSWER


async def test_a_refusal_keeps_its_reason(registry: Registry) -> None:
    fence = await owned(registry)
    number = await ask(registry)
    await registry.forwarding.take(fence, 8)
    refusal = ForwardedAnswer(b"", Reason.ANSWER_OVERDUE, "15 s")
    await registry.forwarding.answer(fence, number, refusal)
    assert await registry.forwarding.read(number) == refusal


async def test_what_is_too_large_is_refused(registry: Registry) -> None:
    fence = await owned(registry)
    with pytest.raises(LimitExceeded):
        await ask(registry, bytes(MAX_BYTES + 1))
    number = await ask(registry, bytes(MAX_BYTES))
    await registry.forwarding.take(fence, 8)
    await registry.forwarding.answer(fence, number, ForwardedAnswer(bytes(MAX_BYTES + 1)))
    answer = await registry.forwarding.read(number)
    assert answer is not None
    assert (answer.content, answer.reason) == (b"", Reason.LIMIT_EXCEEDED)


async def test_only_so_many_wait_for_one_peer(registry: Registry) -> None:
    await owned(registry)
    await acquire(registry, SUZHOU)
    numbers = [await ask(registry) for _ in range(MAX_WAITING)]
    with pytest.raises(RateLimited):
        await ask(registry)
    await registry.forwarding.ask(SUZHOU, ForwardKind.HELLO, b"", WEST)
    await registry.forwarding.withdraw(numbers[0])
    await ask(registry)
