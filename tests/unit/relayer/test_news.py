from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import RegistryUnreachable
from hub.core.time import Duration
from relayer.news import POLL_EVERY, News
from tests.harness.clock import ManualClock
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.ports.watching import Written, WrittenLane
    from tests.harness.station import Station


def all_of_it(_: WrittenLane) -> bool:
    return True


def counted(news: News, monkeypatch: pytest.MonkeyPatch, watching: object) -> list[int]:
    """Positions since which it asks."""
    asked: list[int] = []
    genuine: Callable[[int], object] = watching.written  # type: ignore[attr-defined]

    async def written(since: int) -> Written:
        asked.append(since)
        return await genuine(since)  # type: ignore[misc, no-any-return]

    monkeypatch.setattr(watching, "written", written)
    return asked


async def test_all_sessions_of_a_process_ask_once_a_round(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    news = News(wired.registry, clock)
    asked = counted(news, monkeypatch, wired.registry.watching)
    left = await news.subscribe(HANGZHOU, all_of_it)
    right = await news.subscribe(SUZHOU, all_of_it)
    await wired.exchange.accept(wired.exchange.send(2))
    for _ in range(2):
        await news.ask()
    assert len(asked) == 1
    [mine], [theirs] = left.take(), right.take()
    assert (mine.lane_id, theirs) == (1, mine)
    assert len(mine.source.done) == 2
    assert not mine.is_changed
    await clock.advance(Duration(POLL_EVERY))
    await news.ask()
    assert len(asked) == 2
    assert left.take() == []


async def test_what_governs_is_told_to_whom_it_concerns(wired: Station) -> None:
    news = News(wired.registry, ManualClock())
    left = await news.subscribe(HANGZHOU, all_of_it)
    right = await news.subscribe(SUZHOU, lambda _: False)
    assert left.is_governed, "what was written before this began may be news"
    left.is_governed = right.is_governed = False
    await wired.registry.clients.freeze(SUZHOU, "inspection", None, ADMIN)
    await wired.exchange.allow("notary", "archive")
    await news.ask()
    assert (left.is_governed, right.is_governed) == (False, True)
    assert 1 in [lane.lane_id for lane in left.take() if lane.is_changed]
    assert right.take() == []


async def test_what_could_not_be_read_stays_and_nothing_is_missed(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    news = News(wired.registry, ManualClock())
    inbox = await news.subscribe(HANGZHOU, all_of_it)

    async def away(_: int) -> Written:
        raise RegistryUnreachable(problem="away")

    await wired.exchange.allow("notary", "archive")
    with monkeypatch.context() as patch:
        patch.setattr(wired.registry.watching, "written", away)
        with pytest.raises(RegistryUnreachable):
            await news.ask()
    await wired.exchange.accept(wired.exchange.send())
    await news.ask()
    [found] = inbox.take()
    assert (found.lane_id, found.is_changed, len(found.source.done)) == (1, True, 1)
    inbox.put([found])
    assert inbox.take() == [found]


async def test_a_later_session_of_the_same_peer_keeps_its_inbox(wired: Station) -> None:
    news = News(wired.registry, ManualClock())
    old = await news.subscribe(HANGZHOU, all_of_it)
    new = await news.subscribe(HANGZHOU, all_of_it)
    news.unsubscribe(HANGZHOU, old)
    await wired.exchange.accept(wired.exchange.send())
    await news.ask()
    assert (old.take(), len(new.take())) == ([], 1)
