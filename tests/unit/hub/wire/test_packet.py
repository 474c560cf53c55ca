from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ydhub.packet.v1 import packet_pb2 as pb

from hub.core.errors import EncodingNotCanonical, HubError, IdentifierInvalid, PacketInvalid
from hub.wire.packet import (
    decode_acknowledgement,
    decode_packet,
    encode_acknowledgement,
    encode_packet,
)
from tests.harness.packet_samples import ACKNOWLEDGEMENT, PACKET

CONTENT = encode_packet(PACKET)
ANSWER = encode_acknowledgement(ACKNOWLEDGEMENT)


def test_a_packet_and_an_acknowledgement_read_back() -> None:
    assert decode_packet(CONTENT) == PACKET
    assert decode_acknowledgement(ANSWER) == ACKNOWLEDGEMENT


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(CONTENT + b"\x30\x01", id="unknown-field"),
        pytest.param(CONTENT + CONTENT[:2], id="field-twice"),
        pytest.param(CONTENT[2:] + CONTENT[:2], id="other-order"),
        pytest.param(b"\x08\x85\x00" + CONTENT[2:], id="long-varint"),
        pytest.param(CONTENT + b"\x20\x00", id="default-written-out"),
        pytest.param(CONTENT + b"\x2a\x02\x30\x01", id="unknown-field-in-a-payload"),
    ],
)
def test_a_second_encoding_of_a_packet_is_refused(content: bytes) -> None:
    with pytest.raises((EncodingNotCanonical, PacketInvalid)):
        decode_packet(content)


@pytest.mark.parametrize("content", [b"\xff", b"\x08", CONTENT[:-1], b"\x12\x02\xff\xfe"])
def test_what_is_no_packet_is_refused(content: bytes) -> None:
    with pytest.raises(PacketInvalid):
        decode_packet(content)


@pytest.mark.parametrize("content", [b"", b"\x0a\x00", b"\xff", ANSWER + b"\x10\x01"])
def test_what_is_no_acknowledgement_is_refused(content: bytes) -> None:
    with pytest.raises((EncodingNotCanonical, PacketInvalid)):
        decode_acknowledgement(content)


def test_identifiers_are_read_as_such() -> None:
    message = pb.Packet.FromString(CONTENT)
    message.source_client = "no client"
    with pytest.raises(IdentifierInvalid):
        decode_packet(message.SerializeToString(deterministic=True))


def test_bounds_are_those_of_every_chain() -> None:
    with pytest.raises(PacketInvalid):
        decode_packet(encode_packet(replace(PACKET, payloads=())))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_packet_or_a_typed_refusal(content: bytes) -> None:
    for decode, encode in (
        (decode_packet, encode_packet),
        (decode_acknowledgement, encode_acknowledgement),
    ):
        try:
            found = decode(content)
        except HubError:
            continue
        assert encode(found) == content  # type: ignore[arg-type]
