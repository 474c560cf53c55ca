"""The canonical packet: ICS-04 v2, field for field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.errors import PacketInvalid, PayloadTooLarge

if TYPE_CHECKING:
    from hub.core.ids import ClientId, PortId

MAX_PAYLOADS = 16
MAX_PAYLOAD_BYTES = 256 * 1024
"""Of all payloads of one packet together. Source: ibc-go v10 04-channel/v2, MaximumPayloadsSize."""

MAX_TIMEOUT = 2**63 - 1
"""Seconds."""

MAX_SEQUENCE = 2**63 - 1
MAX_TEXT = 128
"""Characters of a payload's version and encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Application bytes and where they go."""

    source_port: PortId
    destination_port: PortId
    version: str
    encoding: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """What one chain commits to send to another. Source: ICS-04 v2, Packet."""

    sequence: int
    """Position in its lane, from 1."""

    source_client: ClientId
    destination_client: ClientId

    timeout_timestamp: int
    """Whole seconds of the destination chain's time."""

    payloads: tuple[Payload, ...]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The destination applications' answers, one for each payload. Source: ICS-04 v2."""

    app_acknowledgements: tuple[bytes, ...]


def check_packet(packet: Packet) -> None:
    """*packet* keeps the bounds that every chain must keep.

    Raises ``PacketInvalid`` or ``PayloadTooLarge``.
    """
    if not 1 <= packet.sequence <= MAX_SEQUENCE:
        raise PacketInvalid(field="sequence", problem=f"{packet.sequence} is not positive")
    if not 1 <= packet.timeout_timestamp <= MAX_TIMEOUT:
        raise PacketInvalid(
            field="timeout_timestamp", problem=f"{packet.timeout_timestamp} is not positive"
        )
    if not 1 <= len(packet.payloads) <= MAX_PAYLOADS:
        raise PacketInvalid(field="payloads", problem=f"has {len(packet.payloads)} entries")
    size = sum(len(payload.value) for payload in packet.payloads)
    if size > MAX_PAYLOAD_BYTES:
        raise PayloadTooLarge(size=size, limit=MAX_PAYLOAD_BYTES)
    for payload in packet.payloads:
        if not 1 <= len(payload.version) <= MAX_TEXT or not 1 <= len(payload.encoding) <= MAX_TEXT:
            raise PacketInvalid(field="payload", problem="has no version or encoding")
        if not payload.value:
            raise PacketInvalid(field="payload.value", problem="is empty")


def check_acknowledgement(acknowledgement: Acknowledgement) -> None:
    """*acknowledgement* has answers, none of them empty. Raises ``PacketInvalid``."""
    answers = acknowledgement.app_acknowledgements
    if not 1 <= len(answers) <= MAX_PAYLOADS:
        raise PacketInvalid(field="app_acknowledgements", problem=f"has {len(answers)} entries")
    if not all(answers):
        raise PacketInvalid(field="app_acknowledgements", problem="has an empty entry")
    size = sum(map(len, answers))
    if size > MAX_PAYLOAD_BYTES:
        raise PayloadTooLarge(size=size, limit=MAX_PAYLOAD_BYTES)
