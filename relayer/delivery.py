"""Carry a lane's accepted packets to the destination's adapter, with updates and proofs.

The source's proof batch goes on unchanged where all its leaves go. Where only some do, or a freeze
or pause lies between, the packets are proven afresh at the source's newest height.

Source: design section 5 ("delivers [updates, packets] in order") and section 3 ("held").
"""

from __future__ import annotations

from functools import partial
from itertools import chain, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.budget import size_of
from hub.core.commitment import commit_packet
from hub.core.errors import GateChanged, HubError, Reason
from hub.core.lane import Order
from hub.core.paths import commitment_key
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import ExceptionKind, PacketException, Refusal
from hub.core.time import MILLISECOND, Duration, Timestamp
from hub.wire.frames import MAX_FRAME_BYTES
from hub.wire.headers import height_to_proto
from hub.wire.packet import decode_packet
from relayer.failpoints import Failpoint, hit
from relayer.large import Found, Holder
from relayer.merging import merged, whole_frames, within
from relayer.parts import Part, carry_parts, planned
from relayer.passing import MOST, find_gone, next_to_receive
from relayer.proofs import stored_proof
from relayer.reports import read_report
from relayer.reproof import fresh_batch
from relayer.steps.backoff import CHANCES
from relayer.steps.events import Done, Gate, Park, Refused, Reported, Send, Wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from hub.core.height import Height
    from hub.core.ids import ClientId, PeerId
    from hub.core.record import FrameProof, StoredPacket
    from hub.ports.clock import Clock
    from hub.ports.leases import Fence
    from relayer.chain_clients import ChainClients
    from relayer.passing import Gone
    from relayer.switchboard import LaneDesk, Switchboard
    from relayer.turns import Turn

_log = structlog.get_logger()

GROUPS: Final = 4
"""Proofs of packets in order that go on as they came; more are one made afresh."""


