"""A relayer stands still past its leases, under load, and goes on: it writes nothing any more.

Source: reliability notes section 6, C6, and section 7.3 (R4).
"""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any, Final

from hub.cli.clock import wall_clock
from hub.core.time import Duration
from tests.faults.changes import connected
from tests.faults.trial import NotFired
from tests.harness.network import HANGZHOU, SUZHOU
from tests.harness.traffic import load

if TYPE_CHECKING:
    from random import Random

    from tests.faults.trial import Site
    from tests.harness.network import LiveNetwork

_EPOCHS: Final = "SELECT peer, epoch FROM leases"
_STALE: Final = """
    SELECT count(*) FROM proofs p JOIN lanes l USING (lane_id)
    WHERE p.epoch < $2 AND p.proof_id > $3
        AND CASE p.side WHEN 'SOURCE' THEN l.source_peer ELSE l.destination_peer END = $1
"""


async def strike(site: Site, chance: Random) -> Duration:
    """As ``Strike``: how long others took over, by a packet of a city that the stopped one had."""
    live, relayers = site.live, site.pair
    await relayers.shared()
    await load(live)
    owners = await relayers.owners()
    victim = chance.choice(sorted(set(owners.values())))
    owned = sorted(peer for peer, owner in owners.items() if owner == victim)
    before, over = await epochs(live), sessions_over(live, victim)
    source = owned[0]
    lane = live.lane(source, SUZHOU if source == HANGZHOU else HANGZHOU)
    began = wall_clock()
    live.network.processes.send(victim, signal.SIGSTOP)
    try:
        sent = await live.send(lane, 1)
        await live.reached(lane, sent.first_sequence, "COMPLETED")
        took = Duration(wall_clock() - began)
        await live.until(lambda: _are_taken(live, owned, before), "leases taken over")
        taken, newest = await epochs(live), await _newest_proof(live)
    finally:
        live.network.processes.send(victim, signal.SIGCONT)
    if not all(taken[peer] > before[peer] for peer in owned):
        raise NotFired(f"{victim} kept a lease while it stood still")

    async def has_given_up() -> bool:
        return sessions_over(live, victim) >= over + len(owned)

    await live.until(has_given_up, f"the end of the sessions that {victim} lost")
    await load(live)
    for peer in owned:
        assert await _stale(live, peer, taken[peer], newest) == 0, f"{victim} wrote for {peer}"
    return took


def sessions_over(live: LiveNetwork, relayer: str) -> int:
    """How many sessions the relayer has ended, by its log."""
    lines = live.network.layout.log(relayer).read_text(errors="replace").splitlines()
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    return events.count("session_over")


async def epochs(live: LiveNetwork) -> dict[str, int]:
    """By peer: how often its lease was taken or given back."""
    connection: Any = await connected(live)
    try:
        return {row["peer"]: row["epoch"] for row in await connection.fetch(_EPOCHS)}
    finally:
        await connection.close()


async def _are_taken(live: LiveNetwork, owned: list[str], before: dict[str, int]) -> bool:
    now = await epochs(live)
    return all(now[peer] > before[peer] for peer in owned)


async def _newest_proof(live: LiveNetwork) -> int:
    connection: Any = await connected(live)
    try:
        found = await connection.fetchval("SELECT coalesce(max(proof_id), 0) FROM proofs")
        return int(found)
    finally:
        await connection.close()


async def _stale(live: LiveNetwork, peer: str, epoch: int, newest: int) -> int:
    """Rows of *peer* written after the proof *newest* under an epoch before *epoch*."""
    connection: Any = await connected(live)
    try:
        return int(await connection.fetchval(_STALE, peer, epoch, newest))
    finally:
        await connection.close()
