from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from hub.core.codec.proto import message_field
from hub.core.errors import (
    HubError,
    LimitExceeded,
    ProofBatchInvalid,
    ProofSpecViolated,
    ProofUnparseable,
)
from hub.light_clients.proofs.batch import verify_batch
from hub.light_clients.proofs.batch_codec import MAX_LEAVES
from hub.light_clients.proofs.codec import MAX_PROOF_BYTES, encode_inner_op
from hub.light_clients.proofs.expand import expand_batch
from hub.light_clients.proofs.fold import fold_batch
from hub.light_clients.proofs.spec import InnerOp
from tests.harness.iavl import World, join, leaf, plant
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
    chained,
    key,
    leaves,
    lower,
    upper,
    value,
)
from tests.harness.proof_tampering import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NUMBERS = PRESENT[3:9]


def membership(*numbers: int) -> list[bytes]:
    """The ordinary proofs of the keys with those *numbers*."""
    return [WORLD.membership(STORE, KEY_PREFIX + key(number)) for number in numbers]


def tampered(proof: bytes) -> Iterator[bytes]:
    """*proof* with one byte changed, left out, doubled or cut off behind."""
    for at in range(len(proof)):
        for bit in range(8):
            yield proof[:at] + bytes((proof[at] ^ 1 << bit,)) + proof[at + 1 :]
        yield proof[:at] + proof[at + 1 :]
        yield proof[:at] + proof[at : at + 1] + proof[at:]
        yield proof[:at]


def accepted(claims: Sequence[tuple[bytes, bytes]], proofs: Sequence[bytes]) -> bool:
    """Whether *proofs* fold to a batch that the verifier takes; any other end is typed."""
    try:
        verify_batch(ROOT, PREFIX, claims, fold_batch(PREFIX, claims, proofs))
    except HubError:
        return False
    return True


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ordinary_proofs_of_any_choice_of_keys_fold_to_their_batch(count: int) -> None:
    for numbers in combinations(PRESENT, count):
        assert fold_batch(PREFIX, leaves(*numbers), membership(*numbers)) == batch(*numbers)


def test_whole_store_folds_to_its_batch() -> None:
    assert fold_batch(PREFIX, leaves(*PRESENT), membership(*PRESENT)) == batch(*PRESENT)


def test_folding_undoes_expansion_on_trees_of_any_shape() -> None:
    rng = random.Random(7)
    for _ in range(150):
        count = rng.randint(1, 40)
        items = {KEY_PREFIX + rng.randbytes(rng.randint(1, 9)): b"v" for _ in range(count)}
        newest = rng.choice((1, 100, 1 << 40))
        stores = {f"s{n}": plant({b"k": b"%d" % n}) for n in range(rng.randint(0, 6))} | {
            STORE: plant(items, rng, newest=newest, skewed=rng.random() < 0.5)
        }
        world = World(stores)
        keys = sorted(rng.sample(sorted(items), rng.randint(1, len(items))))
        claims = [(one.removeprefix(KEY_PREFIX), b"v") for one in keys]
        want = world.batch(STORE, keys)
        assert fold_batch(PREFIX, claims, expand_batch(PREFIX, claims, want)) == want
        proofs = [world.membership(STORE, one) for one in keys]
        assert fold_batch(PREFIX, claims, proofs) == want
        verify_batch(world.root, PREFIX, claims, want)


def test_high_nodes_with_heights_of_two_bytes_fold() -> None:
    tree = leaf(b"p/a", b"1")
    top = join(join(tree, leaf(b"p/b", b"2"), height=64), leaf(b"p/c", b"3"), 1 << 50, height=127)
    world = World({STORE: top})
    claims = [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]
    proofs = [world.membership(STORE, KEY_PREFIX + name) for name, _ in claims]
    folded = fold_batch(PREFIX, claims, proofs)
    assert folded == world.batch(STORE, [b"p/a", b"p/b", b"p/c"])
    verify_batch(world.root, PREFIX, claims, folded)


@pytest.mark.parametrize("world", [ONE_LEAF, TWO_LEAVES])
def test_store_of_one_leaf_or_two_folds(world: World) -> None:
    claims = [(name.removeprefix(b"p/"), text) for name, text in world.items(STORE)]
    proofs = [world.membership(STORE, KEY_PREFIX + name) for name, _ in claims]
    verify_batch(world.root, PREFIX, claims, fold_batch(PREFIX, claims, proofs))


@pytest.mark.parametrize("at", [0, 1, 2])
def test_no_tampering_of_one_proof_is_ever_accepted(at: int) -> None:
    numbers = PRESENT[4:7]
    claims, proofs = leaves(*numbers), membership(*numbers)
    assert accepted(claims, proofs)
    for bad in tampered(proofs[at]):
        if bad != proofs[at]:
            assert not accepted(claims, [*proofs[:at], bad, *proofs[at + 1 :]])


def test_no_tampering_of_a_proof_alone_is_ever_accepted() -> None:
    (proof,) = membership(NUMBERS[0])
    for bad in tampered(proof):
        if bad != proof:
            assert not accepted(leaves(NUMBERS[0]), [bad])


def test_proofs_in_another_order_or_twice_are_refused() -> None:
    claims, proofs = leaves(*NUMBERS), membership(*NUMBERS)
    for bad in (proofs[::-1], [proofs[0], *proofs[:-1]], [*proofs[1:], proofs[0]]):
        with pytest.raises(ProofBatchInvalid):
            fold_batch(PREFIX, claims, bad)
    with pytest.raises(ProofBatchInvalid):
        fold_batch(PREFIX, claims[::-1], proofs[::-1])


