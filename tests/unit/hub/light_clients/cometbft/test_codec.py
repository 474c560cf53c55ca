from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.core.errors import EncodingNotCanonical, HeaderUnparseable, HubError, LimitExceeded
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.codec import (
    decode_signed_header,
    decode_validators,
    encode_block_id,
    encode_commit,
    encode_header,
    encode_signed_header,
    encode_timestamp,
    encode_validators,
)
from hub.light_clients.cometbft.types import BlockId, BlockIdFlag, KeyKind, ValidatorSet
from tests.harness.cometbft import (
    ABSENT,
    ZERO_TIME,
    Block,
    make_block,
    make_chain,
    members,
    validator_set,
    with_commit,
    with_entry,
    with_header,
)

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = (*members(10, 10, 10), *members(5, first=9, kind=KeyKind.SECP256K1))
FIRST, BLOCK = make_chain([GROUP] * 2)
MIXED = make_block(BLOCK.signed.header, GROUP, GROUP, absent=(0,), nil=(1,), round_=2)
SIGNED = BLOCK.header.content
SET = BLOCK.header.validators
OTHER = bytes(31) + b"\x01"


@pytest.mark.parametrize("block", [FIRST, BLOCK, MIXED], ids=["first", "second", "mixed votes"])
def test_light_block_comes_back_from_its_bytes(block: Block) -> None:
    assert decode_signed_header(block.header.content) == block.signed
    assert decode_validators(block.header.validators) == block.validators


def test_absent_entry_is_written_with_the_year_1() -> None:
    # Go's zero time, as gogoproto writes it.
    assert encode_timestamp(ZERO_TIME).hex() == "088092b8c398feffffff01"


def test_time_before_1970_has_nanoseconds_after_its_second() -> None:
    assert encode_timestamp(Timestamp(-1)) == varint_field(1, -1) + varint_field(2, 999_999_999)


def test_block_id_of_no_block_is_an_empty_part_set_header() -> None:
    assert encode_block_id(BlockId()) == b"\x12\x00"


def test_absent_entry_may_carry_a_time_and_keeps_it() -> None:
    at = MIXED.signed.commit.signatures.index(ABSENT)
    timed = with_entry(MIXED, at, time=BLOCK.time)
    assert decode_signed_header(timed.header.content) == timed.signed


@pytest.mark.parametrize("time", [ZERO_TIME, 0, 999_999_999, 253_402_300_800 * SECOND - 1])
def test_vote_may_be_of_any_time_that_protobuf_knows(time: int) -> None:
    timed = with_entry(BLOCK, 0, time=time)
    assert decode_signed_header(timed.header.content) == timed.signed


@pytest.mark.parametrize("app_hash", [b"", b"\x01" + bytes(7), bytes(64)])
def test_app_hash_may_be_of_any_length_up_to_64(app_hash: bytes) -> None:
    block = with_header(BLOCK, app_hash=app_hash)
    assert decode_signed_header(block.header.content).header.app_hash == app_hash


@pytest.mark.parametrize(
    "block",
    [
        with_commit(BLOCK, round=2**31 - 1),
        with_header(BLOCK, time=2**63 - 1),
        with_header(BLOCK, time=0),
        with_header(BLOCK, height=2**63 - 1),
        with_header(BLOCK, app_protocol=0),
        with_header(BLOCK, app_protocol=2**64 - 1),
        with_commit(BLOCK, block_id=BlockId(OTHER, 2**32 - 1, OTHER)),
    ],
    ids=["round", "last time", "first time", "height", "no app protocol", "app protocol", "parts"],
)
def test_number_at_its_bound_comes_back(block: Block) -> None:
    assert decode_signed_header(block.header.content) == block.signed


def test_chain_id_may_be_any_utf_8_of_50_bytes() -> None:
    for chain_id in ("", "c" * 50, "苏州-1"):
        block = with_header(BLOCK, chain_id=chain_id)
        assert decode_signed_header(block.header.content).header.chain_id == chain_id


