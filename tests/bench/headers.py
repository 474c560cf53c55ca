"""A chain's headers: real CometBFT blocks of four validators, one a second, signed beforehand.

Source: design section 8, "at least one header a second and peer".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.simchain.blocks import Contents, make_block
from adapters.simchain.validators import Schedule
from hub.core.client import Anchor
from hub.core.height import Height
from hub.core.ids import ChainId
from hub.core.time import SECOND, Timestamp
from hub.wire.frames import headers_to_proto
from tests.bench.load import OPTIONS, PREFIX
from tests.bench.plan import chain_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.simchain.blocks import LightBlock
    from hub.core.ids import PeerId

VALIDATORS: Final = 4
_TURN: Final = 50
"""Blocks from one change of the validator set to the next."""


class Headers:
    """The headers of one chain by height, from 1 on, all of one root."""

    def __init__(self, peer: PeerId, root: bytes, first_at: Timestamp, count: int) -> None:
        """*count* headers, the first one of time *first_at* (ns), the others a second apart."""
        self._first_at = first_at
        self._blocks: list[LightBlock] = []
        schedule = Schedule(peer.encode(), VALIDATORS, _TURN)
        last: LightBlock | None = None
        for number in range(count):
            time = Timestamp(first_at + number * SECOND)
            contents = Contents(time=time, transactions=(), app_hash=root, last_codes=())
            last = make_block(chain_id(peer), schedule, last, contents)
            self._blocks.append(last)
        self._schedule = schedule

    def height_at(self, now: Timestamp) -> int:
        """The newest height whose time has come."""
        return min((now - self._first_at) // SECOND + 1, len(self._blocks))

    def until_next(self, now: Timestamp) -> int:
        """Nanoseconds until the next header is due."""
        return SECOND - (now - self._first_at) % SECOND

    def batch(self, heights: Sequence[int]) -> pb.HeaderBatch:
        """The headers of *heights*."""
        return headers_to_proto([self._blocks[height - 1].header for height in heights])

    @property
    def anchor(self) -> Anchor:
        """What the operator writes down: the first header."""
        block = self._blocks[0]
        return Anchor(
            client_type="07-tendermint",
            chain_id=ChainId(block.signed.header.chain_id),
            height=Height(1, block.signed.header.height),
            header_hash=block.hash,
            next_validators_hash=self._schedule.at(2).hash,
            options=OPTIONS,
            prefix=PREFIX,
        )
