from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.cli import lanes
from hub.core.errors import ChainIdMismatch, ChainUnreachable
from hub.core.lane import LaneState

if TYPE_CHECKING:
    import pytest

    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange

BETWEEN = "hangzhou~suzhou"


async def running(exchange: Exchange) -> int:
    """The opening that runs, as soon as it was asked for."""
    while True:
        openings = await exchange.registry.lanes.running_openings()
        if openings:
            return openings[0].number
        await asyncio.sleep(0.01)


async def test_an_opening_is_followed_to_its_end(
    ydhub: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "ASK_EVERY_S", 0.01)
    command = asyncio.ensure_future(
        ydhub("lane", "open", "--from", "hangzhou", "--to", "suzhou", "--order", "enforced")
    )
    number = await running(exchange)
    registry = exchange.registry.lanes
    error = ChainUnreachable(chain="suzhou-1", problem="no answer")
    await registry.note_opening(number, step="creating clients", error=error, failed=False)
    await asyncio.sleep(0.2)
    await registry.finish_opening(number, [(exchange.key, 1), (exchange.key.reverse, 1)])
    found = await command
    assert found.code == 0
    assert "waiting for a relayer\n" in found.error
    assert "creating clients (CHAIN_UNREACHABLE: suzhou-1 does not answer: no answer)" in (
        found.error
    )
    assert ["state", "DONE"] in found.rows
    assert ["lane", exchange.key.name] in found.rows


async def test_an_opening_that_fails_is_told_by_its_reason(
    ydhub: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "ASK_EVERY_S", 0.01)
    command = asyncio.ensure_future(
        ydhub("lane", "open", "--from", "hangzhou", "--to", "suzhou", "--order", "enforced")
    )
    number = await running(exchange)
    error = ChainIdMismatch(got="a", expected="b")
    await exchange.registry.lanes.note_opening(number, step="failed", error=error, failed=True)
    found = await command
    assert found.code == 4
    assert "error CHAIN_ID_MISMATCH: " in found.error


async def test_patience_ends_and_the_opening_goes_on(ydhub: Desk) -> None:
    words = ("lane", "open", "--from", "hangzhou", "--to", "suzhou", "--order", "enforced")
    found = await ydhub(*words, "--wait-for", "300ms")
    assert found.code == 9
    assert "which goes on by itself, not answered within 300 ms" in found.error
    at_once = await ydhub(*words, "--no-wait", "-o", "json")
    assert (at_once.code, at_once.json["state"]) == (0, "STATE_RUNNING")


async def test_an_opening_names_two_peers(ydhub: Desk) -> None:
    assert (await ydhub("lane", "open", "--from", "hangzhou")).code == 2
    words = ("lane", "open", "--no-wait", "--from", "hangzhou", "--to")
    assert (await ydhub(*words, "nowhere")).code == 6
    assert (await ydhub(*words, "hangzhou")).code == 3
    assert (await ydhub(*words, "suzhou", "--wait-for", "soon")).code == 3


async def test_lanes_are_listed_and_found_by_their_ends(ydhub: Desk, exchange: Exchange) -> None:
    await exchange.accept(exchange.send(2))
    found = await ydhub("lane", "list", "--peer", "suzhou")
    assert [row[0] for row in found.rows[1:]] == sorted(
        [str(exchange.key), str(exchange.key.reverse)]
    )
    for name in (BETWEEN, str(exchange.key), exchange.key.name):
        lane = await ydhub("lane", "get", name, "-o", "json")
        assert (lane.json["name"], lane.json["acceptedCount"]) == (exchange.key.name, "2")


async def test_a_lane_is_paused_and_goes_on(ydhub: Desk, exchange: Exchange) -> None:
    paused = await ydhub("lane", "pause", BETWEEN, "--cause", "audit")
    assert paused.error == f"{exchange.key.name} is paused\n"
    assert ["stopped", "for", "audit"] in paused.rows
    assert (await exchange.registry.lanes.get(exchange.key)).state is LaneState.PAUSED
    again = await ydhub("lane", "pause", BETWEEN, "--cause", "audit")
    assert again.error == f"{exchange.key.name} was paused before\n"
    resumed = await ydhub("lane", "resume", BETWEEN)
    assert resumed.error == f"{exchange.key.name} goes on\n"
    assert (await ydhub("lane", "resume", BETWEEN)).error == (
        f"{exchange.key.name} was open before\n"
    )


async def test_a_lane_that_is_none_is_told(ydhub: Desk) -> None:
    found = await ydhub("lane", "get", "hangzhou~shanghai")
    assert found.code == 6
    assert "a lane from peers/hangzhou to peers/shanghai is not open here" in found.error
    assert (await ydhub("lane", "get", "hangzhou")).code == 3


async def test_a_lane_drains_for_a_cause(ydhub: Desk, exchange: Exchange) -> None:
    await exchange.accept(exchange.send(1))
    found = await ydhub("lane", "drain", BETWEEN, "--cause", "the last year")
    assert found.error == f"{exchange.key.name} drains\n"
    assert ["state", "DRAINING"] in found.rows
    again = await ydhub("lane", "drain", BETWEEN, "--cause", "again")
    assert again.error == f"{exchange.key.name} was draining before\n"
    resumed = await ydhub("lane", "resume", BETWEEN)
    assert ["state", "OPEN"] in resumed.rows
