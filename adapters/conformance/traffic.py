"""Packets both ways, as a relayer carries them: what an item of the exam starts from.

Source: relay.proto, Receive, Acknowledge, TimeOut, ExecutionReport; ICS-04 v2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import answers
from adapters.conformance.counterparty import TOKEN, USER
from adapters.conformance.demand import Failed, demand, proven
from adapters.conformance.exam import LOOK_AGAIN
from adapters.conformance.watch import REPORTS
from hub.core.paths import commitment_key, receipt_key
from hub.core.ranges import RangeSet
from hub.core.time import SECOND
from hub.wire.frames import ranges_from_proto
from hub.wire.headers import height_to_proto
from hub.wire.packet import encode_acknowledgement, encode_packet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.conformance.counterparty import Shown
    from adapters.conformance.exam import Exam
    from adapters.conformance.intake import Batch
    from adapters.conformance.opening import Lanes
    from hub.core.errors import Reason
    from hub.core.packet import Packet
    from hub.core.time import Duration

AMOUNT: Final = 3
"""Units of each transfer."""
LONG_S: Final = 1800
"""Seconds that a packet lives which shall not time out."""


def send(exam: Exam, count: int, *, lives_s: int = LONG_S) -> list[Packet]:
    """Packets of the examiner's chain to the adapter's, provable now. Raises ``NotExaminable``."""
    return exam.counterparty.send(exam.sender.receiver, AMOUNT, count=count, lives_s=lives_s)


async def receipt(
    exam: Exam,
    lanes: Lanes,
    packets: Sequence[Packet],
    shown: Shown | None = None,
    *,
    again: bool = False,
) -> pb.Execution:
    """The execution that delivers *packets* to the adapter's chain; *shown* proves them."""
    shown = shown or exam.counterparty.commitments(packets)
    return pb.Execution(
        lane=lanes.back.key.name,
        client=lanes.here.client,
        updates=await exam.updates(lanes.here, shown.height.number),
        possible_duplicate=again,
        receive=pb.Receive(
            packets=[encode_packet(packet) for packet in packets],
            proof_height=height_to_proto(shown.height),
            proof_batch=shown.proof,
        ),
    )


async def acknowledgement(exam: Exam, lanes: Lanes, packets: Sequence[Packet]) -> pb.Execution:
    """The execution that takes the examiner's answers to *packets* back to the adapter's chain."""
    chain = exam.counterparty
    shown = chain.acknowledgements([packet.sequence for packet in packets])
    answers = [encode_acknowledgement(chain.answer(packet.sequence)) for packet in packets]
    return pb.Execution(
        lane=lanes.out.key.name,
        client=lanes.here.client,
        updates=await exam.updates(lanes.here, shown.height.number),
        acknowledge=pb.Acknowledge(
            packets=[encode_packet(packet) for packet in packets],
            acknowledgements=answers,
            proof_height=height_to_proto(shown.height),
            proof_batch=shown.proof,
        ),
    )


async def time_out(exam: Exam, lanes: Lanes, packet: Packet) -> pb.Execution:
    """The execution that refunds *packet* of the adapter's chain, by the newest header."""
    shown = exam.counterparty.absence(packet.sequence)
    return pb.Execution(
        lane=lanes.out.key.name,
        client=lanes.here.client,
        updates=await exam.updates(lanes.here, shown.height.number),
        time_out=pb.TimeOut(
            packet=encode_packet(packet),
            proof_height=height_to_proto(shown.height),
            proof=shown.proof,
        ),
    )


async def sent(
    exam: Exam, lanes: Lanes, count: int, *, receiver: str = USER, lives_s: int = LONG_S
) -> RangeSet:
    """Sequences that users of the adapter's chain have sent to the examiner's."""
    client = lanes.here.client
    return await exam.sender.send(client, receiver, count=count, amount=AMOUNT, lives_s=lives_s)


async def taken(exam: Exam, lanes: Lanes, sequences: RangeSet) -> list[Batch]:
    """The batches in which *sequences* were shown, once all are durable. Raises ``Failed``."""
    book = lanes.out
    wanted = f"packets {words(sequences)} of {book.key.name}, shown with a proof that verifies"
    await exam.watch.until(lambda: not sequences - book.done, exam.patience.shown, wanted)
    return [batch for batch in book.batches if sequences & RangeSet.of(batch.sequences)]


async def received_here(exam: Exam, batches: Sequence[Batch]) -> None:
    """The examiner's chain has received what *batches* prove. Raises ``Failed``."""
    for batch in batches:
        await exam.teach(batch.height.number)
        with proven("packets that the examiner's chain receives by the proof that was shown"):
            exam.counterparty.receive(batch.packets, batch.height, batch.proof)


def read(
    exam: Exam, report: pb.ExecutionReport, sequences: RangeSet
) -> tuple[RangeSet, RangeSet, dict[int, pb.Refusal]]:
    """What *report* says was executed, was done before, and was refused, of *sequences*.

    Each is told of once, and no other. A refusal of the whole counts for each of them.
    """
    with proven("ranges of sequences"):
        executed = ranges_from_proto(report.executed)
        before = ranges_from_proto(report.already_done)
    refused = {refusal.sequence: refusal for refusal in report.refused}
    whole = refused.pop(0, None)
    if whole is not None:
        refused |= dict.fromkeys(sequences - executed - before, whole)
    told = [executed, before, RangeSet.of(refused)]
    is_once = len(told[0] | told[1] | told[2]) == sum(map(len, told))
    is_all = told[0] | told[1] | told[2] == sequences
    wanted = f"each of {words(sequences)} told of once: executed, done before, or refused"
    came = f"{words(told[0])}; {words(told[1])}; {words(told[2])}"
    exam.watch.hold(REPORTS, is_once and is_all, wanted, came)
    return executed, before, refused


