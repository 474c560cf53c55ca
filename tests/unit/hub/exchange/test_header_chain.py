from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from hub.core.errors import FieldInvalid, HeaderNotFound, LimitExceeded
from hub.core.time import SECOND, Duration
from hub.exchange import header_chain as module
from hub.exchange.header_chain import header_chain
from tests.harness.exchange import ANCHOR_HEIGHT, HANGZHOU, Exchange


@pytest.fixture
async def exchange() -> Exchange:
    found = await Exchange.make()
    found.grow(60)
    await found.show_all()
    return found


async def heights(exchange: Exchange, start: int, target: int) -> list[int]:
    chain = await header_chain(
        exchange.registry, HANGZHOU, exchange.anchor(HANGZHOU), start, target
    )
    return [verified.state.height.number for verified in chain]


async def test_a_height_leads_to_itself(exchange: Exchange) -> None:
    assert await heights(exchange, 5, 5) == [5]


async def test_neighbours_need_nothing_between(exchange: Exchange) -> None:
    assert await heights(exchange, 5, 6) == [5, 6]


async def test_heights_rise_from_start_to_target(exchange: Exchange) -> None:
    found = await heights(exchange, ANCHOR_HEIGHT, 60)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (ANCHOR_HEIGHT, 60)
    assert 2 < len(found) < 20


async def test_only_stored_headers_are_used(exchange: Exchange) -> None:
    stored = exchange.registry.state.headers[HANGZHOU]
    for number in [n for n in stored if n % 2 and n not in {ANCHOR_HEIGHT, 60}]:
        del stored[number]
    found = await heights(exchange, ANCHOR_HEIGHT, 60)
    assert set(found) <= set(stored)


async def test_a_gap_longer_than_the_trusting_period_is_crossed_in_steps(
    exchange: Exchange,
) -> None:
    anchor = exchange.anchor(HANGZHOU)
    options = replace(anchor.options, trusting_period=Duration(8 * SECOND))
    short = replace(anchor, options=options)
    chain = await header_chain(exchange.registry, HANGZHOU, short, ANCHOR_HEIGHT, 60)
    times = [verified.state.time for verified in chain]
    assert all(b - a < 8 * SECOND for a, b in pairwise(times))


async def test_what_is_not_stored_or_not_above_is_refused(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HeaderNotFound):
        await heights(exchange, 1, 60)
    with pytest.raises(HeaderNotFound):
        await heights(exchange, ANCHOR_HEIGHT, 10_000)
    with pytest.raises(FieldInvalid):
        await heights(exchange, 6, 5)
    monkeypatch.setattr(module, "MAX_CHAIN", 2)
    with pytest.raises(LimitExceeded):
        await heights(exchange, ANCHOR_HEIGHT, 60)
