"""What a chain sends is true: the relayer's own verifier proves all of it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.bench import load as module
from adapters.bench.load import ANSWER, PREFIX, ChainLoad, ChainStore, build
from adapters.simchain.store.stores import Stores
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.paths import (
    acknowledgement_key,
    client_state_key,
    commitment_key,
    counterparty_key,
)
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.cometbft.client_state import decode_counterparty
from hub.wire.packet import decode_packet
from tests.harness.bench_workload import CLIENT, EAST, PARTS, TIMEOUT, WEST, WORKLOAD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.core.ids import PeerId

VERIFIER = CometBftClient()


def sequences_shown(load: ChainLoad, lane: int) -> list[int]:
    """Of the packets that *lane* sends, every frame proven under the load's root."""
    found: list[int] = []
    for content in load.packets[lane]:
        batch = pb.PacketBatch.FromString(content)
        packets = [decode_packet(packet) for packet in batch.packets]
        leaves = [
            (commitment_key(packet.source_client, packet.sequence), commit_packet(packet))
            for packet in packets
        ]
        VERIFIER.verify_batch(load.root, PREFIX, leaves, batch.proof_batch)
        assert {packet.timeout_timestamp for packet in packets} == {TIMEOUT}
        assert {len(packet.payloads[0].value) for packet in packets} == {33}
        found += [packet.sequence for packet in packets]
    return found


def sequences_answered(load: ChainLoad, lane: int) -> list[int]:
    """Of the acknowledgements on *lane*, every frame proven under the load's root."""
    found: list[int] = []
    for content in load.acknowledgements[lane]:
        batch = pb.AcknowledgementBatch.FromString(content)
        assert len(batch.acknowledgements) == len(batch.sequences)
        commitment = commit_acknowledgement(ANSWER)
        leaves = [(acknowledgement_key(CLIENT, at), commitment) for at in batch.sequences]
        VERIFIER.verify_batch(load.root, PREFIX, leaves, batch.proof_batch)
        found += batch.sequences
    return found


def test_every_packet_and_every_acknowledgement_is_proven() -> None:
    east, west = [ChainStore(WORKLOAD, peer, TIMEOUT).build(0) for peer in (EAST, WEST)]
    assert sequences_shown(east, 0) == sequences_answered(west, 0) == [1, 2, 3, 4, 5, 6, 7]
    assert sequences_shown(west, 1) == sequences_answered(east, 1) == [8, 9, 10]
    assert [len(load.packets) for load in (east, west)] == [1, 1]
    assert east.packet_bytes > 100


def test_clients_are_proven_and_name_each_other() -> None:
    for enforced in (False, True):
        workload = msgspec.structs.replace(WORKLOAD, enforced=enforced)
        load = ChainStore(workload, EAST, TIMEOUT).build(0)
        mirror = pb.ClientMirror.FromString(load.clients[CLIENT])
        for key, value, proof in (
            (client_state_key(CLIENT), mirror.client_state, mirror.client_state_proof),
            (counterparty_key(CLIENT), mirror.counterparty, mirror.counterparty_proof),
        ):
            VERIFIER.verify_membership(load.root, PREFIX, key, value, proof)
        bound = decode_counterparty(mirror.counterparty)
        assert (bound.client, bound.ordered) == (CLIENT, enforced)


def test_samples_are_proven_and_of_the_first_part_alone() -> None:
    first, second, _ = parts(EAST)
    samples = first.samples
    assert samples is not None
    assert second.samples is None
    VERIFIER.verify_membership(samples.root, PREFIX, *samples.member)
    VERIFIER.verify_non_membership(samples.root, PREFIX, *samples.absent)
    VERIFIER.verify_batch(samples.root, PREFIX, samples.leaves, samples.batch)


def test_a_store_has_as_many_keys_as_asked_for() -> None:
    store = ChainStore(WORKLOAD, EAST, TIMEOUT)
    stores = []

    class Seen(Stores):
        def __init__(self, names: Iterable[str], *, keep: int) -> None:
            super().__init__(names, keep=keep)
            stores.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Stores", Seen)
        store.build(0)
    assert len(stores[0]["ibc"]) == WORKLOAD.keys


def parts(peer: PeerId) -> list[ChainLoad]:
    store = ChainStore(PARTS, peer, TIMEOUT)
    return [store.build(chunk) for chunk in range(PARTS.chunks)]


def test_each_part_has_a_root_of_its_own_under_which_all_of_it_is_proven() -> None:
    east, west = parts(EAST), parts(WEST)
    assert all(a.root != b.root for a, b in pairwise(east))
    assert [sequences_shown(load, 0) for load in east] == [[1, 2, 3, 4, 5], [6, 7], [8]]
    assert [sequences_answered(load, 0) for load in west] == [[1, 2, 3, 4, 5], [6, 7], [8]]
    assert [load.chunk for load in east] == [0, 1, 2]
    for load in east:
        mirror = pb.ClientMirror.FromString(load.clients[CLIENT])
        key, proof = client_state_key(CLIENT), mirror.client_state_proof
        VERIFIER.verify_membership(load.root, PREFIX, key, mirror.client_state, proof)


def test_a_builder_keeps_its_store_until_the_last_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_stores", {})
    monkeypatch.setattr("gc.disable", lambda: None)
    monkeypatch.setattr(module, "step_aside", lambda: None)
    roots = [build(PARTS, WEST, TIMEOUT, chunk).root for chunk in range(PARTS.chunks)]
    assert roots == [load.root for load in parts(WEST)]
    assert module._stores == {}
