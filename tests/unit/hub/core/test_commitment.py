from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from hub.core.commitment import RECEIPT, commit_acknowledgement, commit_packet
from hub.core.ids import ClientId, PortId
from hub.core.packet import Acknowledgement, Packet
from tests.harness.packet_samples import ACKNOWLEDGEMENT, OTHER_PAYLOAD, PACKET, PAYLOAD


def _hash(data: bytes) -> bytes:
    return sha256(data).digest()


def test_a_packet_is_committed_to_as_ibc_go_does() -> None:
    """Source: ibc-go v10 04-channel/v2/types/commitment.go, written out for one packet."""
    first = _hash(
        _hash(b"transfer")
        + _hash(b"ledger")
        + _hash(b"ics20-1")
        + _hash(b"application/json")
        + _hash(b'{"amount":"7"}')
    )
    second = _hash(
        _hash(b"notary")
        + _hash(b"archive")
        + _hash(b"v1")
        + _hash(b"application/cbor")
        + _hash(b"\xa0")
    )
    timeout = bytes.fromhex("000000006b03a058")
    assert int.from_bytes(timeout, "big") == PACKET.timeout_timestamp
    preimage = b"\x02" + _hash(b"besu-qbft-0") + _hash(timeout) + _hash(first + second)
    assert len(preimage) == 97
    assert commit_packet(PACKET) == _hash(preimage)


def test_an_acknowledgement_is_committed_to_as_ibc_go_does() -> None:
    preimage = b"\x02" + _hash(b'{"result":"AQ=="}') + _hash(b"\x01")
    assert commit_acknowledgement(ACKNOWLEDGEMENT) == _hash(preimage)


def _payloads(**change: object) -> Packet:
    return replace(PACKET, payloads=(replace(PAYLOAD, **change), OTHER_PAYLOAD))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(replace(PACKET, destination_client=ClientId("besu-qbft-1")), id="destination"),
        pytest.param(replace(PACKET, timeout_timestamp=PACKET.timeout_timestamp + 1), id="timeout"),
        pytest.param(_payloads(source_port=PortId("transfe")), id="source-port"),
        pytest.param(_payloads(destination_port=PortId("ledge")), id="destination-port"),
        pytest.param(_payloads(version="ics20-2"), id="version"),
        pytest.param(_payloads(encoding="application/jso"), id="encoding"),
        pytest.param(_payloads(value=b'{"amount":"8"}'), id="value"),
        pytest.param(
            _payloads(source_port=PortId("ledger"), destination_port=PortId("transfer")),
            id="ports-swapped",
        ),
        pytest.param(_payloads(version="application/json", encoding="ics20-1"), id="texts-swapped"),
        pytest.param(
            _payloads(source_port=PortId("transferl"), destination_port=PortId("edger")),
            id="a-byte-moved-between-ports",
        ),
        pytest.param(replace(PACKET, payloads=(PAYLOAD,)), id="one-payload"),
        pytest.param(replace(PACKET, payloads=(OTHER_PAYLOAD, PAYLOAD)), id="order"),
        pytest.param(replace(PACKET, payloads=(PAYLOAD, OTHER_PAYLOAD, PAYLOAD)), id="repeated"),
        pytest.param(replace(PACKET, payloads=()), id="none"),
    ],
)
def test_another_field_gives_another_commitment(packet: Packet) -> None:
    assert commit_packet(packet) != commit_packet(PACKET)


def test_sequence_and_source_are_bound_by_the_key_alone() -> None:
    """Source: ICS-04 v2; paths.py has the key."""
    other = replace(PACKET, sequence=6, source_client=ClientId("07-tendermint-4"))
    assert commit_packet(other) == commit_packet(PACKET)


@pytest.mark.parametrize(
    "answers",
    [
        (b'{"result":"AQ=="}',),
        (b"\x01", b'{"result":"AQ=="}'),
        (b'{"result":"AQ=="}\x01',),
        (b'{"result":"AQ=="}', b"\x01", b"\x01"),
        (),
    ],
)
def test_other_answers_give_another_commitment(answers: tuple[bytes, ...]) -> None:
    assert commit_acknowledgement(Acknowledgement(answers)) != commit_acknowledgement(
        ACKNOWLEDGEMENT
    )


def test_a_receipt_is_the_byte_two() -> None:
    assert RECEIPT == b"\x02"


def test_a_long_text_counts_in_full() -> None:
    """Digests of short texts are remembered; what is longer is hashed each time."""
    texts = ["v" * 128, "v" * 129, "v" * 128 + "w"]
    versions = [replace(PACKET, payloads=(replace(PAYLOAD, version=text),)) for text in texts]
    assert len({commit_packet(version) for version in versions}) == len(texts)
