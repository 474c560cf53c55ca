"""The records of a CometBFT light block.

They hold what a header, a commit and a validator set say, as they say it. What no hash covers
(addresses of a set, proposer priority) is not here: addresses are derived from keys.

Source: CometBFT proto/tendermint/types/{types,validator}.proto, version/types.proto,
crypto/keys.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.core.time import Timestamp


class KeyKind(IntEnum):
    """A kind of validator key; its number is its field in tendermint.crypto.PublicKey."""

    ED25519 = 1
    SECP256K1 = 2


class BlockIdFlag(IntEnum):
    """What one validator's entry in a commit says. Source: types.proto, BlockIDFlag."""

    ABSENT = 1
    """No vote; the entry is empty, except that it may carry a time, which means nothing."""
    COMMIT = 2
    """A vote for the block: the only kind that counts."""
    NIL = 3
    """A vote for no block."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A validator's key."""

    kind: KeyKind
    data: bytes
    """32 bytes (Ed25519), or 33 (secp256k1, compressed)."""


@dataclass(frozen=True, slots=True)
class Validator:
    """A key and its voting power."""

    public_key: PublicKey
    power: int


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """Validators in the order of the set: by power downwards, then by address upwards."""

    validators: tuple[Validator, ...]


@dataclass(frozen=True, slots=True)
class BlockId:
    """The name of a block: its header's hash, and the Merkle root of its parts."""

    hash: bytes = b""
    parts_total: int = 0
    parts_hash: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CometHeader:
    """The 14 fields of a block header, in the order in which they are hashed."""

    block_protocol: int
    app_protocol: int
    chain_id: str
    height: int
    time: Timestamp
    last_block_id: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    """The root of the state that the block before this one left."""
    last_results_hash: bytes
    evidence_hash: bytes
    proposer_address: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitSignature:
    """One validator's entry in a commit."""

    flag: BlockIdFlag
    address: bytes
    """20 bytes; empty when absent."""
    time: Timestamp
    """May be before 1970: an absent entry usually carries Go's zero time, the year 1."""
    signature: bytes
    """64 bytes; empty when absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The votes that decided a block, one entry for each validator of its set."""

    height: int
    round: int
    block_id: BlockId
    signatures: tuple[CommitSignature, ...]


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A header and the commit for it."""

    header: CometHeader
    commit: Commit
