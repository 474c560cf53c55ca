from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.commitment import commit_packet
from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    ChainUnreachable,
    Reason,
    RootMismatch,
)
from hub.core.lane import Order
from hub.core.paths import commitment_key
from hub.core.time import SECOND
from hub.ports.forwarding import ForwardedAnswer, ForwardKind
from hub.ports.lanes import OpeningPlan, OpeningState
from relayer.reproof import fresh_batch
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.simchain import TRANSFER
from tests.harness.station import open_all
from tests.harness.two_boards import TwoBoards, two_boards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PLAN = OpeningPlan(
    source=HANGZHOU,
    destination=SUZHOU,
    source_client=None,
    destination_client=None,
    from_sequence=0,
    order=Order.UNORDERED,
    allow_routes=((TRANSFER, TRANSFER),),
)


@pytest.fixture
async def two() -> AsyncIterator[TwoBoards]:
    async with two_boards() as found:
        yield found


async def answer(two: TwoBoards, kind: ForwardKind, content: bytes) -> ForwardedAnswer:
    """What Hangzhou's owner makes of a request of the other's."""
    forwarding = two.east.registry.forwarding
    number = await forwarding.ask(HANGZHOU, kind, content, "east-1")

    async def read() -> ForwardedAnswer:
        while (one := await forwarding.read(number)) is None:
            await two.east.clock.sleep(SECOND)
        return one

    return await two.done(read())


async def test_fresh_proofs_of_a_city_attached_elsewhere_are_verified_here(
    two: TwoBoards,
) -> None:
    packets = two.east.exchange.send(3)
    await two.east.know()
    leaves = [
        (commitment_key(one.source_client, one.sequence), commit_packet(one)) for one in packets
    ]
    fresh = await two.done(fresh_batch(two.east.board, HANGZHOU, leaves))
    assert list(fresh.leaves) == leaves
    assert two.west.left.requests[-1].HasField("proofs")


async def test_a_forged_answer_from_elsewhere_is_refused_here(two: TwoBoards) -> None:
    packets = two.east.exchange.send(2)
    await two.east.know()
    leaves = [
        (commitment_key(one.source_client, one.sequence), commit_packet(one)) for one in packets
    ]

    def forged(request: pb.Request) -> pb.Answer | None:
        if not request.HasField("proofs"):
            return None
        found = two.west.left.prove(request.proofs)
        if request.proofs.batch:
            found.proofs.proofs[0] = found.proofs.proofs[0][:-1] + b"\x00"
        return found

    two.west.left.answers = forged
    with pytest.raises(RootMismatch):
        await two.done(fresh_batch(two.east.board, HANGZHOU, leaves))


async def test_a_missing_header_is_verified_and_stored_by_its_owner(two: TwoBoards) -> None:
    two.east.exchange.grow(5)
    chain = two.west.left.chain
    height = chain.height - 1
    keeper = await two.east.keeper(HANGZHOU)
    header = await two.done(keeper.header(height))
    assert header == chain.light_block(height).header
    assert await two.east.registry.clients.consensus_state(HANGZHOU, height) is not None


async def test_a_refusal_of_the_adapter_is_the_same_from_afar(two: TwoBoards) -> None:
    refusal = pb.Refusal(reason="INTERNAL", detail="pruned", retryable=True)
    two.west.left.answers = lambda _: pb.Answer(refusal=refusal)
    request = pb.Request(headers=pb.HeaderRequest(heights=[1]))
    with pytest.raises(ChainUnreachable, match="pruned"):
        await two.done(two.east.board.reach(HANGZHOU).request(request))


async def test_a_lane_is_opened_between_cities_of_two_processes() -> None:
    async with two_boards(opened=False) as two:
        opening = await two.west.registry.lanes.start_opening(PLAN, ADMIN)
        await two.done(open_all(two.east.board, two.east.owners.keys()))
        assert (await two.west.registry.lanes.opening(opening.number)).step == ""
        await two.done(open_all(two.west.board, two.west.owners.keys()))
        found = await two.west.registry.lanes.opening(opening.number)
        assert found.state is OpeningState.DONE, found
        assert {one.WhichOneof("body") for one in two.east.right.requests} >= {
            "create_client",
            "register_counterparty",
        }


async def test_an_ordered_lane_asks_the_other_citys_hello(two: TwoBoards) -> None:
    hello = await two.done(two.west.board.reach(SUZHOU).introduced())
    assert hello == two.east.right.session.hello


async def test_packets_are_carried_by_their_owner_alone(two: TwoBoards) -> None:
    execution = pb.Execution(client="07-tendermint-0", receive=pb.Receive())
    found = await answer(two, ForwardKind.EXECUTION, execution.SerializeToString())
    assert found.reason == Reason.FRAME_INVALID
    assert two.west.left.executions == []


@pytest.mark.parametrize("kind", [ForwardKind.REQUEST, ForwardKind.HEADER, ForwardKind.EXECUTION])
async def test_what_is_no_request_is_refused(two: TwoBoards, kind: ForwardKind) -> None:
    assert (await answer(two, kind, b"\xff\xff")).reason == Reason.FRAME_INVALID


async def test_a_silent_adapter_is_told_as_such(two: TwoBoards) -> None:
    two.west.left.answers_nothing = True
    request = pb.Request(headers=pb.HeaderRequest(heights=[1]))
    with pytest.raises(AnswerOverdue):
        await two.done(two.east.board.reach(HANGZHOU).request(request))


async def test_hints_spare_the_wait_for_the_poll(two: TwoBoards) -> None:
    hints = asyncio.ensure_future(two.hints())
    before = two.east.clock.now()
    request = pb.Request(headers=pb.HeaderRequest(heights=[1]))
    await two.done(two.east.board.reach(HANGZHOU).request(request))
    assert two.east.clock.now() == before
    hints.cancel()


async def test_nobody_is_asked_where_the_other_process_has_given_the_peer_up(
    two: TwoBoards,
) -> None:
    await two.west.owners[HANGZHOU].stop()
    request = pb.Request(headers=pb.HeaderRequest(heights=[1]))
    with pytest.raises(AdapterOffline):
        await two.done(two.east.board.reach(HANGZHOU).request(request))


async def test_one_who_waits_learns_that_the_owner_has_gone(two: TwoBoards) -> None:
    two.west.left.answers_nothing = True
    request = pb.Request(headers=pb.HeaderRequest(heights=[1]))
    asking = asyncio.ensure_future(two.east.board.reach(HANGZHOU).request(request))
    await two.second()
    await two.west.owners[HANGZHOU].stop()
    await two.second()
    await two.second()
    with pytest.raises(AdapterOffline):
        await asking
    assert two.east.registry.state.forwarded == {}