class Delivery:
    """The carrier of one lane towards its destination, which this process owns."""

    linger: Final = Duration(100 * MILLISECOND)
    """That packets were delivered is information: its transaction is of many, and not in the way
    of the acknowledgement's, which changes the same row."""

    def __init__(self, board: Switchboard, desk: LaneDesk, fence: Fence) -> None:
        """Delivery of *desk*'s lane under the destination's *fence*."""
        self._board = board
        self._desk = desk
        self._fence = fence
        self._afresh = EMPTY
        self._denied = EMPTY
        """Found here and not carried: policy forbids them, and they end by their timeout."""

    def prove_afresh(self, items: RangeSet) -> None:
        """As the protocol says."""
        self._afresh |= items

    async def carry(
        self, send: Send, goes_on: Callable[[], None], turn: Turn | None = None
    ) -> Reported:
        """What the destination's chain made of the packets. Raises ``HubError``."""
        key, large = self._desk.key, self._board.large
        ends = key.destination_peer, key.source_peer
        async with large.holder(*ends, key.name, goes_on, turn) as holder:
            return await self._carry(send, holder)

    async def _carry(self, send: Send, holder: Holder) -> Reported:
        """As ``carry``, while *holder* keeps what room the packets take."""
        key = self._desk.key
        items, gone = await self._lapsed(send)
        packets, untried = await self._packets(items, holder)
        packets, denied = self._allowed(send, packets)
        if self._is_stopped():
            return Reported(send.number, EMPTY, untried=send.items)
        hit(Failpoint.DELIVERY_PLANNED)
        session = self._board.session(key.destination_peer)
        clients = self._board.clients_of(key.destination_peer)
        check = gates_check(self._desk, clients, key.destination_client)
        again = send.possible_duplicate
        parts = await self._together(packets, again=again)
        plans = map(planned, parts) if parts else self._plans(packets, gone, again=again)
        sent, goes_on = Failpoint.DELIVERY_SENT, holder.goes_on
        try:
            executed, refused = await carry_parts(session, plans, sent, goes_on, check)
        except GateChanged:  # nothing has left
            self._is_stopped()
            return Reported(send.number, EMPTY, untried=send.items)
        hit(Failpoint.DELIVERY_REPORTED)
        chance = self._board.randomness.below(CHANCES)
        next_item = await self._next_item(send, refused)
        refused = [*denied, *refused]
        return Reported(send.number, executed, tuple(refused), chance, next_item, untried)

    def _is_stopped(self) -> bool:
        view = self._desk.view
        return is_stopped(self._desk, view.lane.key.destination_peer, stops=not view.delivers)

    async def record(self, effect: Done | Park | Wait) -> RangeSet:
        """What the destination reported is durable; only a proof ends it. Raises ``HubError``."""
        registry = self._board.registry
        if isinstance(effect, Done):
            await registry.outcomes.record_delivered(self._fence, self._lane_id, effect.items)
            hit(Failpoint.DELIVERY_RECORDED)
            self._afresh -= effect.items
            return EMPTY
        if isinstance(effect, Park) and effect.item in self._denied:
            return EMPTY  # it is recorded as denied, and rests in the flow
        async with self._desk.settling:
            # What an outcome has ended meanwhile is no exception any more.
            ended = self._desk.view.destination.done
            noted = exceptions(effect, self._board.clock)
            found = [one for one in noted if one.sequence not in ended]
            if found:
                await registry.exceptions.put(self._fence, self._lane_id, found)
                log_parked(self._desk.key.name, found)
        return EMPTY

    @property
    def _lane_id(self) -> int:
        return self._desk.view.lane.lane_id

    def _allowed(
        self, send: Send, packets: Sequence[StoredPacket]
    ) -> tuple[list[StoredPacket], list[Refused]]:
        """Those that go to the destination, and the refusals of those that policy forbade.

        The flow does not get what is denied; this is what holds where it does. One that has lapsed
        is shown, so that a gateway which keeps order passes over it.
        """
        found = [one for one in packets if one.denial and one.sequence not in send.lapsed]
        if not found:
            return list(packets), []
        denied = RangeSet.of([one.sequence for one in found])
        self._denied |= denied
        _log.warning("denied_not_carried", lane=self._desk.key.name, sequences=str(denied))
        refused = [
            Refused(one.sequence, Refusal(Reason.POLICY_DENIES_ROUTE, one.denial, is_final=True))
            for one in found
        ]
        return [one for one in packets if one.sequence not in denied], refused

    async def _packets(
        self, items: RangeSet, holder: Holder
    ) -> tuple[Sequence[StoredPacket], RangeSet]:
        """The first packets of *items*, as many as there is room for, and the other items."""

        async def read(most: int) -> Found[Sequence[StoredPacket]]:
            found = await self._board.registry.packets.read(self._lane_id, items, most)
            size = size_of(found)
            return Found(content=found, items=len(found), size=size, is_cut=size >= most)

        found = await self._board.large.read(read, len(items), holder)
        packets = found.content
        if not found.is_cut:
            return packets, EMPTY
        if self._desk.view.lane.order is not Order.UNORDERED:
            # As many as go with one proof.
            packets = within(MAX_FRAME_BYTES, packets, _size)
        if items - RangeSet.span(0, packets[-1].sequence + 1):
            packets = whole_frames(packets)
        return packets, items - RangeSet.span(0, packets[-1].sequence + 1)

    async def _lapsed(self, send: Send) -> tuple[RangeSet, Gone | None]:
        """The items of *send* that go as packets, and what shows the gateway that others are gone.

        What has lapsed and still stands at the source is shown as a packet that is too late.
        """
        if not send.lapsed:
            return send.items, None
        asked = send.lapsed.take(MOST)
        rest = send.lapsed - asked
        items = send.items & RangeSet.span(0, rest.first) if rest else send.items
        found = await find_gone(self._board, self._desk.key, asked)
        return items - found.sequences, found if found.sequences else None

    async def _next_item(self, send: Send, refused: Sequence[Refused]) -> int:
        """What the gateway receives next, where it would not have the first item; else 0."""
        reasons = [one.refusal.reason for one in refused if one.item == send.items.first]
        is_enforced = self._desk.view.lane.order is Order.ENFORCED
        if not is_enforced or Reason.SEQUENCE_OUT_OF_ORDER not in reasons:
            return 0
        key = self._desk.key
        try:
            return await next_to_receive(self._board, key.destination_peer, key.destination_client)
        except HubError as error:
            _log.info("order_unknown", lane=key.name, reason=error.reason, detail=str(error))
            return 0

    async def _together(self, packets: Sequence[StoredPacket], *, again: bool) -> list[Part]:
        """Few parts of packets of very many proofs, in whatever order; none where they are few."""
        if self._desk.view.lane.order is not Order.UNORDERED:
            return []

        async def afresh(some: list[StoredPacket]) -> Part:
            return await self._part(some, again=again, afresh=True)

        return await merged(packets, _size, afresh)

    def _plans(
        self, packets: Sequence[StoredPacket], gone: Gone | None, *, again: bool
    ) -> Iterator[Awaitable[Part]]:
        """What is gone, and one part for each proof; only one where a gateway keeps no order."""
        if gone is not None:
            yield self._pass_over(gone)
        order = self._desk.view.lane.order
        if order is Order.UNORDERED:
            packets = sorted(packets, key=attrgetter("proof_id", "sequence"))
        groups = _by_proof(packets)
        if order is Order.BEST_EFFORT or (order is Order.ENFORCED and len(groups) > GROUPS):
            if groups:
                yield self._one_part(groups, again=again)
            return
        for group in groups:
            yield self._part(group, again=again)

    async def _one_part(self, groups: list[list[StoredPacket]], *, again: bool) -> Part:
        """What is in flight alone: packets of several proofs are proven afresh together.

        Where that fails, the first ones go by themselves.
        """
        if len(groups) > 1:
            packets = within(MAX_FRAME_BYTES, chain.from_iterable(groups), _size)
            try:
                return await self._part(packets, again=again, afresh=True)
            except HubError as error:
                lane, reason = self._desk.key.name, error.reason
                _log.info("not_proven_together", lane=lane, reason=reason, detail=str(error))
        return await self._part(groups[0], again=again)

    async def _part(
        self, packets: list[StoredPacket], *, again: bool, afresh: bool = False
    ) -> Part:
        """The execution that delivers *packets*; *again* if it may have been.

        They are all of one proof, unless they are to be proven *afresh*.
        """
        key = self._desk.key
        clients = self._board.clients_of(key.destination_peer)
        source = await self._board.keeper(key.source_peer)
        stored = await stored_proof(self._board.registry, packets[0].proof_id)
        proof = stored.proof
        is_whole = len(packets) + len(proof.skipped) == proof.leaf_count
        afresh = afresh or any(packet.sequence in self._afresh for packet in packets)
        is_current = stored.gate == self._desk.view.source.gate
        reaches = await clients.reaches(key.destination_client, proof.height)
        if is_whole and is_current and reaches and not afresh:
            receive = _receive(packets, proof)
        else:
            packets, receive = await self._prove_afresh(packets)
        state = await source.state(receive.proof_height.number)
        receive.proof_height.CopyFrom(height_to_proto(state.height))
        execution = await self._execution(state.height)
        execution.possible_duplicate = again
        execution.receive.CopyFrom(receive)
        sequences = RangeSet.of([packet.sequence for packet in packets])
        read = partial(self._read, sequences)
        return Part(execution, read, sequences=lambda: sequences)

    async def _pass_over(self, gone: Gone) -> Part:
        """The execution that shows the gateway what is gone."""
        execution = await self._execution(gone.height)
        execution.pass_over.CopyFrom(gone.message)
        return Part(execution, lambda report: self._read(gone.sequences, report))

    async def _execution(self, height: Height) -> pb.Execution:
        """An execution on the destination's chain, after the updates that *height* needs."""
        key = self._desk.key
        source = await self._board.keeper(key.source_peer)
        clients = self._board.clients_of(key.destination_peer)
        updates = await clients.updates(
            key.destination_client, source, height.number, self._board.clock.now()
        )
        return pb.Execution(
            lane=key.name,
            client=key.destination_client,
            updates=updates,
            in_order=self._desk.view.lane.order is not Order.UNORDERED,
        )

    async def _prove_afresh(
        self, packets: list[StoredPacket]
    ) -> tuple[list[StoredPacket], pb.Receive]:
        """The packets that still stand, with a new proof batch from the source's adapter."""
        key = self._desk.key
        by_leaf = {
            (commitment_key(key.source_client, packet.sequence), commit_packet(decoded)): packet
            for packet in packets
            for decoded in [decode_packet(packet.content)]
        }
        fresh = await fresh_batch(self._board, key.source_peer, list(by_leaf))
        standing = [by_leaf[leaf] for leaf in fresh.leaves]
        receive = pb.Receive(
            packets=[packet.content for packet in standing],
            proof_height=height_to_proto(fresh.height),
            proof_batch=fresh.content,
        )
        return standing, receive

    def _read(
        self, sequences: RangeSet, report: pb.ExecutionReport
    ) -> tuple[RangeSet, list[Refused]]:
        key = self._desk.key
        clients = self._board.chain_clients.get(key.destination_peer)
        executed, refusals = read_report(clients, key.destination_client, report, sequences)
        return executed, [Refused(sequence, refusal) for sequence, refusal in refusals]


