"""Everything that a chain would send, built beforehand: packets, acknowledgements, their proofs.

The store is real: an IAVL tree of as many keys as asked for, which holds the commitment of every
packet and every acknowledgement of the whole run. So one root proves all of them, every header
carries it, and nothing has to be proven while the run is measured.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

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
from tests.bench.plan import chain_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from tests.bench.plan import Plan, Slot

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Proofs under the root, for measuring their verification alone."""

    member: tuple[bytes, bytes, bytes]
    """Key, value, proof."""
    absent: tuple[bytes, bytes]
    """Key, proof."""
    leaves: tuple[tuple[bytes, bytes], ...]
    batch: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLoad:
    """What one chain sends."""

    peer: PeerId
    root: bytes
    packets: Mapping[LaneKey, tuple[bytes, ...]]
    """For each lane from here, the ``PacketBatch`` of each of its frames, without the height."""
    acknowledgements: Mapping[LaneKey, tuple[bytes, ...]]
    """For each lane to here, the ``AcknowledgementBatch`` of each frame, without the height."""
    clients: Mapping[ClientId, bytes]
    """The ``ClientMirror`` of each client here, without heights."""
    samples: Samples
    packet_bytes: int
    """Of one canonical packet."""


def build(plan: Plan, peer: PeerId, timeout: int) -> ChainLoad:
    """The load of *peer*'s chain; its packets time out at *timeout* (s)."""
    gc.disable()  # millions of nodes that live until the end: nothing to find, much to look at
    return _Builder(plan, peer, timeout).build()


def lane_slots(plan: Plan, lane: LaneKey) -> list[Slot]:
    """The frames of a lane over all phases."""
    at = plan.lanes.index(lane)
    return [slot for phase in plan.phases for slot in phase.slots[at]]


