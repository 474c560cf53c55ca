"""What must be true of every run, judged from the outside.

The model knows what the chains did, block by block, what the adapters were told, and what was
written into the registry; it asks no code under test whether that is right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from adapters.simchain import bank
from adapters.simchain.events import (
    MisbehaviourFound,
    PacketAcknowledged,
    PacketExpired,
    PacketReceived,
    PacketSent,
    PacketTimedOut,
    SequencePassedOver,
    TokensRefunded,
)
from adapters.simchain.transfer_data import decode_transfer
from hub.core.lane import LaneKey, Order, Side
from hub.core.record import OutcomeKind
from hub.core.time import SECOND
from hub.ports.leases import Fence
from hub.wire.packet import decode_packet, encode_acknowledgement, encode_packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.simchain.chain import Chain
    from adapters.simchain.history import Block
    from hub.core.ids import ClientId, PeerId
    from hub.core.lane import LaneView
    from hub.core.packet import Packet
    from hub.core.ranges import RangeSet
    from hub.core.record import Acceptance, Settlement
    from hub.registry.memory.state import State


READ_WITHIN: Final = 2 * SECOND
"""What a relayer has read for so long (ns) it goes by."""


class Broken(AssertionError):
    """A promise is broken: which, and by what."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise


@dataclass
class Fate:
    """What became of one packet, as the chains did it."""

    packet: Packet
    content: bytes
    received: int = 0
    executed: int = 0
    expired: int = 0
    received_at: int = 0
    """Height of the destination's block."""
    answer: bytes = b""
    acknowledged: int = 0
    timed_out: int = 0
    refunded: int = 0

    @property
    def is_over(self) -> bool:
        """Its source commits to it no more."""
        return bool(self.acknowledged or self.timed_out)


