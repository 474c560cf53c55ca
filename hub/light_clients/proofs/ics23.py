"""Membership and non-membership under a root, proven by chained ICS-23 proofs.

The answer is ``Included``, ``Excluded`` or an error; a short proof is an error, never "excluded".
Two stores are chained: an IAVL store, and above it the simple Merkle map of all stores.

Source: ICS-23; cosmos/ics23 go/proof.go; ibc-go 23-commitment types/merkle.go
(VerifyMembership, VerifyNonMembership, verifyChainedMembershipProof).
"""

from __future__ import annotations

from hub.core.errors import (
    MembershipNotProven,
    NonMembershipNotProven,
    ProofSpecViolated,
    RootMismatch,
)
from hub.light_clients.interface import Excluded, Included
from hub.light_clients.proofs.codec import decode_merkle_proof
from hub.light_clients.proofs.ops import digest, inner_hash, leaf_hash
from hub.light_clients.proofs.rules import (
    LEFT,
    RIGHT,
    check_existence,
    is_left_neighbour,
    is_outermost,
)
from hub.light_clients.proofs.spec import (
    IAVL_SPEC,
    TENDERMINT_SPEC,
    CommitmentProof,
    ExistenceProof,
    NonExistenceProof,
    ProofSpec,
)

_CHAIN_LENGTH = 2
_PREFIX_LENGTH = 2


def verify_membership(
    root: bytes, prefix: tuple[bytes, ...], key: bytes, value: bytes, proof: bytes
) -> Included:
    """*proof* shows *value* at *key* under *prefix* in the state with *root* (32 bytes).

    *prefix* is the store's name, then the bytes that go before *key* within it. Raises
    ``ProofUnparseable``, ``LimitExceeded``, ``ProofSpecViolated``, ``RootMismatch`` or
    ``MembershipNotProven``.
    """
    store, full_key = split_prefix(prefix, key)
    lower, upper = _chain(proof)
    store_root = existence_root(IAVL_SPEC, lower, full_key, value)
    _climb(upper, store, store_root, root)
    return Included()


def verify_non_membership(
    root: bytes, prefix: tuple[bytes, ...], key: bytes, proof: bytes
) -> Excluded:
    """*proof* shows that *key* is absent under *prefix* in the state with *root* (32 bytes).

    Raises as ``verify_membership``, with ``NonMembershipNotProven``.
    """
    store, full_key = split_prefix(prefix, key)
    lower, upper = _chain(proof)
    store_root = non_existence_root(IAVL_SPEC, lower, full_key)
    _climb(upper, store, store_root, root)
    return Excluded()


def existence_root(spec: ProofSpec, proof: CommitmentProof, key: bytes, value: bytes) -> bytes:
    """The root under which *proof* shows *value* at *key*, by the pinned *spec*.

    Raises ``ProofSpecViolated`` or ``MembershipNotProven``.
    """
    if not isinstance(proof, ExistenceProof):
        raise MembershipNotProven(key=key.hex(), problem="the proof is one of absence")
    if proof.key != key:
        raise MembershipNotProven(key=key.hex(), problem="the proof is for another key")
    if proof.value != value:
        raise MembershipNotProven(key=key.hex(), problem="the proof is for another value")
    check_existence(spec, proof)
    return calculate_root(proof)


def non_existence_root(spec: ProofSpec, proof: CommitmentProof, key: bytes) -> bytes:
    """The root under which *proof* shows that nothing is at *key*, by the pinned *spec*.

    Raises ``ProofSpecViolated`` or ``NonMembershipNotProven``.
    """
    if not isinstance(proof, NonExistenceProof):
        raise _not_absent(key, "the proof is one of existence")
    if not key or proof.key != key:
        raise _not_absent(key, "the proof is for another key")
    left, right = proof.left, proof.right
    for side in (left, right):
        if side is not None:
            check_existence(spec, side)
    place = _compared(spec, key)
    if left is not None and not _compared(spec, left.key) < place:
        raise _not_absent(key, "it is not right of its left neighbour")
    if right is not None and not place < _compared(spec, right.key):
        raise _not_absent(key, "it is not left of its right neighbour")
    return _common_root(spec, key, left, right)


def calculate_root(proof: ExistenceProof) -> bytes:
    """The root that the operations of *proof* compute; that they keep to a spec is not looked at.

    Raises ``ProofSpecViolated``.
    """
    if proof.leaf is None:
        raise ProofSpecViolated(at=0, rule="leaf operation is missing")
    current = leaf_hash(proof.leaf, proof.key, proof.value)
    for op in proof.path:
        current = inner_hash(op, current)
    return current


def split_prefix(prefix: tuple[bytes, ...], key: bytes) -> tuple[bytes, bytes]:
    """The store's name, and *key* behind the key prefix. Raises ``ProofSpecViolated``.

    Source: ibc-go 23-commitment v2 BuildMerklePath: the last prefix element goes before the path.
    """
    if len(prefix) != _PREFIX_LENGTH or not prefix[0]:
        raise ProofSpecViolated(at=0, rule="prefix is not a store's name and a key prefix")
    if not key:
        raise ProofSpecViolated(at=0, rule="key is empty")
    return prefix[0], prefix[1] + key


def _chain(proof: bytes) -> tuple[CommitmentProof, CommitmentProof]:
    proofs = decode_merkle_proof(proof)
    if len(proofs) != _CHAIN_LENGTH:
        raise ProofSpecViolated(at=0, rule=f"{len(proofs)} chained proofs, {_CHAIN_LENGTH} needed")
    return proofs[0], proofs[1]


def _climb(upper: CommitmentProof, store: bytes, store_root: bytes, root: bytes) -> None:
    """*upper* shows *store_root* at *store* under *root*."""
    if isinstance(upper, ExistenceProof) and upper.value != store_root:
        raise RootMismatch(got=store_root.hex(), expected=upper.value.hex())
    computed = existence_root(TENDERMINT_SPEC, upper, store, store_root)
    if computed != root:
        raise RootMismatch(got=computed.hex(), expected=root.hex())


def _common_root(
    spec: ProofSpec, key: bytes, left: ExistenceProof | None, right: ExistenceProof | None
) -> bytes:
    """The root of both neighbours, between which there is no leaf."""
    if left is None and right is None:
        raise _not_absent(key, "both neighbours are missing")
    if left is None:
        only, adjacent = right, right is not None and is_outermost(spec, right.path, LEFT)
    elif right is None:
        only, adjacent = left, is_outermost(spec, left.path, RIGHT)
    else:
        only, adjacent = left, is_left_neighbour(spec, left.path, right.path)
    if not adjacent or only is None:
        raise _not_absent(key, "there may be a leaf between its neighbours")
    root = calculate_root(only)
    if left is not None and right is not None and calculate_root(right) != root:
        raise _not_absent(key, "its neighbours lie under two roots")
    return root


def _compared(spec: ProofSpec, key: bytes) -> bytes:
    return digest(spec.leaf.prehash_key, key) if spec.prehash_compare_key else key


def _not_absent(key: bytes, problem: str) -> NonMembershipNotProven:
    return NonMembershipNotProven(key=key.hex(), problem=problem)
