"""The blocks that a chain has made: all headers as bytes, the last blocks with what they did.

However long and busy a chain is, what is kept of old blocks is a header each.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.simchain.blocks import LightBlock
from hub.light_clients.cometbft.codec import decode_signed_header, encode_signed_header

if TYPE_CHECKING:
    from adapters.simchain.events import Event
    from adapters.simchain.messages import Result
    from adapters.simchain.validators import Schedule
    from hub.core.time import Timestamp

MAX_BLOCKS: Final = 512
"""Blocks whose results and events are kept."""
MAX_EVENTS: Final = 100_000
"""Events of all those blocks; beyond that fewer blocks are kept, but always the last one."""


@dataclass(frozen=True, slots=True)
class Block:
    """A decided block, and what it did."""

    light: LightBlock
    results: tuple[Result, ...]
    events: tuple[Event, ...]

    @property
    def height(self) -> int:
        """Its height, from 1."""
        return self.light.signed.header.height

    @property
    def time(self) -> Timestamp:
        """Its header's time."""
        return self.light.signed.header.time


class History:
    """The blocks of one chain."""

    def __init__(self, schedule: Schedule) -> None:
        """No block yet; *schedule* tells who signed which."""
        self._schedule = schedule
        self._headers: list[bytes] = []
        self._blocks: deque[Block] = deque()
        self._events = 0
        self._results: dict[bytes, Result] = {}

    @property
    def height(self) -> int:
        """The newest block's height, 0 before the first."""
        return len(self._headers)

    @property
    def last(self) -> LightBlock | None:
        """The newest block, if there is one."""
        return self._blocks[-1].light if self._blocks else None

    def add(self, block: Block) -> None:
        """*block* is the newest; the oldest go if there are too many, or too many events."""
        self._headers.append(encode_signed_header(block.light.signed))
        self._blocks.append(block)
        self._events += len(block.events)
        for result in block.results:
            self._results[result.tx_hash] = result
        while len(self._blocks) > MAX_BLOCKS or (
            self._events > MAX_EVENTS and len(self._blocks) > 1
        ):
            self._forget(self._blocks.popleft())

    def light_block(self, height: int) -> LightBlock | None:
        """The header, commit and validators of the block at *height*; None if there is none."""
        if not 1 <= height <= self.height:
            return None
        kept = self.block(height)
        if kept is not None:
            return kept.light
        signed = decode_signed_header(self._headers[height - 1])
        return LightBlock(signed, self._schedule.at(height))

    def block(self, height: int) -> Block | None:
        """The block at *height* with what it did; None if it is too old, or not made yet."""
        index = height - self.height + len(self._blocks) - 1
        return self._blocks[index] if 0 <= index < len(self._blocks) else None

    def result(self, tx_hash: bytes) -> Result | None:
        """What became last of the transaction with *tx_hash*; None if no kept block has it."""
        return self._results.get(tx_hash)

    def _forget(self, block: Block) -> None:
        self._events -= len(block.events)
        for result in block.results:
            # A later block may hold the same transaction again.
            if self._results.get(result.tx_hash) is result:
                del self._results[result.tx_hash]
