"""Two faults: the second strikes while what the first struck comes back.

The first is a death at a failpoint. The second is a death of the same process at another one, or
kill -9 of any process, at a moment that chance chooses; what it strikes is started again at once.

Source: reliability notes section 7.3 (R3).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from adapters.sdk.failpoints import Failpoint as City
from hub.cli.clock import wall_clock
from hub.cli.dev.layout import HUB, POSTGRES, RELAYER
from hub.core.time import Duration
from hub.wire.failpoints import KILLED
from relayer.failpoints import Failpoint as Hub
from tests.faults import matrix
from tests.faults.trial import NotFired
from tests.harness.network import FAILPOINT, HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from random import Random

    from hub.core.lane import LaneKey
    from tests.faults.matrix import Kill
    from tests.faults.trial import Site
    from tests.harness.network import LiveNetwork

SAME: Final = "same process"
CHAIN, ADAPTER = "a chain", "an adapter"
SECONDS: Final = (SAME, SAME, RELAYER, CHAIN, ADAPTER, POSTGRES, HUB)
"""What the second fault strikes."""
LATEST_MS: Final = 1500
"""After the first one's process was started again."""
_SELDOM: Final = {
    Hub.OPENING_STEPPED,
    Hub.REFUND_SENT,
    Hub.TIMEOUT_DUE,
    Hub.ABSENCE_PROVEN,
    Hub.ABSENCE_COMMITTED,
    City.REFUND_EXECUTED,
}
"""A second life need not come to them: what they are of may have been done in the first."""


def second_of(chance: Random) -> str:
    """What the second fault of a pair strikes."""
    return chance.choice(SECONDS)


async def same(site: Site, chance: Random) -> Duration:
    """As ``Strike``: both are of one process."""
    return await strike(site, chance, SAME)


async def strike(site: Site, chance: Random, second: str) -> Duration:
    """As ``Strike``, from the start after the second fault."""
    live = site.live
    first = _first(chance, second)
    other = SUZHOU if first.process == HANGZHOU else HANGZHOU
    await matrix.prepare(live, first)
    await matrix.die(live, first)
    lane = live.lane(other, matrix.other(other))
    if second == SAME:
        again = _again(chance, first)
        live.network.launch(again.victim(live), {FAILPOINT: again.armed})
        await _load_again(live, lane, again)
        try:
            status = await live.died(again.victim(live), f"at {again}")
        except AssertionError as error:
            raise NotFired(f"{first}, then {again}: {error}") from None
        if status != KILLED:
            raise NotFired(f"{first}, then {again} ended with {status}")
        struck = again.victim(live)
    else:
        live.network.launch(first.victim(live))
        struck = _process(live, second, other)
        await asyncio.sleep(chance.randrange(LATEST_MS) / 1000)
        if live.network.number(struck) is None:
            raise NotFired(f"{first}, then {struck}, which did not run")
        await live.kill(struck)
    return await _ends(live, struck, lane_source=other)


async def _load_again(live: LiveNetwork, lane: LaneKey, again: Kill) -> None:
    """The second life has work of every kind: to execute, and to be answered."""
    await live.send(lane, matrix.PACKETS)
    if again.victim(live) not in matrix.CITIES:
        await live.send(lane.reverse, matrix.PACKETS)


def _process(live: LiveNetwork, second: str, city: str) -> str:
    """The process that the second fault strikes; of a city, that of *city*."""
    return {CHAIN: city, ADAPTER: live.adapters[city]}.get(second, second)


async def _ends(live: LiveNetwork, struck: str, *, lane_source: str) -> Duration:
    began = wall_clock()
    if struck == POSTGRES:
        await live.start_postgres()
    else:
        live.network.launch(struck)
    # A city sends again once its chain answers.
    if struck in matrix.CITIES:
        await live.until(lambda: live.network.answers(struck), struck)
    lane = live.lane(lane_source, matrix.other(lane_source))
    sent = await live.send(lane, 1)

    async def it_ends() -> bool:
        await keep_up(live)
        return await live.state(lane, sent.first_sequence) == "COMPLETED"

    await live.until(it_ends, "a packet after both faults")
    return Duration(wall_clock() - began)


async def keep_up(live: LiveNetwork) -> None:
    """What gave up because the database was away when it started is started again."""
    for name in (HUB, RELAYER):
        if live.network.number(name) is None:
            live.network.launch(name)


def _first(chance: Random, second: str) -> Kill:
    """Any failpoint of a process that the second fault leaves to be the first's."""
    kills = [
        kill
        for kill in matrix.every_kill(chance)
        if kill.process in {RELAYER, HANGZHOU, SUZHOU}
        and (kill.process, second) != (RELAYER, RELAYER)
        and kill.failpoint not in matrix.OPENS
    ]
    return chance.choice(kills)


def _again(chance: Random, first: Kill) -> Kill:
    """Another failpoint of the process, at its first pass."""
    kills = [
        kill
        for kill in matrix.every_kill()
        if matrix.is_of(kill.failpoint, first.failpoint)
        and (kill.failpoint in matrix.CHAIN) == (first.failpoint in matrix.CHAIN)
        and kill.failpoint not in {*_SELDOM, *matrix.OPENS, first.failpoint}
    ]
    chosen = chance.choice(kills)
    return replace(first, failpoint=chosen.failpoint, nth=1)
