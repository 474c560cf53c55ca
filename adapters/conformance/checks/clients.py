"""Clients on the adapter's chain: created from its operator's anchor, bound, proven, updated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import mirrors, opening
from adapters.conformance.answers import demand_refusal, words
from adapters.conformance.check import check
from adapters.conformance.counterparty import OPTIONS
from adapters.conformance.demand import demand
from adapters.simchain.misbehave import Forgery, equivocate, forge_header
from hub.core.errors import Reason
from hub.core.ids import ClientId
from hub.wire.headers import header_to_proto, height_to_proto

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam
    from adapters.conformance.mirrors import Mirror


@check("design section 1 (no trust anchor ever comes from the hub); relay.proto, CreateClient")
async def anchors(exam: Exam) -> None:
    """A client of a peer, or of a chain, that no anchor file of the operator names is refused."""
    session, chain = await exam.attached(), exam.counterparty.chain
    asked = pb.CreateClient(
        peer="peers/nobody", chain_id=chain.config.chain_id, opening=f"{exam.opening}-nobody"
    )
    answer = await session.ask(create_client=asked)
    demand_refusal(answer, Reason.ANCHOR_INVALID, Reason.ANCHOR_MISMATCH)
    asked = pb.CreateClient(
        peer=f"peers/{exam.subject.examiner}",
        chain_id="nobody-1",
        opening=f"{exam.opening}-nobody",
    )
    answer = await session.ask(create_client=asked)
    demand_refusal(answer, Reason.ANCHOR_INVALID, Reason.ANCHOR_MISMATCH)


@check("design section 1; relay.proto, CreateClient.anchor_header (compared with the anchor's)")
async def anchor_header(exam: Exam) -> None:
    """A header that the operator's anchor does not name starts no client, whoever signed it."""
    await opening.followed(exam)
    session, chain = await exam.attached(), exam.counterparty
    created = await opening.created(exam)
    height = created.pending or min(created.trusted)
    chain.block()
    # Signed by the whole set: only the anchor's hash can tell it from the genuine one.
    for header in (equivocate(chain.chain, height).header, await chain.header(chain.newest)):
        asked = pb.CreateClient(
            peer=f"peers/{exam.subject.examiner}",
            chain_id=chain.chain.config.chain_id,
            opening=f"{exam.opening}-forged",
            anchor_header=header_to_proto(header),
        )
        answer = await session.ask(create_client=asked)
        demand_refusal(answer, Reason.ANCHOR_MISMATCH, Reason.ANCHOR_INVALID)


@check("relay.proto, CreateClient; design section 3, lane open")
async def create_client(exam: Exam) -> None:
    """A client is created from the operator's anchor, proven, and found again by its opening."""
    mirror = await opening.created(exam)
    chain_id = exam.counterparty.chain.config.chain_id
    demand(mirror.state.chain_id == chain_id, f"a client of {chain_id}", mirror.state.chain_id)
    demand(mirror.state.options == OPTIONS, f"the anchor's options {OPTIONS}", mirror.state.options)
    demand(not mirror.state.is_frozen, "a client that is not frozen", "a frozen one")
    demand(mirror.counterparty is None, "a client without a counterparty", mirror.counterparty)
    again = await mirrors.read(await opening.create(exam, exam.opening), exam.follower)
    demand(again.client == mirror.client, f"the same client {mirror.client}", again.client)


@check("ICS-02 v2, RegisterCounterparty; relay.proto, RegisterCounterparty.counterparty_prefix")
async def counterparty(exam: Exam) -> None:
    """It is bound to the client at the other end; not with another prefix; again is success."""
    here = await opening.created(exam)
    session = await exam.attached()
    if exam.counterparty.client == ClientId(""):
        asked = pb.RegisterCounterparty(
            client=here.client,
            counterparty_client="07-tendermint-0",
            counterparty_prefix=[b"another"],
        )
        answer = await session.ask(register_counterparty=asked)
        demand_refusal(answer, Reason.ANCHOR_MISMATCH)
    mirror = await opening.bound(exam)
    found, wanted = mirror.counterparty, exam.counterparty
    demand(found is not None, "a counterparty, proven", "none")
    if found is not None:
        demand(found.client == wanted.client, f"the counterparty {wanted.client}", found.client)
        prefix = wanted.anchor().prefix
        demand(found.prefix == prefix, f"the prefix {prefix}", found.prefix)
    answer = await opening.register(exam, here, wanted.anchor().prefix)
    again = await mirrors.read(answer, exam.follower)
    demand(again.counterparty == found, f"the same counterparty {found}", again.counterparty)


@check("relay.proto, ClientQuery, ClientMirror")
async def client_mirror(exam: Exam) -> None:
    """A client is found by its id and by the chain that it verifies, proven under a header."""
    here = await opening.bound(exam)
    await exam.mirror(here.client)
    session = await exam.attached()
    query = pb.ClientQuery(chain_id=exam.counterparty.chain.config.chain_id)
    answer = await session.ask(client=query)
    demand(answer.HasField("clients"), "clients of the examiner's chain", words(answer))
    shown = answer.clients.clients
    for one in shown:
        await mirrors.prove(one, exam.follower)
    names = [one.client for one in shown]
    demand(here.client in names, f"{here.client} among them", names)
    answer = await session.ask(client=pb.ClientQuery(chain_id="nobody-1"))
    none = answer.HasField("clients") and not answer.clients.clients
    demand(none, "no client of a chain that none verifies", words(answer))
    answer = await session.ask(client=pb.ClientQuery(client="07-tendermint-999999"))
    demand_refusal(answer, Reason.CLIENT_NOT_FOUND)


@check("relay.proto, UpdateStep, ExecutionReport.trusted_heights; design section 5")
async def update_client(exam: Exam) -> None:
    """Updates are executed in order, and the report names the heights that are trusted now."""
    here, chain = await opening.taught(exam), exam.counterparty
    for _ in range(3):
        chain.block()
    target = chain.newest
    updates = await exam.updates(here, target)
    report = await opening.update(exam, here, target)
    heights = [height.number for height in report.trusted_heights]
    demand(target in heights, f"the trusted height {target}", heights)
    demand(heights == sorted(set(heights)), "trusted heights, the newest last", heights)
    latest = chain.height(target)

    def is_latest(mirror: Mirror) -> bool:
        return mirror.state.latest_height == latest

    await exam.mirrored(here.client, is_latest, f"the latest height {latest}, proven")
    again = await exam.execute(pb.Execution(client=here.client, updates=updates))
    demand(not again.refused, "success where the headers are known already", list(again.refused))


@check("design section 1 (the chain's own client judges every header); ICS-07")
async def forged_header(exam: Exam) -> None:
    """A header that the examiner's chain never decided is refused, and nothing comes of it."""
    here, chain = await opening.taught(exam), exam.counterparty
    chain.block()
    target = chain.newest
    trusted = max(exam.trusted[here.client])
    for forgery in Forgery:
        step = pb.UpdateStep(
            trusted_height=height_to_proto(chain.height(trusted)),
            header=header_to_proto(forge_header(chain.chain, target, forgery).header),
            trusted_validators=chain.chain.config.schedule.at(trusted + 1).content,
        )
        report = await exam.execute(pb.Execution(client=here.client, updates=[step]))
        demand(report.refused, f"a refusal of a header forged by {forgery}", "none")
        heights = [height.number for height in report.trusted_heights]
        demand(target not in heights, f"no trust in height {target}", heights)
    mirror = await exam.mirror(here.client)
    demand(not mirror.state.is_frozen, "a client that goes on: nobody misbehaved", "a frozen one")
    await opening.update(exam, mirror, target)
