"""Order that a gateway enforces: the next sequence only, and proof for what is passed over.

An adapter says in its hello whether its chain's gateway can. Where it cannot, it must refuse what
only such a gateway can do, so that nobody relies on an order that is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import mirrors, opening, traffic
from adapters.conformance.answers import demand_refusal
from adapters.conformance.check import check
from adapters.conformance.checks.receiving import late
from adapters.conformance.demand import demand, proven
from adapters.conformance.opening import Lanes
from hub.core.errors import Reason
from hub.core.ranges import RangeSet
from hub.wire.headers import height_to_proto

if TYPE_CHECKING:
    from adapters.conformance.counterparty import Counterparty
    from adapters.conformance.exam import Exam
    from hub.core.packet import Packet

ORDER_ENFORCED: Final = "order_enforced"


@dataclass(frozen=True, slots=True)
class Ordered:
    """The lanes of an ordered pair of clients."""

    lanes: Lanes
    chain: Counterparty
    """The examiner's chain, seen by its client of that pair."""

    def send(self, exam: Exam, *, lives_s: int = traffic.LONG_S) -> Packet:
        """The next packet to the adapter's chain, provable now."""
        [packet] = self.chain.send(exam.sender.receiver, traffic.AMOUNT, lives_s=lives_s)
        return packet


@check("relay.proto, Hello.order_enforceable, CreateClient.ordered; ICS-04, ordered channels")
async def order_enforced(exam: Exam) -> None:
    """An ordered pair receives its next sequence only; who cannot keep order makes no such pair."""
    if not await _can(exam):
        answer = await opening.create(exam, f"{exam.opening}-ordered", ordered=True)
        demand_refusal(answer, Reason.FIELD_INVALID)
        return
    pair = await ordered(exam)
    before = await traffic.held(exam, pair.lanes)
    first, second = pair.send(exam), pair.send(exam)
    execution = await traffic.receipt(exam, pair.lanes, [second])
    one = RangeSet.of([second.sequence])
    await traffic.refused(exam, execution, one, Reason.SEQUENCE_OUT_OF_ORDER)
    execution = await traffic.receipt(exam, pair.lanes, [first, second])
    await traffic.done(exam, execution, RangeSet.of([first.sequence, second.sequence]))
    await traffic.becomes(exam, pair.lanes, before + 2 * traffic.AMOUNT, locked=False)


@check("relay.proto, PassOver; design section 3 (order)")
async def passed_over(exam: Exam) -> None:
    """A refunded sequence is passed over by proof, once; one that still stands never is."""
    if not await _can(exam):
        lanes = await opening.lanes(exam)
        [packet] = traffic.send(exam, 1)
        # Its commitment stands; but who keeps no order passes over nothing, proven or not.
        execution = await _pass_over(exam, lanes, exam.counterparty, packet)
        await traffic.refused(exam, execution, RangeSet.of([packet.sequence]))
        await traffic.done(
            exam, await traffic.receipt(exam, lanes, [packet]), RangeSet.of([packet.sequence])
        )
        return
    pair = await ordered(exam)
    before = await traffic.held(exam, pair.lanes)
    lapsed = pair.send(exam, lives_s=traffic.whole(exam.patience.life))
    following = pair.send(exam)
    one, other = RangeSet.of([lapsed.sequence]), RangeSet.of([following.sequence])
    await traffic.refused(exam, await _pass_over(exam, pair.lanes, pair.chain, lapsed), one)
    await _refund(exam, pair, lapsed)
    execution = await traffic.receipt(exam, pair.lanes, [following])
    await traffic.refused(exam, execution, other, Reason.SEQUENCE_OUT_OF_ORDER)
    await traffic.done(exam, await _pass_over(exam, pair.lanes, pair.chain, lapsed), one)
    await traffic.done_before(exam, await _pass_over(exam, pair.lanes, pair.chain, lapsed), one)
    await traffic.done(exam, await traffic.receipt(exam, pair.lanes, [following]), other)
    await traffic.becomes(exam, pair.lanes, before + traffic.AMOUNT, locked=False)


async def ordered(exam: Exam) -> Ordered:
    """Lanes of an ordered pair of clients, open, and told to the adapter. Raises ``Failed``."""

    async def make() -> Ordered:
        await opening.followed(exam)
        answer = await opening.create(exam, f"{exam.opening}-ordered", ordered=True)
        here = await mirrors.read(answer, exam.follower)
        exam.trusted[here.client] = here.trusted
        chain, anchor = exam.counterparty.beside(), exam.subject.anchor
        with proven("a header that starts a client from the operator's anchor"):
            header = await exam.follower.header(anchor.height.number)
            chain.create(anchor, header, ordered=True)
            chain.bind(here.client, anchor.prefix)
        answer = await opening.register(exam, here, chain.anchor().prefix, chain.client)
        here = await mirrors.read(answer, exam.follower)
        found = here.counterparty
        demand(found is not None and found.ordered, "a counterparty, proven to be ordered", found)
        out, back = await exam.lanes(here, chain.client)
        return Ordered(Lanes(here, out, back), chain)

    return await exam.once(ORDER_ENFORCED, make)


async def _can(exam: Exam) -> bool:
    """Whether the adapter says that its chain's gateway can enforce order."""
    return (await exam.attached()).hello.order_enforceable


async def _pass_over(exam: Exam, lanes: Lanes, chain: Counterparty, packet: Packet) -> pb.Execution:
    """The execution that shows the sequence of *packet* to be gone."""
    shown = chain.gone(packet.sequence)
    gone = [pb.GoneSequence(sequence=packet.sequence, proof=shown.proof)]
    return pb.Execution(
        lane=lanes.back.key.name,
        client=lanes.here.client,
        updates=await exam.updates(lanes.here, shown.height.number),
        pass_over=pb.PassOver(
            gone=gone,
            next_sequence=shown.next_sequence,
            next_sequence_proof=shown.next_sequence_proof,
            proof_height=height_to_proto(shown.height),
        ),
    )


async def _refund(exam: Exam, pair: Ordered, packet: Packet) -> None:
    """The packet's absence is proven past its timeout, and refunds it on the examiner's chain."""
    at = await late(exam, packet)
    key = traffic.receipt_at(pair.lanes, packet.sequence)
    await traffic.absent(exam, key, f"receipt {packet.sequence}", at=at)
    answer = await exam.prove([key], at)
    await exam.teach(at, pair.chain)
    with proven("an absence by which the examiner's chain refunds"):
        height = exam.follower.state(at).height
        pair.chain.time_out(packet, height, answer.proofs.proofs[0])
