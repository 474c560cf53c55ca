"""Connections fail in every way that networks have: between a city and its relayer, and between
the relayer, or the hub, and PostgreSQL. Other cities' packets go on meanwhile.

Source: reliability notes section 7.3 (R9, R10, R11).
"""

from __future__ import annotations

import asyncio
import tomllib
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hub.cli.clock import wall_clock
from hub.cli.dev.configs import write
from hub.cli.dev.layout import HUB, RELAYER
from hub.cli.dev.network import STOP_WITHIN
from hub.core.time import Duration
from hub.registry.embedded import DATABASE, EmbeddedPostgres
from tests.faults.shim import shim
from tests.faults.trial import NotFired, not_fired_unless
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU
from tests.harness.proxy import proxy_to
from tests.harness.traffic import a_packet_is_acknowledged, a_packet_passes, is_mute, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from random import Random

    from tests.faults.trial import Site, Strike
    from tests.harness.network import LiveNetwork
    from tests.harness.proxy import Proxy

    Way = Callable[[Proxy], None]

FIRED_S: Final = 20
"""Within which a fault that somebody must notice is noticed."""
FEW: Final = 60
CUTS: Final = 3
"""Connections that are reset in the middle of a frame, one after the other."""
DEAD: Final[Mapping[str, Way]] = {
    "partition, both ways": lambda proxy: proxy.hold(),
    "partition, one way out": lambda proxy: proxy.hold(out=True, back=False),
    "partition, one way back": lambda proxy: proxy.hold(out=False, back=True),
    "half-open": lambda proxy: proxy.vanish(),
}
"""Nothing is carried, and nobody is told; out is from whoever dials."""
SLOW: Final[Mapping[str, Way]] = {
    "slow, 64 kB/s and 100 ms": lambda proxy: proxy.slow_down(delay_s=0.1, bytes_per_s=64_000),
    "late, 500 ms": lambda proxy: proxy.slow_down(delay_s=0.5, bytes_per_s=0),
}
SLOW_DATABASE: Final[Mapping[str, Way]] = {
    "slow, 2 MB/s and 20 ms": lambda proxy: proxy.slow_down(delay_s=0.02, bytes_per_s=2_000_000),
    "late, 100 ms": lambda proxy: proxy.slow_down(delay_s=0.1, bytes_per_s=0),
}


async def city_dead(site: Site, chance: Random, how: Way) -> Duration:
    """As ``Strike``, from the moment in which the city's connection carries again."""
    del chance
    live = site.live
    async with _before_relayer(live) as proxy:
        await load(live)
        dialled = proxy.dialled
        how(proxy)
        await live.detached(SUZHOU)
        await not_fired_unless(lambda: _true(proxy.dialled > dialled), FIRED_S, "no other dial")
        await a_packet_passes(live, HANGZHOU, SHANGHAI)
        began = wall_clock()
        proxy.go_on()
        proxy.cut()
        await a_packet_passes(live)
        return Duration(wall_clock() - began)


async def city_slow(site: Site, chance: Random, how: Way) -> Duration:
    """As ``Strike``: how long a packet takes over the slow connection."""
    del chance
    live = site.live
    async with _before_relayer(live) as proxy:
        how(proxy)
        began = wall_clock()
        slow = asyncio.ensure_future(a_packet_passes(live))
        await load(live)
        await a_packet_passes(live, HANGZHOU, SHANGHAI)
        if live.has_ended(await live.shown(live.lane(HANGZHOU, SUZHOU))):
            raise NotFired("it was not slow")
        await slow
        return Duration(wall_clock() - began)


async def city_cut(site: Site, chance: Random) -> Duration:
    """As ``Strike``: connections are reset in the middle of a frame."""
    live = site.live
    async with _before_relayer(live) as proxy:
        await load(live)
        for _ in range(CUTS):
            dialled = proxy.dialled
            proxy.cut_after(chance.randrange(200, 20_000))

            async def is_dialled(before: int = dialled) -> bool:
                return proxy.dialled > before

            await not_fired_unless(is_dialled, FIRED_S, "nothing was reset")
        began = wall_clock()
        proxy.go_on()
        await a_packet_passes(live)
        await a_packet_passes(live, HANGZHOU, SHANGHAI)
        return Duration(wall_clock() - began)


async def city_repeats(site: Site, chance: Random) -> Duration:
    """As ``Strike``: deliveries come three times, shown frames twice."""
    live = site.live
    layout, address = live.network.layout, live.network.addresses[RELAYER]
    async with shim(layout, address, RELAYER, f"peer-{SUZHOU}", chance) as between:
        await _dial(live, between.address)
        try:
            began = wall_clock()
            await load(live)
            await a_packet_passes(live)
            took = Duration(wall_clock() - began)
            await a_packet_passes(live, SUZHOU, HANGZHOU)
            await live.ended()
        finally:
            await _dial(live)
        if not between.deliveries or not between.frames:
            raise NotFired(f"{between.deliveries} deliveries, {between.frames} frames repeated")
        return took


