from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from relayer.recent import HEADERS_KEPT, SETS_KEPT, STATES_KEPT, RecentHeaders
from tests.harness.exchange import ANCHOR_HEIGHT, HANGZHOU

if TYPE_CHECKING:
    from tests.harness.station import Station


@pytest.fixture
def recent(board: Station) -> RecentHeaders:
    return RecentHeaders(board.registry.clients, HANGZHOU)


async def test_what_was_read_once_is_not_asked_for_again(
    recent: RecentHeaders, board: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = board.registry.state.headers[HANGZHOU][5]
    digest = stored.state.next_validators_hash
    read = [await recent.state(5), await recent.header(5), await recent.validators(digest)]
    assert read[:2] == [stored.state, stored.header]
    assert read[2] == board.registry.state.validator_sets[digest]

    async def never(*_: Any) -> None:
        raise AssertionError

    for name in ("consensus_state", "header", "validators"):
        monkeypatch.setattr(board.registry.clients, name, never)
    again = [await recent.state(5), await recent.header(5), await recent.validators(digest)]
    assert again == read


async def test_what_is_not_stored_is_asked_for_again(recent: RecentHeaders, board: Station) -> None:
    stored = board.registry.state.headers[HANGZHOU].pop(5)
    assert (await recent.state(5), await recent.header(5)) == (None, None)
    assert await recent.validators(b"nothing") is None
    board.registry.state.headers[HANGZHOU][5] = stored
    assert (await recent.state(5), await recent.header(5)) == (stored.state, stored.header)


async def test_what_was_just_stored_is_known(recent: RecentHeaders, board: Station) -> None:
    stored = board.registry.state.headers[HANGZHOU].pop(5)
    recent.keep([stored])
    assert (await recent.state(5), await recent.header(5)) == (stored.state, stored.header)


async def test_what_is_kept_is_bounded_and_the_newest_uses_stay(
    recent: RecentHeaders, board: Station
) -> None:
    board.exchange.grow(STATES_KEPT + 10)
    await board.exchange.show_all()
    newest = board.exchange.path.left.height
    for height in range(ANCHOR_HEIGHT, newest + 1):
        state = await recent.state(height)
        assert state is not None
        await recent.header(height)
        await recent.validators(state.next_validators_hash)
    assert len(recent._states) == STATES_KEPT
    assert len(recent._headers) == HEADERS_KEPT
    assert len(recent._sets) == SETS_KEPT
    assert max(recent._states) == max(recent._headers) == newest
