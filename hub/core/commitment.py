"""The 32 bytes that a chain stores for a packet, a receipt and an acknowledgement.

Every preimage is a fixed number of 32-byte digests, so no two packets share one.

Source: ibc-go v10 modules/core/04-channel/v2/types/commitment.go; the prose of ICS-04 v2 says
little-endian where the code, and every chain, is big-endian.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.core.packet import Acknowledgement, Packet, Payload

_VERSION = b"\x02"

RECEIPT = b"\x02"
"""The value of a packet receipt. Source: ibc-go v10 04-channel/v2 keeper, SetPacketReceipt."""


def commit_packet(packet: Packet) -> bytes:
    """The 32-byte commitment of *packet*, as its source chain stores it."""
    payloads = b"".join([_payload_digest(payload) for payload in packet.payloads])
    return sha256(
        _VERSION
        + sha256(packet.destination_client.encode()).digest()
        + sha256(packet.timeout_timestamp.to_bytes(8, "big")).digest()
        + sha256(payloads).digest()
    ).digest()


def commit_acknowledgement(acknowledgement: Acknowledgement) -> bytes:
    """The 32-byte commitment of *acknowledgement*, as the destination chain stores it."""
    answers = [sha256(answer).digest() for answer in acknowledgement.app_acknowledgements]
    return sha256(_VERSION + b"".join(answers)).digest()


def _payload_digest(payload: Payload) -> bytes:
    return sha256(
        sha256(payload.source_port.encode()).digest()
        + sha256(payload.destination_port.encode()).digest()
        + sha256(payload.version.encode()).digest()
        + sha256(payload.encoding.encode()).digest()
        + sha256(payload.value).digest()
    ).digest()
