"""The kill matrix: a process dies at each of its failpoints, and nothing is lost or doubled.

A run sends packets both ways and one that times out, lets the process die, starts it again, waits
until everything has ended, and is judged by the chains' own ledgers.

Source: reliability notes section 6 (crash points) and 7.3 (R1, R2).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import product
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from adapters.sdk.failpoints import Failpoint as City
from hub.cli.clock import wall_clock
from hub.cli.dev.layout import HUB, RELAYER
from hub.core.lane import Order
from hub.core.time import Duration
from hub.server.failpoints import Failpoint as Server
from hub.wire.failpoints import KILLED
from relayer.failpoints import Failpoint as Hub
from tests.faults import changes
from tests.faults.trial import NotFired
from tests.harness.network import FAILPOINT, HANGZHOU, SHANGHAI, SUZHOU

if TYPE_CHECKING:
    from random import Random

    from hub.core.lane import LaneKey
    from tests.harness.network import LiveNetwork

PACKETS: Final = 60
"""Each way."""
SHORT_S: Final = 2
CITIES: Final = (HANGZHOU, SUZHOU)

PASSES: Final[dict[str, int]] = {
    Hub.FRAME_RECEIVED: 8,
    Hub.HEADER_VERIFIED: 5,
    Hub.VERIFICATION_BEGUN: 2,
    Hub.PACKETS_VERIFIED: 2,
    Hub.PACKETS_COMMITTED: 2,
    Hub.VERDICT_SENT: 8,
    Hub.DELIVERY_PLANNED: 2,
    Hub.DELIVERY_SENT: 2,
    Hub.DELIVERY_REPORTED: 2,
    Hub.DELIVERY_RECORDED: 2,
    Hub.OUTCOMES_VERIFIED: 2,
    Hub.OUTCOMES_COMMITTED: 2,
    Hub.SETTLEMENT_SENT: 2,
    Hub.SETTLEMENT_REPORTED: 2,
    Hub.COMPLETION_RECORDED: 2,
    Hub.REFUND_SENT: 2,
    Hub.TIMEOUT_DUE: 2,
    Hub.ABSENCE_PROVEN: 2,
    Hub.ABSENCE_COMMITTED: 2,
    Hub.LEASE_TAKEN: 3,
    Hub.LEASE_RENEWED: 6,
    Hub.OPENING_STEPPED: 4,
    City.HEADER_SHOWN: 3,
    City.ITEMS_SHOWN: 1,
    City.VERDICT_TAKEN: 3,
    City.EXECUTION_RECEIVED: 1,
    City.EXECUTION_DONE: 1,
    City.ACKNOWLEDGEMENT_EXECUTED: 1,
    City.REFUND_EXECUTED: 1,
    City.EXECUTION_REPORTED: 1,
    City.CLIENT_CREATED: 1,
    City.BLOCK_BUILT: 2,
    City.BLOCK_STORED: 2,
    Server.CHANGE_ASKED: 1,
    Server.CHANGE_COMMITTED: 1,
    Server.MIGRATION_STEPPED: 2,
    Server.MIGRATION_COMMITTED: 1,
}
"""How often every run comes to the failpoint at least."""

OPENS: Final = (Hub.OPENING_STEPPED, City.CLIENT_CREATED)
"""Failpoints that only the opening of a lane comes to."""
_AFTER_TIMEOUT: Final = (  # a victim that comes again in time would deliver instead
    Hub.TIMEOUT_DUE,
    Hub.ABSENCE_PROVEN,
    Hub.ABSENCE_COMMITTED,
    Hub.REFUND_SENT,
    City.REFUND_EXECUTED,
)
_MIGRATION: Final = (Server.MIGRATION_STEPPED, Server.MIGRATION_COMMITTED)
CHAIN: Final = (City.BLOCK_BUILT, City.BLOCK_STORED)
"""A city's failpoints that its chain comes to, and not its adapter."""
MIGRATE: Final = "migrate"
"""No process of the network: ``ydhub-server migrate``, on a database of its own."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A process dies the *nth* time it comes to *failpoint*."""

    process: str
    """Its name; of a city's, the city."""
    failpoint: str
    nth: int

    def victim(self, live: LiveNetwork) -> str:
        """The process that dies: a city's chain and adapter may be two."""
        if self.process in CITIES and self.failpoint not in CHAIN:
            return live.adapters[self.process]
        return self.process

    @property
    def armed(self) -> str:
        """As a process is told."""
        return f"{self.failpoint}:{self.nth}"

    def __str__(self) -> str:
        return f"{self.process}-{self.failpoint}-{self.nth}"


