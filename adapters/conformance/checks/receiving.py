"""Packets of the examiner's chain on the adapter's: executed once, by proof alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.conformance import opening, traffic
from adapters.conformance.check import check
from adapters.conformance.counterparty import Shown
from adapters.conformance.demand import demand, proven
from adapters.simchain.misbehave import forge_batch, forge_packet
from hub.core.errors import Reason
from hub.core.ranges import RangeSet
from hub.core.time import Duration, whole_seconds

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.conformance.exam import Exam
    from adapters.conformance.opening import Lanes
    from hub.core.packet import Packet

RECEIVE: Final = "receive"
_COUNT: Final = 3


@dataclass(frozen=True, slots=True)
class Received:
    """Packets that were executed on the adapter's chain."""

    lanes: Lanes
    packets: list[Packet]
    execution: pb.Execution
    held: int
    """Units that the receiver held after it."""

    @property
    def sequences(self) -> RangeSet:
        """Theirs."""
        return RangeSet.of([packet.sequence for packet in self.packets])


async def received(exam: Exam) -> Received:
    """Packets of the examiner's chain, executed on the adapter's. Raises ``Failed``."""

    async def make() -> Received:
        lanes = await opening.lanes(exam)
        before = await traffic.held(exam, lanes)
        exam.received_before = before - exam.counterparty.escrowed()
        packets = traffic.send(exam, _COUNT)
        execution = await traffic.receipt(exam, lanes, packets)
        after = before + _COUNT * traffic.AMOUNT
        found = Received(lanes, packets, execution, after)
        await traffic.done(exam, execution, found.sequences)
        await traffic.becomes(exam, lanes, after, locked=False)
        return found

    return await exam.once(RECEIVE, make)


@check("relay.proto, Receive, ExecutionReport; ICS-04 v2, RecvPacket")
async def receive(exam: Exam) -> None:
    """Proven packets are executed, reported as such, and their tokens arrive exactly."""
    await received(exam)


@check("design section 5 (effect exactly once); ibc-go v10, NOOP")
async def receive_again(exam: Exam) -> None:
    """The same packets again are already done, and have no second effect."""
    found = await received(exam)
    before = await traffic.held(exam, found.lanes)
    found.execution.possible_duplicate = True
    await traffic.done_before(exam, found.execution, found.sequences)
    # As another relayer would, who knows nothing of the first.
    execution = await traffic.receipt(exam, found.lanes, found.packets)
    await traffic.done_before(exam, execution, found.sequences)
    # Some that were received, and one that was not, in one execution.
    fresh = traffic.send(exam, 1)
    execution = await traffic.receipt(exam, found.lanes, [*found.packets, *fresh], again=True)
    all_of_them = RangeSet.of([packet.sequence for packet in (*found.packets, *fresh)])
    executed, done, refused = traffic.read(exam, await exam.execute(execution), all_of_them)
    wanted = f"{fresh[0].sequence} executed, {traffic.words(found.sequences)} already done"
    came = traffic.outcome(executed, done, refused)
    demand(done == found.sequences and len(executed) == 1, wanted, came)
    await traffic.becomes(exam, found.lanes, before + traffic.AMOUNT, locked=False)


@check("relay.proto, AcknowledgementBatch; design section 5")
async def acknowledgements_shown(exam: Exam) -> None:
    """What the chain answered is shown by itself, proven; the examiner's chain executes it."""
    found = await received(exam)
    book, sequences = found.lanes.back, found.sequences
    wanted = f"acknowledgements {traffic.words(sequences)}, with a proof that verifies"
    await exam.watch.until(lambda: not sequences - book.done, exam.patience.shown, wanted)
    by_sequence = {packet.sequence: packet for packet in found.packets}
    for batch in book.batches:
        if not RangeSet.of(batch.sequences) - sequences:
            await exam.teach(batch.height.number)
            packets = [by_sequence[number] for number in batch.sequences]
            with proven("acknowledgements that the examiner's chain executes by their proof"):
                exam.counterparty.acknowledge(
                    packets, batch.acknowledgements, batch.height, batch.proof
                )


