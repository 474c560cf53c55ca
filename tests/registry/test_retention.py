"""Old days are dropped when everything in them has ended, and nobody waits for it."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from hub.core.errors import HubError, RegistryUnreachable, SequenceRetired
from hub.core.ranges import RangeSet
from hub.core.record import OutcomeKind
from hub.registry import retention
from hub.registry.partitions import DAYS_AHEAD, make_partitions, partition, partition_days
from hub.registry.tables import PARTITIONED
from tests.harness.registry import Opened, broken, disproof, key_of, opened
from tests.registry.test_partitions import LONG_AGO, age, drop_timeouts, live, partitions, today

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import date

    from hub.registry.registry import PostgresRegistry

BY = "ydhub-server"
WAITS = """
SELECT EXISTS (
    SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted
)
"""
MANY = 300_000
FILL = """
WITH numbers AS (SELECT n FROM generate_series(1, $2::bigint) n), stored AS (
    INSERT INTO packets
        (day, lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content, denial)
    SELECT current_date, $1, n, 1, 1, now(), 'x', '' FROM numbers
), ended AS (
    INSERT INTO outcomes
        (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind, content)
    SELECT current_date, $1, n - 1, n, 1, now(), 'ACKNOWLEDGEMENT', 'x' FROM numbers
), source AS (
    UPDATE lane_sides SET done = int8multirange(int8range(1, $2 + 1)),
        progress = int8multirange(int8range(0, $2))
    WHERE lane_id = $1 AND side = 'SOURCE'
)
UPDATE lane_sides SET done = int8multirange(int8range(1, $2 + 1)), outcome_count = $2
WHERE lane_id = $1 AND side = 'DESTINATION'
"""


async def test_a_day_is_dropped_once_everything_in_it_has_ended(postgres: PostgresRegistry) -> None:
    lanes = await live(postgres, 1, 2, 3)
    await age(postgres)
    await lanes.accept(4)
    day = await today(postgres) - timedelta(days=LONG_AGO)
    assert await postgres.retire(30, BY) == [day]
    assert not {partition(table, day) for table in PARTITIONED} & await partitions(postgres)
    assert [p.sequence for p in await postgres.packets.page(lanes.lane, 0, 9)] == [4]
    assert (await lanes.view()).source.done == RangeSet.span(1, 5)
    assert await broken(postgres) == {}
    assert await postgres.retire(30, BY) == []


async def test_what_is_retired_says_so(postgres: PostgresRegistry) -> None:
    lanes = await live(postgres, 1, 2, 3)
    await age(postgres)
    await postgres.retire(30, BY)
    await lanes.accept(4)
    await lanes.settle(4)
    with pytest.raises(SequenceRetired) as caught:
        await postgres.packets.read(lanes.lane, RangeSet.of([3, 4]))
    assert (caught.value.lane, caught.value.sequence) == (key_of().name, 3)
    with pytest.raises(SequenceRetired):
        await postgres.outcomes.find(lanes.lane, RangeSet.of([2]))
    with pytest.raises(SequenceRetired):
        await postgres.outcomes.read(lanes.lane, RangeSet.of([0]))
    assert await postgres.packets.read(lanes.lane, RangeSet.of([5])) == []
    assert len(await postgres.packets.read(lanes.lane, RangeSet.of([4]))) == 1
    assert len(await postgres.outcomes.read(lanes.lane, RangeSet.of([3, 4]))) == 1


async def test_recent_days_are_kept(postgres: PostgresRegistry) -> None:
    await live(postgres, 1)
    await age(postgres, 20)
    assert await postgres.retire(30, BY) == []
    assert await postgres.retire(20, BY) == []
    assert len(await postgres.retire(19, BY)) == 1


async def unsettled(lanes: Opened) -> None:
    await lanes.accept(9)
    await drop_timeouts(lanes)


async def uncompleted(lanes: Opened) -> None:
    await lanes.accept(9)
    await lanes.settle(9)
    await drop_timeouts(lanes)


async def waiting(lanes: Opened) -> None:
    await lanes.accept(9)
    await lanes.settle(9)
    indexes = RangeSet.of([1])
    await lanes.registry.outcomes.record_completed(lanes.source, lanes.lane, indexes)


@pytest.mark.parametrize("leave", [unsettled, uncompleted, waiting])
async def test_a_day_with_anything_left_to_do_is_kept_and_all_after_it(
    postgres: PostgresRegistry, leave: object
) -> None:
    lanes = await live(postgres, 1)
    await leave(lanes)  # type: ignore[operator]
    await age(postgres, LONG_AGO)
    assert await postgres.retire(30, BY) == []
    assert len(await postgres.packets.page(lanes.lane, 0, 9)) == 2


async def test_a_straggler_that_is_closed_in_its_row_keeps_its_day(
    postgres: PostgresRegistry,
) -> None:
    lanes = await opened(postgres)
    sequences = range(1, 201)
    await lanes.accept(*sequences)
    await lanes.settle(*sequences)
    for index in range(1, 200, 2):
        one = RangeSet.of([index])
        await postgres.outcomes.record_completed(lanes.source, lanes.lane, one)
    rest = RangeSet.of(range(2, 200, 2))
    await postgres.outcomes.record_completed(lanes.source, lanes.lane, rest)
    await drop_timeouts(lanes)
    await age(postgres)
    assert await postgres.retire(30, BY) == []
    await postgres.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0]))
    assert len(await postgres.retire(30, BY)) == 1


async def test_what_others_settled_stays_until_the_source_has_passed_it(
    postgres: PostgresRegistry,
) -> None:
    """Whoever attaches for the source reads all that is not noted as executed there."""
    lanes = await opened(postgres)
    await lanes.accept(1)
    await lanes.settle(1, 7, kind=OutcomeKind.SETTLED_ELSEWHERE)
    await drop_timeouts(lanes)
    await age(postgres)
    for index in (0, 1):
        assert await postgres.retire(30, BY) == []
        assert len(await postgres.outcomes.read(lanes.lane, RangeSet.of([0, 1]))) == 2
        one = RangeSet.of([index])
        await postgres.outcomes.record_completed(lanes.source, lanes.lane, one)
    assert len(await postgres.retire(30, BY)) == 1
    assert await broken(postgres) == {}


async def test_the_audit_trail_says_who_dropped_a_day_and_how_much_of_it(
    postgres: PostgresRegistry,
) -> None:
    await live(postgres, 1, 2, 3)
    await age(postgres)
    [day] = await postgres.retire(30, BY)
    async with postgres.database.line() as line:
        rows = await line.fetch(
            "SELECT identity, subject, detail FROM audit_events WHERE action = 'day.retired'"
        )
    assert [tuple(row) for row in rows] == [(BY, f"days/{day}", "3 packets, 3 outcomes")]


async def test_writers_and_readers_of_other_days_wait_for_nothing(
    postgres: PostgresRegistry,
) -> None:
    """Packets come and end while the day is dropped; each of them well within a lock's time."""
    lanes = await live(postgres, 1)
    await age(postgres)
    async with postgres.database.line() as line, line.transaction():
        await line.execute("LOCK TABLE packets IN ROW EXCLUSIVE MODE")
        dropping = asyncio.ensure_future(postgres.retire(30, BY))
        for sequence in range(2, 20):
            await lanes.accept(sequence)
            await lanes.settle(sequence)
            assert len(await postgres.packets.read(lanes.lane, RangeSet.of([sequence]))) == 1
        assert not dropping.done()
    assert len(await dropping) == 1
    assert await broken(postgres) == {}


