"""What the ways out of a lane are told, also where the registry fails in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.core.errors import RegistryUnreachable
from hub.core.ranges import RangeSet
from hub.core.time import SECOND
from relayer.news import POLL_EVERY
from tests.harness.clock import until
from tests.harness.exchange import HANGZHOU, SUZHOU
from tests.unit.relayer.test_owner import accepted, brought

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.packet import Packet
    from tests.harness.station import Station


async def poll(station: Station) -> None:
    await station.seconds(POLL_EVERY // SECOND)
    await station.rests()


def failing(times: int, genuine: Callable[..., Any]) -> Callable[..., Any]:
    """*genuine*, after it has failed so many *times*."""
    left = [RegistryUnreachable(problem="away")] * times

    async def asked(*what: Any) -> Any:
        if left:
            raise left.pop()
        return await genuine(*what)

    return asked


async def denied(station: Station) -> list[Packet]:
    """Packets that were accepted and denied here, of which the lane's desk knows that alone."""
    desk = await station.fresh_desk()
    packets = station.exchange.send(2)
    await station.exchange.accept(packets, denied="no route")
    desk.accepted(desk.view, RangeSet.of([packet.sequence for packet in packets]))
    return packets


async def test_what_this_process_denied_is_not_delivered_though_the_lane_had_no_exception(
    owned: Station,
) -> None:
    """The desk's own view says nothing of exceptions that came after it was read."""
    await accepted(owned.exchange)
    await poll(owned)
    await until(lambda: sum(brought(owned.right)) == 2)
    desk = await owned.desk()
    await denied(owned)
    assert not desk.view.has_exceptions
    owner = owned.owners[SUZHOU]
    await owner.sync(desk, desk.view)
    await owned.rests()
    runner = desk.standing(SUZHOU)
    assert runner is not None
    assert runner.flow.pending == RangeSet()
    assert sum(brought(owned.right)) == 2


async def test_news_that_failed_on_their_way_to_a_delivery_are_told_at_the_next_poll(
    owned: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    exceptions = owned.registry.exceptions
    desk = await owned.desk()
    await denied(owned)
    await poll(owned)
    await accepted(owned.exchange)
    with monkeypatch.context() as patch:
        patch.setattr(exceptions, "ranges", failing(1, exceptions.ranges))
        with pytest.raises(RegistryUnreachable):
            await owned.owners[SUZHOU].lane_changed(desk.view.lane.lane_id)
    assert len(desk.view.source.done) == 4
    assert brought(owned.right) == []
    await poll(owned)
    await until(lambda: sum(brought(owned.right)) == 2)


async def test_news_that_failed_on_their_way_back_are_told_at_the_next_poll(
    owned: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await owned.desk()
    packets = await accepted(owned.exchange)
    await owned.exchange.deliver(packets)
    await owned.exchange.acknowledge(packets)
    with monkeypatch.context() as patch:
        patch.setattr("relayer.feeding.frame_starts", failing(1, failing))
        with pytest.raises(RegistryUnreachable):
            await owned.owners[HANGZHOU].lane_changed(desk.view.lane.lane_id)
    assert brought(owned.left) == []
    await poll(owned)
    await until(lambda: sum(brought(owned.left)) == 2)


async def test_a_poll_that_fails_at_one_lane_comes_back_to_it_and_to_those_after_it(
    owned: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody has read of them is in no later answer of the registry."""
    exchange = owned.exchange
    await accepted(exchange)
    owner = owned.owners[SUZHOU]
    genuine, asked = owner.sync, []
    away = [True]

    async def sync(desk: Any, view: Any, known: Any = None) -> None:
        asked.append(desk.key)
        if away:
            away.pop()
            raise RegistryUnreachable(problem="away")
        await genuine(desk, view, known)

    desks = [await owned.board.desk(key) for key in (exchange.key, exchange.key.reverse)]
    for desk in desks:
        owner._read.see(desk)
    monkeypatch.setattr(owner, "sync", sync)
    with pytest.raises(RegistryUnreachable):
        await owner._sync_read()
    await owner._sync_read()
    assert asked == [desks[0].key, desks[0].key, desks[1].key]
