"""The chain's own ledger: what it did for each packet, for whoever audits it.

It counts what happened, and does not ask whether it should have. Nothing that a hub says is in it.
It also keeps what the chain's adapter must be able to show again: packets until they are done
with, and all answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from adapters.simchain.events import Event
    from hub.core.ids import ClientId
    from hub.core.packet import Acknowledgement, Packet


@dataclass(slots=True)
class Effects:
    """How often the chain did what for one packet; each count should be 0 or 1."""

    sent: int = 0
    executed: int = 0
    """At the destination; not if the application refused it."""
    refused: int = 0
    """At the destination, by the application."""
    expired: int = 0
    """At an ordered destination: passed over because it came too late, or is gone."""
    acknowledged: int = 0
    timed_out: int = 0
    refunded: int = 0


@dataclass(frozen=True, slots=True)
class SentPacket:
    """A packet that the chain still commits to."""

    packet: Packet
    height: int
    """The block that committed to it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement that the chain wrote."""

    acknowledgement: Acknowledgement
    height: int
    """The block that wrote it."""


@dataclass(slots=True)
class Lane:
    """One client's packets, in one direction; by sequence."""

    effects: dict[int, Effects] = field(default_factory=dict)
    pending: dict[int, SentPacket] = field(default_factory=dict)
    answers: dict[int, Answer] = field(default_factory=dict)

    def of(self, sequence: int) -> Effects:
        """The counts of one packet."""
        found = self.effects.get(sequence)
        if found is None:
            found = self.effects[sequence] = Effects()
        return found


class Ledger:
    """What the chain did, by its own client of each lane."""

    def __init__(self) -> None:
        self.outgoing: dict[ClientId, Lane] = {}
        self.incoming: dict[ClientId, Lane] = {}
        self.evidence: list[MisbehaviourFound] = []

    def record(self, height: int, events: Iterable[Event]) -> None:
        """The *events* of the block at *height* are in the ledger."""
        for event in events:
            match event:
                case PacketSent(packet):
                    lane = _lane(self.outgoing, packet.source_client)
                    lane.of(packet.sequence).sent += 1
                    lane.pending[packet.sequence] = SentPacket(packet, height)
                case PacketReceived(packet, acknowledgement, failure):
                    lane = _lane(self.incoming, packet.destination_client)
                    counts = lane.of(packet.sequence)
                    counts.executed += failure is None
                    counts.refused += failure is not None
                    lane.answers[packet.sequence] = Answer(acknowledgement, height)
                case PacketExpired(packet):
                    lane = _lane(self.incoming, packet.destination_client)
                    lane.of(packet.sequence).expired += 1
                case SequencePassedOver(client, sequence):
                    _lane(self.incoming, client).of(sequence).expired += 1
                case PacketAcknowledged(packet, _):
                    self._done(packet).acknowledged += 1
                case PacketTimedOut(packet):
                    self._done(packet).timed_out += 1
                case TokensRefunded(client, sequence):
                    _lane(self.outgoing, client).of(sequence).refunded += 1
                case MisbehaviourFound():
                    self.evidence.append(event)
                case _:
                    pass

    def pending(self, client: ClientId) -> Iterator[SentPacket]:
        """Packets of the source *client* that still wait for their end, sequences rising."""
        lane = self.outgoing.get(client)
        yield from lane.pending.values() if lane else ()

    def answer(self, client: ClientId, sequence: int) -> Answer | None:
        """What the chain answered to a packet that its *client* received, if it did."""
        lane = self.incoming.get(client)
        return lane.answers.get(sequence) if lane else None

    def violations(self) -> Iterator[str]:
        """Every packet for which the chain did something twice, or two things of which only one."""
        for client, lane in self.outgoing.items():
            for sequence, one in lane.effects.items():
                ends = one.acknowledged + one.timed_out
                if one.sent != 1 or ends > 1 or one.refunded > ends:
                    yield f"{client} sent {sequence}: {one}"
        for client, lane in self.incoming.items():
            for sequence, one in lane.effects.items():
                if one.executed + one.refused + one.expired != 1:
                    yield f"{client} received {sequence}: {one}"

    def _done(self, packet: Packet) -> Effects:
        lane = _lane(self.outgoing, packet.source_client)
        lane.pending.pop(packet.sequence, None)
        return lane.of(packet.sequence)


def _lane(lanes: dict[ClientId, Lane], client: ClientId) -> Lane:
    found = lanes.get(client)
    if found is None:
        found = lanes[client] = Lane()
    return found