class _Builder:
    """Builds one chain's store, then reads everything out of it."""

    def __init__(self, plan: Plan, peer: PeerId, timeout: int) -> None:
        self._plan = plan
        self._peer = peer
        self._timeout = timeout
        self._ours = [lane for lane in plan.lanes if lane.source_peer == peer]
        self._others = [lane for lane in plan.lanes if lane.destination_peer == peer]
        self._items: dict[bytes, bytes] = {}
        self._packets: dict[LaneKey, list[bytes]] = {}
        self._stores = Stores(["acc", "bank", "ibc", "staking"], keep=2)

    def build(self) -> ChainLoad:
        for lane in self._ours:
            self._commit_packets(lane)
        for lane in self._others:
            self._commit_acknowledgements(lane)
        self._put_clients()
        self._fill()
        for name in ("acc", "bank", "staking"):
            self._stores[name].set(b"\xffgenesis", sha256(self._peer.encode()).digest())
        self._stores["ibc"].load(sorted(self._items.items()))
        root = self._stores.commit()
        sizes = [len(packet) for packets in self._packets.values() for packet in packets]
        return ChainLoad(
            peer=self._peer,
            root=root,
            packets={lane: self._packet_frames(lane) for lane in self._ours},
            acknowledgements={lane: self._acknowledgement_frames(lane) for lane in self._others},
            clients=self._mirrors(),
            samples=self._samples(),
            packet_bytes=max(sizes, default=0),
        )

    def _commit_packets(self, lane: LaneKey) -> None:
        contents = self._packets[lane] = []
        for sequence in range(1, _last(self._plan, lane) + 1):
            packet = self._packet(lane, sequence)
            contents.append(encode_packet(packet))
            self._items[commitment_key(lane.source_client, sequence)] = commit_packet(packet)

    def _commit_acknowledgements(self, lane: LaneKey) -> None:
        commitment = commit_acknowledgement(ANSWER)
        for sequence in range(1, _last(self._plan, lane) + 1):
            self._items[acknowledgement_key(lane.destination_client, sequence)] = commitment

    def _packet(self, lane: LaneKey, sequence: int) -> Packet:
        filling = sha256(b"payload" + lane.name.encode() + sequence.to_bytes(8, "big")).digest()
        value = (filling * (self._plan.payload // len(filling) + 1))[: self._plan.payload]
        payload = Payload(
            source_port=PORT,
            destination_port=PORT,
            version="ics20-1",
            encoding="application/json",
            value=value,
        )
        return Packet(
            sequence=sequence,
            source_client=lane.source_client,
            destination_client=lane.destination_client,
            timeout_timestamp=self._timeout,
            payloads=(payload,),
        )

    def _put_clients(self) -> None:
        for client, state, counterparty in self._client_values():
            self._items[client_state_key(client)] = state
            self._items[counterparty_key(client)] = counterparty
            self._items[next_sequence_send_key(client)] = (1).to_bytes(8, "big")

    def _client_values(self) -> list[tuple[ClientId, bytes, bytes]]:
        """Each client of this chain, its state and its counterparty as stored."""
        found: list[tuple[ClientId, bytes, bytes]] = []
        for pair in self._plan.pairs:
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
            bound = Counterparty(client=pair.client, prefix=PREFIX, ordered=False)
            found.append((pair.client, encode_client_state(state), encode_counterparty(bound)))
        return found

    def _fill(self) -> None:
        """The rest of the keys: commitments of clients that carry nothing in this run."""
        per_client = 1 << 16
        for number in range(self._plan.keys - len(self._items)):
            client = ClientId(f"08-wasm-{number // per_client}")
            key = commitment_key(client, number % per_client + 1)
            self._items[key] = sha256(key).digest()

    def _packet_frames(self, lane: LaneKey) -> tuple[bytes, ...]:
        contents, client = self._packets[lane], lane.source_client
        frames: list[bytes] = []
        for slot in lane_slots(self._plan, lane):
            sequences = range(slot.first, slot.first + slot.count)
            batch = pb.PacketBatch(
                lane=lane.name,
                packets=contents[slot.first - 1 : slot.first - 1 + slot.count],
                proof_batch=self._prove([commitment_key(client, s) for s in sequences]),
            )
            frames.append(batch.SerializeToString())
        return tuple(frames)

    def _acknowledgement_frames(self, lane: LaneKey) -> tuple[bytes, ...]:
        content, client = encode_acknowledgement(ANSWER), lane.destination_client
        frames: list[bytes] = []
        for slot in lane_slots(self._plan, lane):
            sequences = range(slot.first, slot.first + slot.count)
            batch = pb.AcknowledgementBatch(
                lane=lane.name,
                sequences=sequences,
                acknowledgements=[content] * slot.count,
                proof_batch=self._prove([acknowledgement_key(client, s) for s in sequences]),
            )
            frames.append(batch.SerializeToString())
        return tuple(frames)

    def _mirrors(self) -> dict[ClientId, bytes]:
        anchor = client_pb2.Height(revision=ANCHOR_HEIGHT.revision, number=ANCHOR_HEIGHT.number)
        mirrors: dict[ClientId, bytes] = {}
        for client, state, counterparty in self._client_values():
            mirror = pb.ClientMirror(
                client=client,
                client_state=state,
                client_state_proof=self._stores.prove("ibc", client_state_key(client), _VERSION),
                counterparty=counterparty,
                counterparty_proof=self._stores.prove("ibc", counterparty_key(client), _VERSION),
                trusted_heights=[anchor],
            )
            mirrors[client] = mirror.SerializeToString()
        return mirrors

    def _samples(self) -> Samples:
        keys = sorted(self._items)
        part = keys[len(keys) // 3 :][:_SAMPLE]
        absent = keys[len(keys) // 2] + b"\x00"
        member = keys[2 * len(keys) // 3]
        return Samples(
            member=(member, self._items[member], self._stores.prove("ibc", member, _VERSION)),
            absent=(absent, self._stores.prove_absent("ibc", absent, _VERSION)),
            leaves=tuple([(key, self._items[key]) for key in part]),
            batch=self._prove(part),
        )

    def _prove(self, keys: list[bytes]) -> bytes:
        return self._stores.prove_batch("ibc", keys, _VERSION)


def _last(plan: Plan, lane: LaneKey) -> int:
    """The last sequence of a lane."""
    slots = lane_slots(plan, lane)
    return slots[-1].first + slots[-1].count - 1 if slots else 0
