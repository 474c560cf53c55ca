from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from coincurve import PrivateKey

from adapters.cosmos.tx.keys import Key, read_keys
from adapters.cosmos.tx.messages import BankSend, CreateClient, ReceivePacket
from adapters.cosmos.tx.transaction import (
    Fee,
    Terms,
    is_creation_by,
    pack,
    read_memo,
    sign,
    sign_packed,
    signed_size,
    tx_hash,
)
from hub.core.codec.proto import bytes_field, message_field, read_fields, varint_field
from hub.core.crypto import secp256k1
from hub.core.height import Height

if TYPE_CHECKING:
    from pathlib import Path

SEND = BankSend("cosmos1l3e9pgs3mmwuwrh95fecme0s0qtn2880f2jmfe", (("coin", 1), ("stake", 500)))

SIGNED_HEX = (
    "0a9a010a97010a1c2f636f736d6f732e62616e6b2e763162657461312e4d736753656e6412770a2d636f736d6f"
    "73316c336539706773336d6d777577726839356665636d6530733071746e3238383066326a6d6665122d636f73"
    "6d6f73316c336539706773336d6d777577726839356665636d6530733071746e3238383066326a6d66651a090a"
    "04636f696e1201311a0c0a057374616b65120335303012560a4e0a460a1f2f636f736d6f732e63727970746f2e"
    "736563703235366b312e5075624b657912230a21034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859a"
    "b0f0b704075871aa12040a020801120410c09a0c1a408947151dd6565f2e414b2077ce420cc3c81bb6af4251e2"
    "3e0ccb42061158f4b23cac48cdb3a1812c8ea6806bae38867299d2718cac19fde0e067e3fc32950fc0"
)
"""As the SDK's own codec wrote this transaction again after reading it."""


@dataclass(frozen=True)
class Account:
    number: int
    sequence: int


@pytest.fixture
def key(tmp_path: Path) -> Key:
    path = tmp_path / "keys"
    path.write_text("11" * 32)
    path.chmod(0o600)
    [found] = read_keys(path, "cosmos")
    return found


TERMS = Terms(
    chain_id="hangzhou-1",
    account=Account(7, 3),
    fee=Fee((("coin", 2), ("stake", 100)), 200_000),
    timeout_height=55,
    memo="laneOpenings/1",
)


def fields(message: bytes) -> dict[int, list[int | bytes]]:
    """The fields of *message* by number."""
    found: dict[int, list[int | bytes]] = {}
    for number, _, value in read_fields(message):
        found.setdefault(number, []).append(value)
    return found


def inner(message: bytes, number: int) -> bytes:
    """The only field *number* of *message*."""
    [value] = fields(message)[number]
    assert isinstance(value, bytes)
    return value


def test_a_transaction_is_what_the_chain_itself_would_write(key: Key) -> None:
    signed = sign(
        [SEND],
        key,
        chain_id="hangzhou-1",
        account=Account(0, 0),
        fee=Fee((), 200_000),
        timeout_height=0,
    )
    assert signed.hex() == SIGNED_HEX


def test_the_body_holds_the_messages_in_their_order_then_memo_and_timeout(key: Key) -> None:
    other = BankSend("cosmos1other", (("stake", 1),))
    tx = sign_packed([pack(SEND, key.address), pack(other, key.address)], key, TERMS)
    body = fields(inner(tx, 1))
    assert body[1] == [
        bytes_field(1, message.type_url.encode()) + bytes_field(2, message.encode(key.address))
        for message in (SEND, other)
    ]
    assert body[2] == [b"laneOpenings/1"]
    assert body[3] == [55]
    assert set(body) == {1, 2, 3}


def test_the_signer_signs_directly_under_its_sequence_and_fee(key: Key) -> None:
    auth = inner(sign_packed([pack(SEND, key.address)], key, TERMS), 2)
    signer = inner(auth, 1)
    assert inner(inner(signer, 1), 1) == b"/cosmos.crypto.secp256k1.PubKey"
    assert inner(inner(inner(signer, 1), 2), 1) == key.public_key
    assert inner(signer, 2) == message_field(1, varint_field(1, 1))
    assert fields(signer)[3] == [3]
    fee = fields(inner(auth, 2))
    assert fee[1] == [b"\x0a\x04coin\x12\x012", b"\x0a\x05stake\x12\x03100"]
    assert fee[2] == [200_000]


def test_the_signature_is_over_all_of_it_with_chain_and_account(key: Key) -> None:
    tx = sign_packed([pack(SEND, key.address)], key, TERMS)
    document = (
        message_field(1, inner(tx, 1))
        + message_field(2, inner(tx, 2))
        + bytes_field(3, b"hangzhou-1")
        + varint_field(4, 7)
    )
    assert secp256k1.verify(key.public_key, document, inner(tx, 3))
    assert set(fields(tx)) == {1, 2, 3}


