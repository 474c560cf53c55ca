"""What the relayer asks for as the chain's own messages, one for each packet.

A proof batch is expanded into ordinary proofs: the chain knows no batches, and judges each by its
own client.

Source: ibc-go v10 modules/core/04-channel/v2/types/tx.proto; design section 4, "Proof batches".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from adapters.cosmos import queries
from adapters.cosmos.tx.messages import AcknowledgePacket, ReceivePacket, TimeOutPacket
from adapters.sdk.execution import Acknowledge, Freeze, PassOver, Receive, TimeOut
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import FieldInvalid
from hub.core.paths import acknowledgement_key, commitment_key
from hub.light_clients.proofs.expand import expand_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.cosmos.rpc.node import CometNode
    from adapters.cosmos.tx.messages import Message
    from adapters.sdk.execution import Action
    from hub.core.ids import ClientId
    from hub.core.record import SkippedLeaf

ENVELOPE_BYTES = 512
"""More than a message has beside its packet, its proof and its acknowledgement."""


@dataclass(frozen=True, slots=True)
class PacketMessage:
    """The message of one packet, and more bytes than it has."""

    sequence: int
    message: Message
    size: int


def packet_messages(action: Action | None, prefix: tuple[bytes, ...]) -> list[PacketMessage]:
    """The messages of *action*, sequences rising; the other chain commits under *prefix*.

    *action* passed ``check_counts``. Raises ``ProofUnparseable``, ``ProofBatchInvalid``,
    ``ProofSpecViolated`` or ``LimitExceeded``.
    """
    match action:
        case Receive():
            return _receive(action, prefix)
        case Acknowledge():
            return _acknowledge(action, prefix)
        case TimeOut():
            timeout = TimeOutPacket(
                packet=action.content, proof=action.proof, height=action.proof_height
            )
            size = len(action.content) + len(action.proof) + ENVELOPE_BYTES
            return [PacketMessage(action.packet.sequence, timeout, size)]
        case PassOver():
            raise FieldInvalid(field="pass_over", problem="asks for order, which is not enforced")
        case Freeze() | None:
            return []
        case _:
            assert_never(action)


def check_counts(action: Action | None) -> None:
    """*action* names at least one packet, and of each all that belongs to it.

    Raises ``FieldInvalid``.
    """
    match action:
        case Receive(packets=packets):
            parts = [len(action.contents)]
        case Acknowledge(packets=packets):
            parts = [
                len(action.contents),
                len(action.acknowledgements),
                len(action.acknowledgement_contents),
            ]
        case _:
            return
    if not packets:
        raise FieldInvalid(field="packets", problem="are none")
    if any(count != len(packets) for count in parts):
        raise FieldInvalid(field="packets", problem=f"are {len(packets)}, with parts of others")


async def done_before(
    node: CometNode, client: ClientId, action: Action | None, sequences: Sequence[int], at: int
) -> frozenset[int]:
    """Those of *sequences* of which *action* had its effect, by whomever, in state *at*.

    Received means that a receipt stands; acknowledged or timed out, that the commitment is gone. A
    state before the packets were sent has no commitment either, so *at* must not be one of those.
    Raises ``ChainUnreachable``, or ``HeaderNotFound`` where no node has that state.
    """
    match action:
        case Receive():
            return await queries.receipts(node, client, sequences, at)
        case Acknowledge() | TimeOut():
            return frozenset(sequences) - await queries.commitments(node, client, sequences, at)
        case _:
            return frozenset()


def _receive(action: Receive, prefix: tuple[bytes, ...]) -> list[PacketMessage]:
    source = action.packets[0].source_client
    committed = [(packet.sequence, commit_packet(packet)) for packet in action.packets]
    proofs = _proofs(
        committed, action.skipped, lambda s: commitment_key(source, s), prefix, action.proof_batch
    )
    found: list[PacketMessage] = []
    for packet, content in zip(action.packets, action.contents, strict=True):
        proof = proofs[packet.sequence]
        message = ReceivePacket(packet=content, proof=proof, height=action.proof_height)
        size = len(content) + len(proof) + ENVELOPE_BYTES
        found.append(PacketMessage(packet.sequence, message, size))
    return found


def _acknowledge(action: Acknowledge, prefix: tuple[bytes, ...]) -> list[PacketMessage]:
    other = action.packets[0].destination_client
    answers = [
        (packet.sequence, commit_acknowledgement(answer))
        for packet, answer in zip(action.packets, action.acknowledgements, strict=True)
    ]
    proofs = _proofs(
        answers, action.skipped, lambda s: acknowledgement_key(other, s), prefix, action.proof_batch
    )
    found: list[PacketMessage] = []
    for at, packet in enumerate(action.packets):
        content, answer = action.contents[at], action.acknowledgement_contents[at]
        proof = proofs[packet.sequence]
        message = AcknowledgePacket(
            packet=content, acknowledgement=answer, proof=proof, height=action.proof_height
        )
        size = len(content) + len(answer) + len(proof) + ENVELOPE_BYTES
        found.append(PacketMessage(packet.sequence, message, size))
    return found


def _proofs(
    shown: Sequence[tuple[int, bytes]],
    skipped: Sequence[SkippedLeaf],
    key: Callable[[int], bytes],
    prefix: tuple[bytes, ...],
    batch: bytes,
) -> dict[int, bytes]:
    """By sequence the whole proof of each leaf of *batch*."""
    leaves = sorted([*shown, *[(leaf.sequence, leaf.commitment) for leaf in skipped]])
    keyed = [(key(sequence), commitment) for sequence, commitment in leaves]
    proofs = expand_batch(prefix, keyed, batch)
    return {sequence: proof for (sequence, _), proof in zip(leaves, proofs, strict=True)}
