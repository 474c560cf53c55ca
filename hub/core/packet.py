"""The canonical packet: ICS-04 v2, field for field."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.core.errors import PacketInvalid, PayloadTooLarge

if TYPE_CHECKING:
    from hub.core.ids import ClientId, PortId

MAX_PAYLOADS = 16
MAX_PAYLOAD_BYTES = 256 * 1024
"""Of all payloads of one packet together. Source: ibc-go v10 04-channel/v2, MaximumPayloadsSize."""

MAX_TIMEOUT = 2**63 - 1
"""Seconds."""

MAX_SEQUENCE = 2**63 - 1
MAX_TEXT = 32 * 1024
"""Bytes, in UTF-8, of a payload's version and of its encoding. Chains set no limit of their own,
and a committed packet that cannot be read stands in its lane's way; so this is a bound alone."""
_GO_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's ``strings.TrimSpace`` takes away, and ibc-go with it (Payload.ValidateBasic). Python's
own set is larger: U+001C to U+001F are space to it alone. Source: Go unicode.IsSpace."""


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
    """The destination applications' answers: one for each payload, or one error for all.

    Source: ICS-04 v2, Acknowledgement.
    """

    app_acknowledgements: tuple[bytes, ...]


def check_packet(packet: Packet) -> None:
    """*packet* keeps the bounds that every chain must keep; a chain's own may be narrower.

    Raises ``PacketInvalid`` or ``PayloadTooLarge``. Source: ibc-go v10 04-channel/v2
    types/packet.go, ValidateBasic (which allows one payload only).
    """
    if not 1 <= packet.sequence <= MAX_SEQUENCE:
        problem = f"{packet.sequence} is outside 1 to {MAX_SEQUENCE}"
        raise PacketInvalid(field="sequence", problem=problem)
    if not 1 <= packet.timeout_timestamp <= MAX_TIMEOUT:
        problem = f"{packet.timeout_timestamp} is outside 1 to {MAX_TIMEOUT}"
        raise PacketInvalid(field="timeout_timestamp", problem=problem)
    if not 1 <= len(packet.payloads) <= MAX_PAYLOADS:
        raise PacketInvalid(field="payloads", problem=f"has {len(packet.payloads)} entries")
    size = sum([len(payload.value) for payload in packet.payloads])
    if size > MAX_PAYLOAD_BYTES:
        raise PayloadTooLarge(size=size, limit=MAX_PAYLOAD_BYTES)
    for payload in packet.payloads:
        _check_text("payload.version", payload.version)
        _check_text("payload.encoding", payload.encoding)
        if not payload.value:
            raise PacketInvalid(field="payload.value", problem="is empty")


def check_acknowledgement(acknowledgement: Acknowledgement) -> None:
    """*acknowledgement* has answers, none of them empty, within the bounds of a packet.

    Raises ``PacketInvalid`` or ``PayloadTooLarge``.
    """
    answers = acknowledgement.app_acknowledgements
    if not 1 <= len(answers) <= MAX_PAYLOADS:
        raise PacketInvalid(field="app_acknowledgements", problem=f"has {len(answers)} entries")
    if not all(answers):
        raise PacketInvalid(field="app_acknowledgements", problem="has an empty entry")
    size = sum(map(len, answers))
    if size > MAX_PAYLOAD_BYTES:
        raise PayloadTooLarge(size=size, limit=MAX_PAYLOAD_BYTES)


@lru_cache(maxsize=1024)  # few texts stand in many packets
def _check_text(field: str, text: str) -> None:
    if not text.strip(_GO_SPACE):
        raise PacketInvalid(field=field, problem="is blank")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise PacketInvalid(field=field, problem="is not Unicode text") from error
    if size > MAX_TEXT:
        raise PacketInvalid(field=field, problem=f"has {size} bytes, the limit is {MAX_TEXT}")