@pytest.mark.parametrize(
    "changed",
    [
        replace(TERMS, chain_id="hangzhou-2"),
        replace(TERMS, account=Account(8, 3)),
        replace(TERMS, account=Account(7, 4)),
        replace(TERMS, fee=Fee((), 200_000)),
        replace(TERMS, fee=replace(TERMS.fee, gas_limit=200_001)),
        replace(TERMS, timeout_height=56),
        replace(TERMS, memo=""),
    ],
)
def test_every_term_is_under_the_signature(key: Key, changed: Terms) -> None:
    packed = [pack(SEND, key.address)]
    assert inner(sign_packed(packed, key, TERMS), 3) != inner(sign_packed(packed, key, changed), 3)


def test_signing_twice_gives_the_same_bytes(key: Key) -> None:
    packed = [pack(SEND, key.address)]
    assert sign_packed(packed, key, TERMS) == sign_packed(packed, key, TERMS)
    assert sign_packed(packed, key, TERMS) == sign(
        [SEND],
        key,
        chain_id=TERMS.chain_id,
        account=TERMS.account,
        fee=TERMS.fee,
        timeout_height=TERMS.timeout_height,
        memo=TERMS.memo,
    )


@pytest.mark.parametrize("proof_bytes", [1, 100, 127, 128, 2_500, 16_383, 16_384, 300_000])
@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize(
    "terms",
    [
        TERMS,
        replace(TERMS, memo="", timeout_height=0, fee=Fee((), 0), account=Account(0, 0)),
        replace(TERMS, memo="m" * 256, timeout_height=2**40, account=Account(2**32, 2**31)),
    ],
)
def test_the_size_is_known_before_anything_is_signed(
    key: Key, terms: Terms, proof_bytes: int, count: int
) -> None:
    packed = pack(ReceivePacket(b"packet", b"\x01" * proof_bytes, Height(1, 2)), key.address)
    tx = sign_packed([packed] * count, key, terms)
    assert signed_size(len(packed) * count, key, terms) == len(tx)


def test_the_memo_is_read_back(key: Key) -> None:
    packed = [pack(SEND, key.address)]
    assert read_memo(sign_packed(packed, key, TERMS)) == "laneOpenings/1"
    assert read_memo(sign_packed(packed, key, replace(TERMS, memo=""))) == ""
    assert read_memo(sign_packed(packed, key, replace(TERMS, memo="沪-1"))) == "沪-1"


@pytest.mark.parametrize(
    "tx",
    [
        b"",
        b"\xff",
        b"\x0a\x05ab",
        bytes_field(1, b"\xff\xff"),
        bytes_field(1, bytes_field(2, b"\xff")),
        bytes_field(1, varint_field(2, 7)),
        varint_field(1, 7),
    ],
)
def test_whatever_others_put_into_a_block_has_no_memo_at_worst(key: Key, tx: bytes) -> None:
    assert read_memo(tx) == ""
    assert not is_creation_by(tx, [key])


def test_a_creation_is_by_whom_it_was_signed(key: Key) -> None:
    secret = PrivateKey(b"\x07" * 32)
    other = Key("cosmos1other", secret.public_key.format(compressed=True), secret)
    create = CreateClient(b"state", b"consensus")
    own = sign_packed([pack(create, key.address)], key, TERMS)
    assert is_creation_by(own, [other, key])
    assert not is_creation_by(own, [other])
    assert not is_creation_by(own, [])
    assert not is_creation_by(sign_packed([pack(SEND, key.address)], key, TERMS), [key])
    assert not is_creation_by(sign_packed([], key, TERMS), [key])
    # Either of the message's signer and the transaction's is not enough.
    assert not is_creation_by(sign_packed([pack(create, key.address)], other, TERMS), [key, other])
    assert not is_creation_by(sign_packed([pack(create, other.address)], key, TERMS), [key, other])


def test_a_creation_with_a_field_written_twice_is_nobodys(key: Key) -> None:
    """Go takes the last one."""
    content = CreateClient(b"s", b"c").encode(key.address) + bytes_field(3, b"cosmos1mallory")
    url = bytes_field(1, CreateClient.type_url.encode())
    packed = bytes_field(1, url + bytes_field(2, content))
    assert not is_creation_by(sign_packed([packed], key, TERMS), [key])
    own = sign_packed([pack(CreateClient(b"s", b"c"), key.address)], key, TERMS)
    assert not is_creation_by(own + bytes_field(1, b"\x0a\x00"), [key])
    assert not is_creation_by(own + bytes_field(2, b"\x0a\x00"), [key])


def test_a_transaction_is_named_by_its_hash(key: Key) -> None:
    """Source: FIPS 180-4, the example of SHA-256."""
    assert len(tx_hash(sign_packed([pack(SEND, key.address)], key, TERMS))) == 32
    assert tx_hash(b"abc").hex() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
