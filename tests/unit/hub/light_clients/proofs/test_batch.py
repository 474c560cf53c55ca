from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import (
    HubError,
    LimitExceeded,
    ProofBatchInvalid,
    ProofSpecViolated,
    ProofUnparseable,
    RootMismatch,
)
from hub.light_clients.proofs.batch import check_leaves, leaf_digest, verify_batch
from hub.light_clients.proofs.batch_codec import Path, Step, StoreStep, encode_batch
from tests.harness.iavl import Inner, World, join, leaf, plant
from tests.harness.proof_samples import (
    KEY_PREFIX,
    ONE_LEAF,
    PREFIX,
    PRESENT,
    ROOT,
    STORE,
    TWO_LEAVES,
    WORLD,
    batch,
    key,
    leaves,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.iavl import Node

Parts = tuple[tuple[StoreStep, ...], tuple[Path, ...]]

NUMBERS = PRESENT[3:9]
LEAVES = leaves(*NUMBERS)
PARTS = WORLD.batch_parts(STORE, [KEY_PREFIX + key(number) for number in NUMBERS])
ALL = leaves(*PRESENT)


def test_batch_shows_neighbours() -> None:
    verify_batch(ROOT, PREFIX, LEAVES, encode_batch(*PARTS))


def test_batch_shows_every_key_of_a_store() -> None:
    verify_batch(ROOT, PREFIX, ALL, batch(*PRESENT))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_batch_shows_any_choice_of_keys(count: int) -> None:
    for numbers in combinations(PRESENT, count):
        verify_batch(ROOT, PREFIX, leaves(*numbers), batch(*numbers))


def test_batch_shows_the_only_leaves_of_a_state() -> None:
    verify_batch(ONE_LEAF.root, PREFIX, [(b"b", b"1")], ONE_LEAF.batch(STORE, [b"p/b"]))
    both = TWO_LEAVES.batch(STORE, [b"p/b", b"p/d"])
    verify_batch(TWO_LEAVES.root, PREFIX, [(b"b", b"1"), (b"d", b"2")], both)


def test_deepest_path_is_accepted() -> None:
    """A comb: every inner node has a leaf to its right, so heights run from 1 to 127."""
    comb: Node = leaf(KEY_PREFIX + key(1), value(1))
    for number in range(2, 129):
        comb = join(comb, leaf(KEY_PREFIX + key(number), value(number)))
    world = World({STORE: comb})
    shown = leaves(*range(1, 129))
    verify_batch(world.root, PREFIX, shown, world.batch(STORE, [KEY_PREFIX + k for k, _ in shown]))


def test_largest_batch_is_accepted() -> None:
    shown = leaves(*range(1, 257))
    world = World({STORE: plant({KEY_PREFIX + k: v for k, v in shown})})
    proof = world.batch(STORE, [KEY_PREFIX + k for k, _ in shown])
    verify_batch(world.root, PREFIX, shown, proof)
    with pytest.raises(LimitExceeded):
        verify_batch(world.root, PREFIX, leaves(*range(1, 258)), proof)


# One valid batch, single tamperings -----------------------------------------------------------


def _paths(edit: Callable[[list[Path]], list[Path]]) -> Callable[[Parts], Parts]:
    return lambda parts: (parts[0], tuple(edit(list(parts[1]))))


def _path(at: int, edit: Callable[[Path], Path]) -> Callable[[Parts], Parts]:
    return _paths(lambda paths: [*paths[:at], edit(paths[at]), *paths[at + 1 :]])


def _step(leaf_at: int, at: int, edit: Callable[[Step], Step]) -> Callable[[Parts], Parts]:
    def change(path: Path) -> Path:
        steps = list(path.steps)
        steps[at] = edit(steps[at])
        return replace(path, steps=tuple(steps))

    return _path(leaf_at, change)


def _store(edit: Callable[[list[StoreStep]], list[StoreStep]]) -> Callable[[Parts], Parts]:
    return lambda parts: (tuple(edit(list(parts[0]))), parts[1])


PATHS = PARTS[1]
BUSY = next(at for at, path in enumerate(PATHS) if at and path.steps)
"""A later leaf with nodes of its own."""

BARE = next(at for at, path in enumerate(PATHS) if at and not path.steps)
"""A later leaf that stands in a slot itself."""

STEP = PATHS[BUSY].steps[0]
OTHER = bytes(32)
OPEN = next(at for at, step in enumerate(PATHS[0].steps) if not step.right)
"""A node of the first path whose right slot a later path may take."""

TAMPERINGS: dict[str, tuple[Callable[[Parts], Parts], type[HubError]]] = {
    "first leaf has another version": (
        _path(0, lambda path: replace(path, version=path.version + 1)),
        RootMismatch,
    ),
    "later leaf has another version": (
        _path(BUSY, lambda path: replace(path, version=path.version + 1)),
        ProofBatchInvalid,
    ),
    "slot is one higher": (
        _path(BARE, lambda path: replace(path, join=path.join + 1)),
        ProofBatchInvalid,
    ),
    "slot is one lower": (
        _path(BUSY, lambda path: replace(path, join=path.join - 1)),
        ProofBatchInvalid,
    ),
    "slot is at height 0": (_path(BARE, lambda path: replace(path, join=0)), ProofBatchInvalid),
    "slot is at height 127": (_path(BARE, lambda path: replace(path, join=127)), ProofBatchInvalid),
    "slot is at height 255": (_path(BARE, lambda path: replace(path, join=255)), ProofBatchInvalid),
    "later path has no nodes": (
        _path(BUSY, lambda path: replace(path, steps=())),
        ProofBatchInvalid,
    ),
    "later path has its node twice": (
        _path(BUSY, lambda path: replace(path, steps=path.steps[:1] * 2)),
        ProofBatchInvalid,
    ),
    "later path goes on to the root": (
        _path(BARE, lambda path: replace(path, steps=(STEP,))),
        ProofBatchInvalid,
    ),
    "first path is cut at the top": (
        _path(0, lambda path: replace(path, steps=path.steps[:-1])),
        ProofBatchInvalid,
    ),
    "first path is cut at the bottom": (
        _path(0, lambda path: replace(path, steps=path.steps[1:])),
        RootMismatch,
    ),
    "first path is turned around": (
        _path(0, lambda path: replace(path, steps=path.steps[::-1])),
        ProofBatchInvalid,
    ),
    "height of a node is one more": (
        _step(0, OPEN, lambda step: replace(step, height=step.height + 1)),
        ProofBatchInvalid,
    ),
    "height of a node is 0": (
        _step(0, OPEN, lambda step: replace(step, height=0)),
        ProofBatchInvalid,
    ),
    "height of the top node is 127": (
        _step(0, -1, lambda step: replace(step, height=127)),
        ProofBatchInvalid,
    ),
    "height of a later node is that of its slot": (
        _step(BUSY, -1, lambda step: replace(step, height=PATHS[BUSY].join)),
        ProofBatchInvalid,
    ),
    "size of a node of the first path is another": (
        _step(0, OPEN, lambda step: replace(step, size=step.size + 1)),
        RootMismatch,
    ),
    "version of a node of a later path is another": (
        _step(BUSY, 0, lambda step: replace(step, version=step.version + 1)),
        ProofBatchInvalid,
    ),
    "a child of the first path changes sides": (
        _step(0, OPEN, lambda step: replace(step, right=not step.right)),
        ProofBatchInvalid,
    ),
    "a child of a later path changes sides": (
        _step(BUSY, 0, lambda step: replace(step, right=not step.right)),
        ProofBatchInvalid,
    ),
    "sibling of a later path is another": (
        _step(BUSY, 0, lambda step: replace(step, sibling=OTHER)),
        ProofBatchInvalid,
    ),
    "what stands in a slot is another": (
        _step(0, OPEN, lambda step: replace(step, sibling=OTHER)),
        ProofBatchInvalid,
    ),
    "prefix of a node is too long": (
        _step(0, OPEN, lambda step: replace(step, size=2**40, version=2**40)),
        ProofSpecViolated,
    ),
    "two later paths are swapped": (
        _paths(lambda paths: [paths[0], paths[2], paths[1], *paths[3:]]),
        ProofBatchInvalid,
    ),
    "a later path stands twice": (
        _paths(lambda paths: [*paths[:BARE], paths[BARE], *paths[BARE : len(paths) - 1]]),
        ProofBatchInvalid,
    ),
    "a path is dropped": (_paths(lambda paths: paths[:-1]), ProofUnparseable),
    "a path is added": (_paths(lambda paths: [*paths, paths[-1]]), ProofUnparseable),
    "store path is empty": (_store(lambda steps: []), RootMismatch),
    "store path is cut": (_store(lambda steps: steps[:-1]), RootMismatch),
    "store path goes on": (_store(lambda steps: [*steps, steps[-1]]), RootMismatch),
    "store path is turned around": (_store(lambda steps: steps[::-1]), RootMismatch),
    "store sibling is another": (
        _store(lambda steps: [replace(steps[0], sibling=OTHER), *steps[1:]]),
        RootMismatch,
    ),
    "store changes sides": (
        _store(lambda steps: [replace(steps[0], right=not steps[0].right), *steps[1:]]),
        RootMismatch,
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampered_batch_is_refused(name: str) -> None:
    change, error = TAMPERINGS[name]
    with pytest.raises(HubError) as caught:
        verify_batch(ROOT, PREFIX, LEAVES, encode_batch(*change(PARTS)))
    assert type(caught.value) is error


QUESTIONS: dict[str, tuple[dict[str, object], type[HubError]]] = {
    "another root": ({"root": bytes(32)}, RootMismatch),
    "a cut root": ({"root": ROOT[:31]}, RootMismatch),
    "another store": ({"prefix": (b"bank", KEY_PREFIX)}, RootMismatch),
    "another key prefix": ({"prefix": (b"ibc", b"q/")}, ProofBatchInvalid),
    "no store": ({"prefix": (b"", KEY_PREFIX)}, ProofSpecViolated),
    "a prefix of one": ({"prefix": (b"ibc",)}, ProofSpecViolated),
    "a prefix of three": ({"prefix": (b"ibc", b"p", b"/")}, ProofSpecViolated),
    "no leaves": ({"leaves": []}, LimitExceeded),
    "a leaf less": ({"leaves": LEAVES[:-1]}, ProofUnparseable),
    "a leaf more": ({"leaves": [*LEAVES, ALL[-1]]}, ProofUnparseable),
    "leaves of another place": ({"leaves": ALL[: len(LEAVES)]}, ProofBatchInvalid),
    "leaves turned around": ({"leaves": LEAVES[::-1]}, ProofBatchInvalid),
    "a leaf twice": ({"leaves": [LEAVES[0], *LEAVES[:-1]]}, ProofBatchInvalid),
    "first value another": ({"leaves": [(LEAVES[0][0], b"x"), *LEAVES[1:]]}, RootMismatch),
    "last value another": ({"leaves": [*LEAVES[:-1], (LEAVES[-1][0], b"x")]}, ProofBatchInvalid),
    "a value empty": ({"leaves": [*LEAVES[:-1], (LEAVES[-1][0], b"")]}, ProofSpecViolated),
    "a key empty": ({"leaves": [(b"", b"x"), *LEAVES[1:]]}, ProofSpecViolated),
    "a key absent": (
        {"leaves": [*LEAVES[:-1], (key(NUMBERS[-1] + 1), LEAVES[-1][1])]},
        ProofBatchInvalid,
    ),
    "bytes that are no batch": ({"batch": b"\xff" * 9}, ProofUnparseable),
    "a batch over its size": ({"batch": bytes(1 << 21)}, LimitExceeded),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_batch_answers_one_question_only(name: str) -> None:
    changes, error = QUESTIONS[name]
    question: dict[str, object] = {
        "root": ROOT,
        "prefix": PREFIX,
        "leaves": LEAVES,
        "batch": encode_batch(*PARTS),
    }
    with pytest.raises(HubError) as caught:
        verify_batch(**{**question, **changes})  # type: ignore[arg-type]
    assert type(caught.value) is error


def test_bad_leaf_in_a_batch_rejects_all_of_it() -> None:
    for at, (name, _) in enumerate(LEAVES):
        forged = [*LEAVES[:at], (name, b"forged"), *LEAVES[at + 1 :]]
        with pytest.raises((ProofBatchInvalid, RootMismatch)):
            verify_batch(ROOT, PREFIX, forged, encode_batch(*PARTS))


def test_slot_is_taken_once() -> None:
    """Two paths into one slot: the second would prove a key by the other's place."""
    parts = WORLD.batch_parts(STORE, [KEY_PREFIX + key(number) for number in PRESENT[:2]])
    twice = (parts[1][0], parts[1][1], parts[1][1])
    with pytest.raises(ProofBatchInvalid):
        verify_batch(ROOT, PREFIX, leaves(*PRESENT[:3]), encode_batch(parts[0], twice))


def test_passed_slot_is_closed() -> None:
    """After a path into a higher slot, the lower ones of the path before it are open no more."""
    for first, second in pairwise(PRESENT[:4]):
        parts = WORLD.batch_parts(STORE, [KEY_PREFIX + key(first), KEY_PREFIX + key(PRESENT[-1])])
        late = WORLD.batch_parts(STORE, [KEY_PREFIX + key(first), KEY_PREFIX + key(second)])[1][1]
        with pytest.raises(ProofBatchInvalid):
            verify_batch(
                ROOT,
                PREFIX,
                [*leaves(first, PRESENT[-1]), (key(1000), value(second))],
                encode_batch(parts[0], (*parts[1], late)),
            )


def test_leaf_in_a_slot_is_no_inner_node() -> None:
    """A leaf's bytes begin with height 0, an inner node's never do."""
    assert leaf_digest(b"\x02", b"k", b"v") == leaf(b"k", b"v").digest
    step = replace(STEP, height=0, size=1)
    for path in (Path(1, 0, (step,)), Path(1, 0, (step, replace(step, height=1)))):
        with pytest.raises(ProofBatchInvalid):
            verify_batch(ROOT, PREFIX, LEAVES[:1], encode_batch((), [path]))


# Trees that no chain makes: every hash is right, and the rules decide -----------------------------


def _batch_of(world: World) -> None:
    items = world.items(STORE)
    shown = [(full.removeprefix(KEY_PREFIX), text) for full, text in items]
    verify_batch(world.root, PREFIX, shown, world.batch(STORE, [full for full, _ in items]))


def _leaf(number: int) -> Node:
    return leaf(KEY_PREFIX + key(number), value(number))


@pytest.mark.parametrize(("above", "accepted"), [(3, True), (2, False), (1, False)])
def test_slot_lies_over_the_path_that_ends_below_it(above: int, *, accepted: bool) -> None:
    """Each path's heights rise, and so do they where one path joins another."""
    below = join(_leaf(2), _leaf(3), height=2)
    world = World({STORE: join(_leaf(1), below, height=above)})
    if accepted:
        _batch_of(world)
    else:
        with pytest.raises(ProofBatchInvalid) as caught:
            _batch_of(world)
        assert caught.value.rule == "slot does not lie over height 2"


@pytest.mark.parametrize(("below", "accepted"), [(1, True), (2, False), (3, False)])
def test_heights_of_a_path_rise(below: int, *, accepted: bool) -> None:
    world = World({STORE: join(join(_leaf(1), _leaf(2), height=below), _leaf(3), height=2)})
    if accepted:
        _batch_of(world)
    else:
        with pytest.raises(ProofBatchInvalid) as caught:
            _batch_of(world)
        assert caught.value.rule == f"height 2 does not rise over {below}"


@pytest.mark.parametrize(("count", "accepted"), [(63, True), (64, False)])
def test_longest_prefix_of_the_spec_is_accepted_and_no_longer_one(
    count: int, *, accepted: bool
) -> None:
    """Height 1 byte, size 1 byte below 64, version 9 bytes, the child's length: 12 bytes."""
    items = {KEY_PREFIX + key(number): value(number) for number in range(count)}
    tree = plant(items)
    assert isinstance(tree, Inner)
    world = World({STORE: join(tree.left, tree.right, 2**61)})
    if accepted:
        _batch_of(world)
    else:
        with pytest.raises(ProofSpecViolated) as caught:
            _batch_of(world)
        assert caught.value.at == 6


def test_keys_rise_strictly_and_nothing_is_empty() -> None:
    assert check_leaves(PREFIX, leaves(2, 4)) == [
        (KEY_PREFIX + key(2), value(2)),
        (KEY_PREFIX + key(4), value(4)),
    ]
    for numbers in ((2, 2), (4, 2)):
        with pytest.raises(ProofBatchInvalid) as caught:
            check_leaves(PREFIX, leaves(*numbers))
        assert caught.value.leaf == 1
    with pytest.raises(ProofSpecViolated) as empty:
        check_leaves(PREFIX, [(key(2), b"")])
    assert empty.value.at == 0
