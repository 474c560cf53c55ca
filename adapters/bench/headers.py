"""A chain's headers: real CometBFT blocks of four validators, one a second.

Each is made when it is due, with the root that the store has then; so it may be proven under from
the moment on when it is sent.

Source: design section 8, "at least one header a second and peer".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.bench.load import OPTIONS, PREFIX
from adapters.bench.workload import chain_id
from adapters.simchain.blocks import Contents, make_block
from adapters.simchain.validators import Schedule
from hub.core.client import Anchor
from hub.core.height import Height
from hub.core.ids import ChainId
from hub.core.time import SECOND, Timestamp
from hub.wire.frames import headers_to_proto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.simchain.blocks import LightBlock
    from hub.core.ids import PeerId

VALIDATORS: Final = 4
_TURN: Final = 50
"""Blocks from one change of the validator set to the next."""


class Headers:
    """The headers of one chain by height, from 1 on."""

    def __init__(self, peer: PeerId, root: bytes, first_at: Timestamp) -> None:
        """The first header, of time *first_at* (ns) and *root*; the others are a second apart."""
        self.root = root
        """What headers to come carry."""
        self._chain = chain_id(peer)
        self._first_at = first_at
        self._schedule = Schedule(peer.encode(), VALIDATORS, _TURN)
        self._blocks: list[LightBlock] = []
        self._make()

    @property
    def height(self) -> int:
        """The newest header's."""
        return len(self._blocks)

    def advance(self, now: Timestamp) -> bool:
        """Every header whose time has come is made; whether there was one."""
        due = (now - self._first_at) // SECOND + 1
        before = self.height
        while self.height < due:
            self._make()
        return self.height > before

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

    def _make(self) -> None:
        last = self._blocks[-1] if self._blocks else None
        time = Timestamp(self._first_at + self.height * SECOND)
        contents = Contents(time=time, transactions=(), app_hash=self.root, last_codes=())
        self._blocks.append(make_block(self._chain, self._schedule, last, contents))
