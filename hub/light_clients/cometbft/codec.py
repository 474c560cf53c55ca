"""Light blocks as bytes: canonical protobuf, decoded strictly and encoded again to compare.

``Header.content`` is ``tendermint.types.SignedHeader{header = 1, commit = 2}``.
``Header.validators`` is ``repeated tendermint.types.SimpleValidator = 1``, in the set's order: what
``validators_hash`` covers and no more.

Decoding bounds every number and length before anything is computed from it: what it returns can be
hashed and signed over, and nothing else is known of it.

Source: CometBFT proto/tendermint/types/{types,validator}.proto; gogoproto writes every message
that is not nullable, also an empty one; types/block.go and types/vote.go, ValidateBasic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from hub.core.codec.proto import (
    LENGTH,
    VARINT,
    ProtoError,
    bytes_field,
    message_field,
    read_fields,
    signed,
    varint_field,
)
from hub.core.errors import EncodingNotCanonical, HeaderUnparseable, LimitExceeded
from hub.core.height import MAX_HEIGHT
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.types import (
    BlockId,
    BlockIdFlag,
    CometHeader,
    Commit,
    CommitSignature,
    KeyKind,
    PublicKey,
    SignedHeader,
    Validator,
    ValidatorSet,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

MAX_VALIDATORS: Final = 512
MAX_CONTENT_BYTES: Final = 1024 * 1024
MAX_VALIDATORS_BYTES: Final = 64 * 1024
"""512 validators with the longest keys and powers are 512 * 49 bytes."""

MAX_CHAIN_ID_BYTES: Final = 50
"""Source: CometBFT types/genesis.go, MaxChainIDLen."""
MAX_ROUND: Final = 2**31 - 1
MAX_APP_HASH_BYTES: Final = 64
"""An application chooses its length; Merkle roots have 32 bytes."""
DIGEST_BYTES: Final = 32
ADDRESS_BYTES: Final = 20
SIGNATURE_BYTES: Final = 64
KEY_BYTES: Final = {KeyKind.ED25519: 32, KeyKind.SECP256K1: 33}

_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799
"""0001-01-01 to 9999-12-31. Source: protobuf timestamp.proto."""
_MAX_TIME = 2**63 - 1
_MAX_UINT32 = 2**32 - 1

_SIGNED_HEADER = {1: LENGTH, 2: LENGTH}
_VERSION = {1: VARINT, 2: VARINT}
_HEADER = {1: LENGTH, 2: LENGTH, 3: VARINT, **dict.fromkeys(range(4, 15), LENGTH)}
_TIMESTAMP = {1: VARINT, 2: VARINT}
_BLOCK_ID = {1: LENGTH, 2: LENGTH}
_PART_SET_HEADER = {1: VARINT, 2: LENGTH}
_COMMIT = {1: VARINT, 2: VARINT, 3: LENGTH, 4: LENGTH}
_SIGNATURES = 4
_COMMIT_SIGNATURE = {1: VARINT, 2: LENGTH, 3: LENGTH, 4: LENGTH}
_SIMPLE_VALIDATOR = {1: LENGTH, 2: VARINT}
_PUBLIC_KEY = {kind.value: LENGTH for kind in KeyKind}


def decode_signed_header(content: bytes) -> SignedHeader:
    """The header and commit of *content*, at most 1 MiB.

    Raises ``LimitExceeded``, ``HeaderUnparseable`` or ``EncodingNotCanonical``.
    """
    _at_most(len(content), MAX_CONTENT_BYTES, "header bytes")
    return _strictly(content, "signed header", _signed_header, encode_signed_header)


def decode_validators(data: bytes) -> ValidatorSet:
    """The validators of *data*, 1 to 512, in the order of the bytes.

    That the order is the set's, the powers in range and no key there twice is not looked at here.
    Raises ``LimitExceeded``, ``HeaderUnparseable`` or ``EncodingNotCanonical``.
    """
    _at_most(len(data), MAX_VALIDATORS_BYTES, "validator set bytes")
    return _strictly(data, "validator set", _validator_set, encode_validators)


def encode_signed_header(block: SignedHeader) -> bytes:
    """The canonical bytes of *block*: what ``Header.content`` holds."""
    return message_field(1, encode_header(block.header)) + message_field(
        2, encode_commit(block.commit)
    )


def encode_validators(validator_set: ValidatorSet) -> bytes:
    """The canonical bytes of *validator_set*: what ``Header.validators`` holds."""
    return b"".join([message_field(1, encode_validator(v)) for v in validator_set.validators])


def encode_header(header: CometHeader) -> bytes:
    """``tendermint.types.Header``."""
    return b"".join(
        (
            message_field(1, encode_version(header.block_protocol, header.app_protocol)),
            bytes_field(2, header.chain_id.encode()),
            varint_field(3, header.height),
            message_field(4, encode_timestamp(header.time)),
            message_field(5, encode_block_id(header.last_block_id)),
            bytes_field(6, header.last_commit_hash),
            bytes_field(7, header.data_hash),
            bytes_field(8, header.validators_hash),
            bytes_field(9, header.next_validators_hash),
            bytes_field(10, header.consensus_hash),
            bytes_field(11, header.app_hash),
            bytes_field(12, header.last_results_hash),
            bytes_field(13, header.evidence_hash),
            bytes_field(14, header.proposer_address),
        )
    )


def encode_commit(commit: Commit) -> bytes:
    """``tendermint.types.Commit``."""
    parts = [
        varint_field(1, commit.height),
        varint_field(2, commit.round),
        message_field(3, encode_block_id(commit.block_id)),
    ]
    parts += [message_field(_SIGNATURES, encode_signature(entry)) for entry in commit.signatures]
    return b"".join(parts)


def encode_signature(entry: CommitSignature) -> bytes:
    """``tendermint.types.CommitSig``."""
    return (
        varint_field(1, entry.flag)
        + bytes_field(2, entry.address)
        + message_field(3, encode_timestamp(entry.time))
        + bytes_field(4, entry.signature)
    )


def encode_version(block_protocol: int, app_protocol: int) -> bytes:
    """``tendermint.version.Consensus``."""
    return varint_field(1, block_protocol) + varint_field(2, app_protocol)


def encode_timestamp(at: Timestamp) -> bytes:
    """``google.protobuf.Timestamp`` of *at* (ns)."""
    seconds, nanos = divmod(at, SECOND)
    return varint_field(1, seconds) + varint_field(2, nanos)


def encode_block_id(block_id: BlockId) -> bytes:
    """``tendermint.types.BlockID``, and ``CanonicalBlockID``: their bytes are the same."""
    parts = varint_field(1, block_id.parts_total) + bytes_field(2, block_id.parts_hash)
    return bytes_field(1, block_id.hash) + message_field(2, parts)


def encode_validator(validator: Validator) -> bytes:
    """``tendermint.types.SimpleValidator``: a leaf of ``validators_hash``."""
    key = message_field(validator.public_key.kind, validator.public_key.data)
    return message_field(1, key) + varint_field(2, validator.power)


def _signed_header(data: bytes) -> SignedHeader:
    _, parts, _ = _read(data, _SIGNED_HEADER, "signed header")
    return SignedHeader(
        _header(_needed(parts, 1, "signed header")), _commit(_needed(parts, 2, "signed header"))
    )


def _header(data: bytes) -> CometHeader:
    numbers, parts, _ = _read(data, _HEADER, "header")
    version, _, _ = _read(_needed(parts, 1, "header"), _VERSION, "version")
    time = _timestamp(_needed(parts, 4, "header"), "header time")
    if not 0 <= time <= _MAX_TIME:
        raise _bad("header", "time is outside 0 to 2^63-1 ns")
    return CometHeader(
        block_protocol=version.get(1, 0),
        app_protocol=version.get(2, 0),
        chain_id=_chain_id(parts.get(2, b"")),
        height=_height(numbers.get(3, 0), "header"),
        time=time,
        last_block_id=_block_id(_needed(parts, 5, "header"), "header"),
        last_commit_hash=_digest(parts.get(6, b""), "last_commit_hash"),
        data_hash=_digest(parts.get(7, b""), "data_hash"),
        validators_hash=_sized(parts.get(8, b""), DIGEST_BYTES, "validators_hash"),
        next_validators_hash=_sized(parts.get(9, b""), DIGEST_BYTES, "next_validators_hash"),
        consensus_hash=_digest(parts.get(10, b""), "consensus_hash"),
        app_hash=_app_hash(parts.get(11, b"")),
        last_results_hash=_digest(parts.get(12, b""), "last_results_hash"),
        evidence_hash=_digest(parts.get(13, b""), "evidence_hash"),
        proposer_address=_sized(parts.get(14, b""), ADDRESS_BYTES, "proposer_address"),
    )


def _commit(data: bytes) -> Commit:
    numbers, parts, entries = _read(data, _COMMIT, "commit", repeated=_SIGNATURES)
    round_ = numbers.get(2, 0)
    if round_ > MAX_ROUND:
        raise _bad("commit", "round is outside 0 to 2^31-1")
    if not entries:
        raise _bad("commit", "has no signatures")
    return Commit(
        height=_height(numbers.get(1, 0), "commit"),
        round=round_,
        block_id=_block_id(_needed(parts, 3, "commit"), "commit"),
        signatures=tuple([_signature(entry) for entry in entries]),
    )


def _signature(data: bytes) -> CommitSignature:
    numbers, parts, _ = _read(data, _COMMIT_SIGNATURE, "commit entry")
    flag = _FLAGS.get(numbers.get(1, 0))
    if flag is None:
        raise _bad("commit entry", f"flag is {numbers.get(1, 0)}")
    address, signature = parts.get(2, b""), parts.get(4, b"")
    if flag is BlockIdFlag.ABSENT:
        if address or signature:
            raise _bad("commit entry", "is absent but has an address or a signature")
    elif len(address) != ADDRESS_BYTES or len(signature) != SIGNATURE_BYTES:
        raise _bad("commit entry", "address has not 20 bytes, or signature not 64")
    time = _timestamp(_needed(parts, 3, "commit entry"), "commit entry")
    return CommitSignature(flag=flag, address=address, time=time, signature=signature)


_FLAGS = {flag.value: flag for flag in BlockIdFlag}


def _validator_set(data: bytes) -> ValidatorSet:
    _, _, entries = _read(data, {1: LENGTH}, "validator set", repeated=1)
    if not entries:
        raise _bad("validator set", "is empty")
    return ValidatorSet(tuple([_validator(entry) for entry in entries]))


def _validator(data: bytes) -> Validator:
    numbers, parts, _ = _read(data, _SIMPLE_VALIDATOR, "validator")
    _, keys, _ = _read(_needed(parts, 1, "validator"), _PUBLIC_KEY, "public key")
    if len(keys) != 1:
        raise _bad("public key", "is not one key")
    ((number, key),) = keys.items()
    kind = KeyKind(number)
    return Validator(
        PublicKey(kind, _sized(key, KEY_BYTES[kind], "public key")), signed(numbers.get(2, 0))
    )


def _block_id(data: bytes, what: str) -> BlockId:
    _, parts, _ = _read(data, _BLOCK_ID, "block id")
    total, rest, _ = _read(_needed(parts, 2, "block id"), _PART_SET_HEADER, "part set header")
    parts_total = total.get(1, 0)
    if parts_total > _MAX_UINT32:
        raise _bad(what, "parts total is over 2^32-1")
    return BlockId(
        _digest(parts.get(1, b""), "block id hash"), parts_total, _digest(rest.get(2, b""), "parts")
    )


def _timestamp(data: bytes, what: str) -> Timestamp:
    numbers, _, _ = _read(data, _TIMESTAMP, "timestamp")
    seconds, nanos = signed(numbers.get(1, 0)), numbers.get(2, 0)
    if not (_FIRST_SECOND <= seconds <= _LAST_SECOND and nanos < SECOND):
        raise _bad(what, "time is outside the years 1 to 9999, or has nanoseconds over 10^9-1")
    return Timestamp(seconds * SECOND + nanos)


def _chain_id(data: bytes) -> str:
    _at_most(len(data), MAX_CHAIN_ID_BYTES, "chain id bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _bad("header", "chain id is not UTF-8") from error


def _height(value: int, what: str) -> int:
    if not 1 <= value <= MAX_HEIGHT:
        raise _bad(what, "height is outside 1 to 2^63-1")
    return value


def _app_hash(data: bytes) -> bytes:
    _at_most(len(data), MAX_APP_HASH_BYTES, "app hash bytes")
    return data


def _digest(data: bytes, field: str) -> bytes:
    """*data*, which is empty or has 32 bytes. Source: types/validation.go, ValidateHash."""
    return data if not data else _sized(data, DIGEST_BYTES, field)


def _sized(data: bytes, size: int, field: str) -> bytes:
    if len(data) != size:
        raise _bad(field, f"has {len(data)} bytes, not {size}")
    return data


def _needed(parts: dict[int, bytes], number: int, what: str) -> bytes:
    if number not in parts:
        raise _bad(what, f"field {number} is missing")
    return parts[number]


def _read(
    data: bytes, known: dict[int, int], what: str, repeated: int = 0
) -> tuple[dict[int, int], dict[int, bytes], list[bytes]]:
    """The numbers, the bytes by field, and the values of the *repeated* field, of one message."""
    numbers: dict[int, int] = {}
    parts: dict[int, bytes] = {}
    many: list[bytes] = []
    for number, wire_type, value in read_fields(data):
        if known.get(number) != wire_type:
            raise _bad(what, f"field {number} is unknown")
        if number in numbers or number in parts:
            raise _bad(what, f"field {number} stands twice")
        if isinstance(value, int):
            numbers[number] = value
        elif number == repeated:
            if len(many) == MAX_VALIDATORS:
                _at_most(MAX_VALIDATORS + 1, MAX_VALIDATORS, f"{what} entries")
            many.append(value)
        else:
            parts[number] = value
    return numbers, parts, many


def _strictly(
    data: bytes, what: str, decode: Callable[[bytes], _T], encode: Callable[[_T], bytes]
) -> _T:
    try:
        record = decode(data)
    except ProtoError as error:
        raise _bad(what, str(error)) from error
    if encode(record) != data:
        raise EncodingNotCanonical(what=what)
    return record


def _at_most(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise LimitExceeded(what=what, count=count, limit=limit)


def _bad(what: str, problem: str) -> HeaderUnparseable:
    return HeaderUnparseable(what=what, problem=problem)