@check("design section 1 (the destination checks every proof again); ICS-23")
async def forged_proof(exam: Exam) -> None:
    """A proof that does not prove its packet, and a packet that was never sent, have no effect."""
    lanes = await opening.lanes(exam)
    before = await traffic.held(exam, lanes)
    # Two, so that the batch is more than one path.
    packets = traffic.send(exam, 2)
    sequences = RangeSet.of([packet.sequence for packet in packets])
    shown = exam.counterparty.commitments(packets)
    forged = Shown(shown.height, forge_batch(shown.proof))
    execution = await traffic.receipt(exam, lanes, packets, forged)
    await traffic.refused(exam, execution, sequences)
    altered = [forge_packet(packets[0]), packets[1]]
    await traffic.refused(exam, await traffic.receipt(exam, lanes, altered, shown), sequences)
    for sequence in sequences:
        await traffic.absent(exam, traffic.receipt_at(lanes, sequence), f"receipt {sequence}")
    await traffic.becomes(exam, lanes, before, locked=False)
    execution = await traffic.receipt(exam, lanes, packets, shown)
    await traffic.done(exam, execution, sequences)
    await traffic.becomes(exam, lanes, before + 2 * traffic.AMOUNT, locked=False)


@check("ICS-04 v2, RecvPacket (the destination's own time); design section 3, a timeout")
async def late_packet(exam: Exam) -> None:
    """A packet past its timeout is not received; its absence is proven and refunds it at home."""
    lanes, chain = await opening.lanes(exam), exam.counterparty
    before, escrowed = await traffic.held(exam, lanes), chain.escrowed()
    [packet] = traffic.send(exam, 1, lives_s=traffic.whole(exam.patience.life))
    at = await late(exam, packet)
    one = RangeSet.of([packet.sequence])
    execution = await traffic.receipt(exam, lanes, [packet])
    await traffic.refused(exam, execution, one, Reason.TIMEOUT_ELAPSED)
    await _refund_at_home(exam, lanes, packet, at)
    demand(chain.escrowed() == escrowed, f"{escrowed} units in escrow", chain.escrowed())
    await traffic.becomes(exam, lanes, before, locked=False)


@check("relay.proto, Execution.in_order, ExecutionReport (sequence by sequence)")
async def late_among_others(exam: Exam) -> None:
    """Of the packets of one execution the late one alone is refused, also where order matters."""
    lanes = await opening.lanes(exam)
    before = await traffic.held(exam, lanes)
    lapsing = traffic.send(exam, 2, lives_s=traffic.whole(exam.patience.life))
    timely = traffic.send(exam, 2)
    at = await late(exam, lapsing[-1])
    for in_order, pair in zip((False, True), zip(lapsing, timely, strict=True), strict=True):
        execution = await traffic.receipt(exam, lanes, pair)
        execution.in_order = in_order
        asked = RangeSet.of([packet.sequence for packet in pair])
        executed, done, refused = traffic.read(exam, await exam.execute(execution), asked)
        reasons = {number: refusal.reason for number, refusal in refused.items()}
        wanted = f"{pair[0].sequence} refused by {Reason.TIMEOUT_ELAPSED}, the other executed"
        holds = reasons == {pair[0].sequence: Reason.TIMEOUT_ELAPSED} and len(executed) == 1
        demand(holds, wanted, traffic.outcome(executed, done, refused))
    await traffic.becomes(exam, lanes, before + 2 * traffic.AMOUNT, locked=False)
    for packet in lapsing:
        await _refund_at_home(exam, lanes, packet, at)


async def late(exam: Exam, packet: Packet) -> int:
    """The height of a header, shown by itself, that is at or past the packet's timeout."""

    def found() -> int:
        newest = exam.follower.newest
        if newest is None or whole_seconds(newest.time) < packet.timeout_timestamp:
            return 0
        return newest.height.number

    limit = Duration(exam.patience.life + exam.patience.shown)
    wanted = f"a header whose time is at or past {packet.timeout_timestamp}, shown by itself"
    return await exam.watch.until(found, limit, wanted)


async def _refund_at_home(exam: Exam, lanes: Lanes, packet: Packet, at: int) -> None:
    """The packet's absence is proven at *at*, and refunds it on the examiner's chain."""
    key = traffic.receipt_at(lanes, packet.sequence)
    await traffic.absent(exam, key, f"receipt {packet.sequence}", at=at)
    answer = await exam.prove([key], at)
    await exam.teach(at)
    with proven("an absence by which the examiner's chain refunds"):
        height = exam.follower.state(at).height
        exam.counterparty.time_out(packet, height, answer.proofs.proofs[0])
