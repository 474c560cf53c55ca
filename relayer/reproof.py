"""Ask a chain's adapter for fresh proofs at the newest verified height, and check them here first.

What was held by a freeze or pause, or goes on only in part, is proven afresh.

Source: design section 3, "What leaves them is proven afresh at a new height".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import ConsensusStateMissing, FrameInvalid
from hub.wire.frames import height_from_proto, height_to_proto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import ConsensusState
    from hub.core.height import Height
    from hub.core.ids import PeerId
    from relayer.headers import HeaderKeeper
    from relayer.switchboard import Switchboard


async def fresh_batch(
    board: Switchboard, peer: PeerId, leaves: Sequence[tuple[bytes, bytes]]
) -> tuple[Height, bytes]:
    """A proof batch of *leaves* at *peer*'s newest height, verified. Raises ``HubError``."""
    keeper = await board.keeper(peer)
    state = await keeper.latest_verified()
    answer = await ask(board, keeper, state, [key for key, _ in leaves], batch=True)
    if len(answer.proofs) != 1:
        raise FrameInvalid(frame="answer", problem="does not hold one proof batch")
    batch, prefix = answer.proofs[0], keeper.hub_client.anchor.prefix
    await asyncio.get_running_loop().run_in_executor(
        board.pool, keeper.light_client.verify_batch, state.root, prefix, leaves, batch
    )
    return state.height, batch


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
    where the answer is of another height.
    """
    request = pb.ProofRequest(keys=keys, height=height_to_proto(state.height), batch=batch)
    answer = await board.session(keeper.peer).request(pb.Request(proofs=request))
    height = height_from_proto(answer.proofs.height)
    if height != state.height:
        raise ConsensusStateMissing(client=keeper.hub_client.name, height=height.number)
    if not batch and not len(answer.proofs.proofs) == len(answer.proofs.values) == len(keys):
        raise FrameInvalid(frame="answer", problem="has another number of proofs than keys")
    return answer.proofs
