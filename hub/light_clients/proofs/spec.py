"""The shapes of Merkle trees that we know, pinned: none is ever taken from a peer.

A peer that may choose the spec may choose what its bytes mean, and forges with it.

Source: ICS-23; cosmos/ics23 proto/cosmos/ics23/v1/proofs.proto and go/proof.go (IavlSpec,
TendermintSpec, SmtSpec).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

DIGEST_BYTES = 32


class HashOp(IntEnum):
    """A hash function, by its number on the wire."""

    NO_HASH = 0
    SHA256 = 1
    SHA512 = 2
    KECCAK256 = 3
    RIPEMD160 = 4
    BITCOIN = 5
    SHA512_256 = 6
    BLAKE2B_512 = 7
    BLAKE2S_256 = 8


class LengthOp(IntEnum):
    """How the length of a key or value goes before it, by its number on the wire."""

    NO_PREFIX = 0
    VAR_PROTO = 1
    VAR_RLP = 2
    FIXED32_BIG = 3
    FIXED32_LITTLE = 4
    FIXED64_BIG = 5
    FIXED64_LITTLE = 6
    REQUIRE_32_BYTES = 7
    REQUIRE_64_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafOp:
    """How a key and a value become a leaf's hash. Numbers may be unknown ones off the wire."""

    hash: int = 0
    prehash_key: int = 0
    prehash_value: int = 0
    length: int = 0
    prefix: bytes = b""


@dataclass(frozen=True, slots=True)
class InnerOp:
    """How a child's hash becomes its parent's: hash of prefix, child, suffix."""

    hash: int
    prefix: bytes
    suffix: bytes


@dataclass(frozen=True, slots=True)
class ExistenceProof:
    """A claim that *value* is at *key*: the leaf, and the path from it up to the root."""

    key: bytes
    value: bytes
    leaf: LeafOp | None
    path: tuple[InnerOp, ...]


@dataclass(frozen=True, slots=True)
class NonExistenceProof:
    """A claim that nothing is at *key*: the leaves to its left and right, one may be missing."""

    key: bytes
    left: ExistenceProof | None
    right: ExistenceProof | None


CommitmentProof = ExistenceProof | NonExistenceProof


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerSpec:
    """What an inner node of two children must look like; lengths in bytes."""

    min_prefix: int
    max_prefix: int
    child_size: int
    empty_child: bytes | None = None
    """The hash that stands for no child, or None where a tree has no such thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSpec:
    """The rules of one kind of tree, compared by value."""

    name: str
    leaf: LeafOp
    inner: InnerSpec
    max_depth: int
    prehash_compare_key: bool = False
    """Whether leaves lie in the order of their hashed keys."""


DEFAULT_MAX_DEPTH = 128
"""Source: cosmos/ics23, a max_depth of 0 means 128, never "unlimited"."""

_VALUE_HASHED_LEAF = LeafOp(
    hash=HashOp.SHA256,
    prehash_value=HashOp.SHA256,
    length=LengthOp.VAR_PROTO,
    prefix=b"\x00",
)

IAVL_SPEC = ProofSpec(
    name="iavl",
    leaf=_VALUE_HASHED_LEAF,
    inner=InnerSpec(min_prefix=4, max_prefix=12, child_size=33),
    max_depth=DEFAULT_MAX_DEPTH,
)

TENDERMINT_SPEC = ProofSpec(
    name="tendermint",
    leaf=_VALUE_HASHED_LEAF,
    inner=InnerSpec(min_prefix=1, max_prefix=1, child_size=32),
    max_depth=DEFAULT_MAX_DEPTH,
)

SMT_SPEC = ProofSpec(
    name="smt",
    leaf=LeafOp(
        hash=HashOp.SHA256,
        prehash_key=HashOp.SHA256,
        prehash_value=HashOp.SHA256,
        prefix=b"\x00",
    ),
    inner=InnerSpec(min_prefix=1, max_prefix=1, child_size=32, empty_child=bytes(DIGEST_BYTES)),
    max_depth=256,
    prehash_compare_key=True,
)

PINNED = (IAVL_SPEC, TENDERMINT_SPEC, SMT_SPEC)
"""Every spec that a proof is ever held against."""
