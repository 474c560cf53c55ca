"""Chained ICS-23 proofs of presence and of absence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import Reason
from hub.light_clients.proofs.codec import MAX_NODES, MAX_PROOF_BYTES, encode_merkle_proof
from hub.light_clients.proofs.ics23 import verify_membership, verify_non_membership
from hub.light_clients.proofs.spec import (
    CommitmentProof,
    ExistenceProof,
    InnerOp,
    LeafOp,
    NonExistenceProof,
)
from tests.fuzz.engine import ACCEPTED, SAME, Target
from tests.fuzz.operators import Operator, bytewise
from tests.fuzz.proto_tree import changed
from tests.fuzz.targets.proof_samples import (
    KEYS,
    PREFIX,
    ROOT,
    UPPER,
    VALUES,
    WORLD,
    absent_beside,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Chain = tuple[CommitmentProof, ...]

_EXISTENCE: dict[int, Any] = {3: {}, 4: {}}
SCHEMA: dict[int, Any] = {1: {1: _EXISTENCE, 2: {2: _EXISTENCE, 3: _EXISTENCE}}}

REASONS: Final = frozenset(
    {
        Reason.LIMIT_EXCEEDED,
        Reason.MEMBERSHIP_NOT_PROVEN,
        Reason.NON_MEMBERSHIP_NOT_PROVEN,
        Reason.PROOF_SPEC_VIOLATED,
        Reason.PROOF_UNPARSEABLE,
        Reason.ROOT_MISMATCH,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A proof, and what it is said to show."""

    key: bytes
    value: bytes | None
    """None: that nothing is there."""
    proof: bytes
    prefix: tuple[bytes, ...] = PREFIX
    root: bytes = ROOT


@dataclass(frozen=True, slots=True)
class Sample:
    """A valid claim, and its proof decoded."""

    claim: Claim
    chain: Chain


def target() -> Target:
    """Proofs, as a relayer gets them from an adapter."""
    operators = (
        *[Operator(name, _structural(name, make)) for name, make in _STRUCTURAL.items()],
        Operator("protobuf", _protobuf),
        Operator("question", _question),
        *bytewise(_pick),
    )
    return Target("proofs", operators, judge, REASONS)


def judge(claim: Claim) -> str:
    """The verifier's answer."""
    if claim.value is None:
        verify_non_membership(claim.root, claim.prefix, claim.key, claim.proof)
    else:
        verify_membership(claim.root, claim.prefix, claim.key, claim.value, claim.proof)
    return SAME if any(claim == sample.claim for sample in samples()) else ACCEPTED