def every_kill(chance: Random | None = None) -> list[Kill]:
    """One kill for each failpoint: at its first pass, or at one that *chance* chooses."""

    def nth(failpoint: str) -> int:
        return 1 + chance.randrange(PASSES[failpoint]) if chance else 1

    hub = [Kill(RELAYER, point, nth(point)) for point in Hub]
    cities = [Kill((HANGZHOU, SUZHOU)[at % 2], point, nth(point)) for at, point in enumerate(City)]
    servers = [Kill(MIGRATE if point in _MIGRATION else HUB, point, nth(point)) for point in Server]
    return hub + cities + servers


async def survive(live: LiveNetwork, kill: Kill) -> Duration:
    """As ``strike``; everything that was sent has ended, and is judged."""
    took = await strike(live, kill)
    await live.judged()
    return took


async def strike(live: LiveNetwork, kill: Kill) -> Duration:
    """How long (ns) it takes from the second start, which follows the death at once, until a packet
    is completed that was sent in between; or what was asked for is done.
    """
    if kill.process == MIGRATE:
        return await changes.migration(live, kill.armed, f"drill_{token_hex(4)}")
    if kill.process == HUB:
        await load(live, [HANGZHOU, SUZHOU])
        return await changes.change(live, kill.armed, token_hex(8))
    sources = [peer for peer in (HANGZHOU, SUZHOU) if peer != kill.process]
    await prepare(live, kill)
    opening = await _ask_for_another_lane(live, kill) if kill.failpoint in OPENS else ""
    await die(live, kill)
    lane = live.lane(sources[0], other(sources[0]))
    sent = await live.send(lane, 1)
    began = wall_clock()
    live.network.launch(kill.victim(live))
    await live.reached(lane, sent.first_sequence, "COMPLETED")
    took = Duration(wall_clock() - began)
    if opening:
        await _use(live, await live.opened(opening))
    return took


async def _ask_for_another_lane(live: LiveNetwork, kill: Kill) -> str:
    """The name of an opening that nobody asked for yet, and that the victim has to do with."""
    ends = (SUZHOU, SHANGHAI, HANGZHOU)
    for order, source, to in product((Order.UNORDERED, Order.BEST_EFFORT), ends, ends):
        is_new = source != to and (source, to, order) not in live.asked
        if is_new and kill.process in {RELAYER, source, to}:
            return await live.ask_for_lanes(source, to, order)
    raise AssertionError("every opening was asked for before")


async def prepare(live: LiveNetwork, kill: Kill) -> None:
    """The process does not run, and what it has to do when it comes again was shown to nobody."""
    victim = kill.victim(live)
    if victim in CITIES:
        await load(live, [victim])
    await live.kill(victim)
    await load(live, [city for city in CITIES if city != victim])


async def die(live: LiveNetwork, kill: Kill) -> None:
    """The process comes to the failpoint, and dies there."""
    if kill.failpoint in _AFTER_TIMEOUT:
        await asyncio.sleep(SHORT_S + 1)
    live.network.launch(kill.victim(live), {FAILPOINT: kill.armed})
    try:
        status = await live.died(kill.victim(live))
    except AssertionError as error:
        raise NotFired(f"{kill}: {error}") from None
    if status != KILLED:
        raise NotFired(f"{kill} ended with {status}")


async def load(live: LiveNetwork, sources: list[str]) -> None:
    """Packets to carry, and one from each source that times out soon."""
    for source in sources:
        lane = live.lane(source, other(source))
        await live.send(lane, PACKETS)
        await live.send(lane, 1, timeout_s=SHORT_S)


async def _use(live: LiveNetwork, lane: LaneKey) -> None:
    """Packets go over a new lane, both ways; no client was made that none of the lanes uses."""
    for way in (lane, lane.reverse):
        await live.send(way, 3)
    for peer in (lane.source_peer, lane.destination_peer):
        ledger = await live.ledger(peer, totals_only=True)
        used = {way.source_client for way in live.lanes if way.source_peer == peer}
        assert set(ledger.clients) == used


def is_of(one: str, another: str) -> bool:
    """Whether the same kind of process comes to both failpoints."""
    return any({one, another} <= set(kind) for kind in (Hub, City, Server))


def other(peer: str) -> str:
    return SUZHOU if peer == HANGZHOU else HANGZHOU
