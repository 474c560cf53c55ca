"""A pair of clients and their lanes, built as a relayer opens them, each step when it is needed.

Source: design section 3, "lane open"; ICS-02 v2 (CreateClient, RegisterCounterparty).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import mirrors
from adapters.conformance.demand import Failed, demand, proven
from hub.wire.headers import header_to_proto

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam
    from adapters.conformance.intake import Book
    from adapters.conformance.mirrors import Mirror
    from hub.core.ids import ClientId

HEADERS_SHOWN: Final = "headers_shown"
CREATE_CLIENT: Final = "create_client"
COUNTERPARTY: Final = "counterparty"
UPDATE_CLIENT: Final = "update_client"


@dataclass(frozen=True, slots=True)
class Lanes:
    """Both lanes of one pair of clients."""

    here: Mirror
    """The adapter's chain's client of the examiner's chain, as it was when they were opened."""
    out: Book
    """From the adapter's chain to the examiner's."""
    back: Book
    """From the examiner's chain to the adapter's."""


async def followed(exam: Exam) -> None:
    """The adapter has shown its anchor's header, and a newer one; both verify."""

    async def make() -> None:
        await exam.attached()
        anchor, follower = exam.subject.anchor.height.number, exam.follower

        def is_newer() -> bool:
            return follower.newest is not None and follower.newest.height.number > anchor

        wanted = "the header of the anchor and a newer one, unasked"
        await exam.watch.until(is_newer, exam.patience.shown, wanted)

    await exam.once(HEADERS_SHOWN, make)


async def created(exam: Exam) -> Mirror:
    """The client that the adapter created from its operator's own anchor of the examiner."""

    async def make() -> Mirror:
        await followed(exam)
        mirror = await mirrors.read(await create(exam, exam.opening), exam.follower)
        exam.trusted[mirror.client] = mirror.trusted
        return mirror

    return await exam.once(CREATE_CLIENT, make)


async def create(exam: Exam, opening: str, *, ordered: bool = False) -> pb.Answer:
    """The adapter's answer to CreateClient, with the anchor's header if it asks for that."""
    request = pb.CreateClient(
        peer=f"peers/{exam.subject.examiner}",
        chain_id=exam.counterparty.chain.config.chain_id,
        ordered=ordered,
        opening=opening,
    )
    session = await exam.attached()
    answer = await session.ask(create_client=request)
    if answer.HasField("anchor_header_needed"):
        number = answer.anchor_header_needed.height.number
        with proven(f"a height of the examiner's chain, up to {exam.counterparty.newest}"):
            header = await exam.counterparty.header(number)
        request.anchor_header.CopyFrom(header_to_proto(header))
        answer = await session.ask(create_client=request)
    return answer


async def bound(exam: Exam) -> Mirror:
    """That client, bound to the examiner's client of the adapter's chain."""

    async def make() -> Mirror:
        here, chain = await created(exam), exam.counterparty
        anchor = exam.subject.anchor
        with proven("a header that starts a client from the operator's anchor"):
            chain.create(anchor, await exam.follower.header(anchor.height.number))
            chain.bind(here.client, anchor.prefix)
        answer = await register(exam, here, chain.anchor().prefix)
        mirror = await mirrors.read(answer, exam.follower)
        demand(mirror.client == here.client, f"the client {here.client}", mirror.client)
        return mirror

    return await exam.once(COUNTERPARTY, make)


async def register(
    exam: Exam, here: Mirror, prefix: tuple[bytes, ...], there: ClientId | None = None
) -> pb.Answer:
    """The adapter's answer to RegisterCounterparty with that *prefix*, and the client *there*.

    That is the examiner's first client unless another is named.
    """
    request = pb.RegisterCounterparty(
        client=here.client,
        counterparty_client=there or exam.counterparty.client,
        counterparty_prefix=prefix,
    )
    return await (await exam.attached()).ask(register_counterparty=request)


async def taught(exam: Exam) -> Mirror:
    """That client, which trusts a header of the examiner's chain."""

    async def make() -> Mirror:
        here = await bound(exam)
        exam.counterparty.block()
        await update(exam, here, exam.counterparty.newest)
        return await exam.mirror(here.client)

    return await exam.once(UPDATE_CLIENT, make)


async def update(exam: Exam, here: Mirror, target: int) -> pb.ExecutionReport:
    """The report of the updates alone that lead to *target*. Raises ``Failed`` where refused."""
    updates = await exam.updates(here, target)
    report = await exam.execute(pb.Execution(client=here.client, updates=updates))
    if report.refused:
        came = f"{report.refused[0].reason}: {report.refused[0].detail}"
        raise Failed(f"the update to height {target} executed", came)
    return report


async def lanes(exam: Exam) -> Lanes:
    """Both lanes, open, and told to the adapter."""

    async def make() -> Lanes:
        here = await taught(exam)
        out, back = await exam.lanes(here, exam.counterparty.client)
        return Lanes(here, out, back)

    return await exam.once(UPDATE_CLIENT + ", then lanes", make)
