"""Packets of the adapter's chain: shown once, resumed where the hub stands, settled once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.conformance import opening, traffic
from adapters.conformance.check import check
from adapters.conformance.counterparty import PORT
from adapters.conformance.demand import demand
from adapters.conformance.intake import Treatment
from hub.core.errors import Reason
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam
    from adapters.conformance.intake import Batch
    from adapters.conformance.opening import Lanes
    from hub.core.packet import Packet

PACKETS_SHOWN: Final = "packets_shown"
ACKNOWLEDGE: Final = "acknowledge"
_NOBODY: Final = "nobody!"
"""Can be no account on the examiner's chain."""


async def shown(exam: Exam) -> tuple[Lanes, list[Batch]]:
    """Packets of the adapter's chain, shown and durable. Raises ``Failed``."""

    async def make() -> tuple[Lanes, list[Batch]]:
        lanes = await opening.lanes(exam)
        before = await exam.sender.locked(lanes.here.client)
        sequences = await traffic.sent(exam, lanes, 3)
        batches = await traffic.taken(exam, lanes, sequences)
        await traffic.becomes(exam, lanes, before + 3 * traffic.AMOUNT, locked=True)
        return lanes, batches

    return await exam.once(PACKETS_SHOWN, make)


async def settled(exam: Exam) -> tuple[Lanes, list[Packet]]:
    """Packets of the adapter's chain whose acknowledgements it has executed. Raises ``Failed``."""

    async def make() -> tuple[Lanes, list[Packet]]:
        lanes, batches = await shown(exam)
        before = await exam.sender.locked(lanes.here.client)
        packets = await _answered(exam, lanes, batches)
        # What has arrived stays locked as long as its vouchers are abroad.
        await traffic.becomes(exam, lanes, before, locked=True)
        return lanes, packets

    return await exam.once(ACKNOWLEDGE, make)


@check("relay.proto, PacketBatch; design section 5")
async def packets_shown(exam: Exam) -> None:
    """Committed packets are shown by themselves with a proof batch that verifies."""
    lanes, batches = await shown(exam)
    for packet in [packet for batch in batches for packet in batch.packets]:
        ports = {(one.source_port, one.destination_port) for one in packet.payloads}
        demand(ports == {(PORT, PORT)}, f"payloads between the ports {PORT}", ports)
    await exam.quiet()
    demand(lanes.out.done, "packets that stay shown", "none")


@check("relay.proto, Welcome.item_credits; design section 5 (backpressure by credits)")
async def credits(exam: Exam) -> None:  # noqa: A001 - the protocol's word
    """With room for two items, two are shown, and two more each time that they are answered."""
    lanes, _ = await shown(exam)
    exam.leave()
    session = exam.welcomed(await exam.dialled(), item_credits=2)
    exam.intake.treat = lambda _: Treatment.IGNORE
    try:
        sequences = await traffic.sent(exam, lanes, 5)
        wanted = "two packets, as many as there is room for"
        seen = exam.intake.shown_of(lanes.out.key)
        first = seen()
        await exam.watch.until(lambda: len(seen() - first) >= 2, exam.patience.shown, wanted)  # noqa: PLR2004
        await exam.quiet()
        demand(len(seen() - first) == 2, wanted, f"{len(seen() - first)} packets")  # noqa: PLR2004
        demand(not session.is_over, "a session that waits for room", "its end")
    finally:
        exam.intake.treat = lambda _: Treatment.ANSWER
    await exam.intake.answer_ignored()
    await traffic.taken(exam, lanes, sequences)


@check("design section 5 (resumption from durable cursors); relay.proto, Welcome, LaneCursor")
async def resumption(exam: Exam) -> None:
    """After a cut, exactly what is not durable is shown: nothing twice, and nothing left out."""
    lanes, _ = await shown(exam)
    book = lanes.out
    exam.leave()
    exam.welcomed(await exam.dialled(), item_credits=3)
    before = book.done
    # Durable, but the adapter is not told: the relayer died in between.
    exam.intake.treat = lambda _: Treatment.KEEP_SILENT
    try:
        sequences = await traffic.sent(exam, lanes, 6)
        wanted = "three packets, as many as there is room for"
        await exam.watch.until(lambda: len(book.done - before) >= 3, exam.patience.shown, wanted)  # noqa: PLR2004
        exam.leave()
        # Shown, but not durable: the relayer died earlier.
        exam.intake.treat = lambda _: Treatment.IGNORE
        exam.welcomed(await exam.dialled())
        seen = exam.intake.shown_of(book.key)
        rest = sequences - book.done
        wanted = f"packets {traffic.words(rest)}, which are not durable"
        await exam.watch.until(lambda: not rest - seen(), exam.patience.shown, wanted)
        await exam.quiet()
        came = seen() - book.done
        demand(came == rest, wanted + ", and no other", traffic.words(came))
        exam.leave()
    finally:
        exam.intake.treat = lambda _: Treatment.ANSWER
    exam.welcomed(await exam.dialled())
    await traffic.taken(exam, lanes, sequences)
    await exam.quiet()


@check("relay.proto, Acknowledge; ICS-04 v2, AcknowledgePacket")
async def acknowledge(exam: Exam) -> None:
    """Proven acknowledgements are executed; the packets' commitments are gone, proven."""
    lanes, packets = await settled(exam)
    for packet in packets:
        key = traffic.commitment(lanes, packet.sequence)
        await traffic.absent(exam, key, f"commitment {packet.sequence}")


