"""A chain's blocks for the city's full nodes: in order, in bounded answers, as fast as they read.

A block is what it was made from and the signed header that it led to: whoever makes it again must
come to the same header. Nothing is kept for a follower; it says where it stands.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ydhub.simchain.v1 import simchain_service_pb2 as pb

from adapters.sdk.waiting import within
from hub.core.errors import FieldInvalid, HeaderNotFound
from hub.core.time import SECOND, Duration
from hub.light_clients.cometbft.codec import encode_signed_header

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from adapters.sdk.clock import Clock
    from adapters.simchain.chain import Chain
    from adapters.simchain.node import ChainNode

MAX_PARTS: Final = 64
MAX_PART: Final = 512 * 1024
"""Bytes of a record in one part; an answer that holds so many takes no further part."""
TELLS_EVERY: Final = Duration(SECOND)
"""A follower hears something so often (ns), if no block."""


async def answers(
    node: ChainNode, from_height: int, clock: Clock
) -> AsyncGenerator[pb.FollowBlocksResponse, None]:
    """The blocks from *from_height* on, without an end.

    Raises ``FieldInvalid`` or ``HeaderNotFound``.
    """
    chain, at = node.chain, from_height
    if at < 1:
        raise FieldInvalid(field="from_height", problem="is 0; blocks count from 1")
    if at > chain.height + 1:
        raise HeaderNotFound(client=chain.config.chain_id, height=at)
    while True:
        last = chain.height
        for answer in _answers(chain, at, last):
            yield answer
        at = last + 1
        with suppress(TimeoutError):
            await within(node.above(last), clock, TELLS_EVERY)


def _answers(chain: Chain, first: int, last: int) -> Iterator[pb.FollowBlocksResponse]:
    """The blocks from *first* to *last*; one without a block where there is none."""
    parts: list[pb.BlockPart] = []
    size = 0
    for height in range(first, last + 1):
        for part in _parts(chain, height):
            parts.append(part)
            size += len(part.record)
            if size >= MAX_PART or len(parts) >= MAX_PARTS:
                yield pb.FollowBlocksResponse(parts=parts, height=chain.height)
                parts, size = [], 0
    if parts or first > last:
        yield pb.FollowBlocksResponse(parts=parts, height=chain.height)


def _parts(chain: Chain, height: int) -> Iterator[pb.BlockPart]:
    """The block at *height*; its header is in the last part."""
    record = chain.record(height)
    header = encode_signed_header(chain.light_block(height).signed)
    for start in range(0, len(record), MAX_PART):
        end = start + MAX_PART
        yield pb.BlockPart(record=record[start:end], header=header if end >= len(record) else b"")
