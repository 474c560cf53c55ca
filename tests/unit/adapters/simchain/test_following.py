from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.codec import encode_transaction
from adapters.simchain.following import MAX_PART, MAX_PARTS, answers
from adapters.simchain.messages import CreateClient, Transaction
from adapters.simchain.node import Node
from hub.core.errors import FieldInvalid, HeaderNotFound
from hub.core.time import SECOND
from hub.light_clients.cometbft.codec import encode_signed_header
from tests.harness.anchors import make_anchor
from tests.harness.clock import ManualClock, settle
from tests.harness.simchain import chain_of

if TYPE_CHECKING:
    from ydhub.simchain.v1 import simchain_service_pb2 as pb

    from adapters.simchain.chain import Chain


def node_of(blocks: int) -> tuple[Node, ManualClock]:
    clock = ManualClock()
    node = Node(chain_of("hangzhou"), clock)
    for _ in range(blocks):
        node.produce()
    return node, clock


def whole(chain: Chain, *said: pb.FollowBlocksResponse) -> range:
    """The heights of the blocks that were said, each as the chain has it."""
    record, height = b"", 0
    found = []
    for part in [part for answer in said for part in answer.parts]:
        record += part.record
        if part.header:
            height = height or next(
                at for at in range(1, chain.height + 1) if chain.record(at) == record
            )
            assert record == chain.record(height)
            assert part.header == encode_signed_header(chain.light_block(height).signed)
            found.append(height)
            record, height = b"", height + 1
    assert record == b""
    return range(found[0], found[-1] + 1) if found else range(0)


async def test_blocks_come_from_where_they_are_asked_for_and_go_on() -> None:
    node, clock = node_of(5)
    async with aclosing(answers(node, 3, clock)) as stream:
        first = await anext(stream)
        assert (whole(node.chain, first), first.height) == (range(3, 6), 5)
        waiting = asyncio.ensure_future(anext(stream))
        await settle()
        assert not waiting.done()
        node.produce()
        assert whole(node.chain, await waiting) == range(6, 7)


async def test_something_is_said_each_second_if_no_block() -> None:
    node, clock = node_of(1)
    async with aclosing(answers(node, 2, clock)) as stream:
        assert list((await anext(stream)).parts) == []
        for _ in range(2):
            waiting = asyncio.ensure_future(anext(stream))
            await settle()
            assert not waiting.done()
            await clock.advance(SECOND)
            said = await waiting
            assert (list(said.parts), said.height) == ([], 1)


async def test_many_blocks_come_in_bounded_answers_and_none_twice() -> None:
    node, clock = node_of(2 * MAX_PARTS + 10)
    async with aclosing(answers(node, 1, clock)) as stream:
        said = [await anext(stream) for _ in range(3)]
    assert [len(answer.parts) for answer in said] == [MAX_PARTS, MAX_PARTS, 10]
    assert whole(node.chain, *said) == range(1, 2 * MAX_PARTS + 11)


async def test_nothing_is_read_ahead_of_a_slow_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    node, clock = node_of(3 * MAX_PARTS)
    read: list[int] = []
    record = node.chain.record

    def counted(height: int) -> bytes:
        read.append(height)
        return record(height)

    monkeypatch.setattr(node.chain, "record", counted)
    async with aclosing(answers(node, 1, clock)) as stream:
        await anext(stream)
        await settle()
        assert len(read) == MAX_PARTS


async def test_a_long_block_comes_in_parts_and_nobody_s_answer_is_long() -> None:
    node, clock = node_of(1)
    message = CreateClient(anchor=make_anchor(), ordered=False, opening="o" * (MAX_PART + 7))
    await node.submit(
        encode_transaction(Transaction(signer="r", nonce=0, messages=(message, message)))
    )
    node.produce()
    node.produce()
    async with aclosing(answers(node, 1, clock)) as stream:
        said = [await anext(stream) for _ in range(3)]
    assert max(answer.ByteSize() for answer in said) <= 2 * MAX_PART + 4096
    assert max(len(part.record) for answer in said for part in answer.parts) == MAX_PART
    assert whole(node.chain, *said) == range(1, 4)


async def test_blocks_made_while_a_reader_is_slow_are_not_left_out() -> None:
    node, clock = node_of(1)
    async with aclosing(answers(node, 1, clock)) as stream:
        said = [await anext(stream)]
        for _ in range(3):
            node.produce()
        said += [await anext(stream)]
        node.produce()
        said += [await anext(stream)]
    assert whole(node.chain, *said) == range(1, 6)


@pytest.mark.parametrize(
    ("height", "error"), [(0, FieldInvalid), (3, HeaderNotFound), (2**64 - 1, HeaderNotFound)]
)
async def test_a_height_that_is_not_next_or_before_is_refused(
    height: int, error: type[Exception]
) -> None:
    node, clock = node_of(1)
    with pytest.raises(error):
        await anext(answers(node, height, clock))
