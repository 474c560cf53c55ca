"""Packets on this chain: sent, received, acknowledged, timed out, by the semantics of IBC v2.

Every check comes before the first change, and a packet is marked as done before its application
is called. What a message must show is shown under a consensus state of the chain's own client.

A pair of clients may be ordered. Then the gateway receives only the next sequence. One that comes
too late is passed over once its commitment is proven: it gets no receipt, so its sender's chain can
prove that it was not received, and the sequence after it is the next (order.py).

Source: ICS-04 v2; ibc-go v10 modules/core/04-channel/v2/keeper (packet.go, msg_server.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from adapters.simchain.application import ERROR_ACKNOWLEDGEMENT, ERROR_ANSWER
from adapters.simchain.client_store import STORE, consensus_state
from adapters.simchain.events import (
    PacketAcknowledged,
    PacketExpired,
    PacketReceived,
    PacketSent,
    PacketTimedOut,
)
from adapters.simchain.messages import Effect, Outcome
from adapters.simchain.order import advance, next_receive, pass_gone
from hub.core.commitment import RECEIPT, commit_acknowledgement, commit_packet
from hub.core.errors import (
    FieldInvalid,
    HubError,
    LimitExceeded,
    PacketDiffers,
    PacketInvalid,
    SequenceOutOfOrder,
    TimeoutElapsed,
    TimeoutInvalid,
    TimeoutNotReached,
)
from hub.core.ids import parse_port_id
from hub.core.packet import (
    MAX_SEQUENCE,
    Acknowledgement,
    Packet,
    check_acknowledgement,
    check_packet,
)
from hub.core.paths import (
    acknowledgement_key,
    commitment_key,
    next_sequence_send_key,
    receipt_key,
)
from hub.core.time import Timestamp, whole_seconds
from hub.light_clients.proofs.batch_codec import MAX_LEAVES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from adapters.simchain.application import Application
    from adapters.simchain.clients import Clients, End
    from adapters.simchain.messages import (
        AcknowledgePackets,
        ReceivePackets,
        SendPacket,
        TimeOutPacket,
    )
    from adapters.simchain.state import State
    from hub.core.ids import ClientId, PortId
    from hub.core.record import SkippedLeaf

MAX_TIMEOUT: Final = 24 * 60 * 60
"""Seconds after the block's time. Source: ibc-go v10 04-channel/v2 types, MaxTimeoutDelta."""

