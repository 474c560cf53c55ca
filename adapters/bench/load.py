"""Everything that a chain would send, built beforehand: packets, acknowledgements, their proofs.

The store is real: an IAVL tree of as many keys as asked for, which holds the commitment of every
packet and every acknowledgement of a part of the run. So one root proves all of them, every header
of that time carries it, and nothing has to be proven while the part is measured. Later parts stand
beside the same other keys, which are hashed once.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.bench.aside import step_aside
from adapters.bench.workload import chain_id
from adapters.simchain.store.iavl import IavlStore
from adapters.simchain.store.stores import Stores
from hub.core.client import TrustOptions
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.height import Height
from hub.core.ids import ClientId, PortId
from hub.core.packet import Acknowledgement, Packet, Payload
from hub.core.paths import (
    acknowledgement_key,
    client_state_key,
    commitment_key,
    counterparty_key,
    next_sequence_send_key,
)
from hub.core.time import SECOND, Duration
from hub.light_clients.cometbft.client_state import (
    ClientState,
    Counterparty,
    encode_client_state,
    encode_counterparty,
)
from hub.wire.packet import encode_acknowledgement, encode_packet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.bench.workload import LaneLoad, Workload
    from adapters.simchain.store.node import Node
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey

PORT: Final = PortId("transfer")
PREFIX: Final = (b"ibc", b"")
OPTIONS: Final = TrustOptions(
    trusting_period=Duration(14 * 86_400 * SECOND), max_clock_drift=Duration(10 * SECOND)
)
ANCHOR_HEIGHT: Final = Height(1, 1)
ANSWER: Final = Acknowledgement((b'{"result":"AQ=="}',))
"""What a transfer application answers to a transfer that succeeded. Source: ICS-20."""
_VERSION: Final = 1
_SAMPLE: Final = 256
_STORE: Final = "ibc"
_OTHERS: Final = ("acc", "bank", "staking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Proofs under a root, for measuring their verification alone."""

    root: bytes
    member: tuple[bytes, bytes, bytes]
    """Key, value, proof."""
    absent: tuple[bytes, bytes]
    """Key, proof."""
    leaves: tuple[tuple[bytes, bytes], ...]
    batch: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLoad:
    """What one chain sends in one part of the run."""

    peer: PeerId
    chunk: int
    root: bytes
    packets: Mapping[int, tuple[bytes, ...]]
    """By lane from here: the ``PacketBatch`` of each of its frames, without the height."""
    acknowledgements: Mapping[int, tuple[bytes, ...]]
    """By lane to here: the ``AcknowledgementBatch`` of each frame, without the height."""
    clients: Mapping[ClientId, bytes]
    """The ``ClientMirror`` of each client here, without heights."""
    samples: Samples | None
    """Of the first part."""
    packet_bytes: int
    """Of one canonical packet."""


