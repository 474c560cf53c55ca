from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simchain.misbehave import Forgery, equivocate, forge_header
from hub.core.errors import ConsensusStateDiffers, RegistryUnreachable
from tests.harness.exchange import HANGZHOU

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor, Header, VerifiedHeader
    from hub.ports.leases import Fence
    from tests.harness.station import Station


@pytest.fixture
def written(wired: Station, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The heights of each call that stored some."""
    genuine, found = wired.registry.clients.add_headers, []

    async def counted(fence: Fence, under: Anchor, verified: Sequence[VerifiedHeader]) -> None:
        found.append([one.state.height.number for one in verified])
        await genuine(fence, under, verified)

    monkeypatch.setattr(wired.registry.clients, "add_headers", counted)
    return found


def new(board: Station, count: int) -> list[Header]:
    """Headers of blocks that the hub has yet to hear of."""
    board.exchange.grow(count)
    chain = board.left.chain
    return [
        chain.light_block(height).header
        for height in range(chain.height - count + 1, chain.height + 1)
    ]


async def test_what_rises_is_stored_at_once_across_sets_of_validators(
    wired: Station, written: list[list[int]]
) -> None:
    keeper, headers = await wired.keeper(HANGZHOU), new(wired, 30)
    newest = wired.left.chain.height
    assert len({header.validators for header in headers}) > 1
    await keeper.climb(headers)
    assert written == [list(range(newest - 29, newest + 1))]
    assert keeper.latest is not None
    assert keeper.latest.height.number == newest
    assert await keeper.add(headers) == written[0]
    assert len(written) == 1


async def test_it_ends_where_a_header_does_not_rise_or_is_forged(
    wired: Station, written: list[list[int]]
) -> None:
    keeper, headers = await wired.keeper(HANGZHOU), new(wired, 4)
    newest = wired.left.chain.height
    await keeper.climb([headers[0], headers[0], headers[1]])
    assert written == [[newest - 3]]
    forged = forge_header(wired.left.chain, newest - 1, Forgery.WRONG_KEYS).header
    await keeper.climb([headers[1], forged, headers[3]])
    assert written == [[newest - 3], [newest - 2]]
    await keeper.climb([forged])
    assert len(written) == 2


async def test_two_truths_are_left_to_who_judges_them(
    wired: Station, written: list[list[int]]
) -> None:
    keeper, headers = await wired.keeper(HANGZHOU), new(wired, 1)
    other = equivocate(wired.left.chain, wired.left.chain.height).header
    await keeper.climb([headers[0], other])
    assert len(written) == 1
    with pytest.raises(ConsensusStateDiffers):
        await keeper.add([other])
    await keeper.climb(new(wired, 2))
    assert len(written) == 1, "a frozen client follows nothing"


async def test_what_is_not_stored_is_not_believed(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, headers = await wired.keeper(HANGZHOU), new(wired, 2)
    before = keeper.latest

    async def away(*_: object) -> None:
        raise RegistryUnreachable(problem="away")

    with monkeypatch.context() as patch:
        patch.setattr(wired.registry.clients, "add_headers", away)
        with pytest.raises(RegistryUnreachable):
            await keeper.climb(headers)
    assert keeper.latest == before
    await keeper.climb(headers)
    assert keeper.latest != before


async def test_nothing_is_kept_where_the_client_starts_again_meanwhile(
    wired: Station, written: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, headers = await wired.keeper(HANGZHOU), new(wired, 2)
    genuine = keeper._risen

    async def slow(*given: object) -> list[VerifiedHeader]:
        found = await genuine(*given)  # type: ignore[arg-type]  # passed on
        keeper._latest = None  # as a refresh does that finds another anchor
        return found

    monkeypatch.setattr(keeper, "_risen", slow)
    await keeper.climb(headers)
    assert written == []