# Most packets get one of few answers, and the ledger keeps them all.
_acknowledgement = lru_cache(maxsize=64)(Acknowledgement)


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the chain does with packets."""

    clients: Clients
    applications: Mapping[PortId, Application]

    def send(self, state: State, message: SendPacket, signer: str, now: Timestamp) -> int:
        """The sequence of the packet that this chain now commits to.

        Raises ``ClientNotFound``, ``ClientPending``, ``ClientFrozen``, ``TrustExpired``,
        ``LaneNotOpen``, ``TimeoutInvalid``, ``PacketInvalid``, ``PayloadTooLarge``, or as the
        applications do.
        """
        end = self.clients.end(state, message.client, now)
        self._check_timeout(state, end, message.timeout_timestamp, now)
        next_key = next_sequence_send_key(end.client)
        sequence = int.from_bytes(state.get(STORE, next_key) or b"", "big")
        packet = Packet(
            sequence=sequence,
            source_client=end.client,
            destination_client=end.counterparty.client,
            timeout_timestamp=message.timeout_timestamp,
            payloads=message.payloads,
        )
        check_packet(packet)
        state.set(STORE, next_key, (sequence + 1).to_bytes(8, "big"))
        state.set(STORE, commitment_key(end.client, sequence), commit_packet(packet))
        state.events.append(PacketSent(packet))
        for payload in packet.payloads:
            parse_port_id(payload.destination_port)
            self._application(payload.source_port).on_send(state, packet, payload, signer)
        return sequence

    def receive(self, state: State, message: ReceivePackets, now: Timestamp) -> tuple[Outcome, ...]:
        """What became of each packet, all of which the proof batch shows.

        Where all were received before, nothing is verified. Raises as ``end`` of clients,
        ``PacketInvalid``, ``PayloadTooLarge``, ``LimitExceeded``, ``ConsensusStateMissing``, or as
        the light client does.
        """
        end = self.clients.end(state, message.client, now)
        packets, other = message.packets, end.counterparty.client
        _check_packets(packets, message.skipped, source=other, destination=end.client)
        receipts = [state.get(STORE, receipt_key(end.client, p.sequence)) for p in packets]
        if not all(receipts):
            commitments = [(p.sequence, commit_packet(p)) for p in packets]
            leaves = _leaves(commitments, message.skipped, lambda s: commitment_key(other, s))
            self.clients.verify_batch(state, end, message.proof_height, leaves, message.proof)
        return tuple([self._receive(state, end, packet, now) for packet in packets])

    def acknowledge(
        self, state: State, message: AcknowledgePackets, now: Timestamp
    ) -> tuple[Outcome, ...]:
        """What became of each acknowledgement, all of which the proof batch shows.

        Where no packet's commitment stands any more, nothing is verified. Raises as ``receive``.
        """
        end = self.clients.end(state, message.client, now)
        packets, other = message.packets, end.counterparty.client
        _check_packets(packets, message.skipped, source=end.client, destination=other)
        if len(message.acknowledgements) != len(packets):
            raise PacketInvalid(field="acknowledgements", problem="are not one for each packet")
        for acknowledgement in message.acknowledgements:
            check_acknowledgement(acknowledgement)
        pairs = list(zip(packets, message.acknowledgements, strict=True))
        if any(state.get(STORE, commitment_key(end.client, p.sequence)) for p in packets):
            answers = [(p.sequence, commit_acknowledgement(answer)) for p, answer in pairs]
            leaves = _leaves(answers, message.skipped, lambda s: acknowledgement_key(other, s))
            self.clients.verify_batch(state, end, message.proof_height, leaves, message.proof)
        return tuple([self._acknowledge(state, packet, answer) for packet, answer in pairs])

    def time_out(self, state: State, message: TimeOutPacket, now: Timestamp) -> Outcome:
        """What became of the timeout of one packet, whose receipt the proof shows to be absent.

        Raises as ``receive``, ``PacketDiffers``, ``TimeoutNotReached``, or as the applications do.
        """
        packet = message.packet
        end = self.clients.end(state, packet.source_client, now)
        other = end.counterparty.client
        _check_packets((packet,), (), source=end.client, destination=other)
        if not _stands(state, packet):
            return Outcome(packet.sequence, Effect.ALREADY_DONE)
        # One header gives both: the time, and the root that the receipt is absent under.
        at = whole_seconds(consensus_state(state, end.client, message.proof_height).time)
        if at < packet.timeout_timestamp:
            raise TimeoutNotReached(timeout=packet.timeout_timestamp, time=at)
        key = receipt_key(other, packet.sequence)
        self.clients.verify_absence(state, end, message.proof_height, key, message.proof)
        state.remove(STORE, commitment_key(packet.source_client, packet.sequence))
        state.events.append(PacketTimedOut(packet))
        for payload in packet.payloads:
            self._application(payload.source_port).on_time_out(state, packet, payload)
        return Outcome(packet.sequence, Effect.EXECUTED)

    def _receive(self, state: State, end: End, packet: Packet, now: Timestamp) -> Outcome:
        """What became of one packet whose commitment is proven, or that was received before."""
        sequence, timeout, time = packet.sequence, packet.timeout_timestamp, whole_seconds(now)
        # Before the timeout: who sends a packet again after a lost answer is to hear the truth.
        if state.get(STORE, receipt_key(end.client, sequence)) is not None:
            return Outcome(sequence, Effect.ALREADY_DONE)
        if end.counterparty.ordered:
            expected = next_receive(state, end.client)
            if sequence > expected or (sequence < expected and time < timeout):
                error = SequenceOutOfOrder(got=sequence, expected=expected)
                return Outcome(sequence, Effect.REFUSED, error)
            if sequence == expected:
                return self._receive_next(state, end, packet, time)
        if time >= timeout:
            return Outcome(sequence, Effect.REFUSED, TimeoutElapsed(timeout=timeout, time=time))
        return self._take(state, end, packet)

    def _receive_next(self, state: State, end: End, packet: Packet, time: int) -> Outcome:
        """What became of the next packet of an ordered pair, at *time* (s)."""
        sequence, timeout = packet.sequence, packet.timeout_timestamp
        advance(state, end.client)
        if time >= timeout:
            state.events.append(PacketExpired(packet))
            error = TimeoutElapsed(timeout=timeout, time=time)
            outcome = Outcome(sequence, Effect.REFUSED, error)
        else:
            outcome = self._take(state, end, packet)
        pass_gone(state, end.client)
        return outcome

    def _take(self, state: State, end: End, packet: Packet) -> Outcome:
        """The packet is received, and what the applications make of it answered."""
        sequence = packet.sequence
        state.set(STORE, receipt_key(end.client, sequence), RECEIPT)
        acknowledgement, failure = self._execute(state, packet)
        key = acknowledgement_key(end.client, sequence)
        state.set(STORE, key, commit_acknowledgement(acknowledgement))
        state.events.append(PacketReceived(packet, acknowledgement, failure))
        return Outcome(sequence, Effect.EXECUTED)

    def _execute(self, state: State, packet: Packet) -> tuple[Acknowledgement, HubError | None]:
        """The applications' answers; if one refuses, none has an effect, and why."""
        mark = state.mark()
        try:
            answers = [
                self._application(payload.destination_port).on_receive(state, packet, payload)
                for payload in packet.payloads
            ]
        except HubError as error:
            state.undo(mark)
            return ERROR_ACKNOWLEDGEMENT, error
        return _acknowledgement(tuple(answers)), None

    def _acknowledge(
        self, state: State, packet: Packet, acknowledgement: Acknowledgement
    ) -> Outcome:
        """What became of one packet whose acknowledgement is proven, or that is done with."""
        sequence, answers = packet.sequence, acknowledgement.app_acknowledgements
        mark = state.mark()
        try:
            if not _stands(state, packet):
                return Outcome(sequence, Effect.ALREADY_DONE)
            if acknowledgement == ERROR_ACKNOWLEDGEMENT:
                answers = (ERROR_ANSWER,) * len(packet.payloads)
            elif len(answers) != len(packet.payloads) or ERROR_ANSWER in answers:
                problem = "are not one for each payload, or one that says error"
                raise PacketInvalid(field="app_acknowledgements", problem=problem)
            state.remove(STORE, commitment_key(packet.source_client, sequence))
            state.events.append(PacketAcknowledged(packet, acknowledgement))
            for payload, answer in zip(packet.payloads, answers, strict=True):
                application = self._application(payload.source_port)
                application.on_acknowledge(state, packet, payload, answer)
        except HubError as error:
            state.undo(mark)
            return Outcome(sequence, Effect.REFUSED, error)
        return Outcome(sequence, Effect.EXECUTED)

    def _application(self, port: PortId) -> Application:
        application = self.applications.get(port)
        if application is None:
            raise FieldInvalid(field="port", problem=f"{port} has no application here")
        return application

    def _check_timeout(self, state: State, end: End, timeout: int, now: Timestamp) -> None:
        """*timeout* (s) is ahead of both chains' times, and not by more than a day."""
        latest = end.state.latest_height
        seen = consensus_state(state, end.client, latest).time if latest else now
        earliest = whole_seconds(Timestamp(max(now, seen))) + 1
        last = whole_seconds(now) + MAX_TIMEOUT
        if not earliest <= timeout <= last:
            raise TimeoutInvalid(timeout=timeout, earliest=earliest, latest=last)