class ChainStore:
    """One chain's keys, and what it sends; keys that carry nothing are kept, and hashed once."""

    def __init__(self, workload: Workload, peer: PeerId, timeout: int) -> None:
        """Of *peer*'s chain; its packets time out at *timeout* (s)."""
        self._workload = workload
        self._peer = peer
        self._timeout = timeout
        self._lanes = workload.lanes
        self._values = self._client_values()
        self._base: Node | None = None

    def build(self, chunk: int) -> ChainLoad:
        """What the chain sends in that part of the run."""
        return _Part(self, chunk).build()

    @property
    def peer(self) -> PeerId:
        """Whose chain it is."""
        return self._peer

    def loads(self, chunk: int) -> list[tuple[LaneKey, LaneLoad]]:
        """What lanes from here and to here carry in that part."""
        found: list[tuple[LaneKey, LaneLoad]] = []
        for phase in self._workload.phases:
            for load in phase.loads if phase.chunk == chunk else ():
                lane = self._lanes[load.lane]
                if self._peer in (lane.source_peer, lane.destination_peer):
                    found.append((lane, load))
        return found

    def fill(self, store: IavlStore, items: dict[bytes, bytes]) -> None:
        """*store*, empty, holds *items* and all other keys, as one tree."""
        if self._workload.chunks == 1:
            store.load(sorted({**self._others(len(items)), **items}.items()))
            return
        if self._base is None:
            base = IavlStore(keep=1)
            base.load(sorted(self._others(len(items)).items()))
            base.commit()
            self._base = base.tree(_VERSION)
        store.load(sorted(items.items()), beside=self._base)

    def _others(self, taken: int) -> dict[bytes, bytes]:
        """Keys of clients, and of lanes that carry nothing: as many as leave room for *taken*.

        They are greater than those of packets and acknowledgements.
        """
        items = {key: value for _, entries in self._values for key, value in entries}
        per_client = 1 << 16
        for number in range(self._workload.keys - len(items) - taken):
            client = ClientId(f"08-wasm-{number // per_client}")
            key = commitment_key(client, number % per_client + 1)
            items[key] = sha256(key).digest()
        return items

    def packet(self, lane: LaneKey, sequence: int) -> Packet:
        """The packet of that *sequence*."""
        size = self._workload.payload
        filling = sha256(b"payload" + lane.name.encode() + sequence.to_bytes(8, "big")).digest()
        payload = Payload(
            source_port=PORT,
            destination_port=PORT,
            version="ics20-1",
            encoding="application/json",
            value=(filling * (size // len(filling) + 1))[:size],
        )
        return Packet(
            sequence=sequence,
            source_client=lane.source_client,
            destination_client=lane.destination_client,
            timeout_timestamp=self._timeout,
            payloads=(payload,),
        )

    def mirrors(self, stores: Stores) -> dict[ClientId, bytes]:
        """Every client here as *stores* prove it."""
        anchor = client_pb2.Height(revision=ANCHOR_HEIGHT.revision, number=ANCHOR_HEIGHT.number)
        mirrors: dict[ClientId, bytes] = {}
        for client, ((state_key, state), (bound_key, bound), _) in self._values:
            mirror = pb.ClientMirror(
                client=client,
                client_state=state,
                client_state_proof=stores.prove(_STORE, state_key, _VERSION),
                counterparty=bound,
                counterparty_proof=stores.prove(_STORE, bound_key, _VERSION),
                trusted_heights=[anchor],
            )
            mirrors[client] = mirror.SerializeToString()
        return mirrors

    def _client_values(self) -> list[tuple[ClientId, tuple[tuple[bytes, bytes], ...]]]:
        """Each client of this chain: its state, its counterparty and its counter, as stored."""
        found: list[tuple[ClientId, tuple[tuple[bytes, bytes], ...]]] = []
        for pair in self._workload.pairs:
            if self._peer not in (pair.left, pair.right):
                continue
            other = pair.right if pair.left == self._peer else pair.left
            state = ClientState(
                chain_id=chain_id(other),
                options=OPTIONS,
                unbonding_period=Duration(21 * 86_400 * SECOND),
                latest_height=ANCHOR_HEIGHT,
                is_frozen=False,
            )
            bound = Counterparty(client=pair.client, prefix=PREFIX, ordered=self._workload.enforced)
            entries = (
                (client_state_key(pair.client), encode_client_state(state)),
                (counterparty_key(pair.client), encode_counterparty(bound)),
                (next_sequence_send_key(pair.client), (1).to_bytes(8, "big")),
            )
            found.append((pair.client, entries))
        return found


class _Part:
    """Builds one part: commits to everything in it, then reads every frame and proof out of it."""

    def __init__(self, store: ChainStore, chunk: int) -> None:
        self._store = store
        self._chunk = chunk
        loads = store.loads(chunk)
        self._sent = [(lane, load) for lane, load in loads if lane.source_peer == store.peer]
        self._answered = [(lane, load) for lane, load in loads if lane.source_peer != store.peer]
        self._items: dict[bytes, bytes] = {}
        self._contents: dict[tuple[LaneKey, int], bytes] = {}
        self._stores = Stores([*_OTHERS, _STORE], keep=1)

    def build(self) -> ChainLoad:
        self._commit_packets()
        self._commit_acknowledgements()
        for name in _OTHERS:
            genesis = sha256(self._store.peer.encode()).digest()
            self._stores[name].set(b"\xffgenesis", genesis)
        self._store.fill(self._stores[_STORE], self._items)
        root = self._stores.commit()
        return ChainLoad(
            peer=self._store.peer,
            chunk=self._chunk,
            root=root,
            packets=self._packet_frames(),
            acknowledgements=self._acknowledgement_frames(),
            clients=self._store.mirrors(self._stores),
            samples=self._samples(root) if self._chunk == 0 and self._items else None,
            packet_bytes=max(map(len, self._contents.values()), default=0),
        )

    def _commit_packets(self) -> None:
        for lane, load in self._sent:
            for sequence in range(load.first, load.first + load.packets):
                packet = self._store.packet(lane, sequence)
                self._contents[lane, sequence] = encode_packet(packet)
                self._items[commitment_key(lane.source_client, sequence)] = commit_packet(packet)

    def _commit_acknowledgements(self) -> None:
        commitment = commit_acknowledgement(ANSWER)
        for lane, load in self._answered:
            client = lane.destination_client
            for sequence in range(load.first, load.first + load.packets):
                self._items[acknowledgement_key(client, sequence)] = commitment

    def _packet_frames(self) -> dict[int, tuple[bytes, ...]]:
        found: dict[int, list[bytes]] = {}
        for lane, load in self._sent:
            for slot in load.slots:
                sequences = range(slot.first, slot.first + slot.count)
                keys = [commitment_key(lane.source_client, sequence) for sequence in sequences]
                batch = pb.PacketBatch(
                    lane=lane.name,
                    packets=[self._contents[lane, sequence] for sequence in sequences],
                    proof_batch=self._prove(keys),
                )
                found.setdefault(load.lane, []).append(batch.SerializeToString())
        return {lane: tuple(frames) for lane, frames in found.items()}

    def _acknowledgement_frames(self) -> dict[int, tuple[bytes, ...]]:
        content = encode_acknowledgement(ANSWER)
        found: dict[int, list[bytes]] = {}
        for lane, load in self._answered:
            for slot in load.slots:
                sequences = range(slot.first, slot.first + slot.count)
                client = lane.destination_client
                keys = [acknowledgement_key(client, sequence) for sequence in sequences]
                batch = pb.AcknowledgementBatch(
                    lane=lane.name,
                    sequences=sequences,
                    acknowledgements=[content] * slot.count,
                    proof_batch=self._prove(keys),
                )
                found.setdefault(load.lane, []).append(batch.SerializeToString())
        return {lane: tuple(frames) for lane, frames in found.items()}

    def _samples(self, root: bytes) -> Samples:
        items = sorted(self._items.items())
        part = items[len(items) // 3 :][:_SAMPLE]
        absent = items[len(items) // 2][0] + b"\x00"
        key, value = items[2 * len(items) // 3]
        return Samples(
            root=root,
            member=(key, value, self._stores.prove(_STORE, key, _VERSION)),
            absent=(absent, self._stores.prove_absent(_STORE, absent, _VERSION)),
            leaves=tuple(part),
            batch=self._prove([key for key, _ in part]),
        )

    def _prove(self, keys: list[bytes]) -> bytes:
        return self._stores.prove_batch(_STORE, keys, _VERSION)


_stores: dict[PeerId, ChainStore] = {}


def build(workload: Workload, peer: PeerId, timeout: int, chunk: int) -> ChainLoad:
    """What *peer*'s chain sends in part *chunk*; its packets time out at *timeout* (s).

    For a process that builds: its stores are kept from part to part, but not after the last one.
    """
    gc.disable()  # millions of nodes that live for long: nothing to find, much to look at
    if chunk:
        step_aside()  # the part before it is being measured
    store = _stores.get(peer)
    if store is None:
        store = _stores[peer] = ChainStore(workload, peer, timeout)
    load = store.build(chunk)
    if chunk + 1 == workload.chunks:
        del _stores[peer]
    return load