async def test_what_was_cut_off_is_taken_up_again(
    postgres: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that never ends: the day is noted, read no more, and dropped later."""
    lanes = await live(postgres, 1)
    await age(postgres)
    monkeypatch.setattr("hub.registry.retention._LIMITS", "SET lock_timeout = '50ms'")
    async with postgres.database.line() as line, line.transaction():
        await line.execute("LOCK TABLE packets IN ROW EXCLUSIVE MODE")
        with pytest.raises(RegistryUnreachable):
            await postgres.retire(30, BY)
    with pytest.raises(SequenceRetired):
        await postgres.packets.read(lanes.lane, RangeSet.of([1]))
    assert await broken(postgres) == {}
    assert len(await postgres.retire(30, BY)) == 1
    assert await broken(postgres) == {}
    assert await postgres.retire(30, BY) == []
    assert len(await partitions(postgres)) % len(PARTITIONED) == 0


async def test_a_partition_that_was_detached_and_not_dropped_goes_too(
    postgres: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(postgres, 1)
    await age(postgres)
    day = await today(postgres) - timedelta(days=LONG_AGO)
    genuine = "hub.registry.retention._drop"

    async def cut(*_: object) -> None:
        raise asyncpg.AdminShutdownError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(genuine, cut)
        with pytest.raises(HubError):
            await postgres.retire(30, BY)
    async with postgres.database.line() as line:
        name = partition("packets", day)
        await line.execute(f"ALTER TABLE packets DETACH PARTITION {name} CONCURRENTLY")
    assert await postgres.retire(30, BY) == [day]
    async with postgres.database.line() as line:
        assert await line.fetchval("SELECT to_regclass($1)", name) is None


async def test_one_process_drops_at_a_time(postgres: PostgresRegistry) -> None:
    await live(postgres, 1)
    await age(postgres)
    found = await asyncio.gather(*[postgres.retire(30, BY) for _ in range(4)])
    assert sorted(map(len, found)) == [0, 0, 0, 1]


class Interleaved:
    """A line of the database; behind each answer to *query* comes what *step* does."""

    def __init__(self, line: Any, query: str, step: Callable[[], Awaitable[None]]) -> None:
        self._line = line
        self._query = query
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)

    async def execute(self, query: str, *arguments: object, **named: Any) -> None:
        await self._line.execute(query, *arguments, **named)
        await self._behind(query)

    async def fetchval(self, query: str, *arguments: object, **named: Any) -> Any:
        found = await self._line.fetchval(query, *arguments, **named)
        await self._behind(query)
        return found

    async def _behind(self, query: str) -> None:
        if query == self._query:
            await self._step()


async def retire_during(
    postgres: PostgresRegistry, query: str, step: Callable[[], Awaitable[None]]
) -> list[date]:
    """The days that are dropped while *step* is done behind *query* of each day's note."""
    genuine = retention._note

    async def note(line: Any, day: date, by: str) -> bool:
        return await genuine(Interleaved(line, query, step), day, by)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "_note", note)
        return await postgres.retire(30, BY)


