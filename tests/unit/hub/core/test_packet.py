from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from hub.core.errors import PacketInvalid, PayloadTooLarge
from hub.core.packet import (
    MAX_PAYLOAD_BYTES,
    MAX_PAYLOADS,
    MAX_SEQUENCE,
    MAX_TEXT,
    MAX_TIMEOUT,
    Acknowledgement,
    Packet,
    check_acknowledgement,
    check_packet,
)
from tests.harness.packet_samples import ACKNOWLEDGEMENT, OTHER_PAYLOAD, PACKET, PAYLOAD


def _with_payload(**change: Any) -> Packet:
    return replace(PACKET, payloads=(OTHER_PAYLOAD, replace(PAYLOAD, **change)))


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(PACKET, id="sample"),
        pytest.param(replace(PACKET, sequence=1), id="first-sequence"),
        pytest.param(replace(PACKET, sequence=MAX_SEQUENCE), id="last-sequence"),
        pytest.param(replace(PACKET, timeout_timestamp=1), id="first-timeout"),
        pytest.param(replace(PACKET, timeout_timestamp=MAX_TIMEOUT), id="last-timeout"),
        pytest.param(replace(PACKET, payloads=(PAYLOAD,)), id="one-payload"),
        pytest.param(replace(PACKET, payloads=(PAYLOAD,) * MAX_PAYLOADS), id="most-payloads"),
        pytest.param(_with_payload(version="v" * MAX_TEXT), id="longest-version"),
        pytest.param(_with_payload(encoding="é" * (MAX_TEXT // 2)), id="longest-encoding"),
        pytest.param(_with_payload(value=b"\x00"), id="one-zero-byte"),
        pytest.param(
            _with_payload(value=bytes(MAX_PAYLOAD_BYTES - len(OTHER_PAYLOAD.value))), id="largest"
        ),
    ],
)
def test_a_packet_within_its_bounds_passes(packet: Packet) -> None:
    check_packet(packet)


@pytest.mark.parametrize(
    ("packet", "field"),
    [
        pytest.param(replace(PACKET, sequence=0), "sequence", id="sequence-zero"),
        pytest.param(replace(PACKET, sequence=-1), "sequence", id="sequence-negative"),
        pytest.param(replace(PACKET, sequence=MAX_SEQUENCE + 1), "sequence", id="sequence-over"),
        pytest.param(replace(PACKET, timeout_timestamp=0), "timeout_timestamp", id="timeout-zero"),
        pytest.param(
            replace(PACKET, timeout_timestamp=-5), "timeout_timestamp", id="timeout-negative"
        ),
        pytest.param(
            replace(PACKET, timeout_timestamp=MAX_TIMEOUT + 1),
            "timeout_timestamp",
            id="timeout-over",
        ),
        pytest.param(replace(PACKET, payloads=()), "payloads", id="no-payload"),
        pytest.param(
            replace(PACKET, payloads=(PAYLOAD,) * (MAX_PAYLOADS + 1)),
            "payloads",
            id="payloads-over",
        ),
        pytest.param(_with_payload(version=""), "payload.version", id="version-empty"),
        pytest.param(_with_payload(version=" \t"), "payload.version", id="version-blank"),
        pytest.param(
            _with_payload(version="v" * (MAX_TEXT + 1)), "payload.version", id="version-over"
        ),
        pytest.param(_with_payload(version="v\udc80"), "payload.version", id="version-surrogate"),
        pytest.param(_with_payload(encoding=""), "payload.encoding", id="encoding-empty"),
        pytest.param(_with_payload(encoding="\n"), "payload.encoding", id="encoding-blank"),
        pytest.param(
            _with_payload(encoding="é" * (MAX_TEXT // 2 + 1)),
            "payload.encoding",
            id="encoding-over",
        ),
        pytest.param(_with_payload(encoding="\ud800"), "payload.encoding", id="encoding-surrogate"),
        pytest.param(_with_payload(value=b""), "payload.value", id="value-empty"),
    ],
)
def test_a_packet_outside_one_bound_is_refused(packet: Packet, field: str) -> None:
    with pytest.raises(PacketInvalid) as caught:
        check_packet(packet)
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["version", "encoding"])
def test_blank_is_what_go_calls_blank(field: str) -> None:
    """Source: Unicode, property White_Space, which Go's unicode.IsSpace is."""
    spaces = [9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)]
    spaces += [0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
    for code in spaces:
        with pytest.raises(PacketInvalid, match="blank"):
            check_packet(_with_payload(**{field: chr(code) * 2}))
    everything = {chr(code) for code in range(0x11_0000) if not 0xD800 <= code < 0xE000}
    python_alone = {one for one in everything if one.isspace()} - set(map(chr, spaces))
    assert python_alone == set("\x1c\x1d\x1e\x1f")
    for text in (*python_alone, "\u180e", "\u200b", "\ufeff", "\x00"):
        check_packet(_with_payload(**{field: text}))


def test_the_payloads_of_a_packet_are_measured_together() -> None:
    half = replace(PAYLOAD, value=bytes(MAX_PAYLOAD_BYTES // 2))
    check_packet(replace(PACKET, payloads=(half, half)))
    with pytest.raises(PayloadTooLarge) as caught:
        check_packet(replace(PACKET, payloads=(half, half, PAYLOAD)))
    assert caught.value.size == MAX_PAYLOAD_BYTES + len(PAYLOAD.value)
    assert caught.value.limit == MAX_PAYLOAD_BYTES


@pytest.mark.parametrize(
    "answers",
    [
        ACKNOWLEDGEMENT.app_acknowledgements,
        (b"\x00",),
        (b"a",) * MAX_PAYLOADS,
        (bytes(MAX_PAYLOAD_BYTES),),
    ],
    ids=["sample", "one-zero-byte", "most", "largest"],
)
def test_an_acknowledgement_within_its_bounds_passes(answers: tuple[bytes, ...]) -> None:
    check_acknowledgement(Acknowledgement(answers))


@pytest.mark.parametrize(
    "answers",
    [(), (b"a",) * (MAX_PAYLOADS + 1), (b"",), (b"a", b"")],
    ids=["none", "too-many", "empty", "one-empty"],
)
def test_an_acknowledgement_outside_one_bound_is_refused(answers: tuple[bytes, ...]) -> None:
    with pytest.raises(PacketInvalid) as caught:
        check_acknowledgement(Acknowledgement(answers))
    assert caught.value.field == "app_acknowledgements"


def test_the_answers_of_an_acknowledgement_are_measured_together() -> None:
    with pytest.raises(PayloadTooLarge) as caught:
        check_acknowledgement(Acknowledgement((bytes(MAX_PAYLOAD_BYTES), b"a")))
    assert caught.value.size == MAX_PAYLOAD_BYTES + 1


def test_the_bounds_are_those_of_the_field() -> None:
    assert MAX_SEQUENCE == MAX_TIMEOUT == 9_223_372_036_854_775_807
    assert MAX_PAYLOAD_BYTES == 262_144
    assert (MAX_PAYLOADS, MAX_TEXT) == (16, 32 * 1024)


def test_a_packet_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        PACKET.sequence = 6  # type: ignore[misc]
