from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import HeaderFromFuture
from hub.core.time import SECOND, Timestamp
from hub.light_clients.bisection import HeaderNeeded, Step
from relayer.bisection import STEPS_OF_A_TURN, Bisection, Trust, bisection, read
from tests.harness.exchange import ANCHOR_HEIGHT, HANGZHOU
from tests.harness.simchain import LIGHT_CLIENT

if TYPE_CHECKING:
    from hub.core.client import Header
    from hub.light_clients.bisection import Steps
    from tests.harness.station import Station


def header(wired: Station, height: int) -> Header:
    return wired.left.chain.light_block(height).header


async def trust_in(wired: Station, height: int) -> Trust:
    state = LIGHT_CLIENT.read_header(header(wired, height))
    return Trust(
        client=LIGHT_CLIENT,
        anchor=(await wired.keeper(HANGZHOU)).hub_client.anchor,
        state=state,
        validators=header(wired, height + 1).validators,
        now=Timestamp(state.time + 3600 * SECOND),
    )


async def test_what_is_above_is_verified_in_the_turn_that_reads_it(wired: Station) -> None:
    trust, newest = await trust_in(wired, ANCHOR_HEIGHT), header(wired, ANCHOR_HEIGHT + 2)
    claimed, begun = read(LIGHT_CLIENT, newest, trust)
    assert claimed == LIGHT_CLIENT.read_header(newest)
    assert begun is not None
    assert begun.needed is None
    assert [(one.header, one.state) for one in begun.verified] == [(newest, claimed)]


async def test_what_is_not_above_or_has_nothing_to_follow_is_read_only(wired: Station) -> None:
    trust, same = await trust_in(wired, ANCHOR_HEIGHT), header(wired, ANCHOR_HEIGHT)
    claimed = LIGHT_CLIENT.read_header(same)
    assert read(LIGHT_CLIENT, same, trust) == (claimed, None)
    assert read(LIGHT_CLIENT, header(wired, ANCHOR_HEIGHT + 2), None)[1] is None


async def test_what_does_not_verify_fails_the_turn(wired: Station) -> None:
    trust = await trust_in(wired, ANCHOR_HEIGHT)
    early = replace(trust, now=Timestamp(trust.state.time - 3600 * SECOND))
    with pytest.raises(HeaderFromFuture):
        read(LIGHT_CLIENT, header(wired, ANCHOR_HEIGHT + 2), early)


async def test_a_set_that_the_header_itself_carries_is_not_asked_for(wired: Station) -> None:
    trust = replace(await trust_in(wired, ANCHOR_HEIGHT), validators=None)
    way = bisection(trust, header(wired, ANCHOR_HEIGHT + 2), ANCHOR_HEIGHT + 2)
    way.proceed()
    assert way.needed is None
    assert len(way.verified) == 1


async def test_no_turn_verifies_more_than_a_few_headers(wired: Station) -> None:
    mine, below = header(wired, 9), header(wired, 8)
    sent: list[Header | None] = []

    def steps() -> Steps:
        sent.append((yield HeaderNeeded(9)))
        sent.append((yield HeaderNeeded(8)))
        for height in (6, 7, 8, 9):
            found = header(wired, height)
            yield Step(found, LIGHT_CLIENT.read_header(found))

    way = Bisection(await trust_in(wired, ANCHOR_HEIGHT), steps(), 9, mine)
    way.proceed()
    assert way.needed == 8
    way.proceed(below)
    assert (way.needed, len(way.verified)) == (0, STEPS_OF_A_TURN)
    way.proceed()
    assert (way.needed, len(way.verified)) == (0, 2 * STEPS_OF_A_TURN)
    way.proceed()
    assert way.needed is None
    assert sent == [mine, below]
    assert [one.state.height.number for one in way.verified] == [6, 7, 8, 9]