async def done(exam: Exam, execution: pb.Execution, sequences: RangeSet) -> None:
    """All of *sequences* were executed by it. Raises ``Failed``."""
    executed, before, refused = read(exam, await exam.execute(execution), sequences)
    wanted = f"{words(sequences)} executed"
    demand(executed == sequences, wanted, outcome(executed, before, refused))


async def done_before(exam: Exam, execution: pb.Execution, sequences: RangeSet) -> None:
    """All of *sequences* had their effect before. Raises ``Failed``."""
    executed, before, refused = read(exam, await exam.execute(execution), sequences)
    wanted = f"{words(sequences)} already done, and nothing executed"
    demand(before == sequences, wanted, outcome(executed, before, refused))


async def refused(
    exam: Exam, execution: pb.Execution, sequences: RangeSet, *reasons: Reason
) -> None:
    """None of *sequences* was executed, for one of *reasons*, or any. Raises ``Failed``."""
    executed, before, why = read(exam, await exam.execute(execution), sequences)
    by = " or ".join(reasons) or "a reason"
    wanted = f"{words(sequences)} refused by {by}"
    is_why = all(one.reason in reasons or not reasons for one in why.values())
    demand(not (executed | before) and is_why, wanted, outcome(executed, before, why))


def outcome(executed: RangeSet, before: RangeSet, refused: dict[int, pb.Refusal]) -> str:
    """What a report said, for people."""
    told = [f"{words(executed)} executed"] if executed else []
    told += [f"{words(before)} already done"] if before else []
    told += [f"{number} refused, {one.reason}: {one.detail}" for number, one in refused.items()]
    return "; ".join(told) or "nothing"


async def held(exam: Exam, lanes: Lanes) -> int:
    """Units of the examiner's token that the receiver on the adapter's chain holds."""
    return await exam.sender.received(lanes.here.client, TOKEN)


async def becomes(exam: Exam, lanes: Lanes, units: int, *, locked: bool) -> None:
    """The receiver's vouchers, or else what is *locked*, come to exactly *units*."""
    what = "units locked on the adapter's chain" if locked else "units at the receiver"
    deadline = exam.clock.monotonic() + exam.patience.shown
    while True:
        found = await (exam.sender.locked(lanes.here.client) if locked else held(exam, lanes))
        if found == units:
            return
        if exam.clock.monotonic() >= deadline:
            raise Failed(f"{units} {what}", f"{found}")
        await exam.clock.sleep(LOOK_AGAIN)


async def absent(exam: Exam, key: bytes, what: str, *, at: int = 0) -> None:
    """Nothing stands at *key* on the adapter's chain, proven; soon where no height is given."""
    value = await _stands(exam, key, what, at=at, until_absent=True)
    demand(not value, f"no {what}", value.hex())


async def present(exam: Exam, key: bytes, what: str) -> bytes:
    """What stands at *key* on the adapter's chain now, proven. Raises ``Failed``."""
    value = await _stands(exam, key, what, at=0, until_absent=False)
    demand(value, what, "its absence, proven")
    return value


async def _stands(exam: Exam, key: bytes, what: str, *, at: int, until_absent: bool) -> bytes:
    """What is proven to stand at *key*; waits a while for its absence if that is wanted."""
    deadline = exam.clock.monotonic() + exam.patience.shown
    follower = exam.follower
    while True:
        answer = await exam.prove([key], at)
        shown = answer.proofs
        wanted = f"one proof of {what}"
        demand(len(shown.proofs) == len(shown.values) == 1, wanted, answers.words(answer))
        with proven(f"a proof of {what} that verifies"):
            await follower.header(shown.height.number)
            root, prefix = follower.state(shown.height.number).root, follower.anchor.prefix
            value, proof = shown.values[0], shown.proofs[0]
            if value:
                follower.light_client.verify_membership(root, prefix, key, value, proof)
            else:
                follower.light_client.verify_non_membership(root, prefix, key, proof)
        if not (value and until_absent and not at) or exam.clock.monotonic() >= deadline:
            return value
        await exam.clock.sleep(LOOK_AGAIN)


def commitment(lanes: Lanes, sequence: int) -> bytes:
    """Where a packet of the adapter's chain is committed to."""
    return commitment_key(lanes.here.client, sequence)


def receipt_at(lanes: Lanes, sequence: int) -> bytes:
    """Where the receipt of a packet of the examiner's chain stands."""
    return receipt_key(lanes.here.client, sequence)


def whole(duration: Duration) -> int:
    """*duration* (ns) in whole seconds, at least 1."""
    return max(duration // SECOND, 1)


def words(sequences: RangeSet) -> str:
    """The ranges of *sequences*, for people."""
    if not sequences:
        return "none"
    spans = [f"{low}-{high - 1}" if high - low > 1 else f"{low}" for low, high in sequences.ranges]
    return ", ".join(spans)
