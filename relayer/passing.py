"""What a gateway that enforces order is asked, and shown: where it stands, and what is gone.

A packet that ended without a receipt holds up such a gateway until it is passed over. While its
commitment stands it is shown as any packet, too late; once it is refunded, its absence is.

Source: design section 3, "Order"; ICS-04, ordered channels that allow timeouts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.paths import commitment_key, next_sequence_receive_key, next_sequence_send_key
from hub.wire.headers import height_to_proto
from relayer.reproof import KEYS, ask
from relayer.verification import Root, prove_gone, prove_next_sequence

if TYPE_CHECKING:
    from hub.core.height import Height
    from hub.core.ids import ClientId, PeerId
    from hub.core.lane import LaneKey
    from hub.core.ranges import RangeSet
    from relayer.switchboard import Switchboard

MOST: int = KEYS - 1
"""Sequences that are asked for together, beside the source's next one."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Sequences that the source commits to no more, as its header at *height* shows."""

    sequences: RangeSet
    height: Height
    message: pb.PassOver


async def find_gone(board: Switchboard, lane: LaneKey, lapsed: RangeSet) -> Gone:
    """Those of *lapsed*, at most ``MOST``, that are gone from *lane*'s source, each proven.

    Raises ``HubError``.
    """
    client = lane.source_client
    keeper = await board.keeper(lane.source_peer)
    state = keeper.latest_verified()
    following = next_sequence_send_key(client)
    keys = sorted([*[commitment_key(client, sequence) for sequence in lapsed], following])
    answer = await ask(board, keeper, state, keys, batch=False)
    pairs = zip(answer.values, answer.proofs, strict=True)
    shown = dict(zip(keys, pairs, strict=True))
    root = Root(keeper.light_client, keeper.hub_client.anchor.prefix, state)
    end, gone = await asyncio.get_running_loop().run_in_executor(
        board.pool_of(keeper.peer), prove_gone, root, client, lapsed, shown
    )
    proofs = {sequence: shown[commitment_key(client, sequence)][1] for sequence in gone}
    message = pb.PassOver(
        gone=[pb.GoneSequence(sequence=one, proof=proof) for one, proof in proofs.items()],
        next_sequence=end,
        next_sequence_proof=shown[following][1],
        proof_height=height_to_proto(state.height),
    )
    return Gone(gone, state.height, message)


async def next_to_send(board: Switchboard, peer: PeerId, client: ClientId) -> int:
    """The proven next sequence that *peer*'s chain gives out for *client*. Raises ``HubError``."""
    return await _next_sequence(board, peer, next_sequence_send_key(client))


async def next_to_receive(board: Switchboard, peer: PeerId, client: ClientId) -> int:
    """The proven next sequence that *peer*'s gateway, which enforces order, receives for *client*.

    Raises ``HubError``.
    """
    return await _next_sequence(board, peer, next_sequence_receive_key(client))


async def _next_sequence(board: Switchboard, peer: PeerId, key: bytes) -> int:
    keeper = await board.keeper(peer)
    state = keeper.latest_verified()
    answer = await ask(board, keeper, state, [key], batch=False)
    root = Root(keeper.light_client, keeper.hub_client.anchor.prefix, state)
    return prove_next_sequence(root, key, answer.values[0], answer.proofs[0])