@cache
def samples() -> tuple[Sample, ...]:
    """Valid claims about keys all over the tree."""
    found: list[Sample] = []
    for key in (KEYS[0], KEYS[-1], *KEYS[:: len(KEYS) // 12]):
        chain: Chain = (WORLD.existence("ibc", PREFIX[1] + key), UPPER)
        proof = encode_merkle_proof(chain)
        found.append(Sample(Claim(key=key, value=VALUES[key], proof=proof), chain))
        absent = absent_beside(key)
        chain = (WORLD.absence("ibc", PREFIX[1] + absent), UPPER)
        found.append(Sample(Claim(key=absent, value=None, proof=encode_merkle_proof(chain)), chain))
    return tuple(found)


# Existence proofs ---------------------------------------------------------------------------------


def _other_bytes(data: bytes, rng: Random) -> bytes:
    if not data:
        return rng.randbytes(rng.choice((1, 4, 33)))
    at = rng.randrange(len(data))
    flipped = data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
    return rng.choice((flipped, flipped, data[:-1], data + b"\x00", data[1:], b"\x00" + data, b""))


def _other_number(number: int, rng: Random) -> int:
    return rng.choice((number + 1, max(number - 1, 0), 0, 7, 2**31, 2**64 - 1))


def _leaf_changed(proof: ExistenceProof, rng: Random) -> ExistenceProof:
    leaf = proof.leaf or LeafOp()
    name = rng.choice(("hash", "prehash_key", "prehash_value", "length", "prefix", "gone"))
    if name == "gone":
        return replace(proof, leaf=None)
    if name == "prefix":
        return replace(proof, leaf=replace(leaf, prefix=_other_bytes(leaf.prefix, rng)))
    changes: dict[str, Any] = {name: _other_number(getattr(leaf, name), rng)}
    return replace(proof, leaf=replace(leaf, **changes))


def _at_node(
    change: Callable[[InnerOp, Random], InnerOp],
) -> Callable[[ExistenceProof, Random], ExistenceProof]:
    def make(proof: ExistenceProof, rng: Random) -> ExistenceProof:
        if not proof.path:
            return replace(proof, value=_other_bytes(proof.value, rng))
        at = rng.randrange(len(proof.path))
        path = (*proof.path[:at], change(proof.path[at], rng), *proof.path[at + 1 :])
        return replace(proof, path=path)

    return make


def _node_field(op: InnerOp, rng: Random) -> InnerOp:
    kind = rng.randrange(3)
    if kind == 0:
        return replace(op, hash=_other_number(op.hash, rng))
    if kind == 1:
        return replace(op, prefix=_other_bytes(op.prefix, rng))
    return replace(op, suffix=_other_bytes(op.suffix, rng))


def _node_sibling(op: InnerOp, rng: Random) -> InnerOp:
    other = rng.choice((rng.randbytes(32), bytes(32), _any_node(rng).suffix[-32:] or bytes(32)))
    if op.suffix:
        return replace(op, suffix=op.suffix[:-32] + other)
    tail = b"\x20" if len(op.prefix) > 33 else b""
    return replace(op, prefix=op.prefix[: -32 - len(tail)] + other + tail)


def _node_turned(op: InnerOp, _: Random) -> InnerOp:
    """The child on the other side."""
    if op.suffix:
        return InnerOp(op.hash, op.prefix[:-1] + op.suffix + b"\x20", b"")
    return InnerOp(op.hash, op.prefix[:-34] + b"\x20", op.prefix[-34:-1])


def _node_numbers(op: InnerOp, rng: Random) -> InnerOp:
    """Height, size or version one more or less: a byte of the prefix, two up or down."""
    at = rng.randrange(min(6, len(op.prefix)))
    byte = (op.prefix[at] + rng.choice((2, -2, 1, -1))) & 0xFF
    return replace(op, prefix=op.prefix[:at] + bytes((byte,)) + op.prefix[at + 1 :])


def _node_with_two_siblings(op: InnerOp, rng: Random) -> InnerOp:
    other = b"\x20" + rng.randbytes(32)
    if op.suffix:
        return rng.choice(
            (replace(op, suffix=op.suffix + other), replace(op, prefix=op.prefix + other))
        )
    return replace(op, suffix=other)


def _any_node(rng: Random) -> InnerOp:
    proof = rng.choice(samples()).chain[0]
    one = proof if isinstance(proof, ExistenceProof) else proof.left or proof.right
    return rng.choice(one.path) if one and one.path else InnerOp(1, b"\x02\x04\x02\x20", bytes(33))


def _path_listed(proof: ExistenceProof, rng: Random) -> ExistenceProof:
    """A node dropped, doubled, moved, added, or the path cut or turned around."""
    path = list(proof.path)
    at, to = rng.randrange(len(path) or 1), rng.randrange(len(path) or 1)
    kind = rng.randrange(6)
    if kind == 0 or not path:
        path.insert(at, _any_node(rng))
    elif kind == 1:
        del path[at]
    elif kind == 2:
        path.insert(to, path[at])
    elif kind == 3:
        path[at], path[to] = path[to], path[at]
    elif kind == 4:
        path = path[at:] if rng.random() < 0.5 else path[:at]
    else:
        path.reverse()
    return replace(proof, path=tuple(path))


def _path_of_another(proof: ExistenceProof, rng: Random) -> ExistenceProof:
    """The head of one path on the tail of another."""
    other = rng.choice(samples()).chain[0]
    one = other if isinstance(other, ExistenceProof) else other.left or other.right
    if one is None:
        return replace(proof, path=())
    cut = rng.randrange(len(proof.path) + 1)
    tail = one.path[rng.randrange(len(one.path) + 1) :]
    return replace(proof, path=(*proof.path[:cut], *tail))


def _content(proof: ExistenceProof, rng: Random) -> ExistenceProof:
    if rng.random() < 0.5:
        return replace(
            proof, key=rng.choice((_other_bytes(proof.key, rng), PREFIX[1] + rng.choice(KEYS)))
        )
    return replace(
        proof, value=rng.choice((_other_bytes(proof.value, rng), rng.choice(list(VALUES.values()))))
    )


def _key_in_the_leaf_prefix(proof: ExistenceProof, rng: Random) -> ExistenceProof:
    """Dragonberry: the same bytes, some of the key called prefix."""
    leaf = proof.leaf or LeafOp()
    cut = rng.randrange(1, len(proof.key)) if len(proof.key) > 1 else 1
    prefix = leaf.prefix + bytes((len(proof.key),)) + proof.key[:cut]
    return replace(proof, key=proof.key[cut:], leaf=replace(leaf, prefix=prefix))


def _too_many_nodes(proof: ExistenceProof, _: Random) -> ExistenceProof:
    return replace(proof, path=proof.path * (MAX_NODES // max(len(proof.path), 1) + 1))


# Absence ------------------------------------------------------------------------------------------


def _sides(proof: NonExistenceProof, rng: Random) -> NonExistenceProof:
    """Neighbours dropped, swapped, or others in their places."""
    others = [sample.chain[0] for sample in samples()]
    existence = [one for one in others if isinstance(one, ExistenceProof)]
    left, right = rng.choice(
        (
            (None, proof.right),
            (proof.left, None),
            (None, None),
            (proof.right, proof.left),
            (proof.left, proof.left),
            (rng.choice(existence), proof.right),
            (proof.left, rng.choice(existence)),
            (rng.choice(existence), rng.choice(existence)),
            (_bare(proof.left), _bare(proof.right)),
        )
    )
    return replace(proof, left=left, right=right)


def _bare(proof: ExistenceProof | None) -> ExistenceProof | None:
    """Without its path: what made a peer's verifier fall over."""
    return None if proof is None else replace(proof, path=())


def _of_another_kind(proof: CommitmentProof, rng: Random) -> CommitmentProof:
    if isinstance(proof, NonExistenceProof):
        return proof.left or proof.right or proof
    return NonExistenceProof(
        proof.key, *rng.choice(((proof, None), (None, proof), (proof, proof), (None, None)))
    )


# Chains -------------------------------------------------------------------------------------------


def _chain_listed(chain: Chain, rng: Random) -> Chain:
    low, up = chain
    other = rng.choice(samples()).chain[0]
    bank = WORLD.store_proof(rng.choice(("bank", "acc", "upgrade")))
    return rng.choice(
        (
            (low,),
            (up,),
            (up, low),
            (low, low),
            (low, up, up),
            (low, bank),
            (other, up),
            (low, other),
            (),
        )
    )


def _existence_of(
    change: Callable[[ExistenceProof, Random], ExistenceProof],
) -> Callable[[Chain, Random], Chain]:
    """*change* at one of the chain's existence proofs, wherever it stands."""

    def make(chain: Chain, rng: Random) -> Chain:
        low, up = chain
        if rng.random() < 0.25 and isinstance(up, ExistenceProof):
            return low, change(up, rng)
        if isinstance(low, ExistenceProof):
            return change(low, rng), up
        if low.left and (rng.random() < 0.5 or not low.right):
            return replace(low, left=change(low.left, rng)), up
        return replace(low, right=change(low.right, rng) if low.right else None), up

    return make


def _lower(
    change: Callable[[CommitmentProof, Random], CommitmentProof],
) -> Callable[[Chain, Random], Chain]:
    return lambda chain, rng: (change(chain[0], rng), *chain[1:])


def _sides_or_content(proof: CommitmentProof, rng: Random) -> CommitmentProof:
    if isinstance(proof, NonExistenceProof):
        return _sides(proof, rng)
    return _content(proof, rng)


_STRUCTURAL: dict[str, Callable[[Chain, Random], Chain]] = {
    "leaf operation": _existence_of(_leaf_changed),
    "node field": _existence_of(_at_node(_node_field)),
    "node numbers": _existence_of(_at_node(_node_numbers)),
    "node sibling": _existence_of(_at_node(_node_sibling)),
    "node turned": _existence_of(_at_node(_node_turned)),
    "node with two siblings": _existence_of(_at_node(_node_with_two_siblings)),
    "nodes dropped, doubled, moved, added": _existence_of(_path_listed),
    "path spliced": _existence_of(_path_of_another),
    "too many nodes": _existence_of(_too_many_nodes),
    "key or value": _existence_of(_content),
    "key in the leaf prefix": _existence_of(_key_in_the_leaf_prefix),
    "neighbours": _lower(_sides_or_content),
    "kind": _lower(_of_another_kind),
    "chain": _chain_listed,
}
_SHARES = {"too many nodes": 0.1}


def _structural(
    name: str, make: Callable[[Chain, Random], Chain]
) -> Callable[[Random], Claim | None]:
    share = _SHARES.get(name, 1.0)

    def operator(rng: Random) -> Claim | None:
        if rng.random() >= share:
            return None
        sample = rng.choice(samples())
        return replace(sample.claim, proof=encode_merkle_proof(make(sample.chain, rng)))

    return operator


def _protobuf(rng: Random) -> Claim:
    claim = rng.choice(samples()).claim
    return replace(claim, proof=changed(claim.proof, SCHEMA, rng))


def _question(rng: Random) -> Claim:
    """A valid proof, asked for something else."""
    claim = rng.choice(samples()).claim
    other = rng.choice(samples()).claim
    value = claim.value or b""
    if rng.random() < 0.02:
        return replace(claim, proof=claim.proof + bytes(MAX_PROOF_BYTES))
    return rng.choice(
        (
            replace(claim, proof=other.proof),
            replace(claim, key=rng.choice((*KEYS, other.key, _other_bytes(claim.key, rng)))),
            replace(claim, value=_other_bytes(value, rng) if claim.value else rng.randbytes(32)),
            replace(claim, value=None),
            replace(claim, prefix=(b"bank", PREFIX[1])),
            replace(claim, prefix=(b"ibc", rng.choice((b"", b"q/", b"p")))),
            replace(claim, root=rng.choice((_other_bytes(ROOT, rng), rng.randbytes(32)))),
        )
    )


def _pick(rng: Random) -> tuple[bytes, Callable[[bytes], Claim]]:
    claim = rng.choice(samples()).claim
    return claim.proof, lambda data: replace(claim, proof=data)