def test_proof_of_another_value_is_refused() -> None:
    with pytest.raises(ProofBatchInvalid):
        fold_batch(PREFIX, [(key(2), b"forged")], membership(2))


def test_proof_of_absence_is_refused() -> None:
    proof = WORLD.non_membership(STORE, KEY_PREFIX + key(ABSENT))
    with pytest.raises(ProofBatchInvalid):
        fold_batch(PREFIX, [(key(ABSENT), value(ABSENT))], [proof])


def test_proofs_under_two_roots_are_refused() -> None:
    other = World({**WORLD.stores, "bank": plant({b"b": b"3"})})
    second = other.membership(STORE, KEY_PREFIX + key(4))
    with pytest.raises(ProofBatchInvalid):
        fold_batch(PREFIX, leaves(2, 4), [*membership(2), second])


def test_proofs_of_two_trees_of_one_store_are_refused() -> None:
    """Under one root of stores, but the second path meets nothing of the first."""
    other = World({STORE: plant({KEY_PREFIX + key(n): value(n) for n in PRESENT[:3]})})
    second = chained(other.existence(STORE, KEY_PREFIX + key(4)), upper())
    with pytest.raises(ProofBatchInvalid):
        fold_batch(PREFIX, leaves(2, 4), [*membership(2), second])


def test_single_layer_is_refused() -> None:
    with pytest.raises(ProofUnparseable):
        fold_batch(PREFIX, leaves(2), [chained(lower(2))])


def test_absent_store_is_refused() -> None:
    proof = chained(lower(2), WORLD.absence(STORE, KEY_PREFIX + key(ABSENT)))
    with pytest.raises(ProofSpecViolated):
        fold_batch(PREFIX, leaves(2), [proof])


def test_numbers_of_leaves_and_proofs_are_bounded_and_the_same() -> None:
    with pytest.raises(LimitExceeded):
        fold_batch(PREFIX, [], [])
    many = [(number.to_bytes(2, "big"), b"v") for number in range(MAX_LEAVES + 1)]
    with pytest.raises(LimitExceeded):
        fold_batch(PREFIX, many, [b"" for _ in many])
    with pytest.raises(ProofUnparseable):
        fold_batch(PREFIX, leaves(2, 4), membership(2))


@pytest.mark.parametrize("size", range(5))
@pytest.mark.parametrize("tag", [0x22, 0x2A])
def test_operation_that_is_none_is_refused(tag: int, size: int) -> None:
    head = chained(replace(lower(2), path=()))
    operation = bytes((tag, size)) + bytes(size)
    inner = head[4:] + operation
    layer = message_field(1, message_field(1, inner)) + chained(upper())
    with pytest.raises(ProofSpecViolated):
        fold_batch(PREFIX, leaves(2), [layer])


def test_node_behind_another_tag_is_refused() -> None:
    (proof,) = membership(2)
    at = proof.index(b"\x22" + bytes((len(encode_inner_op(lower(2).path[0])),)))
    with pytest.raises(ProofSpecViolated):
        fold_batch(PREFIX, leaves(2), [proof[:at] + b"\x2a" + proof[at + 1 :]])


@pytest.mark.parametrize("count", [129, 256])
def test_store_path_that_is_too_deep_is_refused(count: int) -> None:
    deep = replace(upper(), path=(upper().path * count)[:count])
    with pytest.raises(ProofSpecViolated):
        fold_batch(PREFIX, leaves(2), [chained(lower(2), deep)])


@pytest.mark.parametrize("size", [0, 31, 33])
def test_store_path_with_a_sibling_of_another_length_is_refused(size: int) -> None:
    for op in (InnerOp(1, b"\x01" + bytes(size), b""), InnerOp(1, b"\x01", bytes(size))):
        bent = replace(upper(), path=(op, *upper().path))
        with pytest.raises(ProofSpecViolated):
            fold_batch(PREFIX, leaves(2), [chained(lower(2), bent)])


def test_path_that_is_too_deep_is_refused_before_it_is_read() -> None:
    low = lower(2)
    deep = [
        chained(replace(low, path=(low.path * count)[:count]), upper()) for count in (129, 190, 400)
    ]
    assert not any(accepted(leaves(2), [proof]) for proof in deep)
    with pytest.raises(ProofSpecViolated):
        fold_batch(PREFIX, leaves(2), deep[-1:])


def test_long_proof_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitExceeded):
        fold_batch(PREFIX, leaves(2), [bytes(MAX_PROOF_BYTES + 1)])


@pytest.mark.parametrize(
    "bad", [b"", b"\x0a", b"\x0a\x00", b"\x0a\xff", b"\x0a\x02\x0a\x00\x0a\x00"]
)
def test_what_is_no_proof_is_refused(bad: bytes) -> None:
    with pytest.raises(HubError):
        fold_batch(PREFIX, leaves(2), [bad])


def test_random_bytes_end_typed() -> None:
    rng = random.Random(3)
    claims, proofs = leaves(*PRESENT[:2]), membership(*PRESENT[:2])
    for _ in range(2000):
        proof = bytearray(proofs[1])
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(proof))
            proof[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 4))
        if bytes(proof) != proofs[1]:
            assert not accepted(claims, [proofs[0], bytes(proof)])


def test_prefix_that_is_not_a_store_and_a_key_prefix_is_refused() -> None:
    with pytest.raises(ProofSpecViolated):
        fold_batch((b"ibc",), leaves(2), membership(2))
