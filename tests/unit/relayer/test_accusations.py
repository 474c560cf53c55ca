from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.misbehave import equivocate
from hub.core.errors import ConsensusStateDiffers, Reason, RegistryUnreachable
from hub.core.time import SECOND
from hub.wire.headers import decode_header, header_to_proto
from relayer.accusations import AGAIN_AFTER, LOOK_EVERY, Accusations
from relayer.refresh import ClientRefresh
from tests.harness.clock import settle, until
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from tests.harness.station import Station


@pytest.fixture
async def told(wired: Station) -> Station:
    """Suzhou's client of Hangzhou is mirrored; Hangzhou's validators then sign two truths."""
    await wired.desk()
    client = wired.exchange.key.destination_client
    fence = wired.exchange.fences[SUZHOU]
    await ClientRefresh(wired.board, fence).mirror(client)
    for _ in range(3):
        wired.exchange.grow(1)
        await wired.exchange.show(HANGZHOU, [wired.left.chain.height])
    keeper = await wired.keeper(HANGZHOU)
    await keeper.refresh()
    with pytest.raises(ConsensusStateDiffers):
        await keeper.add([equivocate(wired.left.chain, wired.left.chain.height).header])
    wired.exchange.grow(1)
    await wired.exchange.show(SUZHOU, [wired.right.chain.height])
    await (await wired.keeper(SUZHOU)).refresh()
    return wired


def accusations(board: Station) -> Accusations:
    found = Accusations(board.board, board.exchange.fences[SUZHOU])
    found.accuse(HANGZHOU)
    return found


async def show_newest(board: Station) -> None:
    """Suzhou's chain has made a block since, and the hub sees it."""
    board.exchange.grow(1)
    await board.exchange.show(SUZHOU, [board.right.chain.height])
    await (await board.keeper(SUZHOU)).refresh()


async def is_frozen(board: Station) -> bool:
    client = board.exchange.key.destination_client
    return (await board.registry.clients.chain_client(SUZHOU, client)).is_frozen


async def test_a_client_that_verifies_the_chain_is_frozen_and_the_evidence_says_so(
    told: Station,
) -> None:
    found, client = accusations(told), told.exchange.key.destination_client
    for _ in range(3):
        if not await found.round():
            break
        await show_newest(told)
    assert await is_frozen(told)
    [evidence] = await told.registry.clients.evidence(HANGZHOU)
    assert evidence.carried_to == ((SUZHOU, client),)
    sent = [one for one in told.right.executions if one.WhichOneof("action") == "misbehaviour"]
    assert sent[0].misbehaviour.peer == "peers/hangzhou"
    assert await found.round() == 0
    again = [one for one in told.right.executions if one.WhichOneof("action") == "misbehaviour"]
    assert again == sent


async def test_a_refusal_is_tried_again(told: Station) -> None:
    refusal = pb.Refusal(reason=Reason.CHAIN_UNREACHABLE, detail="away", retryable=True)
    told.right.reports = lambda one: pb.ExecutionReport(
        execution_id=one.execution_id, refused=[refusal]
    )
    found = accusations(told)
    assert await found.round() == 1
    assert not await is_frozen(told)
    [evidence] = await told.registry.clients.evidence(HANGZHOU)
    assert evidence.carried_to == ()
    told.right.reports = lambda _: None
    for _ in range(3):
        await found.round()
        await show_newest(told)
    assert await is_frozen(told)


async def test_a_client_that_is_not_mirrored_yet_is_waited_for(wired: Station) -> None:
    await wired.desk()
    client = wired.exchange.key.destination_client
    keeper = await wired.keeper(HANGZHOU)
    wired.exchange.grow(1)
    await wired.exchange.show(HANGZHOU, [wired.left.chain.height])
    await keeper.refresh()
    with pytest.raises(ConsensusStateDiffers):
        await keeper.add([equivocate(wired.left.chain, wired.left.chain.height).header])
    found = accusations(wired)
    assert await found.round() == 1
    assert wired.right.executions == []
    fence = wired.exchange.fences[SUZHOU]
    await ClientRefresh(wired.board, fence).mirror(client)
    for _ in range(3):
        await found.round()
        await show_newest(wired)
    assert await is_frozen(wired)