SHAPES: dict[str, tuple[Callable[[], Block], type[HubError]]] = {
    "an absent entry with an address": (
        lambda: with_commit(BLOCK, signatures=(replace(ABSENT, address=bytes(20)),)),
        HeaderUnparseable,
    ),
    "an absent entry with a signature": (
        lambda: with_commit(BLOCK, signatures=(replace(ABSENT, signature=bytes(64)),)),
        HeaderUnparseable,
    ),
    "an entry of no flag": (lambda: with_entry(BLOCK, 0, flag=0), HeaderUnparseable),
    "an entry of an unknown flag": (lambda: with_entry(BLOCK, 0, flag=4), HeaderUnparseable),
    "a short address": (lambda: with_entry(BLOCK, 0, address=bytes(19)), HeaderUnparseable),
    "no address": (lambda: with_entry(BLOCK, 0, address=b""), HeaderUnparseable),
    "a short signature": (lambda: with_entry(BLOCK, 0, signature=bytes(63)), HeaderUnparseable),
    "a long signature": (lambda: with_entry(BLOCK, 0, signature=bytes(65)), HeaderUnparseable),
    "a vote for nothing without a signature": (
        lambda: with_entry(BLOCK, 0, flag=BlockIdFlag.NIL, signature=b""),
        HeaderUnparseable,
    ),
    "an empty commit": (lambda: with_commit(BLOCK, signatures=()), HeaderUnparseable),
    "over 512 entries": (lambda: with_commit(BLOCK, signatures=(ABSENT,) * 513), LimitExceeded),
    "a negative round": (lambda: with_commit(BLOCK, round=-1), HeaderUnparseable),
    "a round over 31 bits": (lambda: with_commit(BLOCK, round=2**31), HeaderUnparseable),
    "height 0": (lambda: with_header(BLOCK, height=0), HeaderUnparseable),
    "a negative height": (lambda: with_header(BLOCK, height=-5), HeaderUnparseable),
    "commit height 0": (lambda: with_commit(BLOCK, height=0), HeaderUnparseable),
    "a negative commit height": (lambda: with_commit(BLOCK, height=-5), HeaderUnparseable),
    "a time before 1970": (lambda: with_header(BLOCK, time=-1), HeaderUnparseable),
    "a time beyond 64 bits": (lambda: with_header(BLOCK, time=2**63), HeaderUnparseable),
    "a vote of the year 10000": (
        lambda: with_entry(BLOCK, 0, time=253_402_300_800 * SECOND),
        HeaderUnparseable,
    ),
    "a vote before the year 1": (
        lambda: with_entry(BLOCK, 0, time=ZERO_TIME - 1),
        HeaderUnparseable,
    ),
    "over 2^32-1 parts": (
        lambda: with_commit(BLOCK, block_id=BlockId(OTHER, 2**32, OTHER)),
        HeaderUnparseable,
    ),
    "a short part hash": (
        lambda: with_commit(BLOCK, block_id=BlockId(OTHER, 1, OTHER[1:])),
        HeaderUnparseable,
    ),
    "a short block hash": (
        lambda: with_header(BLOCK, last_block_id=BlockId(OTHER[1:])),
        HeaderUnparseable,
    ),
    "no set for itself": (lambda: with_header(BLOCK, validators_hash=b""), HeaderUnparseable),
    "no set for the next block": (
        lambda: with_header(BLOCK, next_validators_hash=b""),
        HeaderUnparseable,
    ),
    "a short digest": (lambda: with_header(BLOCK, data_hash=OTHER[1:]), HeaderUnparseable),
    "a short proposer": (lambda: with_header(BLOCK, proposer_address=b"x"), HeaderUnparseable),
    "no proposer": (lambda: with_header(BLOCK, proposer_address=b""), HeaderUnparseable),
    "a chain id over 50 bytes": (lambda: with_header(BLOCK, chain_id="c" * 51), LimitExceeded),
    "an app hash over 64 bytes": (lambda: with_header(BLOCK, app_hash=bytes(65)), LimitExceeded),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_header_of_a_shape_that_no_chain_writes_is_refused(shape: str) -> None:
    make, error = SHAPES[shape]
    content = make().header.content
    with pytest.raises(error):
        decode_signed_header(content)


def _commit_with_round_0_written() -> bytes:
    commit = encode_commit(BLOCK.signed.commit)
    height = varint_field(1, BLOCK.height)
    return height + b"\x10\x00" + commit[len(height) :]


HEADER = message_field(1, encode_header(BLOCK.signed.header))
COMMIT = message_field(2, encode_commit(BLOCK.signed.commit))

BYTES: dict[str, tuple[bytes, type[HubError]]] = {
    "nothing": (b"", HeaderUnparseable),
    "a header alone": (HEADER, HeaderUnparseable),
    "a commit alone": (COMMIT, HeaderUnparseable),
    "an empty header and an empty commit": (b"\x0a\x00\x12\x00", HeaderUnparseable),
    "the commit first": (COMMIT + HEADER, HeaderUnparseable),
    "two headers": (HEADER + HEADER + COMMIT, HeaderUnparseable),
    "two commits": (SIGNED + COMMIT, HeaderUnparseable),
    "an unknown field": (SIGNED + bytes_field(3, b"x"), HeaderUnparseable),
    "a known field of another type": (SIGNED + varint_field(2, 1), HeaderUnparseable),
    "a byte cut off": (SIGNED[:-1], HeaderUnparseable),
    "a byte too many": (SIGNED + b"\x00", HeaderUnparseable),
    "over 1 MiB": (SIGNED + bytes(2**20), LimitExceeded),
    "a default written out": (
        HEADER + message_field(2, _commit_with_round_0_written()),
        EncodingNotCanonical,
    ),
    "a chain id that is no UTF-8": (SIGNED.replace(b"suzhou-1", b"suzhou-\xff"), HeaderUnparseable),
}


SECONDS = varint_field(1, BLOCK.time // SECOND)


def _dated(nanos: int) -> bytes:
    """The block's bytes with these nanoseconds in its header's time."""
    block = with_header(BLOCK, time=BLOCK.time // SECOND * SECOND)
    header = encode_header(block.signed.header)
    written = header.replace(
        message_field(4, SECONDS), message_field(4, SECONDS + varint_field(2, nanos))
    )
    return message_field(1, written) + COMMIT


def test_nanoseconds_are_below_a_second() -> None:
    last = decode_signed_header(_dated(999_999_999)).header.time
    assert last % SECOND == 999_999_999
    for nanos in (10**9, 2**31, -1):
        with pytest.raises(HeaderUnparseable):
            decode_signed_header(_dated(nanos))


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_canonical_header_are_refused(name: str) -> None:
    content, error = BYTES[name]
    with pytest.raises(error):
        decode_signed_header(content)


KEY = bytes_field(1, bytes(32))


def _entry(key: bytes, power: int = 1) -> bytes:
    return message_field(1, message_field(1, key) + varint_field(2, power))


SETS: dict[str, tuple[bytes, type[HubError]]] = {
    "nothing": (b"", HeaderUnparseable),
    "an empty validator": (b"\x0a\x00", HeaderUnparseable),
    "a validator without a key": (_entry(b""), HeaderUnparseable),
    "two kinds of keys": (_entry(KEY + bytes_field(2, bytes(33))), HeaderUnparseable),
    "a kind of key that is not verified": (_entry(bytes_field(3, bytes(48))), HeaderUnparseable),
    "a short Ed25519 key": (_entry(bytes_field(1, bytes(31))), HeaderUnparseable),
    "a short secp256k1 key": (_entry(bytes_field(2, bytes(32))), HeaderUnparseable),
    "an address": (SET + bytes_field(2, bytes(20)), HeaderUnparseable),
    "a byte cut off": (SET[:-1], HeaderUnparseable),
    "power 0 written out": (
        message_field(1, message_field(1, KEY) + b"\x10\x00"),
        EncodingNotCanonical,
    ),
    "over 512": (_entry(KEY) * 513, LimitExceeded),
    "64 KiB of nothing": (message_field(1, bytes(64 * 1024 - 4)), HeaderUnparseable),
    "one byte over 64 KiB": (message_field(1, bytes(64 * 1024 - 3)), LimitExceeded),
}


@pytest.mark.parametrize("name", SETS)
def test_bytes_that_are_no_canonical_set_are_refused(name: str) -> None:
    data, error = SETS[name]
    with pytest.raises(error):
        decode_validators(data)


def test_512_validators_with_the_longest_numbers_fit() -> None:
    wide = [replace(v, power=2**63 - 1) for v in validator_set(members(*[1] * 512)).validators]
    data = encode_validators(ValidatorSet(tuple(wide)))
    assert decode_validators(data).validators == tuple(wide)


@given(data=st.binary(max_size=400))
def test_any_bytes_are_decoded_to_what_encodes_to_them_or_refused(data: bytes) -> None:
    with suppress(HubError):
        assert encode_signed_header(decode_signed_header(data)) == data
    with suppress(HubError):
        assert encode_validators(decode_validators(data)) == data


@given(at=st.integers(0, len(SIGNED) - 1), cut=st.integers(0, 3), put=st.binary(max_size=3))
def test_no_two_byte_strings_are_one_header(at: int, cut: int, put: bytes) -> None:
    changed = SIGNED[:at] + put + SIGNED[at + cut :]
    try:
        record = decode_signed_header(changed)
    except HubError:
        return
    assert encode_signed_header(record) == changed
    assert (record == BLOCK.signed) == (changed == SIGNED)
