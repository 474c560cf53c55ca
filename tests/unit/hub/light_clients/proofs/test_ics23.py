from __future__ import annotations

from dataclasses import replace
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
    non_existence_root,
    verify_membership,
    verify_non_membership,
)
from hub.light_clients.proofs.spec import (
    IAVL_SPEC,
    ExistenceProof,
    InnerOp,
    NonExistenceProof,
)
from tests.harness.iavl import LEAF_OP, World
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
from tests.harness.proof_tampering import (
    ABSENCE,
    ABSENT,
    FIRST,
    HEAD,
    LEFT_AT,
    LOW,
    RIGHT_AT,
    SIBLING,
    head,
    inner,
    leaf_with,
    path_with,
    turned,
    upper_with,
    without_leaf,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.light_clients.proofs.spec import CommitmentProof


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


MEMBERSHIP = {
    "leaf is missing": (lambda c: (without_leaf(c[0]), c[1]), ProofSpecViolated),
    "leaf hash is another": (leaf_with(hash=2), ProofSpecViolated),
    "leaf hash is none": (leaf_with(hash=0), ProofSpecViolated),
    "leaf hash is unknown": (leaf_with(hash=99), ProofSpecViolated),
    "key is hashed first": (leaf_with(prehash_key=1), ProofSpecViolated),
    "value is not hashed first": (leaf_with(prehash_value=0), ProofSpecViolated),
    "length is not written": (leaf_with(length=0), ProofSpecViolated),
    "length is written otherwise": (leaf_with(length=3), ProofSpecViolated),
    "leaf prefix is empty": (leaf_with(prefix=b""), ProofSpecViolated),
    "leaf prefix is bare": (leaf_with(prefix=b"\x00"), ProofSpecViolated),
    "leaf prefix is cut": (leaf_with(prefix=b"\x00\x02"), ProofSpecViolated),
    "leaf prefix goes on": (leaf_with(prefix=b"\x00\x02\x02\x00"), ProofSpecViolated),
    "leaf has height 1": (leaf_with(prefix=b"\x02\x02\x02"), ProofSpecViolated),
    "leaf has size 2": (leaf_with(prefix=b"\x00\x04\x02"), ProofSpecViolated),
    "leaf has a negative version": (leaf_with(prefix=b"\x00\x02\x01"), ProofSpecViolated),
    "leaf has a long varint": (leaf_with(prefix=b"\x00\x02\x82\x00"), ProofSpecViolated),
    "leaf has a version over 64 bits": (
        leaf_with(prefix=b"\x00\x02" + b"\xfe" + b"\xff" * 8 + b"\x02"),
        ProofSpecViolated,
    ),
    "leaf has another version": (leaf_with(prefix=head(0, 1, 6)), RootMismatch),
    "node hash is another": (inner(0, hash=2), ProofSpecViolated),
    "node hash is none": (inner(0, hash=0), ProofSpecViolated),
    "node is an empty operation": (inner(0, prefix=b"", suffix=b""), ProofSpecViolated),
    "node has no sibling": (inner(LEFT_AT, suffix=b""), ProofSpecViolated),
    "node has half a sibling": (inner(LEFT_AT, suffix=bytes(16)), ProofSpecViolated),
    "node has two siblings to the right": (
        inner(LEFT_AT, suffix=SIBLING * 2),
        ProofSpecViolated,
    ),
    "node has siblings on both sides": (inner(RIGHT_AT, suffix=SIBLING), ProofSpecViolated),
    "node has two siblings to the left": (
        inner(RIGHT_AT, prefix=HEAD + SIBLING * 2 + b"\x20"),
        ProofSpecViolated,
    ),
    "node prefix is too short": (inner(LEFT_AT, prefix=head(1)), ProofSpecViolated),
    "node prefix is too long": (inner(LEFT_AT, prefix=head(9) + bytes(60)), ProofSpecViolated),
    "node prefix is a leaf's": (inner(LEFT_AT, prefix=head(0) + b"\x20"), ProofSpecViolated),
    "node prefix goes on": (inner(LEFT_AT, prefix=HEAD + b"\x00\x20"), ProofSpecViolated),
    "node prefix ends early": (inner(LEFT_AT, prefix=HEAD + b"\x80"), ProofSpecViolated),
    "node prefix has a cut varint": (
        inner(LEFT_AT, prefix=b"\x08\x04\x82\x82"),
        ProofSpecViolated,
    ),
    "node has a negative size": (inner(LEFT_AT, prefix=b"\x08\x03\x02\x20"), ProofSpecViolated),
    "node has a long varint": (
        inner(LEFT_AT, prefix=b"\x88\x00\x04\x02\x20"),
        ProofSpecViolated,
    ),
    "node says that its child has 31 bytes": (
        inner(LEFT_AT, prefix=HEAD + b"\x1f"),
        ProofSpecViolated,
    ),
    "sibling to the right is said to have 31 bytes": (
        inner(LEFT_AT, suffix=b"\x1f" + bytes(32)),
        ProofSpecViolated,
    ),
    "sibling to the left is said to have 31 bytes": (
        inner(RIGHT_AT, prefix=HEAD + b"\x1f" + bytes(32) + b"\x20"),
        ProofSpecViolated,
    ),
    "height is below the layer": (inner(1, prefix=head(1) + b"\x20"), ProofSpecViolated),
    "height is over 127": (inner(0, prefix=head(128) + b"\x20"), ProofSpecViolated),
    "height is another": (inner(LEFT_AT, prefix=head(9) + b"\x20"), RootMismatch),
    "sibling is another": (inner(LEFT_AT, suffix=SIBLING), RootMismatch),
    "path is empty": (path_with(lambda path: ()), RootMismatch),
    "lowest node is dropped": (path_with(lambda path: path[1:]), RootMismatch),
    "highest node is dropped": (path_with(lambda path: path[:-1]), RootMismatch),
    "highest node stands twice": (path_with(lambda path: (*path, path[-1])), RootMismatch),
    "lowest node stands twice": (path_with(lambda path: (path[0], *path)), RootMismatch),
    "lowest node stands at every layer": (
        path_with(lambda path: (path[0],) * len(path)),
        ProofSpecViolated,
    ),
    "two nodes are swapped": (
        path_with(lambda path: (path[1], path[0], *path[2:])),
        RootMismatch,
    ),
    "a child changes sides": (path_with(lambda path: (turned(path[0]), *path[1:])), RootMismatch),
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
    "upper proof names another store": (upper_with(key=b"bank"), MembershipNotProven),
    "upper proof has another value": (upper_with(value=bytes(32)), RootMismatch),
    "upper leaf is an IAVL leaf": (
        upper_with(leaf=replace(LEAF_OP, prefix=b"\x00\x02\x02")),
        ProofSpecViolated,
    ),
    "upper path is cut": (upper_with(path=upper().path[:-1]), RootMismatch),
    "upper node is an IAVL node": (upper_with(path=(FIRST,)), ProofSpecViolated),
    "upper node has another tag": (
        upper_with(path=(InnerOp(1, b"\x02", bytes(32)),)),
        ProofSpecViolated,
    ),
    "upper node has two siblings": (
        upper_with(path=(InnerOp(1, b"\x01" + bytes(32), bytes(32)),)),
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
    "proof is one of existence, of this key": (
        replace(LOW, key=ABSENCE.key),
        NonMembershipNotProven,
    ),
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


def test_without_neighbours_nothing_is_said() -> None:
    with pytest.raises(NonMembershipNotProven) as caught:
        non_existence_root(IAVL_SPEC, NonExistenceProof(b"p/x", None, None), b"p/x")
    assert caught.value.problem == "both neighbours are missing"


def test_root_of_a_proof_without_a_leaf_is_none() -> None:
    with pytest.raises(ProofSpecViolated):
        calculate_root(replace(LOW, leaf=None))
