from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.errors import LimitExceeded, ProofBatchInvalid, ProofSpecViolated, ProofUnparseable
from hub.light_clients.proofs.batch_codec import encode_batch
from hub.light_clients.proofs.codec import decode_merkle_proof
from hub.light_clients.proofs.expand import expand_batch
from hub.light_clients.proofs.ics23 import verify_membership
from tests.harness.proof_samples import (
    KEY_PREFIX,
    PREFIX,
    PRESENT,
    ROOT,
    STORE,
    WORLD,
    batch,
    key,
    leaves,
)


@pytest.mark.parametrize("numbers", [PRESENT, PRESENT[::2], PRESENT[:1], PRESENT[-1:]])
def test_expanded_proofs_are_the_ordinary_ones(numbers: list[int]) -> None:
    proofs = expand_batch(PREFIX, leaves(*numbers), batch(*numbers))
    assert list(proofs) == [WORLD.membership(STORE, KEY_PREFIX + key(n)) for n in numbers]
    for (name, text), proof in zip(leaves(*numbers), proofs, strict=True):
        verify_membership(ROOT, PREFIX, name, text, proof)


def test_expanded_proofs_are_canonical() -> None:
    for proof in expand_batch(PREFIX, leaves(*PRESENT), batch(*PRESENT)):
        assert len(decode_merkle_proof(proof)) == 2


def test_store_path_of_one_store_is_empty() -> None:
    from tests.harness.proof_samples import ONE_LEAF

    (proof,) = expand_batch(PREFIX, [(b"b", b"1")], ONE_LEAF.batch(STORE, [b"p/b"]))
    assert proof == ONE_LEAF.membership(STORE, b"p/b")


def test_path_below_no_open_slot_is_refused() -> None:
    store, paths = WORLD.batch_parts(STORE, [KEY_PREFIX + key(n) for n in PRESENT[:2]])
    for join in (0, 3, 127, 255):
        bad = (paths[0], replace(paths[1], join=join))
        if join != paths[1].join and join not in {s.height for s in paths[0].steps}:
            with pytest.raises(ProofBatchInvalid):
                expand_batch(PREFIX, leaves(*PRESENT[:2]), encode_batch(store, bad))


def test_what_is_no_batch_is_refused_as_the_verifier_does() -> None:
    with pytest.raises(ProofUnparseable):
        expand_batch(PREFIX, leaves(2), b"")
    with pytest.raises(LimitExceeded):
        expand_batch(PREFIX, [], b"")
    with pytest.raises(ProofBatchInvalid):
        expand_batch(PREFIX, leaves(4, 2), batch(2, 4))
    with pytest.raises(ProofSpecViolated):
        expand_batch((b"ibc",), leaves(2), batch(2))


def test_forged_leaf_expands_to_a_proof_that_fails() -> None:
    """Expansion believes nothing and proves nothing: the verifier decides."""
    forged = [(key(2), b"forged"), *leaves(4)]
    first, second = expand_batch(PREFIX, forged, batch(2, 4))
    for (name, text), proof in zip(forged, (first, second), strict=True):
        with pytest.raises(Exception, match="root"):
            verify_membership(ROOT, PREFIX, name, text, proof)
