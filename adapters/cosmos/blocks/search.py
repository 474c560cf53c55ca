"""In which block a packet was sent, or an acknowledgement written, without the node's own index.

The chain's states tell: a sequence was given out as soon as the next one to send is above it, and
an acknowledgement stands from its block on for ever. So its block is found by halving a range of
heights, first in steps that double away from a likely place: sequences that follow each other came
in neighbouring blocks. Where a node has dropped old states, the range ends at the oldest state
kept, and the results of the blocks below it are read one after the other.

Source: ibc-go v10 modules/core/04-channel/v2/keeper/packet.go (sendPacket, writeAcknowledgement);
cosmos-sdk store/types/store.go (pruning).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from adapters.cosmos import queries
from hub.core.errors import HeaderNotFound, LimitExceeded, RecordCorrupt
from hub.core.lane import Side
from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.cosmos.blocks.events import BlockFacts
    from adapters.cosmos.rpc.node import CometNode
    from hub.core.ids import ClientId

    Probe = Callable[[int], Awaitable[bool | None]]

MAX_WALK: Final = 200_000
"""Blocks read below the oldest state: two days of one a second. A packet lives one day at most
before it may be timed out."""
_AT_ONCE: Final = 8
"""Blocks read at the same time."""
_TOLD_EVERY: Final = 2_000
"""Blocks between two lines of the log."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Onset:
    """Where something begins to hold."""

    height: int
    is_exact: bool
    """Whether it is seen not to hold one below; else it may have begun earlier."""


async def find_onset(probe: Probe, low: int, high: int, near: int) -> Onset | None:
    """The lowest height of *low* to *high* at which *probe* holds; None if it never does.

    *probe* tells None where the state is not kept any more; below it none is. Looked for around
    *near* first.
    """
    if not await probe(high):
        return None
    below, holds, is_exact = low - 1, high, False
    step, at = 1, max(low, min(near, high - 1))
    rises: bool | None = None
    while below < at < holds:
        answer = await probe(at)
        if answer:
            holds = at
        else:
            below, is_exact = at, answer is False
        if rises is not None and rises is bool(answer):
            break
        rises = not answer
        at += step if rises else -step
        step *= 2
    while holds - below > 1:
        middle = (below + holds) // 2
        answer = await probe(middle)
        if answer:
            holds = middle
        else:
            below, is_exact = middle, answer is False
    return Onset(holds, is_exact)


class BlockSearch:
    """Searches one chain's past for one client on one side."""

    def __init__(
        self,
        node: CometNode,
        client: ClientId,
        side: Side,
        read: Callable[[int], Awaitable[BlockFacts]],
    ) -> None:
        """A search that has blocks read by *read*, which notes all that they did."""
        self._node = node
        self._client = client
        self._side = side
        self._read = read
        self._near = 0
        self._walked = EMPTY

    async def find(self, sequence: int, high: int) -> bool:
        """Whether *sequence* stands under the state *high*; then its block has been read.

        Raises ``HeaderNotFound`` where the node does not keep that block any more,
        ``RecordCorrupt`` where it does not show what its own states say, and ``LimitExceeded``
        where the block is too large to be read.
        """
        earliest = max(await self._node.lowest(), 1)
        near = self._near or high - 1
        onset = await find_onset(self._prober(sequence), min(earliest, high), high, near)
        if onset is None:
            return False
        self._near = onset.height
        if not onset.is_exact:
            await self._walk(sequence, onset.height, earliest)
        elif not self._holds(await self._read(onset.height), sequence):
            raise RecordCorrupt(
                what=f"results of block {onset.height}",
                stored=f"no sequence {sequence} of {self._client}",
                computed="one, by the states before and after it",
            )
        return True

    def _prober(self, sequence: int) -> Probe:
        async def is_sent(height: int) -> bool:
            return await queries.next_sequence_send(self._node, self._client, height) > sequence

        async def is_written(height: int) -> bool:
            return bool(
                await queries.acknowledgements(self._node, self._client, (sequence,), height)
            )

        holds = is_sent if self._side is Side.SOURCE else is_written

        async def probe(height: int) -> bool | None:
            try:
                return await holds(height)
            except HeaderNotFound:
                return None

        return probe

    async def _walk(self, sequence: int, top: int, bottom: int) -> None:
        """Blocks are read from *top* down to that of *sequence*. Raises ``HeaderNotFound``."""
        span = RangeSet.span(max(bottom, top - MAX_WALK), top + 1) - self._walked
        heights = sorted(span, reverse=True)
        for start in range(0, len(heights), _AT_ONCE):
            some = heights[start : start + _AT_ONCE]
            if start and start % _TOLD_EVERY == 0:
                _log.info("blocks_walked", client=self._client, height=some[0], bottom=bottom)
            answers = await asyncio.gather(*map(self._read, some), return_exceptions=True)
            if self._take(sequence, some, answers):
                return
        raise self._pruned(sequence, max(bottom, top - MAX_WALK) - 1)

    def _take(
        self, sequence: int, heights: list[int], answers: list[BlockFacts | BaseException]
    ) -> bool:
        """Whether *sequence* came in one of *heights*. Raises what went wrong at the highest."""
        is_found = False
        for height, answer in zip(heights, answers, strict=True):
            if isinstance(answer, LimitExceeded):
                # What came in it cannot be shown; what came before it can.
                _log.warning("block_not_walked", height=height, detail=str(answer))
                self._walked |= RangeSet.span(height, height + 1)
                continue
            if isinstance(answer, BaseException):
                if is_found:
                    break
                if isinstance(answer, HeaderNotFound):
                    raise self._pruned(sequence, height)
                raise answer
            self._walked |= RangeSet.span(height, height + 1)
            if self._holds(answer, sequence):
                self._near, is_found = height, True
        return is_found

    def _holds(self, facts: BlockFacts, sequence: int) -> bool:
        contents = facts.sent if self._side is Side.SOURCE else facts.written
        return sequence in contents.get(self._client, {})

    def _pruned(self, sequence: int, height: int) -> HeaderNotFound:
        needed = f"an archive node is needed for {self._client} sequence {sequence}"
        return HeaderNotFound(client=f"{self._node.chain_id} ({needed})", height=height)
