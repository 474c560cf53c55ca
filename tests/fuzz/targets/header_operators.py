"""Ways to change a header.

Some candidates are hashed again, so that everything but the signatures fits; some are signed again,
all of them or in part, by keys that nobody trusts. No trusted key signs anything but its chain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from hub.core.client import Header
from hub.core.time import SECOND
from hub.light_clients.cometbft.codec import (
    MAX_VALIDATORS,
    encode_signed_header,
    encode_validators,
)
from hub.light_clients.cometbft.header import header_hash, validators_hash
from hub.light_clients.cometbft.types import (
    BlockId,
    BlockIdFlag,
    KeyKind,
    PublicKey,
    SignedHeader,
    Validator,
    ValidatorSet,
)
from tests.fuzz.operators import Operator, bytewise
from tests.fuzz.proto_tree import changed
from tests.fuzz.targets.header_samples import (
    CHANGED,
    ENCODED,
    FAR,
    GROUP,
    NOW,
    STRANGERS,
    TRUSTED,
    VALID,
)
from tests.harness.cometbft import (
    ABSENT,
    Member,
    make_commit,
    members,
    validator_set,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from hub.light_clients.cometbft.types import CometHeader, Commit, CommitSignature
    from tests.harness.cometbft import Block

T = TypeVar("T")

_TIME: dict[int, Any] = {}
_BLOCK_ID: dict[int, Any] = {2: {}}
_SCHEMA: dict[int, Any] = {
    1: {1: {}, 4: _TIME, 5: _BLOCK_ID},
    2: {3: _BLOCK_ID, 4: {3: _TIME}},
}
_SET_SCHEMA: dict[int, Any] = {1: {1: {}}}


def _packed(signed: SignedHeader, validators: ValidatorSet) -> Header:
    return Header(content=encode_signed_header(signed), validators=encode_validators(validators))


def _hashed(signed: SignedHeader) -> SignedHeader:
    """*signed* whose commit is for its header, but for the signatures."""
    block_id = replace(signed.commit.block_id, hash=header_hash(signed.header))
    return replace(signed, commit=replace(signed.commit, block_id=block_id))


# Fields -------------------------------------------------------------------------------------------

_CHAIN_IDS = ("suzhou-2", "suzhou", "", "x" * 51, "wuxi-1", f"c-{2**63}", f"suzhou-{2**64}")


def _other_bytes(data: bytes, rng: Random) -> bytes:
    if not data:
        return rng.randbytes(rng.choice((1, 20, 32, 64)))
    at = rng.randrange(len(data))
    flipped = data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
    return rng.choice(
        (
            flipped,
            flipped,
            rng.randbytes(len(data)),
            b"",
            data[:-1],
            data + b"\x00",
            bytes(len(data)),
        )
    )


def _other_number(number: int, rng: Random) -> int:
    return rng.choice((number + 1, number - 1, 0, -1, number ^ 1 << rng.randrange(31), 2**63 - 1))


def _other_height(height: int, rng: Random) -> int:
    return rng.choice((height + 1, height - 1, TRUSTED.height, 0, -1, 2**63 - 1))


def _other_time(time: int, rng: Random) -> int:
    trusted = TRUSTED.time
    return rng.choice(
        (
            time + 1,
            time - 1,
            trusted,
            trusted - SECOND,
            NOW + 10 * SECOND,
            NOW + 10**18,
            0,
            -1,
            2**63,
        )
    )


def _other_block_id(block_id: BlockId, rng: Random) -> BlockId:
    kind = rng.randrange(4)
    if kind == 0:
        return replace(block_id, hash=_other_bytes(block_id.hash, rng))
    if kind == 1:
        return replace(block_id, parts_hash=_other_bytes(block_id.parts_hash, rng))
    if kind == 2:
        return replace(block_id, parts_total=_other_number(block_id.parts_total, rng))
    return BlockId()


_HEADER_FIELDS: dict[str, Callable[[Any, Random], Any]] = {
    "block_protocol": _other_number,
    "app_protocol": _other_number,
    "chain_id": lambda _, rng: rng.choice(_CHAIN_IDS),
    "height": _other_height,
    "time": _other_time,
    "last_block_id": _other_block_id,
    "last_commit_hash": _other_bytes,
    "data_hash": _other_bytes,
    "validators_hash": _other_bytes,
    "next_validators_hash": _other_bytes,
    "consensus_hash": _other_bytes,
    "app_hash": _other_bytes,
    "last_results_hash": _other_bytes,
    "evidence_hash": _other_bytes,
    "proposer_address": _other_bytes,
}
_CLAIMS = {name: _HEADER_FIELDS[name] for name in ("block_protocol", "chain_id", "height", "time")}
"""The fields that are judged before any signature."""

_COMMIT_FIELDS: dict[str, Callable[[Any, Random], Any]] = {
    "height": _other_number,
    "round": _other_number,
    "block_id": _other_block_id,
}
_ENTRY_FIELDS: dict[str, Callable[[Any, Random], Any]] = {
    "flag": lambda flag, rng: rng.choice([one for one in BlockIdFlag if one is not flag]),
    "address": _other_bytes,
    "time": _other_time,
    "signature": _other_bytes,
}


def _field_changed(record: T, fields: dict[str, Callable[[Any, Random], Any]], rng: Random) -> T:
    name = rng.choice(tuple(fields))
    return replace(record, **{name: fields[name](getattr(record, name), rng)})  # type: ignore[type-var]


def _header_field(block: Block, rng: Random) -> Header:
    header = _field_changed(block.signed.header, _HEADER_FIELDS, rng)
    return _packed(replace(block.signed, header=header), block.validators)


def _header_field_hashed(block: Block, rng: Random) -> Header:
    fields = rng.choice((_CLAIMS, _HEADER_FIELDS))
    header = _field_changed(block.signed.header, fields, rng)
    commit = replace(block.signed.commit, height=header.height)
    return _packed(_hashed(SignedHeader(header, commit)), block.validators)


def _header_field_by_strangers(block: Block, rng: Random) -> Header:
    strangers = validator_set(STRANGERS)
    fields = rng.choice((_CLAIMS, _HEADER_FIELDS))
    header = replace(
        _field_changed(block.signed.header, fields, rng),
        validators_hash=validators_hash(strangers),
    )
    return _packed(_signed_by(header, STRANGERS), strangers)


def _commit_field(block: Block, rng: Random) -> Header:
    commit = _field_changed(block.signed.commit, _COMMIT_FIELDS, rng)
    return _packed(replace(block.signed, commit=commit), block.validators)


def _signed_by(header: CometHeader, group: tuple[Member, ...]) -> SignedHeader:
    return SignedHeader(header, make_commit(header, group))


# Votes --------------------------------------------------------------------------------------------


def _list_changed(items: tuple[T, ...], other: T, rng: Random) -> tuple[T, ...]:
    """*items* with one dropped, doubled, moved or replaced, or *other* put in."""
    at, to = rng.randrange(len(items)), rng.randrange(len(items))
    kind = rng.randrange(6)
    if kind == 0:
        return items[:at] + items[at + 1 :]
    if kind == 1:
        return (*items[:at], items[at], *items[at:])
    if kind == 2:
        swapped = list(items)
        swapped[at], swapped[to] = swapped[to], swapped[at]
        return tuple(swapped)
    if kind == 3:
        return (*items[:at], items[to], *items[at + 1 :])
    if kind == 4:
        return (*items[:at], other, *items[at + 1 :])
    return (*items[:at], other, *items[at:])


def _votes_changed(
    change: Callable[[Commit, Random], tuple[CommitSignature, ...]],
) -> Callable[[Block, Random], Header]:
    def make(block: Block, rng: Random) -> Header:
        commit = block.signed.commit
        entries = change(commit, rng)
        return _packed(
            replace(block.signed, commit=replace(commit, signatures=entries)), block.validators
        )

    return make


def _vote_field(commit: Commit, rng: Random) -> tuple[CommitSignature, ...]:
    at = rng.randrange(len(commit.signatures))
    entry = _field_changed(commit.signatures[at], _ENTRY_FIELDS, rng)
    return (*commit.signatures[:at], entry, *commit.signatures[at + 1 :])


def _votes_listed(commit: Commit, rng: Random) -> tuple[CommitSignature, ...]:
    other = rng.choice(rng.choice(VALID).signed.commit.signatures)
    return _list_changed(commit.signatures, rng.choice((other, ABSENT)), rng)


def _votes_absent(commit: Commit, rng: Random) -> tuple[CommitSignature, ...]:
    gone = rng.sample(range(4), rng.randint(2, 4))
    return tuple(ABSENT if at in gone else entry for at, entry in enumerate(commit.signatures))


def _votes_of_another_block(commit: Commit, rng: Random) -> tuple[CommitSignature, ...]:
    others = rng.choice(VALID).signed.commit.signatures
    at = rng.randrange(len(others))
    names = commit.signatures[at].address
    return (
        *commit.signatures[:at],
        replace(others[at], address=names) if names and others[at].address else others[at],
        *commit.signatures[at + 1 :],
    )


def _vote_by_a_stranger(block: Block, rng: Random) -> Header:
    """A stranger's signature, over just what the member would sign, in the member's place."""
    forged = _signed_by(block.signed.header, STRANGERS).commit
    entries = list(block.signed.commit.signatures)
    for at in rng.sample(range(4), rng.randint(1, 4)):
        member = block.group[at]
        entries[at] = replace(forged.signatures[at], address=member.address)
    commit = replace(block.signed.commit, signatures=tuple(entries))
    return _packed(replace(block.signed, commit=commit), block.validators)


# Sets ---------------------------------------------------------------------------------------------


def _validators_changed(block: Block, rng: Random) -> ValidatorSet:
    validators = block.validators.validators
    at = rng.randrange(len(validators))
    one = validators[at]
    stranger = rng.choice(STRANGERS).validator
    kind = rng.randrange(4)
    if kind == 0:
        one = replace(
            one, power=rng.choice((one.power + 1, one.power - 1, 0, -1, 2**60, 2**63 - 1))
        )
    elif kind == 1:
        one = replace(
            one, public_key=PublicKey(one.public_key.kind, _other_bytes(one.public_key.data, rng))
        )
    elif kind == 2:
        key = PublicKey(KeyKind.SECP256K1, b"\x02" + one.public_key.data[-32:])
        one = Validator(key, one.power)
    else:
        return ValidatorSet(_list_changed(validators, stranger, rng))
    return ValidatorSet((*validators[:at], one, *validators[at + 1 :]))


def _set(block: Block, rng: Random) -> Header:
    return _packed(block.signed, _validators_changed(block, rng))


def _set_hashed(block: Block, rng: Random) -> Header:
    """The header names the changed set, and its commit has an entry for each of it."""
    validators = _validators_changed(block, rng)
    header = replace(block.signed.header, validators_hash=validators_hash(validators))
    entries = block.signed.commit.signatures[: len(validators.validators)]
    entries += (ABSENT,) * (len(validators.validators) - len(entries))
    commit = replace(block.signed.commit, signatures=entries)
    return _packed(_hashed(SignedHeader(header, commit)), validators)


def _set_too_large(block: Block, rng: Random) -> Header:
    many = block.validators.validators * (MAX_VALIDATORS // 4 + 1)
    if rng.random() < 0.5:
        return _packed(block.signed, ValidatorSet(many))
    commit = replace(block.signed.commit, signatures=(ABSENT,) * (MAX_VALIDATORS + 1))
    return _packed(replace(block.signed, commit=commit), block.validators)


def _by_strangers(block: Block, rng: Random) -> Header:
    """The block, signed by a set of strangers that the header names."""
    return _renamed(block, members(*(rng.randint(1, 99) for _ in range(4)), first=30))


def _by_too_few(_: Block, rng: Random) -> Header:
    """A later block, signed by strangers and by members whose power is no more than a third."""
    few = rng.choice((GROUP[:1], GROUP[1:2], GROUP[2:3], GROUP[3:]))
    return _renamed(rng.choice((FAR, CHANGED)), (*few, *members(70, 80, 90, first=40)))


def _renamed(block: Block, group: tuple[Member, ...]) -> Header:
    validators = validator_set(group)
    header = replace(
        block.signed.header,
        validators_hash=validators_hash(validators),
        next_validators_hash=validators_hash(validators),
        app_hash=bytes(32),
    )
    return _packed(_signed_by(header, group), validators)


def _spliced(block: Block, rng: Random) -> Header:
    other, third = rng.choice(VALID), rng.choice((*VALID, TRUSTED))
    signed = SignedHeader(rng.choice((block, third)).signed.header, other.signed.commit)
    return _packed(signed, third.validators)


def _protobuf(rng: Random) -> Header:
    _, header = rng.choice(ENCODED)
    if rng.random() < 0.3:
        return replace(header, validators=changed(header.validators, _SET_SCHEMA, rng))
    return replace(header, content=changed(header.content, _SCHEMA, rng))


# All of them --------------------------------------------------------------------------------------

_STRUCTURAL: dict[str, Callable[[Block, Random], Header]] = {
    "header field": _header_field,
    "header field, hashed again": _header_field_hashed,
    "header field, signed again by strangers": _header_field_by_strangers,
    "commit field": _commit_field,
    "vote field": _votes_changed(_vote_field),
    "votes dropped, doubled, moved, added": _votes_changed(_votes_listed),
    "votes made absent": _votes_changed(_votes_absent),
    "vote of another block": _votes_changed(_votes_of_another_block),
    "votes signed again by strangers": _vote_by_a_stranger,
    "set": _set,
    "set, hashed again": _set_hashed,
    "set or commit too large": _set_too_large,
    "signed again by a set of strangers": _by_strangers,
    "signed again by too few of the trusted": _by_too_few,
    "spliced": _spliced,
}


_SHARES = {
    "commit field": 0.5,
    "header field, hashed again": 0.5,
    "set or commit too large": 0.05,
    "vote field": 0.5,
    "vote of another block": 0.15,
    "votes signed again by strangers": 0.15,
}
"""How often an operator's turn is taken where a candidate is dear: a signature that only ZIP-215
can refuse costs as much as ten other candidates."""


def _structural(
    name: str, make: Callable[[Block, Random], Header]
) -> Callable[[Random], Header | None]:
    share = _SHARES.get(name, 1.0)
    return lambda rng: make(rng.choice(VALID), rng) if rng.random() < share else None


def _pick(rng: Random) -> tuple[bytes, Callable[[bytes], Header]]:
    _, header = rng.choice(ENCODED)
    if rng.random() < 0.3:
        return header.validators, lambda data: replace(header, validators=data)
    return header.content, lambda data: replace(header, content=data)


OPERATORS: tuple[Operator[Header], ...] = (
    *[Operator(name, _structural(name, make)) for name, make in _STRUCTURAL.items()],
    Operator("protobuf", _protobuf),
    *bytewise(_pick),
)