async def relayer_database(site: Site, chance: Random, how: Way) -> Duration:
    """As ``Strike``: one of two relayers loses its database; the other has all cities meanwhile."""
    del chance
    live, relayers = site.live, site.pair
    async with _before_database(live, RELAYER) as proxy:
        await relayers.start(RELAYER)
        await relayers.shared()
        how(proxy)
        # Few where all of them go over the slow connection.
        await (_few(live) if _is_slow(proxy) else load(live))
        began = wall_clock()
        await a_packet_passes(live)
        await a_packet_passes(live, HANGZHOU, SHANGHAI)
        took = Duration(wall_clock() - began)
        if RELAYER in (await relayers.owners()).values() and not _is_slow(proxy):
            raise NotFired("it has sessions still")
        proxy.go_on()
        proxy.cut()
        await relayers.shared()
        await a_packet_passes(live)
    await relayers.start(RELAYER)
    return took


async def relayer_database_cut(site: Site, chance: Random) -> Duration:
    """As ``Strike``: connections are reset in the middle of a statement or of its answer."""
    live, relayers = site.live, site.pair
    async with _before_database(live, RELAYER) as proxy:
        await relayers.start(RELAYER)
        await relayers.shared()
        began = wall_clock()
        for _ in range(CUTS):
            dialled = proxy.dialled
            proxy.cut_after(chance.randrange(100, 50_000))
            await load(live)

            async def is_dialled(before: int = dialled) -> bool:
                return proxy.dialled > before

            await not_fired_unless(is_dialled, FIRED_S, "nothing was reset")
        proxy.go_on()
        await a_packet_passes(live)
        took = Duration(wall_clock() - began)
    await relayers.start(RELAYER)
    return took


async def hub_database(site: Site, chance: Random, how: Way) -> Duration:
    """As ``Strike``: the hub loses its database, packets go on; until the hub answers again."""
    del chance
    live = site.live
    async with _before_database(live, HUB) as proxy:
        await live.until(lambda: live.network.answers(HUB), HUB)
        await load(live)
        how(proxy)
        if not _is_slow(proxy):
            await not_fired_unless(lambda: is_mute(live, HUB), FIRED_S, "the hub answers")
        await a_packet_is_acknowledged(live)
        began = wall_clock()
        proxy.go_on()
        proxy.cut()
        await live.until(lambda: live.network.answers(HUB), HUB)
        took = Duration(wall_clock() - began)
        await a_packet_passes(live)
    await live.until(lambda: live.network.answers(HUB), HUB)
    return took


@asynccontextmanager
async def _before_relayer(live: LiveNetwork) -> AsyncIterator[Proxy]:
    """A proxy between the adapter of Suzhou and the relayer."""
    async with proxy_to(live.network.addresses[RELAYER]) as proxy:
        await _dial(live, proxy.address)
        try:
            await a_packet_passes(live)
            yield proxy
        finally:
            await _dial(live)


async def _dial(live: LiveNetwork, *relayers: str) -> None:
    await live.dial(SUZHOU, *relayers)


@asynccontextmanager
async def _before_database(live: LiveNetwork, process: str) -> AsyncIterator[Proxy]:
    """*process* runs anew, with a proxy before its database."""
    server = EmbeddedPostgres(live.network.layout.postgres)
    async with proxy_to(str(server._socket() / ".s.PGSQL.5432")) as proxy:
        url = f"postgresql+asyncpg://postgres@{proxy.address}/{DATABASE}"
        before = _database_of(live, process)
        await _restart(live, process, url)
        try:
            yield proxy
        finally:
            await _restart(live, process, before)


def _database_of(live: LiveNetwork, process: str) -> str:
    return str(tomllib.loads(live.network.layout.config(process).read_text())["database_url"])


async def _restart(live: LiveNetwork, process: str, url: str) -> None:
    file = live.network.layout.config(process)
    write(file, tomllib.loads(file.read_text()) | {"database_url": url})
    await live.network.processes.stop(process, STOP_WITHIN)
    live.network.launch(process)


async def _few(live: LiveNetwork) -> None:
    for source, to in ((HANGZHOU, SUZHOU), (SUZHOU, HANGZHOU)):
        await live.send(live.lane(source, to), FEW)


def _is_slow(proxy: Proxy) -> bool:
    return bool(proxy.out.delay_s)


async def _true(value: bool) -> bool:  # noqa: FBT001 - what a condition returns
    return value


def faults() -> dict[str, tuple[str, Strike]]:
    """By row of the table: the network that it wants, and how it is brought about."""
    found: dict[str, tuple[str, Any]] = {}
    for name, how in DEAD.items():
        found[f"city-relayer {name}"] = ("plain", partial(city_dead, how=how))
        found[f"relayer-database {name}"] = ("paired", partial(relayer_database, how=how))
        found[f"hub-database {name}"] = ("plain", partial(hub_database, how=how))
    for name, how in SLOW.items():
        found[f"city-relayer {name}"] = ("plain", partial(city_slow, how=how))
    for name, how in SLOW_DATABASE.items():
        found[f"relayer-database {name}"] = ("paired", partial(relayer_database, how=how))
        found[f"hub-database {name}"] = ("plain", partial(hub_database, how=how))
    found["city-relayer reset mid-frame"] = ("plain", city_cut)
    found["relayer-database reset mid-statement"] = ("paired", relayer_database_cut)
    found["city-relayer repeated deliveries and frames"] = ("plain", city_repeats)
    return found
