from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.errors import ProofSpecViolated
from hub.light_clients.proofs.rules import (
    LEFT,
    RIGHT,
    branch_of,
    check_existence,
    is_left_neighbour,
    is_outermost,
)
from hub.light_clients.proofs.spec import (
    IAVL_SPEC,
    SMT_SPEC,
    TENDERMINT_SPEC,
    ExistenceProof,
    InnerOp,
    ProofSpec,
)
from tests.harness.iavl import LEAF_OP, walk, zigzag
from tests.harness.proof_samples import STORE, WORLD, lower, upper

HASH = bytes(range(32))
OTHER = bytes(range(1, 33))


def _left(height: int = 1, sibling: bytes = HASH, size: int = 2) -> InnerOp:
    """A node whose child stands on the left."""
    return InnerOp(1, zigzag(height) + zigzag(size) + b"\x02\x20", b"\x20" + sibling)


def _right(height: int = 1, sibling: bytes = HASH, size: int = 2) -> InnerOp:
    """A node whose child stands on the right."""
    return InnerOp(1, zigzag(height) + zigzag(size) + b"\x02\x20" + sibling + b"\x20", b"")


def _map_left(sibling: bytes = HASH) -> InnerOp:
    return InnerOp(1, b"\x01", sibling)


def _map_right(sibling: bytes = HASH) -> InnerOp:
    return InnerOp(1, b"\x01" + sibling, b"")


@pytest.mark.parametrize(
    ("spec", "op", "side"),
    [
        (IAVL_SPEC, _left(), LEFT),
        (IAVL_SPEC, _right(), RIGHT),
        (IAVL_SPEC, _left(127, size=2**50), LEFT),
        (IAVL_SPEC, _right(127, size=2**50), RIGHT),
        (IAVL_SPEC, InnerOp(1, b"\x02\x02\x20", b"\x20" + HASH), None),
        (IAVL_SPEC, InnerOp(1, bytes(13), b"\x20" + HASH), None),
        (IAVL_SPEC, InnerOp(1, bytes(46), b""), None),
        (IAVL_SPEC, InnerOp(1, bytes(4), bytes(66)), None),
        (IAVL_SPEC, InnerOp(1, bytes(4), b""), None),
        (IAVL_SPEC, InnerOp(1, bytes(37), bytes(33)), None),
        (TENDERMINT_SPEC, _map_left(), LEFT),
        (TENDERMINT_SPEC, _map_right(), RIGHT),
        (TENDERMINT_SPEC, InnerOp(1, b"\x01", b""), None),
        (TENDERMINT_SPEC, InnerOp(1, b"\x01" + HASH, HASH), None),
        (TENDERMINT_SPEC, InnerOp(1, b"\x01\x01", HASH), None),
        (TENDERMINT_SPEC, InnerOp(1, b"", HASH), None),
        (SMT_SPEC, _map_left(), LEFT),
        (SMT_SPEC, _map_right(), RIGHT),
    ],
)
def test_side_of_a_child_is_told_by_the_lengths(
    spec: ProofSpec, op: InnerOp, side: int | None
) -> None:
    assert branch_of(spec, op) == side


def test_outermost_leaf_turns_to_one_side_only() -> None:
    assert is_outermost(IAVL_SPEC, [_left(1), _left(2)], LEFT)
    assert is_outermost(IAVL_SPEC, [_right(1), _right(2)], RIGHT)
    assert is_outermost(IAVL_SPEC, [], LEFT), "the only leaf is outermost"
    assert is_outermost(IAVL_SPEC, [], RIGHT)
    for side in (LEFT, RIGHT):
        assert not is_outermost(IAVL_SPEC, [_left(1), _right(2)], side)
        assert not is_outermost(IAVL_SPEC, [_right(1), _left(2)], side)


