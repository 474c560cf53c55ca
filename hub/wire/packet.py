"""Canonical packets and acknowledgements: raw bytes to core values, and back.

The bytes are ibc-go's protobuf; they are kept and forwarded as they came. Unknown fields, defaults
written out and other orders are refused, so one packet has one encoding.
"""

from __future__ import annotations

from functools import lru_cache

from google.protobuf.message import DecodeError
from ydhub.packet.v1 import packet_pb2 as pb

from hub.core.errors import EncodingNotCanonical, PacketInvalid
from hub.core.ids import parse_client_id, parse_port_id
from hub.core.packet import (
    Acknowledgement,
    Packet,
    Payload,
    check_acknowledgement,
    check_packet,
)

# Few clients and ports stand in many packets.
_client = lru_cache(maxsize=4096)(parse_client_id)
_port = lru_cache(maxsize=4096)(parse_port_id)


def decode_packet(content: bytes) -> Packet:
    """The packet whose canonical bytes are *content*, within every chain's bounds.

    Raises ``EncodingNotCanonical``, ``IdentifierInvalid``, ``PacketInvalid``, ``PayloadTooLarge``.
    """
    message = pb.Packet()
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise PacketInvalid(field="packet", problem="is not protobuf") from error
    message.DiscardUnknownFields()  # type: ignore[no-untyped-call,unused-ignore]
    if message.SerializeToString(deterministic=True) != content:
        raise EncodingNotCanonical(what="packet")
    packet = Packet(
        sequence=message.sequence,
        source_client=_client(message.source_client),
        destination_client=_client(message.destination_client),
        timeout_timestamp=message.timeout_timestamp,
        payloads=tuple(
            [
                Payload(
                    source_port=_port(payload.source_port),
                    destination_port=_port(payload.destination_port),
                    version=payload.version,
                    encoding=payload.encoding,
                    value=payload.value,
                )
                for payload in message.payloads
            ]
        ),
    )
    check_packet(packet)
    return packet


def encode_packet(packet: Packet) -> bytes:
    """The canonical bytes of *packet*."""
    message = pb.Packet(
        sequence=packet.sequence,
        source_client=packet.source_client,
        destination_client=packet.destination_client,
        timeout_timestamp=packet.timeout_timestamp,
        payloads=[
            pb.Payload(
                source_port=payload.source_port,
                destination_port=payload.destination_port,
                version=payload.version,
                encoding=payload.encoding,
                value=payload.value,
            )
            for payload in packet.payloads
        ],
    )
    return message.SerializeToString(deterministic=True)


def decode_acknowledgement(content: bytes) -> Acknowledgement:
    """The acknowledgement whose canonical bytes are *content*.

    Raises ``EncodingNotCanonical``, ``PacketInvalid``, ``PayloadTooLarge``.
    """
    message = pb.Acknowledgement()
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise PacketInvalid(field="acknowledgement", problem="is not protobuf") from error
    message.DiscardUnknownFields()  # type: ignore[no-untyped-call,unused-ignore]
    if message.SerializeToString(deterministic=True) != content:
        raise EncodingNotCanonical(what="acknowledgement")
    acknowledgement = Acknowledgement(tuple(message.app_acknowledgements))
    check_acknowledgement(acknowledgement)
    return acknowledgement


def encode_acknowledgement(acknowledgement: Acknowledgement) -> bytes:
    """The canonical bytes of *acknowledgement*."""
    message = pb.Acknowledgement(app_acknowledgements=acknowledgement.app_acknowledgements)
    return message.SerializeToString(deterministic=True)
