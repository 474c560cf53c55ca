from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from hub.core.errors import HeightInvalid
from hub.core.height import Height
from hub.core.merkle import leaf_hash, root
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.header import (
    VotePayload,
    address,
    header_hash,
    height_of,
    revision_of,
    sign_bytes,
    validators_hash,
)
from hub.light_clients.cometbft.types import (
    BlockId,
    Commit,
    KeyKind,
    PublicKey,
    Validator,
    ValidatorSet,
)
from tests.harness.cometbft import ZERO_TIME, make_chain, make_header, members

GROUP = members(10, 10)
HEADER = make_header(GROUP, GROUP)
DIGEST = bytes(range(32))
COMMIT = Commit(height=0x0102, round=0, block_id=BlockId(DIGEST, 2, bytes(32)), signatures=())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("block_protocol", 12),
        ("app_protocol", 2),
        ("chain_id", "wuxi-1"),
        ("height", 2),
        ("time", 1),
        ("last_block_id", BlockId(DIGEST)),
        ("last_commit_hash", b""),
        ("data_hash", b""),
        ("validators_hash", DIGEST),
        ("next_validators_hash", DIGEST),
        ("consensus_hash", b""),
        ("app_hash", b""),
        ("last_results_hash", b""),
        ("evidence_hash", b""),
        ("proposer_address", bytes(20)),
    ],
)
def test_every_field_is_under_the_hash(field: str, value: object) -> None:
    assert header_hash(replace(HEADER, **{field: value})) != header_hash(HEADER)  # type: ignore[arg-type]


def test_fields_are_wrapped_and_an_empty_one_is_an_empty_leaf() -> None:
    header = replace(
        HEADER, chain_id="c", height=5, time=Timestamp(SECOND + 7), last_block_id=BlockId()
    )
    leaves = [
        b"\x08\x0b\x10\x01",
        b"\x0a\x01c",
        b"\x08\x05",
        b"\x08\x01\x10\x07",
        b"\x12\x00",
        b"\x0a\x20" + header.last_commit_hash,
        b"\x0a\x20" + header.data_hash,
        b"\x0a\x20" + header.validators_hash,
        b"\x0a\x20" + header.next_validators_hash,
        b"\x0a\x20" + header.consensus_hash,
        b"\x0a\x20" + header.app_hash,
        b"\x0a\x20" + header.last_results_hash,
        b"\x0a\x20" + header.evidence_hash,
        b"\x0a\x14" + header.proposer_address,
    ]
    assert header_hash(header) == root(leaves)
    leaves[5] = leaves[10] = b""
    assert header_hash(replace(header, last_commit_hash=b"", app_hash=b"")) == root(leaves)


def test_set_of_one_hashes_as_one_leaf() -> None:
    key = PublicKey(KeyKind.ED25519, bytes(32))
    leaf = b"\x0a\x22\x0a\x20" + bytes(32) + b"\x10\x05"
    assert validators_hash(ValidatorSet((Validator(key, 5),))) == leaf_hash(leaf)


def test_set_hash_covers_order_kinds_and_powers() -> None:
    one, two = (member.validator for member in GROUP)
    other_kind = replace(one.public_key, kind=KeyKind.SECP256K1)
    sets = [
        (one, two),
        (two, one),
        (one,),
        (replace(one, power=11), two),
        (replace(one, public_key=other_kind), two),
    ]
    assert len({validators_hash(ValidatorSet(validators)) for validators in sets}) == len(sets)


def test_ed25519_address_is_the_start_of_sha256() -> None:
    key = PublicKey(KeyKind.ED25519, DIGEST)
    assert address(key) == sha256(DIGEST).digest()[:20]


def test_secp256k1_address_is_that_of_bitcoin() -> None:
    # The base point itself: the best known key hash there is.
    point = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    key = PublicKey(KeyKind.SECP256K1, bytes.fromhex(point))
    assert address(key).hex() == "751e76e8199196d454941c45d1b3a323f1433bd6"


def test_sign_bytes_leave_round_0_out() -> None:
    block_id = b"\x0a\x20" + DIGEST + b"\x12\x24\x08\x02\x12\x20" + bytes(32)
    body = (
        b"\x08\x02"
         b"\x11\x02\x01\x00\x00\x00\x00\x00\x00"
         b"\x22" + bytes((len(block_id),)) + block_id
        + b"\x2a\x04\x08\x01\x10\x07"
        + b"\x32\x08suzhou-1"
    )  # fmt: skip
    assert sign_bytes("suzhou-1", COMMIT, Timestamp(SECOND + 7)) == bytes((len(body),)) + body


def test_sign_bytes_carry_round_and_time_always() -> None:
    message = sign_bytes("c", replace(COMMIT, round=3), Timestamp(0))
    assert b"\x19\x03\x00\x00\x00\x00\x00\x00\x00" in message
    assert b"\x2a\x00" in message
    assert b"\x2a\x0b\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01" in sign_bytes(
        "c", COMMIT, ZERO_TIME
    )


def test_vote_for_no_block_signs_no_block_id() -> None:
    # Source: CometBFT types/canonical.go: a zero BlockID is left out, not written as empty.
    message = sign_bytes("c", replace(COMMIT, block_id=BlockId()), Timestamp(0))
    assert message == b"\x10\x08\x02\x11\x02\x01\x00\x00\x00\x00\x00\x00\x2a\x00\x32\x01c"


def test_payload_of_a_long_chain_id_has_a_length_of_two_bytes() -> None:
    commit = make_chain([GROUP], chain_id="c" * 50)[0].signed.commit
    message = VotePayload.of("c" * 50, commit).at(ZERO_TIME)
    size = (message[0] & 0x7F) | message[1] << 7
    assert size == len(message) - 2


@pytest.mark.parametrize(
    ("chain_id", "revision"),
    [
        ("suzhou-1", 1),
        ("cosmoshub-4", 4),
        ("a-b-12", 12),
        ("test-chain", 0),
        ("suzhou", 0),
        ("suzhou-0", 0),
        ("suzhou-01", 0),
        ("suzhou--1", 0),
        ("-1", 0),
        ("suzhou-1a", 0),
        ("suzhou-1\n", 0),
        ("", 0),
    ],
)
def test_revision_is_read_from_the_chain_id(chain_id: str, revision: int) -> None:
    # Source: ibc-go 02-client types/height_test.go, ParseChainID.
    assert revision_of(chain_id) == revision


def test_height_is_of_the_chains_revision() -> None:
    assert height_of(replace(HEADER, chain_id="suzhou-3", height=9)) == Height(3, 9)
    with pytest.raises(HeightInvalid):
        height_of(replace(HEADER, chain_id=f"suzhou-{2**64}"))
