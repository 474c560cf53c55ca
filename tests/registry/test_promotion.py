"""A primary and its synchronous standby: nothing that may be lost is told, nothing old is written.

Two real servers; each test leaves them a primary and a standby again.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

import pytest

from hub.core.errors import (
    CommitUnknown,
    DatabaseUnfit,
    GateChanged,
    RegistryUnreachable,
    StandbyMissing,
    TimelineOutdated,
)
from hub.core.ranges import RangeSet
from hub.ports.registry import Change, Topic
from hub.registry import primary, schema
from hub.registry.engine import AWAY
from hub.registry.leases import _END_SESSION
from hub.registry.registry import PostgresRegistry, awaited
from tests.harness.clusters import Clusters, two_clusters
from tests.harness.ports import free_ports
from tests.harness.registry import (
    HANGZHOU,
    SUZHOU,
    Opened,
    acquire,
    add_headers,
    broken,
    header,
    open_lanes,
    register,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

POLL_S: Final = 0.02
PATIENCE_S: Final = 20
WAITING: Final = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
def clusters() -> Iterator[Clusters]:
    """Two servers, migrated."""
    one, other = free_ports(2)
    with two_clusters((one, other)) as made:
        asyncio.run(schema.migrate(made.url))
        asyncio.run(_populate(made.url))
        yield made


@pytest.fixture
async def lanes(clusters: Clusters) -> AsyncIterator[Opened]:
    """The lane as it stands, by a registry that knows both servers; the standby has everything."""
    await until(lambda: asyncio.to_thread(clusters.primary.has_standby))
    async with await PostgresRegistry.connect(clusters.url) as registry:
        yield await leased(registry)
        assert await broken(registry) == {}


async def _populate(url: str) -> None:
    async with await PostgresRegistry.connect(url) as registry:
        await register(registry, HANGZHOU, SUZHOU)
        await open_lanes(registry)
        for peer in (HANGZHOU, SUZHOU):
            await add_headers(registry, await acquire(registry, peer), [header(7)])


async def leased(registry: PostgresRegistry) -> Opened:
    views = await registry.lanes.views(HANGZHOU)
    found = sorted([view.lane for view in views], key=lambda lane: lane.key.source_peer)
    fences = {peer: await acquire(registry, peer) for peer in (HANGZHOU, SUZHOU)}
    return Opened(registry, fences, found)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110 - servers set no event
            await asyncio.sleep(POLL_S)


async def next_one(lanes: Opened) -> int:
    """The sequence after all that are accepted."""
    return (await lanes.view()).source.done.end or 1


async def accepted_at_last(lanes: Opened, sequence: int) -> bool:
    """Whether a packet is accepted now; not while the registry is away."""
    try:
        await lanes.accept(sequence)
    except GateChanged:
        return sequence in (await lanes.view()).source.done
    except AWAY:
        return False
    return True


async def test_what_was_answered_is_at_the_promoted_server_and_the_same_process_goes_on(
    clusters: Clusters, lanes: Opened
) -> None:
    registry = lanes.registry
    assert isinstance(registry, PostgresRegistry)
    heard = registry.changes.listen()
    told = asyncio.ensure_future(anext(aiter(_promotions(heard))))
    first = await next_one(lanes)
    await lanes.accept(*range(first, first + 5))
    clusters.primary.kill()
    clusters.promote()
    old = clusters.standby
    await asyncio.to_thread(lambda: old.start(synchronous=""))
    before = old.next_transaction()
    await until(lambda: accepted_at_last(lanes, first + 5))
    assert RangeSet.span(first, first + 6) - (await lanes.view()).source.done == RangeSet()
    async with asyncio.timeout(PATIENCE_S):
        assert await told == Change(Topic.PROMOTED, "")
    # Who has seen neither finds the newer one too, and asks the older one nothing.
    async with await PostgresRegistry.connect(clusters.url) as other:
        assert (await other.lanes.view(lanes.lane)).source.done.end == first + 6
    assert old.next_transaction() == before
    old.kill()
    await asyncio.to_thread(clusters.rejoin)


async def _promotions(changes: AsyncIterator[Change]) -> AsyncIterator[Change]:
    async for change in changes:
        if change.topic is Topic.PROMOTED:
            yield change


async def test_a_server_that_was_superseded_is_refused_by_its_timeline(
    clusters: Clusters, lanes: Opened
) -> None:
    """Also where it is the only one that answers, as behind an address that moves."""
    registry = lanes.registry
    assert isinstance(registry, PostgresRegistry)
    sequence = await next_one(lanes)
    clusters.primary.kill()
    clusters.promote()
    await until(lambda: accepted_at_last(lanes, sequence))
    clusters.primary.kill()
    old = clusters.standby
    await asyncio.to_thread(lambda: old.start(synchronous=""))
    before = old.next_transaction()
    with pytest.raises(AWAY):
        await lanes.accept(sequence + 1)
    with pytest.raises(TimelineOutdated) as caught:
        await lanes.accept(sequence + 1)
    assert caught.value.got.startswith("timeline")
    assert old.next_transaction() == before
    old.kill()
    # The newest one comes back by itself, and then the other as its standby.
    await asyncio.to_thread(lambda: clusters.primary.start(synchronous=""))
    await asyncio.to_thread(clusters.rejoin)
    await until(lambda: accepted_at_last(lanes, sequence + 1))


async def test_a_primary_that_stands_still_is_left_for_the_promoted_one_at_once(
    clusters: Clusters, lanes: Opened
) -> None:
    """Nothing tells of its death: its connections are dropped as soon as another is promoted."""
    sequence = await next_one(lanes)
    old = clusters.primary
    old.send(signal.SIGSTOP)
    asked = asyncio.ensure_future(lanes.accept(sequence))
    await asyncio.to_thread(clusters.promote)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(CommitUnknown):
        await asked
    await until(lambda: accepted_at_last(lanes, sequence))
    assert loop.time() - began < primary.ANSWER_TIMEOUT / 2
    old.send(signal.SIGCONT)
    await until(lambda: accepted_at_last(lanes, sequence + 1))
    await asyncio.to_thread(old.kill)
    await asyncio.to_thread(clusters.rejoin)


async def test_a_commit_that_waits_for_its_standby_is_not_told_and_is_not_cut(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: asyncio.to_thread(clusters.primary.has_standby))
    monkeypatch.setattr(primary, "ANSWER_TIMEOUT", 1)
    async with await PostgresRegistry.connect(clusters.primary.url) as registry:
        lanes = await leased(registry)
        sequence = await next_one(lanes)
        clusters.standby.kill()
        with pytest.raises(CommitUnknown):
            await lanes.accept(sequence)
        # It still waits, so nobody sees it; and nothing is told by what is read meanwhile.
        assert clusters.primary.ask(WAITING) != "0"
        # Nor does one who takes the lease end it: it would show at this server alone.
        session = f"'{registry.database.session}'"
        clusters.primary.ask(_END_SESSION.text.replace(":session", session))
        assert clusters.primary.ask(WAITING) != "0"
        with pytest.raises(RegistryUnreachable):
            await lanes.view()
        with pytest.raises(RegistryUnreachable):
            await lanes.accept(sequence + 1)
        assert await registry.audit.clock()
        await asyncio.to_thread(clusters.rejoin)
        await until(lambda: accepted_at_last(lanes, sequence + 1))
        assert sequence in (await lanes.view()).source.done
        assert await broken(registry) == {}


async def test_where_a_standby_is_demanded_nothing_is_accepted_without_one(
    clusters: Clusters,
) -> None:
    await until(lambda: asyncio.to_thread(clusters.primary.has_standby))
    async with await PostgresRegistry.connect(clusters.url, demands_standby=True) as registry:
        lanes = await leased(registry)
        sequence = await next_one(lanes)
        clusters.standby.kill()
        clusters.primary.demand("")

        async def is_degraded() -> bool:
            try:
                await registry.audit.ready()
            except StandbyMissing as error:
                return error.problem == "synchronous_standby_names is empty"
            return False

        await until(is_degraded)
        with pytest.raises(StandbyMissing):
            await lanes.accept(sequence)
        with pytest.raises(StandbyMissing):
            await PostgresRegistry.connect(clusters.url, demands_standby=True)
        # People still see how it is.
        report = await registry.overview.database()
        assert ("synchronous_standby", "none demanded") in [
            (one.name, one.value) for one in report.settings
        ]
        await asyncio.to_thread(clusters.rejoin)
        await until(lambda: accepted_at_last(lanes, sequence))


async def test_a_standby_alone_is_no_target_and_of_two_the_primary_is_taken(
    clusters: Clusters, lanes: Opened
) -> None:
    with pytest.raises(DatabaseUnfit) as caught:
        await PostgresRegistry.connect(clusters.standby.url)
    assert caught.value.got == "in_recovery=on"
    sequence = await next_one(lanes)
    await lanes.accept(sequence)
    for _ in range(3):
        async with await PostgresRegistry.connect(clusters.url) as registry:
            assert (await registry.lanes.view(lanes.lane)).source.done.end == sequence + 1


async def test_a_program_waits_for_its_database(clusters: Clusters) -> None:
    clusters.standby.kill()
    clusters.primary.kill()
    waiting = asyncio.ensure_future(awaited(clusters.url, name="patient", demands_standby=False))
    await asyncio.to_thread(lambda: clusters.primary.start(synchronous=""))
    async with await waiting as registry:
        assert await registry.lanes.views(HANGZHOU)
    await asyncio.to_thread(clusters.rejoin)
