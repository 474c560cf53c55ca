from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.proofs import PREFIX, prove, prove_batch
from hub.core.errors import (
    HeaderNotFound,
    LimitExceeded,
    ProofBatchInvalid,
    ProofNotFound,
    RecordCorrupt,
    RootMismatch,
)
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.paths import commitment_key
from hub.light_clients.proofs.batch import verify_batch
from hub.light_clients.proofs.ics23 import verify_membership, verify_non_membership
from tests.harness.cosmos_state import CosmosState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.rpc.records import Proven
    from tests.harness.iavl import World

CLIENT = ClientId("07-tendermint-0")
AT = Height(1, 8)
COUNT = 300
ITEMS = {commitment_key(CLIENT, sequence): b"%032d" % sequence for sequence in range(1, COUNT + 1)}
KEYS = [commitment_key(CLIENT, sequence) for sequence in range(5, 40)]
ABSENT = commitment_key(CLIENT, COUNT + 5)


class Lying(CosmosState):
    """A chain whose node changes one answer of several."""

    changes: dict[str, bytes]

    async def prove(self, store: str, keys: Sequence[bytes], at: int) -> tuple[Proven, ...]:
        first, *rest = await super().prove(store, keys, at)
        return replace(first, **self.changes), *rest


@pytest.fixture
def state() -> CosmosState:
    return CosmosState()


@pytest.fixture
def world(state: CosmosState) -> World:
    """The state that the header of ``AT`` carries the root of: the one after the block before."""
    return state.add_state(AT.number - 1, ITEMS)


def lying(**changes: bytes) -> CosmosState:
    state = Lying()
    state.changes = changes
    state.add_state(AT.number - 1, ITEMS)
    return state


async def test_each_key_is_proven_under_the_header(state: CosmosState, world: World) -> None:
    for key, one in zip(KEYS, await prove(state.node, KEYS, AT), strict=True):
        assert one.value == ITEMS[key]
        verify_membership(world.root, PREFIX, key, one.value, one.proof)


async def test_absence_is_proven_beside_presence(state: CosmosState, world: World) -> None:
    present, absent = await prove(state.node, [KEYS[0], ABSENT], AT)
    assert (present.value, absent.value) == (ITEMS[KEYS[0]], b"")
    verify_non_membership(world.root, PREFIX, ABSENT, absent.proof)


async def test_batch_shows_every_key_under_the_header(state: CosmosState, world: World) -> None:
    found = await prove_batch(state.node, KEYS, AT)
    assert list(found.values) == [ITEMS[key] for key in KEYS]
    verify_batch(world.root, PREFIX, list(zip(KEYS, found.values, strict=True)), found.proof)


async def test_batch_of_an_absent_key_is_not_found(state: CosmosState, world: World) -> None:
    assert world.root
    with pytest.raises(ProofNotFound):
        await prove_batch(state.node, [*KEYS, ABSENT], AT)


async def test_batch_is_of_1_to_256_rising_keys(state: CosmosState, world: World) -> None:
    assert world.root
    for bad in ([], sorted(ITEMS)[:257]):
        with pytest.raises(LimitExceeded):
            await prove_batch(state.node, bad, AT)
    with pytest.raises(ProofBatchInvalid):
        await prove_batch(state.node, KEYS[::-1], AT)


@pytest.mark.parametrize("at", [Height(1, 9), Height(1, 2), Height(1, 1), Height(2, 8)])
async def test_state_that_is_not_kept_has_no_header(state: CosmosState, at: Height) -> None:
    for height in (1, AT.number - 1):
        state.add_state(height, ITEMS)
    for ask in (prove, prove_batch):
        with pytest.raises(HeaderNotFound) as refused:
            await ask(state.node, KEYS, at)
        assert refused.value.height == at.number


@pytest.mark.parametrize("value", [b"forged", b"", b"%032d" % 6])
async def test_value_that_its_proof_contradicts_is_corrupt(value: bytes) -> None:
    with pytest.raises(RecordCorrupt):
        await prove(lying(value=value).node, KEYS, AT)


@pytest.mark.parametrize("proof", [b"", b"\x0a", b"\x0a\xff\xff", b"\x12\x00", b"\x0a\x00"])
async def test_proof_that_is_none_is_corrupt(proof: bytes) -> None:
    with pytest.raises(RecordCorrupt):
        await prove(lying(store_proof=proof).node, KEYS, AT)


async def test_proof_of_another_key_is_corrupt() -> None:
    state = CosmosState()
    state.add_state(AT.number - 1, ITEMS)
    (other,) = await state.prove("ibc", [KEYS[1]], AT.number - 1)
    with pytest.raises(RecordCorrupt):
        await prove(lying(store_proof=other.store_proof).node, KEYS, AT)


async def test_absence_that_is_told_of_a_present_key_is_corrupt() -> None:
    state = CosmosState()
    state.add_state(AT.number - 1, ITEMS)
    (other,) = await state.prove("ibc", [ABSENT], AT.number - 1)
    with pytest.raises(RecordCorrupt):
        await prove(lying(store_proof=other.store_proof, value=b"").node, KEYS, AT)


async def test_proof_of_another_store_is_left_to_the_verifier_alone_and_refused_in_a_batch() -> (
    None
):
    other = CosmosState()
    world = other.add_state(AT.number - 1, {b"another": b"state"})
    (foreign,) = await other.prove("ibc", [b"another"], AT.number - 1)
    liar = lying(map_proof=foreign.map_proof)
    one, *_ = await prove(liar.node, KEYS, AT)
    with pytest.raises(RootMismatch):
        verify_membership(world.root, PREFIX, KEYS[0], one.value, one.proof)
    with pytest.raises(ProofBatchInvalid):
        await prove_batch(liar.node, KEYS, AT)
