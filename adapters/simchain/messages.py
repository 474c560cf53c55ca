"""What the chain can be asked to do: messages, and the transactions that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.simchain.events import Event
    from hub.core.client import Anchor, Header
    from hub.core.errors import HubError
    from hub.core.height import Height
    from hub.core.ids import ClientId
    from hub.core.packet import Acknowledgement, Packet, Payload
    from hub.core.record import SkippedLeaf


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateClient:
    """A light client shall start at the chain operator's own anchor."""

    anchor: Anchor
    ordered: bool
    """Whether the gateway shall refuse every sequence but the next."""
    opening: str
    """Asking again with the same, not empty, finds the client that was created before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCounterparty:
    """A client is bound to the one at the other end, once and for all."""

    client: ClientId
    counterparty: ClientId
    prefix: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStep:
    """A header, and from where to verify it."""

    trusted_height: Height
    trusted_validators: bytes
    """Canonical bytes of the set that the trusted height names as next."""
    header: Header


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateClient:
    """Headers for a client, in order; the first one of all is the anchor's."""

    client: ClientId
    steps: tuple[UpdateStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitMisbehaviour:
    """Two headers that contradict each other."""

    client: ClientId
    first: UpdateStep
    second: UpdateStep


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPacket:
    """The transaction's signer sends a packet."""

    client: ClientId
    timeout_timestamp: int
    """Whole seconds of the destination's time."""
    payloads: tuple[Payload, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivePackets:
    """Packets of one lane, sequences rising, whose commitments one proof batch shows."""

    client: ClientId
    """The destination client."""
    packets: tuple[Packet, ...]
    skipped: tuple[SkippedLeaf, ...]
    """Leaves of the batch that are not to be executed."""
    proof_height: Height
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgePackets:
    """Acknowledgements of one lane's packets, sequences rising, under one proof batch."""

    client: ClientId
    """The source client."""
    packets: tuple[Packet, ...]
    acknowledgements: tuple[Acknowledgement, ...]
    """One for each packet."""
    skipped: tuple[SkippedLeaf, ...]
    proof_height: Height
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOutPacket:
    """A packet that was not received in time, and the whole proof of its receipt's absence."""

    packet: Packet
    proof_height: Height
    proof: bytes


@dataclass(frozen=True, slots=True)
class Gone:
    """A sequence that the other chain commits to no more."""

    sequence: int
    proof: bytes
    """Whole, of the absence of its commitment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOverSequences:
    """Sequences of an ordered pair of which nothing can come, all shown by one header."""

    client: ClientId
    """The destination client."""
    gone: tuple[Gone, ...]
    """Sequences rising."""
    next_sequence: int
    """That the other chain gives out next."""
    next_sequence_proof: bytes
    proof_height: Height


Relayed = ReceivePackets | AcknowledgePackets | TimeOutPacket | PassOverSequences
"""What concerns packets of a pair of clients, each with its proof."""

Message = (
    CreateClient | RegisterCounterparty | UpdateClient | SubmitMisbehaviour | SendPacket | Relayed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Messages that are executed together or not at all."""

    signer: str
    """The account that acts; its key is the business of the process around the chain."""
    nonce: int
    """The account's own count of transactions, from 1; 0 where none sends a packet.

    A packet sent twice is two packets, so a transaction that sends is executed once by its nonce;
    all other messages are harmless when repeated.
    """
    messages: tuple[Message, ...]


class Effect(StrEnum):
    """What became of one packet of a message."""

    EXECUTED = "EXECUTED"
    ALREADY_DONE = "ALREADY_DONE"
    """It had its effect before; nothing was changed. Source: ibc-go v10, NOOP."""
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one packet of a message, and why it was refused if it was."""

    sequence: int
    effect: Effect
    error: HubError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a transaction."""

    tx_hash: bytes
    height: int
    """The block that holds it."""
    error: HubError | None
    """Why all of it was refused; None if it was executed."""
    outcomes: tuple[Outcome, ...]
    """For each packet that was received, acknowledged, timed out or passed over, in order."""
    events: tuple[Event, ...]
