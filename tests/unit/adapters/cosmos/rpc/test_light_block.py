from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from adapters.cosmos.rpc.answers import CommitAnswer, ValidatorAnswer
from adapters.cosmos.rpc.light_block import (
    Signed,
    read_hex,
    read_signed_header,
    read_time,
    read_validators,
)
from hub.core.errors import (
    ChainIdMismatch,
    CommitMismatch,
    EncodingNotCanonical,
    HeaderUnparseable,
    HubError,
    LimitExceeded,
    RecordCorrupt,
    ValidatorSetMismatch,
)
from hub.core.time import SECOND
from hub.light_clients.cometbft.codec import encode_validators
from hub.light_clients.cometbft.types import KeyKind
from tests.harness.comet_json import commit_json, time_json, validators_json
from tests.harness.comet_rpc import CHAIN
from tests.harness.cometbft import (
    START,
    ZERO_TIME,
    Member,
    flip_bit,
    make_block,
    make_chain,
    make_header,
    members,
    resigned,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.ids import ChainId

GROUP = (*members(30, 20, 10), Member(9, 5, KeyKind.SECP256K1))
BLOCK = make_chain([GROUP] * 3)[2]
HASH = BLOCK.signed.header.validators_hash


def read(answer: dict[str, Any], number: int = 3, chain: ChainId = CHAIN) -> Signed:
    decoder = msgspec.json.Decoder(CommitAnswer, strict=False)
    return read_signed_header(decoder.decode(msgspec.json.encode(answer)), chain, number)


def validators(answer: dict[str, Any]) -> list[ValidatorAnswer]:
    return msgspec.convert(answer["validators"], list[ValidatorAnswer], strict=False)


def test_a_header_becomes_its_canonical_bytes() -> None:
    signed = read(commit_json(BLOCK))
    assert signed.content == BLOCK.header.content
    assert signed.header == BLOCK.signed.header


def test_absent_and_nil_votes_are_read_as_they_are() -> None:
    header = make_header(GROUP, GROUP, height=3)
    block = make_block(header, GROUP, GROUP, absent=(0,), nil=(1,), round_=7)
    assert read(commit_json(block)).content == block.header.content


def test_the_first_block_names_no_other() -> None:
    (block,) = make_chain([GROUP])
    assert read(commit_json(block), 1).content == block.header.content


def test_validators_become_their_canonical_bytes() -> None:
    found = read_validators(validators(validators_json(BLOCK)), HASH)
    assert found == encode_validators(BLOCK.validators)


def change(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change_it(answer: dict[str, Any]) -> None:
        *way, last = path.split(".")
        at: Any = answer
        for name in way:
            at = at[int(name)] if isinstance(at, list) else at[name]
        at[last] = value

    return change_it


HEADER = "signed_header.header."
COMMIT = "signed_header.commit."
ENTRY = COMMIT + "signatures.0."


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (HEADER + "chain_id", "suzhou-2", ChainIdMismatch),
        (HEADER + "chain_id", "x" * 5000, ChainIdMismatch),
        (HEADER + "height", "4", RecordCorrupt),
        (HEADER + "height", "-3", RecordCorrupt),
        (HEADER + "app_hash", "AB" * 32, CommitMismatch),
        (HEADER + "app_hash", "AB" * 65, LimitExceeded),
        (HEADER + "app_hash", "xyz", HeaderUnparseable),
        (HEADER + "data_hash", "AB" * 31, HeaderUnparseable),
        (HEADER + "validators_hash", "", HeaderUnparseable),
        (HEADER + "proposer_address", "AB", HeaderUnparseable),
        (HEADER + "time", "2027-01-15T08:00:02Z+01:00", HeaderUnparseable),
        (HEADER + "time", "2027-02-30T08:00:02Z", HeaderUnparseable),
        (HEADER + "time", "1969-12-31T23:59:59Z", HeaderUnparseable),
        (HEADER + "time", "2027-01-15T08:00:02.000000001Z", CommitMismatch),
        (HEADER + "version.block", "12", CommitMismatch),
        (HEADER + "version.block", str(2**70), EncodingNotCanonical),
        (COMMIT + "height", "4", CommitMismatch),
        (COMMIT + "height", "0", HeaderUnparseable),
        (COMMIT + "round", -1, HeaderUnparseable),
        (COMMIT + "round", 2**31, HeaderUnparseable),
        (COMMIT + "block_id.hash", "AB" * 32, CommitMismatch),
        (COMMIT + "block_id.hash", "", CommitMismatch),
        (COMMIT + "signatures", [], HeaderUnparseable),
        (COMMIT + "signatures", None, HeaderUnparseable),
        (ENTRY + "block_id_flag", 0, HeaderUnparseable),
        (ENTRY + "block_id_flag", 4, HeaderUnparseable),
        (ENTRY + "block_id_flag", 1, HeaderUnparseable),
        (ENTRY + "validator_address", "AB", HeaderUnparseable),
        (ENTRY + "signature", None, HeaderUnparseable),
        (ENTRY + "signature", "AAAA", HeaderUnparseable),
        (ENTRY + "timestamp", "", HeaderUnparseable),
        (ENTRY + "timestamp", "0000-01-01T00:00:00Z", HeaderUnparseable),
    ],
)
def test_a_header_that_cannot_be_is_refused_with_its_own_error(
    path: str, value: object, error: type[HubError]
) -> None:
    answer = commit_json(BLOCK)
    change(path, value)(answer)
    with pytest.raises(error):
        read(answer)