@dataclass
class Model:
    """All that happened so far, and what must be true of it."""

    chains: Mapping[PeerId, Chain]
    lanes: tuple[LaneKey, LaneKey]
    order: Order
    state: State
    fates: dict[tuple[LaneKey, int], Fate] = field(default_factory=dict)
    told: dict[tuple[LaneKey, Side], RangeSet] = field(default_factory=dict)
    last: dict[LaneKey, int] = field(default_factory=dict)
    """By lane the last sequence that was executed in order."""
    counts: dict[str, int] = field(default_factory=dict)
    supply: dict[PeerId, int] = field(default_factory=dict)
    gates: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    """By relayer (when, lane id, gate of its source), as it has read them."""
    holds_strictly = False
    """Whether nothing but a pause keeps a relayer from knowing what it has read."""

    def __post_init__(self) -> None:
        self.supply = {peer: self._own(peer)[1] for peer in self.chains}

    def block(self, peer: PeerId, block: Block) -> None:
        """*peer*'s chain has made *block*."""
        for event in block.events:
            self._event(peer, event, block.height)
        self.check_value()

    def was_told(self, peer: PeerId, lane: LaneKey, side: Side, sequences: RangeSet) -> None:
        """*peer*'s adapter was told that these are accepted: they are durable already."""
        row = self.state.lane_by_key(lane)
        found = row.packets if side is Side.SOURCE else row.outcome_of
        missing = [sequence for sequence in sequences if sequence not in found]
        if missing:
            raise Broken("verdict only after durable", f"{peer} {lane} {side} {missing}")
        key = (lane, side)
        self.told[key] = self.told[key] | sequences if key in self.told else sequences
        self._count("told")

    def heard_gates(self, relayer: str, views: Iterable[LaneView], now: int) -> None:
        """*relayer* has read *views*."""
        for view in views:
            noted = self.gates.setdefault(relayer, [])
            noted.append((now, view.lane.lane_id, view.source.gate))

    def hands_over(self, relayer: str, execution: pb.Execution, now: int) -> None:
        """*relayer* gives *execution* to an adapter."""
        if not self.holds_strictly or execution.WhichOneof("action") != "receive":
            return
        row = self.state.lane_by_key(LaneKey.parse(execution.lane))
        lane_id, height = row.lane.lane_id, execution.receive.proof_height.number
        noted = self.gates.get(relayer, ())
        known = [gate for at, lane, gate in noted if lane == lane_id and at < now - READ_WITHIN]
        for content in execution.receive.packets:
            sequence = decode_packet(content).sequence
            stored = self.state.proofs[row.packets[sequence].proof_id].stored
            if stored.proof.height == height and stored.gate < max(known, default=0):
                raise Broken("what was held is proven afresh", f"{execution.lane}/{sequence}")

    def wrote(self, relayer: str, part: str, method: str, args: tuple[Any, ...]) -> None:
        """*relayer* has just written that into the registry."""
        if args and isinstance(args[0], Fence):
            self._check_fence(relayer, method, args[0])
        match (part, method):
            case ("packets", "accept"):
                for acceptance in args[1]:
                    self._check_acceptance(acceptance)
            case ("outcomes", "record"):
                for settlement in args[1]:
                    self._check_settlement(settlement)
            case ("outcomes", "record_completed"):
                self._check_completed(args[1], args[2])
            case ("outcomes", "record_delivered"):
                self._check_delivered(args[1], args[2])
            case _:
                return
        self._count(method)

    def check_value(self) -> None:
        """No token was made or lost, wherever it is on its way."""
        for peer, chain in self.chains.items():
            escrow, total = self._own(peer)
            if total != self.supply[peer]:
                raise Broken("conservation of value", f"{peer} has {total} of its coins")
            abroad = self._abroad(peer)
            if escrow != abroad:
                what = f"{peer} at {chain.height}: {escrow} in escrow, {abroad} accounted for"
                raise Broken("conservation of value", what)

    def open_packets(self) -> list[str]:
        """Every packet that has not ended, on its chain or in the registry."""
        found = [f"{key}/{n}" for (key, n), fate in self.fates.items() if not fate.is_over]
        for row in self.state.lanes.values():
            source, destination = row.sides[Side.SOURCE], row.sides[Side.DESTINATION]
            rest = source.done.truth - destination.done.truth
            found += [f"{row.lane.key}/{n} has no outcome" for n in rest.take(5)]
            done = len(source.progress.truth)
            if done != destination.outcome_count:
                found.append(f"{row.lane.key}: {done} of {destination.outcome_count} complete")
        return found

    def check_end(self) -> None:
        """Nothing that was accepted is lost, and every end is one that may be."""
        for (lane, side), sequences in self.told.items():
            row = self.state.lane_by_key(lane)
            found = row.packets if side is Side.SOURCE else row.outcome_of
            lost = [sequence for sequence in sequences if sequence not in found]
            if lost:
                raise Broken("accepted is never lost", f"{lane} {side} {lost}")
        for (lane, sequence), fate in self.fates.items():
            if fate.timed_out and fate.executed:
                raise Broken("executed XOR refunded", f"{lane}/{sequence} {fate}")
            if fate.acknowledged and not fate.received:
                raise Broken("executed XOR refunded", f"{lane}/{sequence} answered by nobody")
        for peer, client in self.state.clients.items():
            if client.frozen_at is not None:
                raise Broken("no client freezes", f"{peer}: {client.frozen_cause}")

    def _event(self, peer: PeerId, event: object, height: int) -> None:  # noqa: C901 - a table
        match event:
            case PacketSent(packet):
                lane = self._lane_out(peer, packet.source_client)
                fate = Fate(packet, encode_packet(packet))
                if self.fates.setdefault((lane, packet.sequence), fate) is not fate:
                    raise Broken("a sequence is used once", f"{lane}/{packet.sequence}")
            case PacketReceived(packet, acknowledgement, failure):
                fate = self._arrived(peer, packet.destination_client, packet.sequence, height)
                fate.received += 1
                fate.executed += failure is None
                fate.answer = encode_acknowledgement(acknowledgement)
                if fate.content != encode_packet(packet):
                    raise Broken("only what was sent is executed", f"{peer} {packet}")
                self._check_fate(fate)
            case PacketExpired(packet):
                self._passed(peer, packet.destination_client, packet.sequence, height)
            case SequencePassedOver(client, sequence):
                self._passed(peer, client, sequence, height)
            case PacketAcknowledged(packet, _):
                fate = self._fate_out(peer, packet.source_client, packet.sequence)
                fate.acknowledged += 1
                self._check_fate(fate)
            case PacketTimedOut(packet):
                fate = self._fate_out(peer, packet.source_client, packet.sequence)
                fate.timed_out += 1
                self._check_fate(fate)
            case TokensRefunded(client, sequence):
                fate = self._fate_out(peer, client, sequence)
                fate.refunded += 1
                self._check_fate(fate)
            case MisbehaviourFound():
                raise Broken("no client freezes", f"{peer}: {event.cause}")
            case _:
                return
        self._count(type(event).__name__)

    def _check_fate(self, fate: Fate) -> None:
        name = f"{fate.packet.source_client}/{fate.packet.sequence} {fate}"
        if fate.received > 1 or fate.acknowledged + fate.timed_out > 1 or fate.refunded > 1:
            raise Broken("exactly-once effect", name)
        if fate.executed + fate.refunded > 1 or (fate.timed_out and fate.received):
            raise Broken("executed XOR refunded", name)
        if fate.acknowledged and not fate.received:
            raise Broken("executed XOR refunded", name)

    def _arrived(self, peer: PeerId, client: ClientId, sequence: int, height: int) -> Fate:
        lane = self._lane_in(peer, client)
        if self.order is not Order.UNORDERED:
            if sequence <= self.last.get(lane, 0):
                raise Broken("order", f"{lane}/{sequence} after {self.last[lane]}")
            self.last[lane] = sequence
        fate = self.fates[lane, sequence]
        fate.received_at = height
        return fate

    def _passed(self, peer: PeerId, client: ClientId, sequence: int, height: int) -> None:
        fate = self._arrived(peer, client, sequence, height)
        fate.received_at = 0
        fate.expired += 1
        if fate.expired > 1 or fate.received:
            raise Broken("exactly-once effect", f"{client}/{sequence} {fate}")

    def _check_fence(self, relayer: str, method: str, fence: Fence) -> None:
        row = self.state.leases.get(fence.peer)
        if method == "release" or row is None:
            return
        if row.epoch != fence.epoch or row.owner != relayer:
            what = f"{relayer} wrote {method} under {fence}; {row.owner} has {row.epoch}"
            raise Broken("only the lease's owner writes", what)

    def _check_acceptance(self, acceptance: Acceptance) -> None:
        lane = self.state.lane(acceptance.lane_id).lane.key
        for packet in acceptance.packets:
            fate = self.fates.get((lane, packet.sequence))
            if fate is None or fate.content != packet.content:
                raise Broken("only what was sent is accepted", f"{lane}/{packet.sequence}")

    def _check_settlement(self, settlement: Settlement) -> None:
        lane = self.state.lane(settlement.lane_id).lane.key
        height = settlement.proof.height
        for outcome in settlement.outcomes:
            fate, name = self.fates[lane, outcome.sequence], f"{lane}/{outcome.sequence}"
            was_received = fate.received and fate.received_at < height
            if outcome.kind is OutcomeKind.ACKNOWLEDGEMENT:
                is_true = bool(was_received) and fate.answer == outcome.content
            elif outcome.kind is OutcomeKind.ABSENCE:
                chain = self.chains[lane.destination_peer]
                at = chain.light_block(height).signed.header.time // SECOND
                is_true = not was_received and at >= fate.packet.timeout_timestamp
            else:
                is_true = fate.is_over
            if not is_true:
                raise Broken("outcomes are true", f"{name} {outcome.kind} at {height}: {fate}")

    def _check_completed(self, lane_id: int, indexes: RangeSet) -> None:
        row = self.state.lane(lane_id)
        for index in indexes:
            outcome = row.outcomes[index]
            if not self.fates[row.lane.key, outcome.sequence].is_over:
                what = f"{row.lane.key}/{outcome.sequence} is open at its source"
                raise Broken("complete is what the source has executed", what)

    def _check_delivered(self, lane_id: int, sequences: RangeSet) -> None:
        lane = self.state.lane(lane_id).lane.key
        for sequence in sequences:
            fate = self.fates[lane, sequence]
            if not (fate.received or fate.expired):
                raise Broken("delivered is what the destination has", f"{lane}/{sequence}")

    def _own(self, peer: PeerId) -> tuple[int, int]:
        """How many of *peer*'s own coins are in escrow, and how many there are."""
        coin, escrow, total = f"{peer}coin", 0, 0
        for one in bank.balances(self.chains[peer].stores[bank.STORE]):
            if one.denomination == coin:
                total += one.amount
                escrow += one.amount if one.account.startswith("escrow:") else 0
        return escrow, total

    def _abroad(self, peer: PeerId) -> int:
        """Vouchers of *peer*'s coin elsewhere, and what is on its way there or back."""
        found = 0
        for other, chain in self.chains.items():
            if other != peer:
                for one in bank.supplies(chain.stores[bank.STORE]):
                    found += one.amount if one.denomination.endswith(f"/{peer}coin") else 0
        for fate in self.fates.values():
            if not (fate.executed or fate.refunded):
                data = decode_transfer(fate.packet.payloads[0])
                found += data.amount if data.denomination.endswith(f"{peer}coin") else 0
        return found

    def _lane_out(self, peer: PeerId, client: ClientId) -> LaneKey:
        return self._lane(lambda k: (k.source_peer, k.source_client) == (peer, client))

    def _lane_in(self, peer: PeerId, client: ClientId) -> LaneKey:
        return self._lane(lambda k: (k.destination_peer, k.destination_client) == (peer, client))

    def _lane(self, is_it: Callable[[LaneKey], bool]) -> LaneKey:
        return next(key for key in self.lanes if is_it(key))

    def _fate_out(self, peer: PeerId, client: ClientId, sequence: int) -> Fate:
        return self.fates[self._lane_out(peer, client), sequence]

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