async def test_nothing_is_carried_of_a_chain_that_has_started_again(told: Station) -> None:
    anchor = told.exchange.anchor(HANGZHOU, told.left.chain.height)
    await told.registry.clients.recover(HANGZHOU, anchor, told.clock.now(), "mended", ADMIN)
    assert await accusations(told).carry(HANGZHOU)
    assert told.right.executions == []


async def test_a_chain_that_lies_again_is_accused_again(told: Station) -> None:
    found, clients = accusations(told), told.registry.clients
    for _ in range(3):
        await found.round()
        await show_newest(told)
    mirror = await clients.chain_client(SUZHOU, told.exchange.key.destination_client)
    told.exchange.grow(1)
    anchor = told.exchange.anchor(HANGZHOU, told.left.chain.height)
    await clients.recover(HANGZHOU, anchor, told.clock.now(), "mended", ADMIN)
    await clients.put_chain_client(told.exchange.fences[SUZHOU], replace(mirror, is_frozen=False))
    await told.clock.advance(SECOND)
    keeper = await told.keeper(HANGZHOU)
    await keeper.refresh()
    await keeper.begin()
    told.exchange.grow(1)
    await keeper.add([told.left.chain.light_block(told.left.chain.height).header])
    with pytest.raises(ConsensusStateDiffers):
        await keeper.add([equivocate(told.left.chain, told.left.chain.height).header])
    # This chain's client cannot start again: what it is told is looked at, and that it is frozen.
    told.right.reports = lambda one: pb.ExecutionReport(execution_id=one.execution_id)
    before = len(told.right.executions)
    found.accuse(HANGZHOU)
    for _ in range(3):
        await found.round()
        await show_newest(told)
    old, new = await clients.evidence(HANGZHOU)
    assert new.carried_to == old.carried_to == ((SUZHOU, mirror.client),)
    sent = [one.misbehaviour.first for one in told.right.executions[before:]]
    assert header_to_proto(decode_header(new.first)) in sent
    assert header_to_proto(decode_header(old.first)) not in sent


async def test_a_freeze_without_headers_is_the_hubs_alone(wired: Station) -> None:
    kept = (Reason.OUTCOME_DIFFERS, b"one", b"other")
    await wired.registry.clients.freeze(HANGZHOU, "two outcomes", kept, ADMIN)
    assert await accusations(wired).carry(HANGZHOU)


async def test_its_own_chain_is_told_nothing_of_itself(told: Station) -> None:
    own = Accusations(told.board, told.exchange.fences[HANGZHOU])
    own.accuse(HANGZHOU)
    assert await own.round() == 0


async def test_it_finds_what_was_frozen_before_and_goes_on_until_it_is_done(
    told: Station,
) -> None:
    found = Accusations(told.board, told.exchange.fences[SUZHOU])
    running = asyncio.ensure_future(found.run())
    for _ in range(8):
        await told.rests()
        if await is_frozen(told):
            break
        await show_newest(told)
        await told.clock.advance(AGAIN_AFTER)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await is_frozen(told)


async def test_a_hint_that_was_lost_and_a_registry_that_was_away_are_made_up_for(
    told: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = told.registry.clients.frozen

    async def away() -> object:
        raise RegistryUnreachable(problem="away")

    monkeypatch.setattr(told.registry.clients, "frozen", away)
    found = Accusations(told.board, told.exchange.fences[SUZHOU])
    running = asyncio.ensure_future(found.run())
    await settle()
    assert told.right.executions == []
    monkeypatch.setattr(told.registry.clients, "frozen", genuine)
    await told.clock.advance(LOOK_EVERY)
    await until(lambda: told.right.executions)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
