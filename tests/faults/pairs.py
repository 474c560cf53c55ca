"""Two faults: the second strikes while what the first struck comes back.

The first is a death at a failpoint. The second is a death of the same process at another one, or
kill -9 of any process, at a moment that chance chooses; what it strikes is started again at once.

Source: reliability notes section 7.3 (R3).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from adapters.sdk.failpoints import KILLED
from hub.cli.clock import wall_clock
from hub.cli.dev.layout import HUB, POSTGRES, RELAYER
from hub.core.time import Duration
from relayer.failpoints import Failpoint as Hub
from tests.faults import matrix
from tests.faults.trial import NotFired
from tests.harness.network import FAILPOINT, HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from random import Random

    from tests.faults.matrix import Kill
    from tests.faults.trial import Site
    from tests.harness.network import LiveNetwork

SAME: Final = "same process"
SECONDS: Final = (SAME, SAME, RELAYER, HANGZHOU, SUZHOU, POSTGRES, HUB)
"""What the second fault strikes."""
LATEST_MS: Final = 1500
"""After the first one's process was started again."""
_SELDOM: Final = {
    Hub.OPENING_STEPPED,
    Hub.REFUND_SENT,
    Hub.TIMEOUT_DUE,
    Hub.ABSENCE_PROVEN,
    Hub.ABSENCE_COMMITTED,
}
"""A second life need not come to them: what they are of may have been done in the first."""


def second_of(chance: Random) -> str:
    """What the second fault of a pair strikes."""
    return chance.choice(SECONDS)


async def strike(site: Site, chance: Random, second: str) -> Duration:
    """As ``Strike``, from the start after the second fault."""
    live = site.live
    first = _first(chance, second)
    await matrix.load(live, [HANGZHOU, SUZHOU])
    await live.kill(first.process)
    other = SUZHOU if first.process == HANGZHOU else HANGZHOU
    await matrix.load(live, [other])
    await matrix.die(live, first)
    lane = live.lane(other, matrix.other(other))
    if second == SAME:
        again = _again(chance, first)
        live.network.launch(first.process, {FAILPOINT: again.armed})
        await live.send(lane, matrix.PACKETS)
        status = await live.died(first.process, f"at {again}")
        if status != KILLED:
            raise NotFired(f"{first}, then {again} ended with {status}")
        second = first.process
    else:
        live.network.launch(first.process)
        await asyncio.sleep(chance.randrange(LATEST_MS) / 1000)
        if live.network.number(second) is None:
            raise NotFired(f"{first}, then {second}, which did not run")
        await live.kill(second)
    return await _ends(live, second, lane_source=other)


async def _ends(live: LiveNetwork, second: str, *, lane_source: str) -> Duration:
    began = wall_clock()
    if second == POSTGRES:
        await live.start_postgres()
    else:
        live.network.launch(second)
    # A city that was struck sends again once its chain answers.
    if second not in {POSTGRES, HUB, RELAYER}:
        await live.until(lambda: live.network.answers(second), second)
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
        and kill.process != second
        and kill.failpoint not in matrix.OPENS
    ]
    return chance.choice(kills)


def _again(chance: Random, first: Kill) -> Kill:
    """Another failpoint of the process, at its first pass."""
    kills = [
        kill
        for kill in matrix.every_kill()
        if matrix.is_of(kill.failpoint, first.failpoint)
        and kill.failpoint not in {*_SELDOM, *matrix.OPENS, first.failpoint}
    ]
    chosen = chance.choice(kills)
    return matrix.Kill(first.process, chosen.failpoint, 1)