def _stands(state: State, packet: Packet) -> bool:
    """Whether this chain still commits to *packet*. Raises ``PacketDiffers``."""
    stored = state.get(STORE, commitment_key(packet.source_client, packet.sequence))
    if stored is None:
        return False
    computed = commit_packet(packet)
    if stored != computed:
        raise PacketDiffers(
            lane=packet.source_client,
            sequence=packet.sequence,
            got=computed.hex(),
            stored=stored.hex(),
        )
    return True


def _check_packets(
    packets: Sequence[Packet],
    skipped: Sequence[SkippedLeaf],
    *,
    source: ClientId,
    destination: ClientId,
) -> None:
    """The packets are of one lane, sequences rising; with those skipped at most 256.

    Raises ``LimitExceeded``, ``PacketInvalid`` or ``PayloadTooLarge``.
    """
    count = len(packets) + len(skipped)
    if not packets or count > MAX_LEAVES:
        raise LimitExceeded(what="packets of a message", count=count, limit=MAX_LEAVES)
    last = 0
    for packet in packets:
        check_packet(packet)
        if packet.source_client != source:
            raise PacketInvalid(field="source_client", problem=f"is not {source}")
        if packet.destination_client != destination:
            raise PacketInvalid(field="destination_client", problem=f"is not {destination}")
        if packet.sequence <= last:
            raise PacketInvalid(field="sequence", problem="does not rise")
        last = packet.sequence
    for leaf in skipped:
        if not 1 <= leaf.sequence <= MAX_SEQUENCE:
            raise PacketInvalid(field="sequence", problem="of a skipped leaf is not positive")


def _leaves(
    shown: list[tuple[int, bytes]],
    skipped: Sequence[SkippedLeaf],
    key_of: Callable[[int], bytes],
) -> list[tuple[bytes, bytes]]:
    """The leaves of a batch by sequence: what it must show of each packet, and those skipped."""
    if skipped:
        shown = sorted([*shown, *[(leaf.sequence, leaf.commitment) for leaf in skipped]])
    return [(key_of(sequence), value) for sequence, value in shown]