def test_empty_child_counts_as_outside_in_sparse_trees_only() -> None:
    empty = bytes(32)
    for op in (_map_left(empty), _map_right(empty)):
        assert is_outermost(SMT_SPEC, [op], LEFT)
        assert is_outermost(SMT_SPEC, [op], RIGHT)
    assert not is_outermost(TENDERMINT_SPEC, [_map_left(empty)], RIGHT)
    assert not is_outermost(SMT_SPEC, [_map_left()], RIGHT)


NEIGHBOURS = {
    "two leaves": ([_left()], [_right()], True),
    "two leaves under a common tail": ([_left(), _left(2)], [_right(), _left(2)], True),
    "rightmost of one, leftmost of the other": (
        [_right(1), _left(2, OTHER)],
        [_left(1), _right(2)],
        True,
    ),
    "depths differ": ([_left(2, OTHER)], [_left(1), _right(2)], True),
    "a leaf lies right of the left one": ([_left(1), _left(2)], [_left(1), _right(2)], False),
    "a leaf lies left of the right one": ([_right(1), _left(2)], [_right(1), _right(2)], False),
    "order is turned": ([_right()], [_left()], False),
    "both are left": ([_left()], [_left(1, OTHER)], False),
    "both are right": ([_right()], [_right(1, OTHER)], False),
    "same path": ([_left(1), _right(2)], [_left(1), _right(2)], False),
    "one is the tail of the other": ([_left(1), _left(2)], [_left(2)], False),
    "tails differ in a left sibling": (
        [_left(1), _right(2)],
        [_right(1), _right(2, OTHER)],
        False,
    ),
    "tails differ in a right sibling": (
        [_left(1), _left(2)],
        [_right(1), _left(2, OTHER)],
        False,
    ),
    "left path is empty": ([], [_right()], False),
    "right path is empty": ([_left()], [], False),
    "both paths are empty": ([], [], False),
    "nodes that are no nodes": ([InnerOp(1, b"", b"")], [InnerOp(1, b"x", b"")], False),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbours_have_no_leaf_between_them(name: str) -> None:
    """Paths that never part are no neighbours; an empty one once crashed a peer's verifier."""
    left, right, expected = NEIGHBOURS[name]
    assert is_left_neighbour(IAVL_SPEC, left, right) is expected


def test_neighbours_of_a_tree_are_those_that_follow_each_other() -> None:
    proofs = [WORLD.existence(STORE, leaf.key).path for leaf, _ in walk(WORLD.stores[STORE])]
    for low, left in enumerate(proofs):
        for high, right in enumerate(proofs):
            assert is_left_neighbour(IAVL_SPEC, left, right) is (high == low + 1)


def test_genuine_proofs_keep_to_their_spec_and_to_no_other() -> None:
    check_existence(IAVL_SPEC, lower())
    check_existence(TENDERMINT_SPEC, upper())
    for spec, proof in [
        (IAVL_SPEC, upper()),
        (SMT_SPEC, upper()),
        (TENDERMINT_SPEC, lower()),
        (SMT_SPEC, lower()),
    ]:
        with pytest.raises(ProofSpecViolated):
            check_existence(spec, proof)


@pytest.mark.parametrize("field", ["key", "value"])
def test_empty_key_or_value_is_refused(field: str) -> None:
    empty = {"key": replace(lower(), key=b""), "value": replace(lower(), value=b"")}[field]
    with pytest.raises(ProofSpecViolated):
        check_existence(IAVL_SPEC, empty)


def _existence(*path: InnerOp) -> ExistenceProof:
    return ExistenceProof(b"k", b"v", replace(LEAF_OP, prefix=b"\x00\x02\x02"), path)


def test_refusal_names_the_node() -> None:
    with pytest.raises(ProofSpecViolated) as caught:
        check_existence(IAVL_SPEC, _existence(_left(1), _left(2), replace(_left(3), hash=2)))
    assert caught.value.at == 3


def test_longest_prefix_of_the_spec_is_allowed_and_no_longer_one() -> None:
    """Twelve bytes: height, size, version, and the length of the child."""
    for size, right in [(2**55, True), (2**62, False)]:
        for op in (_left(size=size), _right(size=size)):
            if right:
                check_existence(IAVL_SPEC, _existence(op))
            else:
                with pytest.raises(ProofSpecViolated):
                    check_existence(IAVL_SPEC, _existence(op))


PREFIX = zigzag(1) + zigzag(2) + b"\x02"
"""Height, size and version of a node, before the length of its child."""

LEFT_SUFFIX = b"\x20" + HASH

RULES: list[tuple[ProofSpec, InnerOp, str]] = [
    (IAVL_SPEC, replace(_left(), hash=2), "inner hash is 2"),
    (IAVL_SPEC, InnerOp(1, b"\x00\x02\x02\x20", LEFT_SUFFIX), "inner prefix begins as a leaf's"),
    (TENDERMINT_SPEC, InnerOp(1, b"\x00", HASH), "inner prefix begins as a leaf's"),
    (IAVL_SPEC, InnerOp(1, b"\x02\x04\x20", LEFT_SUFFIX), "inner prefix is too short"),
    (IAVL_SPEC, InnerOp(1, PREFIX + bytes(43), b""), "inner prefix is too long"),
    (IAVL_SPEC, InnerOp(1, PREFIX + b"\x20", bytes(32)), "suffix is no whole number of children"),
    (IAVL_SPEC, InnerOp(1, PREFIX + bytes(20), b""), "node does not have two children"),
    (IAVL_SPEC, InnerOp(1, PREFIX + b"\x20", b""), "node does not have two children"),
    (IAVL_SPEC, InnerOp(1, PREFIX + b"\x20\x20", LEFT_SUFFIX), "inner prefix leaves 2 bytes"),
    (
        IAVL_SPEC,
        InnerOp(1, PREFIX + b"\x20" + HASH + b"\x20\x20", b""),
        "inner prefix leaves 35 bytes",
    ),
    (IAVL_SPEC, _left(0, size=2), "inner prefix begins as a leaf's"),
    (IAVL_SPEC, _left(128), "height 128 is below the layer or over 127"),
    (IAVL_SPEC, InnerOp(1, b"\x01" + PREFIX, LEFT_SUFFIX), "prefix has a negative number"),
    (
        IAVL_SPEC,
        InnerOp(1, PREFIX + b"\x1f", LEFT_SUFFIX),
        "child in the prefix is not of 32 bytes",
    ),
    (
        IAVL_SPEC,
        InnerOp(1, PREFIX + b"\x20", b"\x1f" + HASH),
        "child in the suffix is not of 32 bytes",
    ),
    (TENDERMINT_SPEC, InnerOp(1, b"\x02", HASH), "inner prefix does not begin with 1"),
    (TENDERMINT_SPEC, InnerOp(1, b"\x01", HASH * 2), "node does not have two children"),
]


@pytest.mark.parametrize(("spec", "op", "rule"), RULES)
def test_each_rule_of_a_node_is_the_one_that_refuses_it(
    spec: ProofSpec, op: InnerOp, rule: str
) -> None:
    """Several rules forbid most forgeries; each is shown to stand by itself."""
    proof = replace(upper() if spec == TENDERMINT_SPEC else lower(), path=(op,))
    with pytest.raises(ProofSpecViolated) as caught:
        check_existence(spec, proof)
    assert (caught.value.at, caught.value.rule) == (1, rule)


@pytest.mark.parametrize(
    "spec",
    [
        replace(TENDERMINT_SPEC, max_depth=1000),
        replace(TENDERMINT_SPEC, name="mine"),
        replace(TENDERMINT_SPEC, inner=replace(TENDERMINT_SPEC.inner, max_prefix=33)),
    ],
)
def test_spec_of_a_peer_is_refused_even_where_the_proof_would_keep_to_it(spec: ProofSpec) -> None:
    with pytest.raises(ProofSpecViolated) as caught:
        check_existence(spec, upper())
    assert caught.value.rule == "the spec is not a pinned one"
