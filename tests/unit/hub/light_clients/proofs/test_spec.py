from __future__ import annotations

from hub.light_clients.proofs.codec import MAX_NODES
from hub.light_clients.proofs.spec import DEFAULT_MAX_DEPTH, PINNED, HashOp, LengthOp


def test_no_spec_is_unlimited_in_depth() -> None:
    assert DEFAULT_MAX_DEPTH == 128
    assert max(spec.max_depth for spec in PINNED) == MAX_NODES


def test_an_inner_prefix_can_hold_no_second_child() -> None:
    """Source: cosmos/ics23 CheckAgainstSpec, max_prefix_length < min_prefix_length + child_size."""
    for spec in PINNED:
        assert spec.inner.max_prefix < spec.inner.min_prefix + spec.inner.child_size


def test_leaf_and_inner_nodes_are_told_apart() -> None:
    assert all(spec.leaf.prefix == b"\x00" for spec in PINNED)


def test_numbers_are_those_of_the_wire() -> None:
    """Source: cosmos/ics23 proto/cosmos/ics23/v1/proofs.proto."""
    assert [int(op) for op in HashOp] == list(range(9))
    assert [int(op) for op in LengthOp] == list(range(9))
