"""Ask a chain's adapter for fresh proofs at the newest verified height, and check them here first.

What was held by a freeze or pause, or goes on only in part, is proven afresh.

Source: design section 3, "What leaves them is proven afresh at a new height".
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    ChainUnreachable,
    ConsensusStateMissing,
    FrameInvalid,
    LimitExceeded,
)
from hub.wire.headers import height_from_proto, height_to_proto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import ConsensusState
    from hub.core.height import Height
    from hub.core.ids import PeerId
    from relayer.headers import HeaderKeeper
    from relayer.switchboard import Switchboard

    Leaf = tuple[bytes, bytes]

KEYS: Final = 256
"""Whole proofs that are asked for together."""
MAX_PARTS: Final = 8
"""Answers that they come in, where one has not room for all."""


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

    Whole proofs may come in several answers, each of which says by its count what it has room for.
    Raises ``AdapterOffline``, ``AnswerOverdue``, ``ChainUnreachable``, ``ConsensusStateMissing``
    where an answer is of another height, ``FrameInvalid`` where its counts are others, or
    ``LimitExceeded`` where there are too many answers.
    """
    if batch:
        answer = await _ask(board, keeper, state, keys, batch=True)
        if len(answer.proofs) != 1:
            raise FrameInvalid(frame="answer", problem=f"has {len(answer.proofs)} batches, not one")
        return answer
    whole = pb.ProofAnswer(height=height_to_proto(state.height))
    room = len(keys)
    for _ in range(MAX_PARTS):
        start = len(whole.proofs)
        answer = await _ask(board, keeper, state, keys[start : start + room], batch=False)
        room = len(answer.proofs)
        if not 0 < room <= len(keys) - start or len(answer.values) != room:
            raise FrameInvalid(frame="answer", problem="has another number of proofs than keys")
        whole.MergeFrom(pb.ProofAnswer(values=answer.values, proofs=answer.proofs))
        if len(whole.proofs) == len(keys):
            return whole
    raise LimitExceeded(what="answers to one question", count=MAX_PARTS + 1, limit=MAX_PARTS)


async def _ask(
    board: Switchboard,
    keeper: HeaderKeeper,
    state: ConsensusState,
    keys: Sequence[bytes],
    *,
    batch: bool,
) -> pb.ProofAnswer:
    request = pb.ProofRequest(keys=keys, height=height_to_proto(state.height), batch=batch)
    answer = await board.reach(keeper.peer).request(pb.Request(proofs=request))
    height = height_from_proto(answer.proofs.height)
    if height != state.height:
        raise ConsensusStateMissing(client=keeper.hub_client.name, height=height.number)
    return answer.proofs


async def _batch(
    board: Switchboard, keeper: HeaderKeeper, state: ConsensusState, leaves: Sequence[Leaf]
) -> FreshBatch:
    answer = await ask(board, keeper, state, [key for key, _ in leaves], batch=True)
    content, prefix = answer.proofs[0], keeper.hub_client.anchor.prefix
    await asyncio.get_running_loop().run_in_executor(
        board.pool_of(keeper.peer),
        keeper.light_client.verify_batch,
        state.root,
        prefix,
        leaves,
        content,
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
