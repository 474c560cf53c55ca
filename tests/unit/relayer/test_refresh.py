from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import ClientNotFound
from hub.core.time import SECOND, Duration
from relayer.refresh import MIRROR_EVERY, ClientRefresh
from tests.harness.clock import until
from tests.harness.exchange import HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from hub.core.ids import ClientId
    from tests.harness.station import Station

PERIOD_S = 14 * 24 * 3600
"""Trusting period of the embedded chains' clients, in seconds."""


async def refresh_of(wired: Station) -> ClientRefresh:
    """Refreshes Hangzhou's client of Suzhou."""
    made = ClientRefresh(wired.board, wired.exchange.fences[HANGZHOU])
    made.add(await wired.desk())
    return made


def client_of(wired: Station) -> ClientId:
    return wired.exchange.key.source_client


async def pass_time(wired: Station, seconds: int) -> None:
    """The chains make a block that much later, and the hub sees Suzhou's."""
    wired.exchange.path.advance(seconds)
    await wired.clock.advance(Duration(seconds * SECOND))
    await wired.exchange.show(SUZHOU, [wired.exchange.chain(SUZHOU).height])
    await (await wired.keeper(SUZHOU)).refresh()


async def test_a_client_is_mirrored_with_proof(wired: Station) -> None:
    refresh, client = await refresh_of(wired), client_of(wired)
    with pytest.raises(ClientNotFound):
        await wired.registry.clients.chain_client(HANGZHOU, client)
    assert await refresh.mirror(client)
    found = await wired.registry.clients.chain_client(HANGZHOU, client)
    assert found.counterparty == wired.exchange.key.destination_client
    assert found.chain_id == wired.exchange.chain(SUZHOU).config.chain_id
    assert not found.is_frozen


async def test_a_mirrored_client_is_shown_again_after_a_while_and_not_before(
    wired: Station,
) -> None:
    refresh, client = await refresh_of(wired), client_of(wired)
    assert refresh.to_mirror() == [client]
    assert await refresh.mirror(client)
    assert refresh.to_mirror() == []
    await wired.clock.advance(MIRROR_EVERY)
    assert refresh.to_mirror() == [client]


async def test_a_client_that_has_not_half_of_its_period_behind_it_is_left_alone(
    wired: Station,
) -> None:
    refresh = await refresh_of(wired)
    await pass_time(wired, PERIOD_S // 4)
    assert not await refresh.refresh(client_of(wired), SUZHOU)
    assert wired.left.executions == []


async def test_a_clients_newest_header_is_read_once(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh, keeper = await refresh_of(wired), await wired.keeper(SUZHOU)
    asked: list[int] = []
    genuine = keeper.claimed_state

    async def counted(height: int) -> object:
        asked.append(height)
        return await genuine(height)

    monkeypatch.setattr(keeper, "claimed_state", counted)
    await pass_time(wired, PERIOD_S // 4)
    for _ in range(3):
        assert not await refresh.refresh(client_of(wired), SUZHOU)
    trusted = (await wired.board.clients_of(HANGZHOU).mirror(client_of(wired))).trusted
    assert asked == [trusted[-1]]
    await pass_time(wired, PERIOD_S // 4 + 3600)
    assert await refresh.refresh(client_of(wired), SUZHOU)
    asked.clear()
    await pass_time(wired, 3600)
    for _ in range(3):
        assert not await refresh.refresh(client_of(wired), SUZHOU)
    trusted = (await wired.board.clients_of(HANGZHOU).mirror(client_of(wired))).trusted
    assert asked == [trusted[-1]]


async def test_a_client_is_updated_at_half_of_its_period(wired: Station) -> None:
    refresh = await refresh_of(wired)
    await pass_time(wired, PERIOD_S // 2 + 3600)
    suzhou = wired.exchange.chain(SUZHOU)
    shown = suzhou.light_block(suzhou.height).header
    assert await refresh.refresh(client_of(wired), SUZHOU)
    [execution] = wired.left.executions
    assert execution.client == client_of(wired)
    assert execution.WhichOneof("action") is None
    assert execution.updates[-1].header.content == shown.content
    assert not await refresh.refresh(client_of(wired), SUZHOU)


async def test_an_update_that_the_chain_refuses_is_tried_again(wired: Station) -> None:
    refresh = await refresh_of(wired)
    await pass_time(wired, PERIOD_S // 2 + 3600)
    refused = pb.ExecutionReport(refused=[pb.Refusal(reason="CHAIN_UNREACHABLE", retryable=True)])
    wired.left.reports = lambda _: refused
    assert not await refresh.refresh(client_of(wired), SUZHOU)
    wired.left.reports = lambda _: None
    assert await refresh.refresh(client_of(wired), SUZHOU)


async def test_a_height_that_the_hub_never_saw_is_read_from_the_source(wired: Station) -> None:
    """Somebody else updated the client last."""
    refresh, suzhou = await refresh_of(wired), wired.exchange.chain(SUZHOU)
    await pass_time(wired, PERIOD_S // 2 + 3600)
    last = (await wired.board.clients_of(HANGZHOU).mirror(client_of(wired))).trusted[-1]
    wired.registry.state.headers[SUZHOU] = {
        height: kept
        for height, kept in wired.registry.state.headers[SUZHOU].items()
        if height == suzhou.height or height < last
    }
    assert await refresh.refresh(client_of(wired), SUZHOU)


async def test_it_goes_on_by_itself_whatever_fails(wired: Station) -> None:
    refresh = await refresh_of(wired)
    refused = pb.Answer(refusal=pb.Refusal(reason="CHAIN_UNREACHABLE", retryable=True))
    wired.left.answers = lambda _: refused
    running = asyncio.ensure_future(refresh.run())
    await wired.seconds(5)
    assert not running.done()
    wired.left.answers = lambda _: None
    await wired.seconds(5)
    await until(lambda: wired.registry.state.chain_clients)
    running.cancel()


async def test_both_ends_of_a_lane_are_clients_of_their_own_chains(wired: Station) -> None:
    out, back = await wired.desk(), await wired.board.desk(wired.exchange.key.reverse)
    for peer, client in (
        (HANGZHOU, wired.exchange.key.source_client),
        (SUZHOU, wired.exchange.key.destination_client),
    ):
        refresh = ClientRefresh(wired.board, wired.exchange.fences[peer])
        for desk in (out, back):
            refresh.add(desk)
        other = SUZHOU if peer == HANGZHOU else HANGZHOU
        assert refresh._clients == {client: other}
