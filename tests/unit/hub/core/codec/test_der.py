from __future__ import annotations

import pytest

from hub.core.codec.der import (
    SEQUENCE,
    DerError,
    decode_signature,
    encode_element,
    encode_integer,
    encode_signature,
    read_element,
    read_integer,
)

INTEGERS = [
    (0, "020100"),
    (1, "020101"),
    (127, "02017f"),
    (128, "02020080"),
    (255, "020200ff"),
    (256, "02020100"),
    (2**255, "0221008" + "0" * 63),
    (-1, "0201ff"),
    (-128, "020180"),
    (-129, "0202ff7f"),
]
"""Source: ITU-T X.690 section 8.3; the last ones are what a forger may write."""


@pytest.mark.parametrize(("value", "encoded"), INTEGERS)
def test_an_integer_has_one_encoding(value: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert encode_integer(value) == data
    assert read_integer(data, 0) == (value, len(data))
    assert read_integer(b"\x00" + data + b"\x00", 1) == (value, len(data) + 1)


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("", id="nothing"),
        pytest.param("02", id="no-length"),
        pytest.param("0200", id="empty"),
        pytest.param("0202ff", id="cut"),
        pytest.param("02020001", id="padded-with-zero"),
        pytest.param("0202ffff", id="padded-with-ones"),
        pytest.param("0202ff80", id="minus-128-padded"),
        pytest.param("03020001", id="other-tag"),
        pytest.param("02810101", id="long-form-of-a-short-length"),
        pytest.param("0280010000", id="indefinite-length"),
    ],
)
def test_another_integer_is_refused(encoded: str) -> None:
    with pytest.raises(DerError):
        read_integer(bytes.fromhex(encoded), 0)


@pytest.mark.parametrize(
    ("size", "header"),
    [(0, "3000"), (127, "307f"), (128, "308180"), (255, "3081ff"), (256, "30820100")],
)
def test_a_length_has_one_form(size: int, header: str) -> None:
    data = bytes.fromhex(header) + bytes(size)
    assert encode_element(SEQUENCE, bytes(size)) == data
    assert read_element(data, 0, SEQUENCE) == (bytes(size), len(data))


def test_a_cut_element_is_refused() -> None:
    for size in (0, 3, 200):
        data = encode_element(SEQUENCE, bytes(size))
        for end in range(len(data)):
            with pytest.raises(DerError):
                read_element(b"\x00" + data[:end], 1, SEQUENCE)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("30817f", id="long-form-of-127"),
        pytest.param("30820080", id="padded"),
        pytest.param("308200ff", id="padded-255"),
        pytest.param("3080", id="indefinite"),
        pytest.param("3081", id="cut-length"),
        pytest.param("308201", id="cut-length-of-two"),
        pytest.param("30850000000001", id="five-length-bytes"),
        pytest.param("30ff", id="reserved"),
        pytest.param("3084ffffffff", id="longer-than-the-data"),
    ],
)
def test_another_length_is_refused(header: str) -> None:
    tail = bytes(300) if header in {"30817f", "30820080", "308200ff", "3080"} else b""
    with pytest.raises(DerError):
        read_element(bytes.fromhex(header) + tail, 0, SEQUENCE)


@pytest.mark.parametrize(("r", "s"), [(1, 1), (2**255, 2**256 - 1), (0, 0), (-1, 5), (2**2000, 7)])
def test_a_signature_is_read_as_it_is_written(r: int, s: int) -> None:
    assert decode_signature(encode_signature(r, s)) == (r, s)


SIGNATURE = encode_signature(258, 7)


def test_the_sample_signature_is_what_the_standard_says() -> None:
    assert SIGNATURE.hex() == "300702020102020107"


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("", id="nothing"),
        pytest.param("3000", id="no-numbers"),
        pytest.param("300402020102", id="one-number"),
        pytest.param("300a02020102020107020101", id="three-numbers"),
        pytest.param("30070202010202010700", id="bytes-after"),
        pytest.param("30080202010202010700", id="bytes-within"),
        pytest.param("310702020102020107", id="a-set"),
        pytest.param("300602020102020107", id="length-too-short"),
        pytest.param("300802020102020107", id="length-too-long"),
        pytest.param("30810702020102020107", id="long-length"),
        pytest.param("30080203000102020107", id="padded-r"),
        pytest.param("30080202010202020007", id="padded-s"),
        pytest.param("300704020102020107", id="r-is-an-octet-string"),
        pytest.param("300702020102040107", id="s-is-an-octet-string"),
        pytest.param("02020102020107", id="no-sequence"),
    ],
)
def test_another_signature_is_refused(encoded: str) -> None:
    with pytest.raises(DerError):
        decode_signature(bytes.fromhex(encoded))
