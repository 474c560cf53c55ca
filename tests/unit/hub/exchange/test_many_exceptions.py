"""A lane may have hundreds of thousands of exceptions: a read takes no more than it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.core.record import ExceptionKind
from hub.core.time import Timestamp
from hub.exchange import census, lanes, listing, retries, status, story
from hub.ports.packets import ExceptionFilter
from tests.harness.exchange import ADMIN, Exchange

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.core.lane import LaneKey
    from hub.core.ranges import RangeSet
    from hub.ports.registry import Registry

DENIED = ExceptionFilter(kind=ExceptionKind.DENIED)
NOW = Timestamp(1_800_000_000_000_000_000)

READS: dict[str, Callable[[Registry, LaneKey], Awaitable[Any]]] = {
    "a lane": lanes.get,
    "lanes": lambda registry, _: lanes.page(registry, None, "", 9),
    "a packet": lambda registry, key: story.get(registry, key, 1),
    "a story": lambda registry, key: story.explain(registry, key, 1),
    "packets": lambda registry, key: story.page(registry, key, None, 0, 1),
    "denied packets": lambda registry, _: listing.by_exception(registry, DENIED, listing.START, 1),
    "the status": lambda registry, _: status.report(registry),
    "the census": lambda registry, _: census.take(registry, NOW),
    "what would be retried": lambda registry, key: retries.retry_named(
        registry, [(key, 1)], ADMIN, validate_only=True
    ),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
async def test_no_read_takes_all_exceptions_of_a_lane(
    read: Callable[[Registry, LaneKey], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = await Exchange.opened()
    await exchange.accept(exchange.send(3), denied="no")

    genuine = exchange.registry.exceptions.among

    async def some(lane_id: int, sequences: RangeSet) -> Any:
        assert len(sequences) <= 1000, "as many as one part of a page has"
        return await genuine(lane_id, sequences)

    monkeypatch.setattr(exchange.registry.exceptions, "among", some)
    assert await read(exchange.registry, exchange.key)
