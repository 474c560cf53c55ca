"""Ask a chain's adapter for fresh proofs at the newest verified height, and check them here first.

What was held by a freeze or pause, or goes on only in part, is proven afresh.

Source: design section 3, "What leaves them is proven afresh at a new height".
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import ChainUnreachable, ConsensusStateMissing, FrameInvalid
from hub.wire.headers import height_from_proto, height_to_proto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import ConsensusState
    from hub.core.height import Height
    from hub.core.ids import PeerId
    from relayer.headers import HeaderKeeper
    from relayer.switchboard import Switchboard

    Leaf = tuple[bytes, bytes]

KEYS: Final = 64
"""Whole proofs of one request."""


@dataclass(frozen=True, slots=True)
class FreshBatch:
    """A verified proof batch, and what it shows."""

    height: Height
    content: bytes
    leaves: Sequence[Leaf]


async def fresh_batch(board: Switchboard, peer: PeerId, leaves: Sequence[Leaf]) -> FreshBatch:
    """A proof batch of *leaves* at *peer*'s newest height, verified.

    Those that no longer stand there, by the adapter's word, are left out where others do. Raises
    ``HubError``.
    """
    keeper = await board.keeper(peer)
    state = keeper.latest_verified()
    try:
        return await _batch(board, keeper, state, leaves)
    except ChainUnreachable:
        standing = await _standing(board, keeper, state, leaves) if len(leaves) > 1 else []
        if not 0 < len(standing) < len(leaves):
            raise
    return await _batch(board, keeper, state, standing)


async def ask(
    board: Switchboard,
    keeper: HeaderKeeper,
    state: ConsensusState,
    keys: Sequence[bytes],
    *,
    batch: bool,
) -> pb.ProofAnswer:
    """What the adapter says stands at *keys* under *state*'s root, unverified.

    Raises ``AdapterOffline``, ``AnswerOverdue``, ``ChainUnreachable``, ``ConsensusStateMissing``
    where the answer is of another height, or ``FrameInvalid`` where its counts are others.
    """
    request = pb.ProofRequest(keys=keys, height=height_to_proto(state.height), batch=batch)
    answer = await board.session(keeper.peer).request(pb.Request(proofs=request))
    height = height_from_proto(answer.proofs.height)
    if height != state.height:
        raise ConsensusStateMissing(client=keeper.hub_client.name, height=height.number)
    counts = (len(answer.proofs.proofs), len(answer.proofs.values))
    if counts[0] != (1 if batch else len(keys)) or (not batch and counts[1] != len(keys)):
        raise FrameInvalid(frame="answer", problem="has another number of proofs than keys")
    return answer.proofs


async def _batch(
    board: Switchboard, keeper: HeaderKeeper, state: ConsensusState, leaves: Sequence[Leaf]
) -> FreshBatch:
    answer = await ask(board, keeper, state, [key for key, _ in leaves], batch=True)
    content, prefix = answer.proofs[0], keeper.hub_client.anchor.prefix
    await asyncio.get_running_loop().run_in_executor(
        board.pool, keeper.light_client.verify_batch, state.root, prefix, leaves, content
    )
    return FreshBatch(state.height, content, leaves)


async def _standing(
    board: Switchboard, keeper: HeaderKeeper, state: ConsensusState, leaves: Sequence[Leaf]
) -> list[Leaf]:
    """Those of *leaves* whose value the adapter says stands there."""
    standing: list[Leaf] = []
    for start in range(0, len(leaves), KEYS):
        part = leaves[start : start + KEYS]
        answer = await ask(board, keeper, state, [key for key, _ in part], batch=False)
        pairs = zip(part, answer.values, strict=True)
        standing += [leaf for leaf, value in pairs if value == leaf[1]]
    return standing