@check("design section 3 (completed; sent again until it is); ibc-go v10, NOOP")
async def acknowledge_again(exam: Exam) -> None:
    """The same acknowledgements again are already done, and have no second effect."""
    lanes, packets = await settled(exam)
    before = await exam.sender.locked(lanes.here.client)
    sequences = RangeSet.of([packet.sequence for packet in packets])
    for may_be_again in (True, False):
        execution = await traffic.acknowledgement(exam, lanes, packets)
        execution.possible_duplicate = may_be_again
        await traffic.done_before(exam, execution, sequences)
    await traffic.becomes(exam, lanes, before, locked=True)


@check("ICS-04 v2, error acknowledgement; ICS-20, refund")
async def error_acknowledgement(exam: Exam) -> None:
    """An acknowledgement that says error refunds the sender, once."""
    lanes = await opening.lanes(exam)
    before = await exam.sender.locked(lanes.here.client)
    sequences = await traffic.sent(exam, lanes, 1, receiver=_NOBODY)
    batches = await traffic.taken(exam, lanes, sequences)
    await traffic.becomes(exam, lanes, before + traffic.AMOUNT, locked=True)
    packets = await _answered(exam, lanes, batches)
    await traffic.becomes(exam, lanes, before, locked=True)
    execution = await traffic.acknowledgement(exam, lanes, packets)
    await traffic.done_before(exam, execution, sequences)
    await traffic.becomes(exam, lanes, before, locked=True)


@check("ICS-04 v2, TimeoutPacket; design section 3 (one header gives both: time and absence)")
async def time_out(exam: Exam) -> None:
    """A packet is refunded once, by its proven absence at a header past its timeout, not before."""
    lanes = await opening.lanes(exam)
    await _refused_early(exam, lanes)
    before = await exam.sender.locked(lanes.here.client)
    life = traffic.whole(exam.patience.life)
    sequences = await traffic.sent(exam, lanes, 1, lives_s=life)
    [packet] = await _packets(exam, lanes, sequences)
    await _until(exam, packet.timeout_timestamp)
    execution = await traffic.time_out(exam, lanes, packet)
    await traffic.done(exam, execution, sequences)
    await traffic.becomes(exam, lanes, before, locked=True)
    key = traffic.commitment(lanes, packet.sequence)
    await traffic.absent(exam, key, f"commitment {packet.sequence}")
    exam.refunded |= sequences
    await traffic.done_before(exam, await traffic.time_out(exam, lanes, packet), sequences)
    await traffic.becomes(exam, lanes, before, locked=True)


@check("ICS-20, conservation; design section 3 (executed XOR refunded)")
async def conservation(exam: Exam) -> None:
    """What is locked on either chain is what stands as vouchers on the other, to the unit."""
    lanes, _ = await settled(exam)
    chain = exam.counterparty
    open_ones = [batch for batch in lanes.out.batches if not _is_ended(exam, batch)]
    await _answered(exam, lanes, open_ones)
    await traffic.becomes(exam, lanes, chain.vouchers(), locked=True)
    await traffic.becomes(exam, lanes, exam.received_before + chain.escrowed(), locked=False)


async def _refused_early(exam: Exam, lanes: Lanes) -> None:
    """A packet whose timeout is far away is not refunded. Raises ``Failed``."""
    sequences = await traffic.sent(exam, lanes, 1)
    [packet] = await _packets(exam, lanes, sequences)
    before = await exam.sender.locked(lanes.here.client)
    exam.counterparty.block()
    execution = await traffic.time_out(exam, lanes, packet)
    await traffic.refused(exam, execution, sequences, Reason.TIMEOUT_NOT_REACHED)
    key = traffic.commitment(lanes, packet.sequence)
    await traffic.present(exam, key, f"commitment {packet.sequence}, which still stands")
    await traffic.becomes(exam, lanes, before, locked=True)


async def _packets(exam: Exam, lanes: Lanes, sequences: RangeSet) -> list[Packet]:
    """The packets of these *sequences*, once they are shown. Raises ``Failed``."""
    batches = await traffic.taken(exam, lanes, sequences)
    shown = [packet for batch in batches for packet in batch.packets]
    return [packet for packet in shown if packet.sequence in sequences]


async def _answered(exam: Exam, lanes: Lanes, batches: list[Batch]) -> list[Packet]:
    """The packets of *batches*, received by the examiner's chain and acknowledged at home."""
    await traffic.received_here(exam, batches)
    packets: list[Packet] = []
    for batch in batches:
        execution = await traffic.acknowledgement(exam, lanes, batch.packets)
        await traffic.done(exam, execution, RangeSet.of(batch.sequences))
        packets += batch.packets
    return packets


async def _until(exam: Exam, seconds: int) -> None:
    """The examiner's newest header is at or past *seconds*."""
    chain = exam.counterparty
    while True:
        chain.block()
        left = seconds - chain.seconds
        if left <= 0:
            chain.block()
            return
        await exam.clock.sleep(Duration(left * SECOND))


def _is_ended(exam: Exam, batch: Batch) -> bool:
    chain = exam.counterparty
    answer = chain.chain.ledger.answer
    return all(
        number in exam.refunded or answer(chain.client, number) is not None
        for number in batch.sequences
    )
