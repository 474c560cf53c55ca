from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import (
    HubError,
    LimitExceeded,
    MembershipNotProven,
    NonMembershipNotProven,
    ProofSpecViolated,
    ProofUnparseable,
    RootMismatch,
)
from hub.light_clients.interface import Excluded, Included
from hub.light_clients.proofs.ics23 import (
    calculate_root,
    existence_root,
    non_existence_root,
    split_prefix,
    verify_membership,
    verify_non_membership,
)
from hub.light_clients.proofs.spec import (
    IAVL_SPEC,
    SMT_SPEC,
    TENDERMINT_SPEC,
    ExistenceProof,
    InnerOp,
    NonExistenceProof,
)
from tests.harness.iavl import LEAF_OP, World, join, leaf, measured, plant, zigzag
from tests.harness.proof_samples import (
    KEY_PREFIX,
    MIDDLE,
    ONE_LEAF,
    PREFIX,
    PRESENT,
    ROOT,
    STORE,
    TWO_LEAVES,
    WORLD,
    chained,
    key,
    lower,
    upper,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.light_clients.proofs.spec import CommitmentProof

Chain = tuple["CommitmentProof", ...]

ABSENT = MIDDLE + 1
ABSENCE = WORLD.absence(STORE, KEY_PREFIX + key(ABSENT))


def test_every_present_key_is_included() -> None:
    for number in PRESENT:
        proof = WORLD.membership(STORE, KEY_PREFIX + key(number))
        assert verify_membership(ROOT, PREFIX, key(number), value(number), proof) == Included()


def test_every_absent_key_is_excluded() -> None:
    for number in [1, *[present + 1 for present in PRESENT]]:
        proof = WORLD.non_membership(STORE, KEY_PREFIX + key(number))
        assert verify_non_membership(ROOT, PREFIX, key(number), proof) == Excluded()


@pytest.mark.parametrize("absent", [b"p/a", b"p/c", b"p/e"])
@pytest.mark.parametrize("world", [ONE_LEAF, TWO_LEAVES], ids=["one leaf", "two leaves"])
def test_absence_beside_one_or_two_leaves_is_proven(world: World, absent: bytes) -> None:
    """Source: cardano-ibc #795, where neighbours that hang off the root were refused."""
    proof = world.non_membership(STORE, absent)
    assert verify_non_membership(world.root, PREFIX, absent[2:], proof) == Excluded()


def test_a_single_store_is_the_whole_map() -> None:
    assert ONE_LEAF.store_proof(STORE).path == ()
    proof = ONE_LEAF.membership(STORE, b"p/b")
    assert verify_membership(ONE_LEAF.root, PREFIX, b"b", b"1", proof) == Included()


def test_an_empty_key_prefix_is_allowed() -> None:
    full = KEY_PREFIX + key(MIDDLE)
    proof = WORLD.membership(STORE, full)
    assert verify_membership(ROOT, (b"ibc", b""), full, value(MIDDLE), proof) == Included()


# One valid chain of proofs, single tamperings ----------------------------------------------------


def _without_leaf(low: ExistenceProof) -> ExistenceProof:
    return replace(low, leaf=None)


def _leaf(**changes: object) -> Callable[[Chain], Chain]:
    def change(chain: Chain) -> Chain:
        low, up = chain
        assert isinstance(low, ExistenceProof)
        assert low.leaf
        return replace(low, leaf=replace(low.leaf, **changes)), up  # type: ignore[arg-type]

    return change


def _path(edit: Callable[[tuple[InnerOp, ...]], tuple[InnerOp, ...]]) -> Callable[[Chain], Chain]:
    def change(chain: Chain) -> Chain:
        low, up = chain
        assert isinstance(low, ExistenceProof)
        return replace(low, path=edit(low.path)), up

    return change


def _node(at: int, **changes: object) -> Callable[[Chain], Chain]:
    return _path(lambda path: (*path[:at], replace(path[at], **changes), *path[at + 1 :]))  # type: ignore[arg-type]


def _upper(**changes: object) -> Callable[[Chain], Chain]:
    return lambda chain: (chain[0], replace(chain[1], **changes))  # type: ignore[arg-type]


def _turned(op: InnerOp) -> InnerOp:
    """The same node with its child on the other side."""
    if op.suffix:
        return InnerOp(op.hash, op.prefix[:-1] + op.suffix + b"\x20", b"")
    return InnerOp(op.hash, op.prefix[:-34] + b"\x20", op.prefix[-34:-1])


LOW = lower()
FIRST = LOW.path[0]
LEFT_AT = next(at for at, op in enumerate(LOW.path) if op.suffix)
RIGHT_AT = next(at for at, op in enumerate(LOW.path) if not op.suffix)
HEAD = LOW.path[LEFT_AT].prefix[:-1]
SIBLING = b"\x20" + bytes(32)


def _head(height: int, size: int = 2, version: int = 5) -> bytes:
    return zigzag(height) + zigzag(size) + zigzag(version)


MEMBERSHIP = {
    "leaf is missing": (lambda c: (_without_leaf(c[0]), c[1]), ProofSpecViolated),
    "leaf hash is another": (_leaf(hash=2), ProofSpecViolated),
    "leaf hash is none": (_leaf(hash=0), ProofSpecViolated),
    "leaf hash is unknown": (_leaf(hash=99), ProofSpecViolated),
    "key is hashed first": (_leaf(prehash_key=1), ProofSpecViolated),
    "value is not hashed first": (_leaf(prehash_value=0), ProofSpecViolated),
    "length is not written": (_leaf(length=0), ProofSpecViolated),
    "length is written otherwise": (_leaf(length=3), ProofSpecViolated),
    "leaf prefix is empty": (_leaf(prefix=b""), ProofSpecViolated),
    "leaf prefix is bare": (_leaf(prefix=b"\x00"), ProofSpecViolated),
    "leaf prefix is cut": (_leaf(prefix=b"\x00\x02"), ProofSpecViolated),
    "leaf prefix goes on": (_leaf(prefix=b"\x00\x02\x02\x00"), ProofSpecViolated),
    "leaf has height 1": (_leaf(prefix=b"\x02\x02\x02"), ProofSpecViolated),
    "leaf has size 2": (_leaf(prefix=b"\x00\x04\x02"), ProofSpecViolated),
    "leaf has a negative version": (_leaf(prefix=b"\x00\x02\x01"), ProofSpecViolated),
    "leaf has a long varint": (_leaf(prefix=b"\x00\x02\x82\x00"), ProofSpecViolated),
    "leaf has a version over 64 bits": (
        _leaf(prefix=b"\x00\x02" + b"\xfe" + b"\xff" * 8 + b"\x02"),
        ProofSpecViolated,
    ),
    "leaf has another version": (_leaf(prefix=_head(0, 1, 6)), RootMismatch),
    "node hash is another": (_node(0, hash=2), ProofSpecViolated),
    "node hash is none": (_node(0, hash=0), ProofSpecViolated),
    "node is an empty operation": (_node(0, prefix=b"", suffix=b""), ProofSpecViolated),
    "node has no sibling": (_node(LEFT_AT, suffix=b""), ProofSpecViolated),
    "node has half a sibling": (_node(LEFT_AT, suffix=bytes(16)), ProofSpecViolated),
    "node has two siblings to the right": (_node(LEFT_AT, suffix=SIBLING * 2), ProofSpecViolated),
    "node has siblings on both sides": (_node(RIGHT_AT, suffix=SIBLING), ProofSpecViolated),
    "node has two siblings to the left": (
        _node(RIGHT_AT, prefix=HEAD + SIBLING * 2 + b"\x20"),
        ProofSpecViolated,
    ),
    "node prefix is too short": (_node(LEFT_AT, prefix=_head(1)), ProofSpecViolated),
    "node prefix is too long": (_node(LEFT_AT, prefix=_head(9) + bytes(60)), ProofSpecViolated),
    "node prefix is a leaf's": (_node(LEFT_AT, prefix=_head(0) + b"\x20"), ProofSpecViolated),
    "node prefix goes on": (_node(LEFT_AT, prefix=HEAD + b"\x00\x20"), ProofSpecViolated),
    "node prefix ends early": (_node(LEFT_AT, prefix=HEAD + b"\x80"), ProofSpecViolated),
    "node prefix has a cut varint": (_node(LEFT_AT, prefix=b"\x08\x04\x82\x82"), ProofSpecViolated),
    "node has a negative size": (_node(LEFT_AT, prefix=b"\x08\x03\x02\x20"), ProofSpecViolated),
    "node has a long varint": (_node(LEFT_AT, prefix=b"\x88\x00\x04\x02\x20"), ProofSpecViolated),
    "node says that its child has 31 bytes": (
        _node(LEFT_AT, prefix=HEAD + b"\x1f"),
        ProofSpecViolated,
    ),
    "sibling to the right is said to have 31 bytes": (
        _node(LEFT_AT, suffix=b"\x1f" + bytes(32)),
        ProofSpecViolated,
    ),
    "sibling to the left is said to have 31 bytes": (
        _node(RIGHT_AT, prefix=HEAD + b"\x1f" + bytes(32) + b"\x20"),
        ProofSpecViolated,
    ),
    "height is below the layer": (_node(1, prefix=_head(1) + b"\x20"), ProofSpecViolated),
    "height is over 127": (_node(0, prefix=_head(128) + b"\x20"), ProofSpecViolated),
    "height is another": (_node(LEFT_AT, prefix=_head(9) + b"\x20"), RootMismatch),
    "sibling is another": (_node(LEFT_AT, suffix=SIBLING), RootMismatch),
    "path is empty": (_path(lambda path: ()), RootMismatch),
    "lowest node is dropped": (_path(lambda path: path[1:]), RootMismatch),
    "highest node is dropped": (_path(lambda path: path[:-1]), RootMismatch),
    "highest node stands twice": (_path(lambda path: (*path, path[-1])), RootMismatch),
    "lowest node stands twice": (_path(lambda path: (path[0], *path)), RootMismatch),
    "lowest node stands at every layer": (
        _path(lambda path: (path[0],) * len(path)),
        ProofSpecViolated,
    ),
    "two nodes are swapped": (
        _path(lambda path: (path[1], path[0], *path[2:])),
        RootMismatch,
    ),
    "a child changes sides": (_path(lambda path: (_turned(path[0]), *path[1:])), RootMismatch),
    "lower proof is one of absence": (lambda c: (ABSENCE, c[1]), MembershipNotProven),
    "lower proof is of another key": (lambda c: (lower(2), c[1]), MembershipNotProven),
    "lower proof is given twice": (lambda c: (c[0], c[0]), RootMismatch),
    "proofs are swapped": (lambda c: (c[1], c[0]), MembershipNotProven),
    "upper proof is missing": (lambda c: (c[0],), ProofSpecViolated),
    "there are three proofs": (lambda c: (c[0], c[1], c[1]), ProofSpecViolated),
    "upper proof is one of absence": (
        lambda c: (c[0], NonExistenceProof(STORE.encode(), c[1], None)),
        MembershipNotProven,
    ),
    "upper proof is of another store": (
        lambda c: (c[0], WORLD.store_proof("bank")),
        RootMismatch,
    ),
    "upper proof names another store": (_upper(key=b"bank"), MembershipNotProven),
    "upper proof has another value": (_upper(value=bytes(32)), RootMismatch),
    "upper leaf is an IAVL leaf": (
        _upper(leaf=replace(LEAF_OP, prefix=b"\x00\x02\x02")),
        ProofSpecViolated,
    ),
    "upper path is cut": (_upper(path=upper().path[:-1]), RootMismatch),
    "upper node is an IAVL node": (_upper(path=(FIRST,)), ProofSpecViolated),
    "upper node has another tag": (
        _upper(path=(InnerOp(1, b"\x02", bytes(32)),)),
        ProofSpecViolated,
    ),
    "upper node has two siblings": (
        _upper(path=(InnerOp(1, b"\x01" + bytes(32), bytes(32)),)),
        ProofSpecViolated,
    ),
}


@pytest.mark.parametrize("name", MEMBERSHIP)
def test_tampered_membership_proof_is_refused(name: str) -> None:
    change, error = MEMBERSHIP[name]
    proof = chained(*change((LOW, upper())))  # type: ignore[no-untyped-call]
    with pytest.raises(HubError) as caught:
        verify_membership(ROOT, PREFIX, key(MIDDLE), value(MIDDLE), proof)
    assert type(caught.value) is error


QUESTIONS: dict[str, tuple[dict[str, object], type[HubError]]] = {
    "another root": ({"root": bytes(32)}, RootMismatch),
    "a cut root": ({"root": ROOT[:31]}, RootMismatch),
    "another key": ({"key": key(2)}, MembershipNotProven),
    "another value": ({"value": b"other"}, MembershipNotProven),
    "no value": ({"value": b""}, MembershipNotProven),
    "no key": ({"key": b""}, ProofSpecViolated),
    "another store": ({"prefix": (b"bank", KEY_PREFIX)}, MembershipNotProven),
    "another key prefix": ({"prefix": (b"ibc", b"q/")}, MembershipNotProven),
    "no store": ({"prefix": (b"", KEY_PREFIX)}, ProofSpecViolated),
    "no prefix": ({"prefix": ()}, ProofSpecViolated),
    "a prefix of one": ({"prefix": (b"ibc",)}, ProofSpecViolated),
    "a prefix of three": ({"prefix": (b"ibc", b"p", b"/")}, ProofSpecViolated),
    "no proof": ({"proof": b""}, ProofSpecViolated),
    "bytes that are no proof": ({"proof": b"\xff"}, ProofUnparseable),
    "a proof over its size": ({"proof": bytes(1 << 20)}, LimitExceeded),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_membership_proof_answers_one_question_only(name: str) -> None:
    changes, error = QUESTIONS[name]
    question: dict[str, object] = {
        "root": ROOT,
        "prefix": PREFIX,
        "key": key(MIDDLE),
        "value": value(MIDDLE),
        "proof": chained(LOW, upper()),
    }
    with pytest.raises(HubError) as caught:
        verify_membership(**{**question, **changes})  # type: ignore[arg-type]
    assert type(caught.value) is error


def _side(side: str, edit: Callable[[ExistenceProof], ExistenceProof | None]) -> NonExistenceProof:
    changed = edit(getattr(ABSENCE, side))
    return replace(ABSENCE, left=changed) if side == "left" else replace(ABSENCE, right=changed)


NON_MEMBERSHIP: dict[str, tuple[CommitmentProof, type[HubError]]] = {
    "proof is one of existence": (LOW, NonMembershipNotProven),
    "proof is for another key": (
        replace(ABSENCE, key=KEY_PREFIX + key(ABSENT + 2)),
        NonMembershipNotProven,
    ),
    "proof names no key": (replace(ABSENCE, key=b""), NonMembershipNotProven),
    "both neighbours are missing": (
        replace(ABSENCE, left=None, right=None),
        NonMembershipNotProven,
    ),
    "left neighbour is missing": (replace(ABSENCE, left=None), NonMembershipNotProven),
    "right neighbour is missing": (replace(ABSENCE, right=None), NonMembershipNotProven),
    "neighbours are swapped": (
        replace(ABSENCE, left=ABSENCE.right, right=ABSENCE.left),
        NonMembershipNotProven,
    ),
    "left neighbour stands on both sides": (
        replace(ABSENCE, right=ABSENCE.left),
        NonMembershipNotProven,
    ),
    "left neighbour is one further": (
        replace(ABSENCE, left=lower(MIDDLE - 2)),
        NonMembershipNotProven,
    ),
    "right neighbour is one further": (
        replace(ABSENCE, right=lower(MIDDLE + 4)),
        NonMembershipNotProven,
    ),
    "left neighbour breaks its spec": (
        _side("left", lambda p: replace(p, leaf=None)),
        ProofSpecViolated,
    ),
    "right neighbour breaks its spec": (
        _side("right", lambda p: replace(p, path=(InnerOp(1, b"", b""),))),
        ProofSpecViolated,
    ),
    "left neighbour has another value": (
        _side("left", lambda p: replace(p, value=b"other")),
        NonMembershipNotProven,
    ),
    "right neighbour has another value": (
        _side("right", lambda p: replace(p, value=b"other")),
        NonMembershipNotProven,
    ),
    "left neighbour has another key": (
        _side("left", lambda p: replace(p, key=p.key + b"\x00")),
        NonMembershipNotProven,
    ),
    "neighbours have no paths": (
        NonExistenceProof(
            ABSENCE.key, replace(lower(MIDDLE), path=()), replace(lower(MIDDLE + 2), path=())
        ),
        NonMembershipNotProven,
    ),
    "left path is empty": (_side("left", lambda p: replace(p, path=())), NonMembershipNotProven),
    "right path is empty": (_side("right", lambda p: replace(p, path=())), NonMembershipNotProven),
    "left path is short": (
        _side("left", lambda p: replace(p, path=p.path[1:])),
        NonMembershipNotProven,
    ),
}


@pytest.mark.parametrize("name", NON_MEMBERSHIP)
def test_tampered_non_membership_proof_is_refused(name: str) -> None:
    proof, error = NON_MEMBERSHIP[name]
    with pytest.raises(HubError) as caught:
        verify_non_membership(ROOT, PREFIX, key(ABSENT), chained(proof, upper()))
    assert type(caught.value) is error


def test_absence_in_a_part_of_a_store_is_no_absence_in_the_store() -> None:
    proof = WORLD.absence(STORE, KEY_PREFIX + key(3))
    assert proof.left
    assert proof.right
    part = replace(
        proof,
        left=replace(proof.left, path=proof.left.path[:-1]),
        right=replace(proof.right, path=proof.right.path[:-1]),
    )
    with pytest.raises(RootMismatch):
        verify_non_membership(ROOT, PREFIX, key(3), chained(part, upper()))


def test_present_key_is_never_excluded() -> None:
    full = KEY_PREFIX + key(MIDDLE)
    for left, right in [
        (lower(MIDDLE - 2), lower(MIDDLE + 2)),
        (lower(MIDDLE), lower(MIDDLE + 2)),
        (lower(MIDDLE - 2), lower(MIDDLE)),
        (lower(MIDDLE - 2), None),
        (None, lower(MIDDLE + 2)),
    ]:
        with pytest.raises(NonMembershipNotProven):
            verify_non_membership(
                ROOT, PREFIX, key(MIDDLE), chained(NonExistenceProof(full, left, right), upper())
            )


def test_absence_in_another_store_says_nothing_of_this_one() -> None:
    proof = WORLD.non_membership("bank", KEY_PREFIX + key(MIDDLE))
    with pytest.raises(MembershipNotProven):
        verify_non_membership(ROOT, PREFIX, key(MIDDLE), proof)


# The incidents of the field ----------------------------------------------------------------------


def test_dragonberry_key_hidden_in_a_leaf_prefix_is_refused() -> None:
    """A leaf's own bytes, cut elsewhere: part of the key is called prefix, the rest the key.

    Source: Dragonberry, 2022-10; cosmos/ics23 validateIavlOps.
    """
    hidden = b"forged"
    real = b"k" + measured(hidden)
    world = World({STORE: plant({real: b"v", b"z": b"v"})})
    genuine = world.existence(STORE, real)
    assert genuine.leaf
    cut = replace(
        genuine,
        key=hidden,
        leaf=replace(genuine.leaf, prefix=genuine.leaf.prefix + bytes([len(real)]) + b"k"),
    )
    assert calculate_root(cut) == calculate_root(genuine), "the bytes are the same"
    with pytest.raises(ProofSpecViolated):
        verify_membership(
            world.root, (b"ibc", b""), hidden, b"v", chained(cut, world.store_proof(STORE))
        )


def test_dragonberry_value_that_is_an_inner_node_is_refused() -> None:
    """An inner operation whose prefix or suffix holds what is really another node's bytes."""
    node = _head(3, 4, 1) + b"\x20" + bytes(32)
    for change in (
        _node(LEFT_AT, suffix=SIBLING + node[:33]),
        _node(LEFT_AT, prefix=HEAD + SIBLING + SIBLING + b"\x20"),
        _node(LEFT_AT, prefix=HEAD + b"\x20\x00"),
    ):
        with pytest.raises(ProofSpecViolated):
            verify_membership(
                ROOT, PREFIX, key(MIDDLE), value(MIDDLE), chained(*change((LOW, upper())))
            )


def test_leaf_is_no_inner_node_and_inner_node_no_leaf() -> None:
    """Second preimage: the bytes of an inner node presented as the bytes of a leaf."""
    left, right = leaf(b"a", b"1"), leaf(b"b", b"2")
    node = join(left, right)
    forged = ExistenceProof(
        left.digest[1:] + b"\x20",
        right.digest,
        replace(LEAF_OP, prefix=node.head + b"\x20" + left.digest[:1], prehash_value=0, length=0),
        (),
    )
    assert calculate_root(forged) == node.digest, "the bytes are the same"
    with pytest.raises(ProofSpecViolated):
        existence_root(IAVL_SPEC, forged, forged.key, forged.value)


def test_bnb_bridge_node_with_both_siblings_is_refused() -> None:
    """Left and right both set: the forged one was then left out of the hash.

    Source: BNB bridge, 2022-10; cosmos/iavl #579, GHSA-gf4j-mf57-3762.
    """
    both = replace(LOW.path[RIGHT_AT], suffix=b"\x20" + sha256(b"forged").digest())
    path = (*LOW.path[:RIGHT_AT], both, *LOW.path[RIGHT_AT + 1 :])
    with pytest.raises(ProofSpecViolated):
        existence_root(IAVL_SPEC, replace(LOW, path=path), LOW.key, LOW.value)


def test_depth_is_bounded_though_no_spec_says_so() -> None:
    """A max_depth of 0 is 128, never unlimited. Source: cardano-ibc CIB-016."""
    deep = replace(upper(), path=(InnerOp(1, b"\x01", bytes(32)),) * 128)
    assert existence_root(TENDERMINT_SPEC, deep, deep.key, deep.value)
    deeper = replace(deep, path=(*deep.path, deep.path[0]))
    with pytest.raises(ProofSpecViolated):
        existence_root(TENDERMINT_SPEC, deeper, deep.key, deep.value)


def test_layer_rises_with_every_node() -> None:
    """Height is held against each node's own layer. Source: cardano-ibc CIB-016."""
    nodes = [InnerOp(1, _head(height) + b"\x20", SIBLING) for height in (1, 2, 3, 3)]
    good = replace(LOW, path=tuple(nodes[:3]))
    assert existence_root(IAVL_SPEC, good, LOW.key, LOW.value)
    with pytest.raises(ProofSpecViolated) as caught:
        existence_root(IAVL_SPEC, replace(LOW, path=tuple(nodes)), LOW.key, LOW.value)
    assert caught.value.at == 4


def test_iavl_path_cannot_be_deeper_than_the_highest_height() -> None:
    nodes = tuple(InnerOp(1, _head(min(at, 127)) + b"\x20", SIBLING) for at in range(1, 129))
    assert existence_root(IAVL_SPEC, replace(LOW, path=nodes[:127]), LOW.key, LOW.value)
    with pytest.raises(ProofSpecViolated):
        existence_root(IAVL_SPEC, replace(LOW, path=nodes), LOW.key, LOW.value)


@pytest.mark.parametrize(
    "spec",
    [
        replace(IAVL_SPEC, max_depth=1000),
        replace(IAVL_SPEC, name="mine"),
        replace(IAVL_SPEC, leaf=replace(IAVL_SPEC.leaf, prefix=b"")),
        replace(TENDERMINT_SPEC, inner=replace(TENDERMINT_SPEC.inner, max_prefix=40)),
        replace(SMT_SPEC, prehash_compare_key=False),
    ],
)
def test_custom_spec_is_refused(spec: object) -> None:
    with pytest.raises(ProofSpecViolated):
        existence_root(spec, LOW, LOW.key, LOW.value)  # type: ignore[arg-type]
    with pytest.raises(ProofSpecViolated):
        non_existence_root(spec, ABSENCE, ABSENCE.key)  # type: ignore[arg-type]


def test_equal_copy_of_a_pinned_spec_is_the_pinned_spec() -> None:
    assert existence_root(replace(IAVL_SPEC), LOW, LOW.key, LOW.value) == WORLD.stores[STORE].digest


# Sparse trees: leaves lie in the order of their hashed keys -------------------------------------


def _sparse(text: bytes, *path: InnerOp) -> ExistenceProof:
    return ExistenceProof(text, b"v", SMT_SPEC.leaf, path)


def test_sparse_tree_compares_hashed_keys() -> None:
    by_hash = sorted([b"a", b"b", b"c"], key=lambda text: sha256(text).digest())
    low, absent, high = by_hash
    left_root = calculate_root(_sparse(low))
    right_root = calculate_root(_sparse(high))
    left = _sparse(low, InnerOp(1, b"\x01", right_root))
    right = _sparse(high, InnerOp(1, b"\x01" + left_root, b""))
    proof = NonExistenceProof(absent, left, right)
    assert non_existence_root(SMT_SPEC, proof, absent) == calculate_root(left)
    with pytest.raises(NonMembershipNotProven):
        non_existence_root(SMT_SPEC, replace(proof, left=right, right=left), absent)


def test_empty_sibling_of_a_sparse_tree_holds_no_leaf() -> None:
    by_hash = sorted([b"a", b"b"], key=lambda text: sha256(text).digest())
    empty = InnerOp(1, b"\x01", bytes(32))
    taken = InnerOp(1, b"\x01", b"\x01" * 32)
    alone = _sparse(by_hash[0], empty)
    proof = NonExistenceProof(by_hash[1], alone, None)
    assert non_existence_root(SMT_SPEC, proof, by_hash[1]) == calculate_root(alone)
    with pytest.raises(NonMembershipNotProven):
        non_existence_root(SMT_SPEC, replace(proof, left=_sparse(by_hash[0], taken)), by_hash[1])
    other = NonExistenceProof(
        by_hash[0], None, _sparse(by_hash[1], InnerOp(1, b"\x01" + bytes(32), b""))
    )
    assert non_existence_root(SMT_SPEC, other, by_hash[0])


def test_zeros_beside_an_iavl_leaf_are_a_sibling_like_any_other() -> None:
    alone = replace(LOW, path=(InnerOp(1, _head(1) + b"\x20", SIBLING),))
    with pytest.raises(NonMembershipNotProven):
        non_existence_root(IAVL_SPEC, NonExistenceProof(b"p/z", alone, None), b"p/z")


def test_key_goes_behind_the_key_prefix() -> None:
    assert split_prefix((b"ibc", b"p/"), b"k") == (b"ibc", b"p/k")
