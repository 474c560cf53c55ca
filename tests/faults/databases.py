"""PostgreSQL is killed under load, in each of three ways, and started again at once.

Source: reliability notes section 7.3 (R5).
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any, Final

from hub.cli.clock import wall_clock
from hub.cli.dev.layout import POSTGRES
from hub.core.time import Duration
from hub.registry.embedded import EmbeddedPostgres
from tests.faults.changes import connected
from tests.faults.pairs import keep_up
from tests.faults.trial import NotFired, not_fired_unless
from tests.harness.network import HANGZHOU, SUZHOU
from tests.harness.traffic import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from tests.faults.trial import Site, Strike
    from tests.harness.network import LiveNetwork

GONE_S: Final = 10
_BACKENDS: Final = """
    SELECT pid FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND application_name LIKE 'relayer%'
    ORDER BY state = 'active' DESC, state_change DESC
"""


async def postmaster(site: Site, chance: Random) -> Duration:
    """kill -9 of its first process: all others end by themselves."""
    del chance
    return await _struck(site.live, _kill_postmaster)


async def backend(site: Site, chance: Random) -> Duration:
    """kill -9 of a process that serves a relayer: the first one ends all others, and recovers."""
    del chance
    return await _struck(site.live, _kill_backend)


async def immediate(site: Site, chance: Random) -> Duration:
    """``pg_ctl stop -m immediate``: nothing is written any more."""
    del chance
    return await _struck(site.live, _stop_immediately)


KILLS: Final[Mapping[str, Strike]] = {
    "postmaster -9": postmaster,
    "backend -9": backend,
    "pg_ctl -m immediate": immediate,
}


async def _struck(live: LiveNetwork, how: Any) -> Duration:
    await load(live)
    began = wall_clock()
    await how(live)
    lane = live.lane(HANGZHOU, SUZHOU)
    sent = await live.send(lane, 1)

    async def it_ends() -> bool:
        await keep_up(live)
        return await live.state(lane, sent.first_sequence) == "COMPLETED"

    await live.until(it_ends, "a packet after the database was killed")
    return Duration(wall_clock() - began)


async def _kill_postmaster(live: LiveNetwork) -> None:
    await live.kill(POSTGRES)
    await live.start_postgres()


async def _stop_immediately(live: LiveNetwork) -> None:
    server = EmbeddedPostgres(live.network.layout.postgres)
    where = ("-w", "-D", str(server.data))
    await asyncio.to_thread(server._run, "pg_ctl", "stop", "-m", "immediate", *where)
    if live.network.number(POSTGRES) is not None:
        raise NotFired("the server runs on")
    await live.start_postgres()


async def _kill_backend(live: LiveNetwork) -> None:
    connection: Any = await connected(live)
    try:
        rows = await connection.fetch(_BACKENDS)
        if not rows:
            raise NotFired("no connection of a relayer")
        os.kill(rows[0]["pid"], signal.SIGKILL)

        async def it_is_noticed() -> bool:
            return bool(connection.is_closed())

        # The server ends everybody's connection, ours too, before it recovers.
        await not_fired_unless(it_is_noticed, GONE_S, "the server did not notice")
    finally:
        connection.terminate()
