"""Ten thousand lanes at rest cost nothing: counted in what is touched, not in time."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import ContextVar
from dataclasses import replace
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.ids import ClientId
from hub.core.lane import Side
from hub.core.ranges import RangeSet
from hub.ports.watching import Written
from relayer.timeouts import TIDY_EVERY
from tests.harness.clock import until
from tests.harness.exchange import HANGZHOU, SUZHOU
from tests.harness.registry import open_lanes
from tests.harness.station import station

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.ports.registry import Registry
    from tests.harness.station import Station

PAIRS = 5_000
"""Of lanes, one each way."""
PARTS = ("lanes", "packets", "outcomes", "exceptions", "clients", "leases", "watching")


@pytest.fixture
async def crowded() -> AsyncIterator[Station]:
    """Two peers with ten thousand lanes between them, one pair of which is known to the chains."""
    async with station() as board:
        key = board.exchange.key
        others = [
            replace(key, source_client=client, destination_client=client)
            for client in [ClientId(f"07-tendermint-{number}") for number in range(9, PAIRS + 8)]
        ]
        pairs = [(lane, 1) for other in others for lane in (other, other.reverse)]
        await open_lanes(board.registry, pairs, source=HANGZHOU, destination=SUZHOU, routes=())
        await board.own()
        yield board


def counted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each question was asked of the registry."""
    asked: Counter[str] = Counter()
    inside = ContextVar("inside", default=False)

    def count(part: object, name: str, label: str) -> None:
        genuine = getattr(part, name)

        @wraps(genuine)
        async def counting(*arguments: Any, **more: Any) -> Any:
            if inside.get():  # the twin's parts ask each other
                return await genuine(*arguments, **more)
            asked[label] += 1
            token = inside.set(True)
            try:
                return await genuine(*arguments, **more)
            finally:
                inside.reset(token)

        monkeypatch.setattr(part, name, counting)

    for kind in PARTS:
        part = getattr(registry, kind)
        for name in dir(part):
            if not name.startswith("_") and iscoroutinefunction(getattr(part, name)):
                count(part, name, f"{kind}.{name}")

    async def nothing(since: int) -> Written:
        return Written(position=since, peers=[], lanes=[])

    # The twin compares everything to find out what was written; a database does not.
    monkeypatch.setattr(registry.watching, "written", nothing)
    return asked


async def goes_by(board: Station) -> None:
    """Half a minute: both chains make blocks, and the hub has their headers."""
    for _ in range(TIDY_EVERY):
        board.exchange.path.advance(1)
        await board.know()
        await board.seconds(1)


async def test_half_a_minute_of_ten_thousand_lanes_at_rest_asks_no_lane_anything(
    crowded: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = crowded.owners.values()
    assert [len(owner._lanes) for owner in owners] == [2 * PAIRS, 2 * PAIRS]
    assert [owner._runners for owner in owners] == [[], []]
    assert len(asyncio.all_tasks()) < 100
    await crowded.seconds(TIDY_EVERY)
    assert [len(owner._timeouts.watch) + len(owner._holes.watch) for owner in owners] == [0, 0]
    asked = counted(crowded.registry, monkeypatch)
    await goes_by(crowded)
    of_lanes = {name for name in asked if name.partition(".")[0] in {"lanes", "exceptions"}}
    assert of_lanes == set()
    assert not {name for name in asked if name.startswith(("packets.", "outcomes."))}
    assert asked["leases.renew_all"] <= 2 * TIDY_EVERY
    assert all(not session.ended.is_set() for session in crowded.board.sessions.values())


async def test_a_lane_that_wakes_up_is_the_only_one_that_is_looked_at(
    crowded: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowded.seconds(TIDY_EVERY)
    asked = counted(crowded.registry, monkeypatch)
    packets = crowded.exchange.send(3)
    await crowded.left.show()
    verdict = await crowded.left.verdict(packets=crowded.left.packets(packets))
    assert [(span.first, span.last) for span in verdict.accepted] == [(1, 3)]
    await until(lambda: crowded.right.executions)
    crowded.exchange.path.advance()
    await crowded.right.show()
    await crowded.right.verdict(acknowledgements=crowded.right.acknowledgements(packets))
    await goes_by(crowded)
    side = crowded.registry.state.lanes[1].sides[Side.SOURCE]
    await until(lambda: side.progress.truth == RangeSet.span(0, 3))
    assert [len(owner._runners) for owner in crowded.owners.values()] == [1, 1]
    assert asked["lanes.routes"] == 1
    assert asked["packets.accept"] == asked["outcomes.record"] == 1
    assert asked["packets.drop_ended_timeouts"] == 1
    assert asked["packets.due_timeouts"] == 0
    assert asked["lanes.views"] + asked["lanes.view"] == 0
    assert asked["exceptions.ranges"] == 1  # its way back looks once at what was tried before


async def test_taking_over_ten_thousand_lanes_asks_in_pages(
    crowded: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowded.exchange.accept(crowded.exchange.send(2))
    await crowded.owners[SUZHOU].stop()
    asked = counted(crowded.registry, monkeypatch)
    await crowded.own(SUZHOU)
    await until(lambda: crowded.right.executions)
    assert asked["lanes.views"] <= 2 * PAIRS // 500 + 1
    assert asked["exceptions.ranges"] == 1
    assert asked["exceptions.of_lane"] == asked["lanes.routes"] == asked["lanes.view"] == 0
    assert len(crowded.owners[SUZHOU]._runners) == 1
