"""The 32 bytes that a chain stores for a packet, a receipt and an acknowledgement.

Every preimage is a fixed number of 32-byte digests, so no two packets share one.

Source: ibc-go v10 modules/core/04-channel/v2/types/commitment.go; the prose of ICS-04 v2 says
little-endian where the code, and every chain, is big-endian.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hub.core.packet import Acknowledgement, Packet, Payload

_VERSION = b"\x02"

_SHORT: Final = 128
"""Characters of a text whose digest is remembered; clients and ports have no more."""

RECEIPT = b"\x02"
"""The value of a packet receipt. Source: ibc-go v10 04-channel/v2 keeper, SetPacketReceipt."""


def commit_packet(packet: Packet) -> bytes:
    """The 32-byte commitment of *packet*, as its source chain stores it."""
    payloads = b"".join([_payload_digest(payload) for payload in packet.payloads])
    return sha256(
        _VERSION
        + _text_digest(packet.destination_client)
        + sha256(packet.timeout_timestamp.to_bytes(8, "big")).digest()
        + sha256(payloads).digest()
    ).digest()


def commit_acknowledgement(acknowledgement: Acknowledgement) -> bytes:
    """The 32-byte commitment of *acknowledgement*, as the destination chain stores it."""
    answers = [sha256(answer).digest() for answer in acknowledgement.app_acknowledgements]
    return sha256(_VERSION + b"".join(answers)).digest()


def _payload_digest(payload: Payload) -> bytes:
    return sha256(
        _text_digest(payload.source_port)
        + _text_digest(payload.destination_port)
        + _text_digest(payload.version)
        + _text_digest(payload.encoding)
        + sha256(payload.value).digest()
    ).digest()


def _text_digest(text: str) -> bytes:
    return _known_digest(text) if len(text) <= _SHORT else sha256(text.encode()).digest()


@lru_cache(maxsize=4096)
def _known_digest(text: str) -> bytes:
    """Few clients, ports, versions and encodings stand in many packets."""
    return sha256(text.encode()).digest()
