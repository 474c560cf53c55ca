"""Two truths of the examiner's chain freeze the adapter's chain's client of it, for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import opening, traffic
from adapters.conformance.check import check
from adapters.conformance.demand import demand
from adapters.simchain.misbehave import equivocate
from hub.core.errors import Reason
from hub.core.ranges import RangeSet
from hub.wire.headers import header_to_proto, height_to_proto

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam
    from adapters.conformance.mirrors import Mirror
    from hub.core.client import Header

MISBEHAVIOUR: Final = "misbehaviour"


@check("ICS-02, submitMisbehaviour; ICS-07; relay.proto, Misbehaviour")
async def false_accusation(exam: Exam) -> None:
    """Two headers that do not contradict each other are refused, and freeze nothing."""
    here, chain = await opening.taught(exam), exam.counterparty
    chain.block()
    chain.block()
    first, second = await chain.header(chain.newest - 1), await chain.header(chain.newest)
    report = await exam.execute(_accusation(exam, here, first, second))
    demand(report.refused, "a refusal: the headers agree", "none")
    mirror = await exam.mirror(here.client)
    demand(not mirror.state.is_frozen, "a client that goes on", "a frozen one")


@check("ICS-02, submitMisbehaviour; design section 4 (two valid headers at one height)")
async def misbehaviour(exam: Exam) -> None:
    """Two valid headers of one height freeze the client, and its proven state says so."""
    await _frozen(exam)


@check("ICS-02 (a frozen client proves nothing); design section 3, held")
async def frozen_client(exam: Exam) -> None:
    """Behind a frozen client nothing is executed any more, however well it is proven."""
    await _frozen(exam)
    lanes = await opening.lanes(exam)
    before = await traffic.held(exam, lanes)
    packets = traffic.send(exam, 1)
    execution = await traffic.receipt(exam, lanes, packets)
    one = RangeSet.of([packets[0].sequence])
    await traffic.refused(exam, execution, one, Reason.CLIENT_FROZEN)
    await traffic.becomes(exam, lanes, before, locked=False)


async def _frozen(exam: Exam) -> None:
    """The client is frozen. Raises ``Failed``."""

    async def make() -> None:
        here, chain = await opening.taught(exam), exam.counterparty
        chain.block()
        chain.block()
        genuine = await chain.header(chain.newest)
        other = equivocate(chain.chain, chain.newest).header
        report = await exam.execute(_accusation(exam, here, genuine, other))
        refusals = [f"{one.reason}: {one.detail}" for one in report.refused]
        demand(not refusals, "misbehaviour executed", refusals)
        wanted = "a frozen client, proven"
        await exam.mirrored(here.client, lambda mirror: mirror.state.is_frozen, wanted)

    await exam.once(MISBEHAVIOUR, make)


def _accusation(exam: Exam, here: Mirror, first: Header, second: Header) -> pb.Execution:
    """The execution that shows both headers to the client."""
    chain = exam.counterparty
    trusted = max(exam.trusted[here.client])
    height = height_to_proto(chain.height(trusted))
    validators = chain.chain.config.schedule.at(trusted + 1).content
    found = pb.Misbehaviour(
        peer=f"peers/{exam.subject.examiner}",
        first=header_to_proto(first),
        second=header_to_proto(second),
        first_trusted_height=height,
        second_trusted_height=height,
        first_trusted_validators=validators,
        second_trusted_validators=validators,
    )
    return pb.Execution(client=here.client, misbehaviour=found)
