from __future__ import annotations

import pytest

from hub.core.codec.proto import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    ProtoError,
    bytes_field,
    decode_varint,
    encode_varint,
    message_field,
    read_fields,
    sfixed64_field,
    signed,
    varint_field,
)

VARINTS = [
    (0, "00"),
    (1, "01"),
    (127, "7f"),
    (128, "8001"),
    (300, "ac02"),
    (16_383, "ff7f"),
    (16_384, "808001"),
    (2**32, "8080808010"),
    (2**63 - 1, "ffffffffffffffff7f"),
    (2**63, "80808080808080808001"),
    (2**64 - 1, "ffffffffffffffffff01"),
]


@pytest.mark.parametrize(("value", "encoded"), VARINTS)
def test_a_varint_has_one_encoding(value: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert encode_varint(value) == data
    assert decode_varint(data, 0) == (value, len(data))
    assert decode_varint(b"\xff" + data + b"\xff", 1) == (value, len(data) + 1)


@pytest.mark.parametrize("value", [-1, -(2**63), -300])
def test_a_negative_number_is_its_twos_complement(value: int) -> None:
    encoded = encode_varint(value)
    assert len(encoded) == 10
    unsigned, _ = decode_varint(encoded, 0)
    assert signed(unsigned) == value


@pytest.mark.parametrize("value", [0, 1, 2**63 - 1])
def test_a_positive_number_is_signed_as_it_is(value: int) -> None:
    assert signed(value) == value


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("", id="empty"),
        pytest.param("80", id="cut"),
        pytest.param("8080", id="cut-later"),
        pytest.param("ffffffffffffffffff", id="cut-before-the-tenth-byte"),
        pytest.param("8000", id="zero-padded"),
        pytest.param("808000", id="zero-padded-twice"),
        pytest.param("ac8200", id="three-hundred-padded"),
        pytest.param("80808080808080808000", id="zero-in-ten-bytes"),
        pytest.param("80808080808080808002", id="two-to-the-64"),
        pytest.param("ffffffffffffffffff02", id="over-64-bits"),
        pytest.param("ffffffffffffffffff7f", id="all-ones"),
        pytest.param("8080808080808080808001", id="eleven-bytes"),
        pytest.param("80" * 100 + "01", id="a-hundred-bytes"),
    ],
)
def test_another_varint_is_refused(encoded: str) -> None:
    with pytest.raises(ProtoError):
        decode_varint(bytes.fromhex(encoded), 0)


def test_defaults_are_left_out_but_for_messages() -> None:
    assert varint_field(1, 0) == b""
    assert sfixed64_field(1, 0) == b""
    assert bytes_field(1, b"") == b""
    assert message_field(1, b"") == b"\x0a\x00"


def test_fields_are_written_as_protobuf_has_them() -> None:
    """Source: protobuf encoding, "A Simple Message" and its neighbours."""
    assert varint_field(1, 150) == bytes.fromhex("089601")
    assert bytes_field(2, b"testing") == bytes.fromhex("120774657374696e67")
    assert message_field(3, varint_field(1, 150)) == bytes.fromhex("1a03089601")
    assert sfixed64_field(2, 1) == bytes.fromhex("110100000000000000")
    assert sfixed64_field(2, -2) == bytes.fromhex("11feffffffffffffff")
    assert varint_field(16, 1) == bytes.fromhex("800101")
    assert varint_field(1, -1) == bytes.fromhex("08ffffffffffffffffff01")


def test_fields_are_read_in_order_with_their_types() -> None:
    data = (
        varint_field(1, 150)
        + sfixed64_field(2, -2)
        + b"\x1d\x01\x02\x03\x04"
        + bytes_field(4, b"text")
        + bytes_field(4, b"again")
        + message_field(5, b"")
        + varint_field(2**29 - 1, 1)
    )
    assert list(read_fields(data)) == [
        (1, VARINT, 150),
        (2, FIXED64, b"\xfe" + b"\xff" * 7),
        (3, FIXED32, b"\x01\x02\x03\x04"),
        (4, LENGTH, b"text"),
        (4, LENGTH, b"again"),
        (5, LENGTH, b""),
        (2**29 - 1, VARINT, 1),
    ]
    assert list(read_fields(b"")) == []
    assert list(read_fields(bytes_field(1, b"at the end"))) == [(1, LENGTH, b"at the end")]


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("00", id="field-zero-varint"),
        pytest.param("0200", id="field-zero-length"),
        pytest.param("10010801", id="falling-numbers"),
        pytest.param("808080801001", id="field-number-over-29-bits"),
        pytest.param("08", id="no-value"),
        pytest.param("0880", id="cut-varint"),
        pytest.param("088000", id="padded-varint"),
        pytest.param("880001", id="padded-tag"),
        pytest.param("0a", id="no-length"),
        pytest.param("0a0261", id="cut-bytes"),
        pytest.param("0a810061", id="padded-length"),
        pytest.param("0affffffffffffffffff01", id="length-of-64-bits"),
        pytest.param("09010203040506", id="cut-fixed64"),
        pytest.param("0d010203", id="cut-fixed32"),
        pytest.param("0b0c", id="a-group"),
        pytest.param("0c", id="the-end-of-a-group"),
        pytest.param("0e00", id="wire-type-six"),
        pytest.param("0f00", id="wire-type-seven"),
        pytest.param("0801ff", id="cut-tag-after-a-field"),
    ],
)
def test_bytes_that_are_no_canonical_fields_are_refused(encoded: str) -> None:
    with pytest.raises(ProtoError):
        list(read_fields(bytes.fromhex(encoded)))