@pytest.mark.parametrize("query", ["_IS_NOTED", "_OPEN", "_NOTE", "_AUDIT"])
async def test_a_packet_that_is_opened_again_during_the_look_keeps_its_day(
    postgres: PostgresRegistry, query: str
) -> None:
    lanes = await live(postgres, 1, 2)
    await age(postgres)
    outcomes, times = postgres.outcomes, []

    async def reopen() -> None:
        times.append(await outcomes.reopen(lanes.source, lanes.lane, 1, [disproof(0, 1)]))

    assert await retire_during(postgres, getattr(retention, query), reopen) == []
    assert times == [{0: 1}]
    assert len(await postgres.packets.read(lanes.lane, RangeSet.of([1]))) == 1
    assert await broken(postgres) == {}
    await outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0]))
    assert len(await postgres.retire(30, BY)) == 1


async def test_what_others_opened_again_during_the_look_keeps_no_other_day(
    postgres: PostgresRegistry,
) -> None:
    lanes = await live(postgres, 1)
    await age(postgres)
    await lanes.accept(2)
    await lanes.settle(2)
    await postgres.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([1]))

    async def reopen() -> None:
        await postgres.outcomes.reopen(lanes.source, lanes.lane, 1, [disproof(1, 2)])

    assert len(await retire_during(postgres, retention._OPEN, reopen)) == 1
    assert await broken(postgres) == {}


async def test_who_opens_again_as_the_day_is_noted_waits_and_hears_that_it_is_retired(
    postgres: PostgresRegistry,
) -> None:
    lanes = await live(postgres, 1)
    await age(postgres)
    opening: list[asyncio.Future[Any]] = []

    async def reopen() -> None:
        made = postgres.outcomes.reopen(lanes.source, lanes.lane, 1, [disproof(0, 1)])
        opening.append(asyncio.ensure_future(made))
        async with postgres.database.line() as line:
            while not opening[0].done() and not await line.fetchval(WAITS):
                pass

    assert len(await retire_during(postgres, retention._REOPENED, reopen)) == 1
    with pytest.raises(SequenceRetired):
        await opening[0]
    assert (await lanes.view()).source.progress == RangeSet.of([0])
    assert await broken(postgres) == {}


async def test_partitions_are_made_while_a_day_is_noted(postgres: PostgresRegistry) -> None:
    """What takes long is done without the lock that they wait for."""
    await live(postgres, 1)
    await age(postgres)
    last = partition("packets", await today(postgres) + timedelta(days=DAYS_AHEAD))
    async with postgres.database.line() as line:
        await line.execute(f"DROP TABLE {last}")

    async def make() -> None:
        await make_partitions(postgres.database)

    assert len(await retire_during(postgres, retention._AUDIT, make)) == 1
    assert await partition_days(postgres.database) == DAYS_AHEAD


def private_kilobytes(pid: int) -> int:
    found = re.search(r"RssAnon:\s+([0-9]+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


async def test_a_day_of_many_packets_is_noted_in_little_memory(postgres: PostgresRegistry) -> None:
    """A range for each row would take 400 bytes of a server process's memory for each packet."""
    lanes = await opened(postgres)
    async with postgres.database.line() as line:
        await line.execute("SET session_replication_role = replica")
        await line.execute(FILL, lanes.lane, MANY, timeout=60)
        await line.execute("RESET session_replication_role")
    await age(postgres)
    most = 0

    async def note(line: Any, day: date, by: str) -> bool:
        nonlocal most
        pid = await line.fetchval("SELECT pg_backend_pid()")
        noting = asyncio.ensure_future(genuine(line, day, by))
        while not noting.done():
            most = max(most, private_kilobytes(pid))
            await asyncio.wait([noting], timeout=0.005)
        return await noting

    genuine = retention._note
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "_note", note)
        assert len(await postgres.retire(30, BY)) == 1
    assert 0 < most < 48 * 1024  # 18 MB; 128 with a range for each row
