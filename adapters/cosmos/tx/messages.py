"""The messages that a relayer's transactions carry, as the bytes that a chain's own client writes.

A message is a typed record; ``encode`` gives its protobuf for the account that signs. Packets,
acknowledgements, proofs and client messages are bytes already and go in as they are. Fields stand
in the order of their numbers with defaults left out, but for embedded messages that Go holds by
value: those are written even when they are empty.

Source: ibc-go v10 proto/ibc/core/channel/v2/tx.proto, ibc/core/client/v1/tx.proto,
ibc/core/client/v2/tx.proto, ibc/applications/transfer/v1/tx.proto; cosmos-sdk v0.53
proto/cosmos/bank/v1beta1/tx.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from hub.core.codec.proto import bytes_field, message_field, varint_field

if TYPE_CHECKING:
    from hub.core.height import Height
    from hub.core.ids import ClientId


class Message(Protocol):
    """One message of a transaction."""

    @property
    def type_url(self) -> str:
        """What it is, as an Any names it."""
        ...

    def encode(self, signer: str) -> bytes:
        """Its protobuf, to be signed by the account *signer* (bech32)."""
        ...


@dataclass(frozen=True, slots=True)
class CreateClient:
    """A light client begins."""

    type_url: ClassVar[str] = "/ibc.core.client.v1.MsgCreateClient"

    client_state: bytes
    """A google.protobuf.Any, as the next one."""
    consensus_state: bytes

    def encode(self, signer: str) -> bytes:
        """As ``Message``."""
        return (
            message_field(1, self.client_state)
            + message_field(2, self.consensus_state)
            + bytes_field(3, signer.encode())
        )


@dataclass(frozen=True, slots=True)
class UpdateClient:
    """A header for a client to verify, or two that contradict each other."""

    type_url: ClassVar[str] = "/ibc.core.client.v1.MsgUpdateClient"

    client: ClientId
    message: bytes
    """A google.protobuf.Any of a Header or a Misbehaviour."""

    def encode(self, signer: str) -> bytes:
        """As ``Message``."""
        return (
            bytes_field(1, self.client.encode())
            + message_field(2, self.message)
            + bytes_field(3, signer.encode())
        )


@dataclass(frozen=True, slots=True)
class RegisterCounterparty:
    """A client is bound to its counterparty; by the account that created it, once."""

    type_url: ClassVar[str] = "/ibc.core.client.v2.MsgRegisterCounterparty"

    client: ClientId
    counterparty: ClientId
    prefix: tuple[bytes, ...]
    """Where the counterparty's chain keeps its commitments; elements may be empty."""

    def encode(self, signer: str) -> bytes:
        """As ``Message``."""
        return b"".join(
            (
                bytes_field(1, self.client.encode()),
                *[message_field(2, element) for element in self.prefix],
                bytes_field(3, self.counterparty.encode()),
                bytes_field(4, signer.encode()),
            )
        )


@dataclass(frozen=True, slots=True)
class ReceivePacket:
    """A packet and the proof that its source committed to it."""

    type_url: ClassVar[str] = "/ibc.core.channel.v2.MsgRecvPacket"

    packet: bytes
    """Canonical bytes, as everywhere here."""
    proof: bytes
    height: Height
    """The header whose root the proof ends at, as the chain's client counts it."""

    def encode(self, signer: str) -> bytes:
        """As ``Message``."""
        return (
            message_field(1, self.packet)
            + bytes_field(2, self.proof)
            + message_field(3, _height(self.height))
            + bytes_field(4, signer.encode())
        )


@dataclass(frozen=True, slots=True)
class AcknowledgePacket:
    """An acknowledgement and the proof that the destination wrote it."""

    type_url: ClassVar[str] = "/ibc.core.channel.v2.MsgAcknowledgement"

    packet: bytes
    acknowledgement: bytes
    proof: bytes
    height: Height

    def encode(self, signer: str) -> bytes:
        """As ``Message``."""
        return (
            message_field(1, self.packet)
            + message_field(2, self.acknowledgement)
            + bytes_field(3, self.proof)
            + message_field(4, _height(self.height))
            + bytes_field(5, signer.encode())
        )


@dataclass(frozen=True, slots=True)
class TimeOutPacket:
    """A packet and the proof that the destination had not received it in time."""

    type_url: ClassVar[str] = "/ibc.core.channel.v2.MsgTimeout"

    packet: bytes
    proof: bytes
    height: Height

    def encode(self, signer: str) -> bytes:
        """As ``Message``; the signer's field is the fifth, the fourth was never given out."""
        return (
            message_field(1, self.packet)
            + bytes_field(2, self.proof)
            + message_field(3, _height(self.height))
            + bytes_field(5, signer.encode())
        )


@dataclass(frozen=True, slots=True)
class SendPacket:
    """A packet is sent by the account itself, as an application's own message would."""

    type_url: ClassVar[str] = "/ibc.core.channel.v2.MsgSendPacket"

    source_client: ClientId
    timeout_timestamp: int
    """Seconds."""
    payloads: tuple[bytes, ...]
    """Canonical bytes of each payload."""

    def encode(self, signer: str) -> bytes:
        """As ``Message``."""
        return b"".join(
            (
                bytes_field(1, self.source_client.encode()),
                varint_field(2, self.timeout_timestamp),
                *[message_field(3, payload) for payload in self.payloads],
                bytes_field(4, signer.encode()),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Tokens go to another chain by ICS-20; the signer is the sender."""

    type_url: ClassVar[str] = "/ibc.applications.transfer.v1.MsgTransfer"

    source_port: str = "transfer"
    source_client: ClientId
    """Where a channel stood in IBC v1."""
    denom: str
    amount: int
    receiver: str
    timeout_timestamp: int
    """Seconds, as IBC v2 has it."""
    memo: str = ""
    encoding: str = ""
    """Of the packet's payload, as ``application/json``; empty: the chain's default."""

    def encode(self, signer: str) -> bytes:
        """As ``Message``."""
        return (
            bytes_field(1, self.source_port.encode())
            + bytes_field(2, self.source_client.encode())
            + message_field(3, encode_coin(self.denom, self.amount))
            + bytes_field(4, signer.encode())
            + bytes_field(5, self.receiver.encode())
            + message_field(6, b"")
            + varint_field(7, self.timeout_timestamp)
            + bytes_field(8, self.memo.encode())
            + bytes_field(9, self.encoding.encode())
        )


@dataclass(frozen=True, slots=True)
class BankSend:
    """Tokens go to another account of the same chain; the signer pays."""

    type_url: ClassVar[str] = "/cosmos.bank.v1beta1.MsgSend"

    receiver: str
    amounts: tuple[tuple[str, int], ...]
    """Denomination and amount; denominations rise."""

    def encode(self, signer: str) -> bytes:
        """As ``Message``."""
        coins = [message_field(3, encode_coin(denom, amount)) for denom, amount in self.amounts]
        return b"".join(
            (bytes_field(1, signer.encode()), bytes_field(2, self.receiver.encode()), *coins)
        )


def encode_coin(denom: str, amount: int) -> bytes:
    """A cosmos.base.v1beta1.Coin; amounts are decimal text."""
    return bytes_field(1, denom.encode()) + bytes_field(2, str(amount).encode())


def _height(height: Height) -> bytes:
    """An ibc.core.client.v1.Height."""
    return varint_field(1, height.revision) + varint_field(2, height.number)