def _by_proof(packets: Iterable[StoredPacket]) -> list[list[StoredPacket]]:
    """*packets* in order, those that follow each other under one proof together."""
    return [list(group) for _, group in groupby(packets, key=attrgetter("proof_id"))]


def _size(packet: StoredPacket) -> int:
    return len(packet.content)


def is_stopped(desk: LaneDesk, peer: PeerId, *, stops: bool) -> bool:
    """Whether the lane's way out to *peer* was stopped since the attempt began.

    That it *stops*, as the view says now, its flow hears at once: what is taken back stays there.
    """
    runner = desk.standing(peer)
    if runner is None:
        return stops
    if stops and not runner.flow.is_stopped:
        runner.feed(Gate(is_stopped=True))
    return stops or runner.flow.is_stopped


def gates_check(desk: LaneDesk, clients: ChainClients, client: ClientId) -> Callable[[], None]:
    """A check that no freeze, no pause, and no end of one has come to the lane since now.

    It raises ``GateChanged``, and forgets *client* of *clients*: updates do not leave that later
    ones count on. Source: design section 5 (only frames that left may still arrive).
    """
    before = desk.view.gates

    def check() -> None:
        for gate, now in zip(before, desk.view.gates, strict=True):
            if now != gate:
                clients.forget(client)
                raise GateChanged(lane=desk.key.name, gate=gate)

    return check


