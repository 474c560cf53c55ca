from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.transfer_data import (
    JSON_ENCODING,
    TransferData,
    check_account,
    check_denomination,
    decode_transfer,
    encode_json,
    encode_transfer,
    hop,
    payload_of,
)
from hub.core.errors import EncodingNotCanonical, FieldInvalid, HubError, IdentifierInvalid
from hub.core.ids import ClientId, PortId

if TYPE_CHECKING:
    from hub.core.packet import Payload

PORT = PortId("transfer")
DATA = TransferData(
    denomination="transfer/07-tendermint-3/coin",
    amount=1000,
    sender="alice",
    receiver="bob",
    memo="for you",
)
PAYLOAD = payload_of(PORT, DATA)
JSON = replace(PAYLOAD, encoding=JSON_ENCODING, value=encode_json(DATA))


def changed(**fields: object) -> Payload:
    return replace(PAYLOAD, value=encode_transfer(replace(DATA, **fields)))  # type: ignore[arg-type]


def test_transfer_is_in_the_bytes_of_its_protobuf_message() -> None:
    assert encode_transfer(replace(DATA, denomination="coin", memo="")) == (
        b"\x0a\x04coin\x12\x041000\x1a\x05alice\x22\x03bob"
    )


@pytest.mark.parametrize(
    "data", [DATA, replace(DATA, memo=""), replace(DATA, amount=2**256 - 1, denomination="coin")]
)
def test_transfer_survives_the_way_there_and_back(data: TransferData) -> None:
    assert decode_transfer(payload_of(PORT, data)) == data


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (replace(PAYLOAD, version="ics20-2"), FieldInvalid),
        (replace(PAYLOAD, encoding="application/json"), FieldInvalid),
        (replace(PAYLOAD, encoding="application/x-solidity-abi"), FieldInvalid),
        (replace(PAYLOAD, value=PAYLOAD.value + b"\x32\x00"), FieldInvalid),
        (replace(PAYLOAD, value=PAYLOAD.value + b"\x2a\x01x"), EncodingNotCanonical),
        (replace(PAYLOAD, value=b"\x0a\x00" + PAYLOAD.value), EncodingNotCanonical),
        (replace(PAYLOAD, value=PAYLOAD.value[:-1]), FieldInvalid),
        (replace(PAYLOAD, value=b"\x0a\x01\xff"), FieldInvalid),
        (replace(PAYLOAD, value=b"\x08\x01"), FieldInvalid),
        (replace(PAYLOAD, value=PAYLOAD.value.replace(b"\x041000", b"\x0401.0")), FieldInvalid),
        (replace(PAYLOAD, value=PAYLOAD.value.replace(b"\x041000", b"\x040100")), FieldInvalid),
        (replace(PAYLOAD, value=PAYLOAD.value.replace(b"\x041000", b"\x04-100")), FieldInvalid),
        (changed(amount=0), FieldInvalid),
        (changed(amount=2**256), FieldInvalid),
        (changed(sender=""), FieldInvalid),
        (changed(memo="m" * 513), FieldInvalid),
        (changed(denomination=""), FieldInvalid),
        (changed(denomination="transfer/07-tendermint-3/"), FieldInvalid),
        (changed(denomination="transfer/coin"), FieldInvalid),
        (changed(denomination="t/07-tendermint-3/coin"), IdentifierInvalid),
        (changed(denomination="transfer/client/coin"), IdentifierInvalid),
        (changed(denomination="/07-tendermint-3/coin"), IdentifierInvalid),
    ],
)
def test_malformed_transfer_is_refused(payload: Payload, error: type[HubError]) -> None:
    with pytest.raises(error):
        decode_transfer(payload)


def test_json_is_as_the_chains_of_ibc_go_send_it() -> None:
    assert encode_json(replace(DATA, denomination="stake", memo="")) == (
        b'{"denom":"stake","amount":"1000","sender":"alice","receiver":"bob"}'
    )
    assert decode_transfer(JSON) == DATA


def test_json_may_be_written_in_any_way() -> None:
    text = b' { "receiver" : "bob", "denom":"stake","amount":"7","sender":"cosmos1\\u0061" }'
    data = TransferData(denomination="stake", amount=7, sender="cosmos1a", receiver="bob")
    assert decode_transfer(replace(JSON, value=text)) == data


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"}", b',"other":"x"}'),
        (b'"1000"', b"1000"),
        (b'"1000"', b'"0"'),
        (b'"1000"', b"null"),
        (b'"alice"', b'""'),
        (b'"sender":"alice",', b""),
        (b"for you", b"m" * 513),
        (b"for you", b"\xff"),
        (b"}", b""),
        (b"{", b"[{"),
    ],
)
def test_malformed_json_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(FieldInvalid):
        decode_transfer(replace(JSON, value=JSON.value.replace(old, new)))


@pytest.mark.parametrize("text", ["coin", "a1", "gm:coin.v2_x-y", "transfer/07-tendermint-0/coin"])
def test_denomination_with_or_without_hops_is_taken(text: str) -> None:
    check_denomination(text)


@pytest.mark.parametrize("text", ["", "-", "a b", "escrow:transfer/07-tendermint-0", "ä", "a" * 65])
def test_account_of_no_user_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid):
        check_account(text, "receiver")


def test_hop_names_port_and_client() -> None:
    assert hop(PORT, ClientId("07-tendermint-3")) == "transfer/07-tendermint-3/"
