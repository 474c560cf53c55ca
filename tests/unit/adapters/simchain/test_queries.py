from __future__ import annotations

import pytest

from adapters.simchain.queries import (
    PREFIX,
    anchor_at,
    client_view,
    clients,
    height_at,
    prove,
    prove_batch,
)
from hub.core.commitment import commit_packet
from hub.core.errors import ClientNotFound, HeaderNotFound, LimitExceeded, ProofNotFound
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.paths import client_state_key, commitment_key, counterparty_key
from hub.light_clients.cometbft.client_state import decode_client_state, decode_counterparty
from tests.harness.simchain import LIGHT_CLIENT, TRUST, Path, path_of

CLIENT = ClientId("07-tendermint-0")


@pytest.fixture(scope="module")
def path() -> Path:
    made = path_of().open(ordered=True)
    for _ in range(3):
        made.send(made.left)
    made.advance()
    return made


def root_at(path: Path, height: int) -> bytes:
    return LIGHT_CLIENT.read_header(path.left.light_block(height).header).root


def test_value_is_proven_under_the_root_of_the_header_at_the_proof_height(path: Path) -> None:
    key, height = commitment_key(CLIENT, 2), path.left.height
    proven = prove(path.left, key, height)
    assert proven.value is not None
    LIGHT_CLIENT.verify_membership(root_at(path, height), PREFIX, key, proven.value, proven.proof)


def test_absence_is_proven_under_the_same_root(path: Path) -> None:
    key, height = commitment_key(CLIENT, 9), path.left.height
    proven = prove(path.left, key, height)
    assert proven.value is None
    LIGHT_CLIENT.verify_non_membership(root_at(path, height), PREFIX, key, proven.proof)


def test_packet_is_provable_from_the_header_after_its_block_on(path: Path) -> None:
    (sent, *_) = path.left.ledger.pending(CLIENT)
    key = commitment_key(CLIENT, sent.packet.sequence)
    assert prove(path.left, key, sent.height).value is None
    assert prove(path.left, key, sent.height + 1).value == commit_packet(sent.packet)


def test_batch_shows_all_keys_at_once(path: Path) -> None:
    keys = [commitment_key(CLIENT, sequence) for sequence in (1, 2, 3)]
    proven = prove_batch(path.left, keys, path.left.height)
    leaves = list(zip(keys, proven.values, strict=True))
    LIGHT_CLIENT.verify_batch(root_at(path, path.left.height), PREFIX, leaves, proven.proof)


def test_what_cannot_be_proven_is_not_found(path: Path) -> None:
    key, newest = commitment_key(CLIENT, 1), path.left.height
    with pytest.raises(HeaderNotFound):
        prove(path.left, key, newest + 1)
    with pytest.raises(ProofNotFound):
        prove(path.left, key, 1)
    with pytest.raises(ProofNotFound):
        prove_batch(path.left, [key, commitment_key(CLIENT, 9)], newest)
    with pytest.raises(HeaderNotFound):
        prove_batch(path.left, [key], newest + 1)
    for keys in ([], [key] * 257):
        with pytest.raises(LimitExceeded):
            prove_batch(path.left, keys, newest)


def test_client_is_shown_as_it_is_stored_and_provable(path: Path) -> None:
    assert clients(path.left) == [CLIENT]
    view = client_view(path.left, CLIENT)
    state, counterparty = decode_client_state(view.state), decode_counterparty(view.counterparty)
    assert view.chain_id == state.chain_id == "suzhou-1"
    assert state.options == TRUST
    assert state.latest_height == Height(1, max(view.heights))
    assert (counterparty.client, counterparty.prefix) == (CLIENT, PREFIX)
    assert counterparty.ordered
    height = path.left.height
    for key, value in (
        (client_state_key(CLIENT), view.state),
        (counterparty_key(CLIENT), view.counterparty),
    ):
        proven = prove(path.left, key, height)
        assert proven.value == value
        LIGHT_CLIENT.verify_membership(root_at(path, height), PREFIX, key, value, proven.proof)


def test_client_that_is_not_there_is_not_found(path: Path) -> None:
    with pytest.raises(ClientNotFound):
        client_view(path.left, ClientId("07-tendermint-1"))


def test_anchor_is_what_a_light_client_takes(path: Path) -> None:
    anchor = anchor_at(path.left, 4, TRUST)
    state = LIGHT_CLIENT.trust_anchor(anchor, path.left.light_block(4).header)
    assert state.height == height_at(path.left, 4) == Height(1, 4)
    with pytest.raises(HeaderNotFound):
        anchor_at(path.left, 0, TRUST)