def test_more_votes_than_a_set_may_have_are_refused_before_they_are_read() -> None:
    answer = commit_json(BLOCK)
    change(COMMIT + "signatures", [{"block_id_flag": 9}] * 513)(answer)
    with pytest.raises(LimitExceeded):
        read(answer)


def test_a_header_that_its_validators_signed_is_not_judged_here() -> None:
    forged = resigned(BLOCK, app_hash=bytes(32))
    assert read(commit_json(forged)).content == forged.header.content


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("validators.0.voting_power", "31", ValidatorSetMismatch),
        ("validators.0.voting_power", "-1", ValidatorSetMismatch),
        ("validators.0.pub_key.type", "tendermint/PubKeyBls", HeaderUnparseable),
        ("validators.0.pub_key.value", "AAAA", HeaderUnparseable),
        ("validators", [], HeaderUnparseable),
    ],
)
def test_validators_that_cannot_be_are_refused_with_their_own_error(
    path: str, value: object, error: type[HubError]
) -> None:
    answer = validators_json(BLOCK)
    change(path, value)(answer)
    with pytest.raises(error):
        read_validators(validators(answer), HASH)


def test_validators_in_another_order_are_another_set() -> None:
    found = validators(validators_json(BLOCK))
    with pytest.raises(ValidatorSetMismatch):
        read_validators(reversed(found), HASH)
    with pytest.raises(ValidatorSetMismatch):
        read_validators(found, flip_bit(HASH))


def test_times_are_exact_to_the_nanosecond() -> None:
    assert read_time("1970-01-01T00:00:00Z", "time") == 0
    assert read_time("1970-01-01T00:00:01.000000001Z", "time") == SECOND + 1
    assert read_time("1970-01-01T00:00:00.1Z", "time") == SECOND // 10
    assert read_time("0001-01-01T00:00:00Z", "time") == ZERO_TIME
    assert read_time(time_json(START), "time") == START


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1234567890Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:00:60Z",
        "1970-13-01T00:00:00Z",
        "1970-01-01T00:00:00Z\n",
        "\u0661970-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
    ],
)
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(HeaderUnparseable):
        read_time(text, "time")


def test_a_text_that_is_not_hex_is_refused() -> None:
    assert read_hex("", "hash") == b""
    for text in ("A", "0x00", "\u0661\u0661"):
        with pytest.raises(HeaderUnparseable):
            read_hex(text, "hash")
