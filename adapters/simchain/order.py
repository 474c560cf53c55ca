"""The order that the gateway enforces for an ordered pair of clients: what it receives next.

It receives the next sequence only. It passes over one that comes too late, once its commitment is
proven, and over one that the other chain has given out and commits to no more: that one was
refunded, for had it been answered, it would have been received. Nothing that was passed over is
received later.

Source: ICS-04, ordered channels that allow timeouts (recvPacket).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.simchain.client_store import STORE
from adapters.simchain.events import SequencePassedOver
from adapters.simchain.messages import Effect, Outcome
from hub.core.errors import FieldInvalid, LimitExceeded
from hub.core.packet import MAX_SEQUENCE
from hub.core.paths import commitment_key, next_sequence_receive_key, next_sequence_send_key
from hub.light_clients.proofs.batch_codec import MAX_LEAVES

if TYPE_CHECKING:
    from adapters.simchain.clients import Clients, End
    from adapters.simchain.messages import PassOverSequences
    from adapters.simchain.state import State
    from hub.core.ids import ClientId
    from hub.core.time import Timestamp


def next_receive(state: State, client: ClientId) -> int:
    """The sequence that the ordered *client* receives next."""
    return int.from_bytes(state.get(STORE, next_sequence_receive_key(client)) or b"\x01", "big")


def advance(state: State, client: ClientId) -> None:
    """The next sequence is dealt with, and the one after it is the next."""
    following = next_receive(state, client) + 1
    state.set(STORE, next_sequence_receive_key(client), following.to_bytes(8, "big"))


def pass_gone(state: State, client: ClientId) -> None:
    """What is next is not known to be gone: what was is passed over."""
    while state.get(STORE, _gone_key(client, next_receive(state, client))) is not None:
        sequence = next_receive(state, client)
        state.remove(STORE, _gone_key(client, sequence))
        state.events.append(SequencePassedOver(client, sequence))
        advance(state, client)


def pass_over(
    clients: Clients, state: State, message: PassOverSequences, now: Timestamp
) -> tuple[Outcome, ...]:
    """Each sequence, proven gone from the other chain, is passed over when its turn comes.

    Where all were dealt with before, nothing is verified. Raises as ``end`` of clients,
    ``FieldInvalid``, ``LimitExceeded``, ``ConsensusStateMissing``, or as the light client does.
    """
    end = clients.end(state, message.client, now)
    if not end.counterparty.ordered:
        raise FieldInvalid(field="client", problem=f"{end.client} is not of an ordered pair")
    _check(message)
    fresh = [one.sequence for one in message.gone if not _is_dealt_with(state, end, one.sequence)]
    if fresh:
        _verify(clients, state, end, message)
    for sequence in fresh:
        state.set(STORE, _gone_key(end.client, sequence), b"\x01")
    pass_gone(state, end.client)
    return tuple(
        [
            Outcome(
                one.sequence,
                Effect.EXECUTED if one.sequence in fresh else Effect.ALREADY_DONE,
            )
            for one in message.gone
        ]
    )


def _is_dealt_with(state: State, end: End, sequence: int) -> bool:
    is_behind = sequence < next_receive(state, end.client)
    return is_behind or state.get(STORE, _gone_key(end.client, sequence)) is not None


def _check(message: PassOverSequences) -> None:
    if not 1 <= len(message.gone) <= MAX_LEAVES:
        what = "sequences to pass over"
        raise LimitExceeded(what=what, count=len(message.gone), limit=MAX_LEAVES)
    last = 0
    for one in message.gone:
        if not last < one.sequence <= MAX_SEQUENCE:
            raise FieldInvalid(field="gone", problem=f"sequence {one.sequence} does not rise")
        last = one.sequence
    if not last < message.next_sequence <= MAX_SEQUENCE:
        problem = f"{message.next_sequence} is not after {last}"
        raise FieldInvalid(field="next_sequence", problem=problem)


def _verify(clients: Clients, state: State, end: End, message: PassOverSequences) -> None:
    """One header shows that the other chain gave the sequences out, and commits to none of them."""
    other, height = end.counterparty.client, message.proof_height
    leaf = (next_sequence_send_key(other), message.next_sequence.to_bytes(8, "big"))
    clients.verify_presence(state, end, height, leaf, message.next_sequence_proof)
    for one in message.gone:
        clients.verify_absence(state, end, height, commitment_key(other, one.sequence), one.proof)


def _gone_key(client: ClientId, sequence: int) -> bytes:
    return b"passedOver/" + client.encode() + b"/" + sequence.to_bytes(8, "big")
