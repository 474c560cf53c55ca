from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.client import ConsensusState, Fraction, TrustOptions
from hub.core.errors import (
    EncodingNotCanonical,
    FieldInvalid,
    HeightInvalid,
    HubError,
    IdentifierInvalid,
    LimitExceeded,
)
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId
from hub.core.time import SECOND, Duration, Timestamp
from hub.light_clients.cometbft.client_state import (
    ClientState,
    Counterparty,
    decode_client_state,
    decode_consensus_state,
    decode_counterparty,
    encode_client_state,
    encode_consensus_state,
    encode_counterparty,
)

# As a chain of ibc-go v10.7.0 stored it under clients/07-tendermint-2/clientState, proven there.
RECORDED = bytes.fromhex(
    "0a2b2f6962632e6c69676874636c69656e74732e74656e6465726d696e742e76312e436c69656e74537461746512"
    "7a0a0873757a686f752d311204080110031a040880f52422040880ea492a02080a32003a05080110a70142190a09"
    "0801180120012a0100120c0a02000110211804200c300142190a090801180120012a0100120c0a02000110201801"
    "200130014a07757067726164654a1075706772616465644942435374617465"
)
STATE = ClientState(
    chain_id=ChainId("suzhou-1"),
    options=TrustOptions(
        trust_level=Fraction(1, 3),
        trusting_period=Duration(604_800 * SECOND),
        max_clock_drift=Duration(10 * SECOND),
    ),
    unbonding_period=Duration(1_209_600 * SECOND),
    latest_height=Height(1, 167),
    is_frozen=False,
)
COUNTERPARTY = Counterparty(client=ClientId("07-tendermint-2"), prefix=(b"ibc", b""), ordered=False)


def test_client_state_of_a_cosmos_chain_is_read() -> None:
    assert decode_client_state(RECORDED) == STATE


def test_client_state_is_written_as_a_cosmos_chain_writes_it() -> None:
    assert encode_client_state(STATE) == RECORDED


@pytest.mark.parametrize(
    "state",
    [
        replace(STATE, is_frozen=True),
        replace(STATE, latest_height=None),
        replace(STATE, options=replace(STATE.options, trusting_period=Duration(1_500_000_000))),
        replace(STATE, options=replace(STATE.options, max_clock_drift=Duration(0))),
    ],
)
def test_client_state_survives_the_way_there_and_back(state: ClientState) -> None:
    assert decode_client_state(encode_client_state(state)) == state


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (b"suzhou-1".hex(), b"suzhou 1".hex(), IdentifierInvalid),
        (b"ClientState".hex(), b"ClientStatf".hex(), FieldInvalid),
        ("10211804200c", "10211804200d", EncodingNotCanonical),
        ("2a0100120c", "2a0101120c", EncodingNotCanonical),
        (b"upgradedIBCState".hex(), b"upgradedIBCStatf".hex(), EncodingNotCanonical),
        ("1204080110031a", "1204100108031a", FieldInvalid),
        ("3a05080110a701", "3a05080118a701", FieldInvalid),
        ("3a05080110a701", "3a05580110a701", FieldInvalid),
    ],
    ids=[
        "chain id with a space",
        "another client type",
        "another inner prefix in a proof spec",
        "another leaf prefix in a proof spec",
        "another upgrade path",
        "numbers out of order",
        "an unknown field in a height",
        "a field number beyond those known",
    ],
)
def test_tampered_client_state_is_refused(old: str, new: str, error: type[HubError]) -> None:
    assert RECORDED.hex().count(old) >= 1
    with pytest.raises(error):
        decode_client_state(bytes.fromhex(RECORDED.hex().replace(old, new, 1)))


def test_client_state_with_a_field_cut_or_missing_is_refused() -> None:
    for size in range(len(RECORDED)):
        with pytest.raises((FieldInvalid, EncodingNotCanonical)):
            decode_client_state(RECORDED[:size])


def test_client_state_over_its_bound_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        decode_client_state(RECORDED + bytes(4096))


def test_latest_height_of_another_revision_but_no_number_is_refused() -> None:
    data = encode_client_state(replace(STATE, latest_height=Height(1, 0)))
    with pytest.raises(HeightInvalid):
        decode_client_state(data)


def test_counterparty_of_an_unordered_pair_is_in_the_bytes_of_ibc_go() -> None:
    assert encode_counterparty(COUNTERPARTY) == b"\x0a\x03ibc\x0a\x00\x12\x0f07-tendermint-2"


@pytest.mark.parametrize("counterparty", [COUNTERPARTY, replace(COUNTERPARTY, ordered=True)])
def test_counterparty_survives_the_way_there_and_back(counterparty: Counterparty) -> None:
    assert decode_counterparty(encode_counterparty(counterparty)) == counterparty


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", IdentifierInvalid),
        (b"\x0a\x03ibc\x12\x03abc", IdentifierInvalid),
        (b"\x0a\x03ibc\x12\x0f07-tendermint-2\x18\x02", EncodingNotCanonical),
        (b"\x0a\x03ibc\x12\x0f07-tendermint-2\x18\x00", EncodingNotCanonical),
        (b"\x0a\x03ibc\x12\x0f07-tendermint-2\x12\x0f07-tendermint-2", EncodingNotCanonical),
        (b"\x0a\x03ibc\x12\x0f07-tendermint-2\x20\x01", FieldInvalid),
        (b"\x0a\x03ibc\x12\x0f07-tendermint", FieldInvalid),
        (bytes(4097), LimitExceeded),
    ],
)
def test_malformed_counterparty_is_refused(data: bytes, error: type[HubError]) -> None:
    with pytest.raises(error):
        decode_counterparty(data)


CONSENSUS = ConsensusState(
    height=Height(1, 7),
    header_hash=b"h" * 32,
    time=Timestamp(3 * SECOND + 5),
    root=b"r" * 32,
    next_validators_hash=b"n" * 32,
)


def test_consensus_state_holds_time_root_and_next_validators() -> None:
    content = (
        b"\x0a\x04\x08\x03\x10\x05" + b"\x12\x22\x0a\x20" + b"r" * 32 + b"\x1a\x20" + b"n" * 32
    )
    url = b"/ibc.lightclients.tendermint.v1.ConsensusState"
    expected = b"\x0a" + bytes((len(url),)) + url + b"\x12" + bytes((len(content),)) + content
    assert encode_consensus_state(CONSENSUS) == expected


def test_consensus_state_survives_the_way_there_and_back() -> None:
    data = encode_consensus_state(CONSENSUS)
    again = decode_consensus_state(data, height=Height(1, 7), header_hash=b"h" * 32)
    assert again == CONSENSUS


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (b"ConsensusState", b"ConsensusStatf", FieldInvalid),
        (b"\x12\x22\x0a\x20", b"\x12\x22\x12\x20", EncodingNotCanonical),
        (b"\x1a\x20", b"\x22\x20", FieldInvalid),
        (b"\x1a\x20", b"\x18\x20", FieldInvalid),
        (b"\x1a\x20", b"\x1a\x21", FieldInvalid),
        (b"\x10\x05", b"\x10\x00", EncodingNotCanonical),
    ],
)
def test_tampered_consensus_state_is_refused(old: bytes, new: bytes, error: type[HubError]) -> None:
    data = encode_consensus_state(CONSENSUS)
    assert data.count(old) == 1
    with pytest.raises(error):
        decode_consensus_state(data.replace(old, new), height=Height(1, 7), header_hash=b"h" * 32)
