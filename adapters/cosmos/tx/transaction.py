"""Transactions: several messages, one signer, signed as the bytes that the chain will read.

A message is packed once, into the very bytes that stand in the transaction's body; whoever fills
transactions to a limit adds up what is packed and asks ``signed_size`` for the rest. The size is
exact before anything is signed.

Source: cosmos-sdk v0.53 proto/cosmos/tx/v1beta1/tx.proto; ADR-020 (SIGN_MODE_DIRECT), ADR-027
(canonical bytes of the raw transaction).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from adapters.cosmos.tx.keys import SIGNATURE_BYTES
from adapters.cosmos.tx.messages import CreateClient, encode_coin
from hub.core.codec.proto import (
    ProtoError,
    bytes_field,
    encode_varint,
    message_field,
    read_fields,
    varint_field,
)
from hub.core.crypto.digests import sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.cosmos.tx.keys import Key
    from adapters.cosmos.tx.messages import Message

PUBLIC_KEY_TYPE: Final = "/cosmos.crypto.secp256k1.PubKey"

_SIGN_MODE_DIRECT = 1
_MODE = message_field(1, varint_field(1, _SIGN_MODE_DIRECT))
_BODY_HEAD = _MESSAGE_HEAD = b"\x0a"
"""Field 1, as bytes: a transaction's body, and each message in it."""
_VALUE_HEAD = b"\x12"
"""Field 2, as bytes: what an Any holds."""
_FIELD_HEAD_BYTES = 1
_SIGNATURE_FIELD_BYTES = _FIELD_HEAD_BYTES + 1 + SIGNATURE_BYTES


class Account(Protocol):
    """What a signature is bound to beside the chain."""

    @property
    def number(self) -> int:
        """The account's number, which never changes."""
        ...

    @property
    def sequence(self) -> int:
        """How many transactions of it the chain has taken."""
        ...


@dataclass(frozen=True, slots=True)
class Fee:
    """What a transaction may use, and what it pays for that."""

    amount: tuple[tuple[str, int], ...]
    """Denomination and amount; denominations rise."""
    gas_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """All of a transaction that is not its messages."""

    chain_id: str
    account: Account
    fee: Fee
    timeout_height: int
    """The last block that may hold it; 0: any."""
    memo: str = ""


def pack(message: Message, signer: str) -> bytes:
    """*message* as it stands in the body of a transaction that *signer* signs."""
    content = message.encode(signer)
    head = _any_head(message.type_url)
    value = _VALUE_HEAD + encode_varint(len(content))
    size = len(head) + len(value) + len(content)
    return b"".join((_MESSAGE_HEAD, encode_varint(size), head, value, content))


def sign(
    messages: Iterable[Message],
    key: Key,
    *,
    chain_id: str,
    account: Account,
    fee: Fee,
    timeout_height: int,
    memo: str = "",
) -> bytes:
    """The transaction of *messages* that *key* signs, as it is broadcast."""
    terms = Terms(
        chain_id=chain_id, account=account, fee=fee, timeout_height=timeout_height, memo=memo
    )
    return sign_packed([pack(message, key.address) for message in messages], key, terms)


def sign_packed(packed: Sequence[bytes], key: Key, terms: Terms) -> bytes:
    """The transaction of messages that ``pack`` made for *key*, as it is broadcast."""
    # Joined once for the digest and once for the result: it may be a megabyte.
    rest = _rest_of_body(terms)
    size = sum([len(one) for one in packed]) + len(rest)
    auth_info = message_field(2, _auth_info(key.public_key, terms))
    signed = (_BODY_HEAD + encode_varint(size), *packed, rest, auth_info)
    bound_to = bytes_field(3, terms.chain_id.encode()) + varint_field(4, terms.account.number)
    signature = key.sign(sha256(b"".join((*signed, bound_to))))
    return b"".join((*signed, message_field(3, signature)))


def signed_size(packed_bytes: int, key: Key, terms: Terms) -> int:
    """The size of the transaction whose packed messages come to *packed_bytes*."""
    body = packed_bytes + len(_rest_of_body(terms))
    auth_info = len(_auth_info(key.public_key, terms))
    return _field_size(body) + _field_size(auth_info) + _SIGNATURE_FIELD_BYTES


def tx_hash(tx: bytes) -> bytes:
    """What a chain names the transaction *tx* by. Source: CometBFT types/tx.go, Tx.Hash."""
    return sha256(tx)


def read_memo(tx: bytes) -> str:
    """The memo of any account's transaction *tx*; empty where it is not written canonically."""
    try:
        body = _first(tx, 1)
        return _first(body, 2).decode()
    except (ProtoError, UnicodeDecodeError):
        return ""


def is_creation_by(tx: bytes, keys: Iterable[Key]) -> bool:
    """Whether *tx*, which a chain executed, began a client first, and one of *keys* alone signed.

    What is not written as ``sign`` writes it is nobody's: where a field stands twice, the chain may
    have read the other one.
    """
    try:
        signer = _only(_only(_only(tx, 2), 1), 1)
        message = _first(_only(tx, 1), 1)
        type_url, address = _only(message, 1), _only(_only(message, 2), 3)
    except ProtoError:
        return False
    return type_url == CreateClient.type_url.encode() and any(
        signer == _public_key(key.public_key) and address == key.address.encode() for key in keys
    )


@lru_cache(maxsize=64)
def _any_head(type_url: str) -> bytes:
    """The field of an Any that names its type."""
    return bytes_field(1, type_url.encode())


def _rest_of_body(terms: Terms) -> bytes:
    return bytes_field(2, terms.memo.encode()) + varint_field(3, terms.timeout_height)


def _auth_info(public_key: bytes, terms: Terms) -> bytes:
    signer = (
        message_field(1, _public_key(public_key))
        + message_field(2, _MODE)
        + varint_field(3, terms.account.sequence)
    )
    coins = [message_field(1, encode_coin(denom, amount)) for denom, amount in terms.fee.amount]
    fee = b"".join((*coins, varint_field(2, terms.fee.gas_limit)))
    return message_field(1, signer) + message_field(2, fee)


def _public_key(public_key: bytes) -> bytes:
    return _any_head(PUBLIC_KEY_TYPE) + message_field(2, bytes_field(1, public_key))


def _only(message: bytes, wanted: int) -> bytes:
    """The only field *wanted* of *message*. Raises ``ProtoError``, also where there are more."""
    found = [value for number, _, value in read_fields(message) if number == wanted]
    if len(found) != 1 or not isinstance(found[0], bytes):
        raise ProtoError(f"field {wanted} does not stand there once")
    return found[0]


def _first(message: bytes, wanted: int) -> bytes:
    """The first field *wanted* of *message*; empty where it is left out. Raises ``ProtoError``."""
    for number, _, value in read_fields(message):
        if number == wanted and isinstance(value, bytes):
            return value
    return b""


def _field_size(content: int) -> int:
    return _FIELD_HEAD_BYTES + len(encode_varint(content)) + content