def exceptions(
    effect: Park | Wait, clock: Clock, sequences: Mapping[int, int] | None = None
) -> list[PacketException]:
    """The exceptions that *effect* asks to record; a wait without a refusal leaves none.

    *sequences* are those of the items, where the items are not sequences themselves.
    """
    if effect.refusal is None:
        return []
    is_parked = isinstance(effect, Park)
    due = None if isinstance(effect, Park) else clock.now() + (effect.due - clock.monotonic())
    items = [effect.item] if isinstance(effect, Park) else list(effect.items)
    return [
        PacketException(
            sequence=item if sequences is None else sequences[item],
            kind=ExceptionKind.PARKED if is_parked else ExceptionKind.RETRY,
            reason=effect.refusal.reason,
            detail=effect.refusal.detail,
            attempts=1 if isinstance(effect, Park) else effect.tries,
            next_attempt_at=Timestamp(due) if due is not None else None,
        )
        for item in items
    ]


def log_parked(lane: str, found: Sequence[PacketException]) -> None:
    """An operator hears of those of *found* that no further try can help."""
    for entry in found:
        if entry.kind is ExceptionKind.PARKED:
            _log.warning(
                "packet_parked",
                packet=f"{lane}/packets/{entry.sequence}",
                reason=entry.reason,
                detail=entry.detail,
            )


def _receive(packets: list[StoredPacket], proof: FrameProof) -> pb.Receive:
    skipped = [
        pb.SkippedLeaf(sequence=leaf.sequence, commitment=leaf.commitment) for leaf in proof.skipped
    ]
    receive = pb.Receive(
        packets=[packet.content for packet in packets],
        skipped=skipped,
        proof_batch=proof.content,
    )
    receive.proof_height.number = proof.height
    return receive
