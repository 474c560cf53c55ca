from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import LaneNotFound, LeaseLost, Reason, RequestIdReused
from hub.core.ranges import RangeSet
from hub.core.record import AttemptKind, ExceptionKind, OutcomeKind, PacketException
from hub.core.time import SECOND, Timestamp
from hub.ports.caller import Caller
from hub.ports.leases import Fence
from hub.ports.packets import ExceptionFilter
from hub.ports.registry import Change, Topic
from hub.registry.trail import forget
from tests.harness.registry import ADMIN, HANGZHOU, SEQUENCES, SUZHOU, acquire, key_of, opened

if TYPE_CHECKING:
    from hub.ports.registry import Registry
    from hub.registry.registry import PostgresRegistry


def retry(sequence: int, attempts: int = 1, **changes: object) -> PacketException:
    values: dict[str, object] = {
        "sequence": sequence,
        "kind": ExceptionKind.RETRY,
        "reason": Reason.CHAIN_UNREACHABLE,
        "detail": "suzhou does not answer 苏州",
        "attempts": attempts,
        "next_attempt_at": Timestamp(1_800_000_000_123_456_789),
    }
    return PacketException(**(values | changes))  # type: ignore[arg-type]


async def test_an_exception_stands_instead_of_the_one_before(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3)
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(3), retry(1)])
    parked = retry(3, 2, kind=ExceptionKind.PARKED, next_attempt_at=None)
    await registry.exceptions.put(lanes.destination, lanes.lane, [parked])
    await registry.exceptions.put(lanes.destination, lanes.lane, [])
    assert await registry.exceptions.among(lanes.lane, SEQUENCES) == [retry(1), parked]
    assert await registry.exceptions.among(99, SEQUENCES) == []


async def test_the_exceptions_of_some_packets_are_no_others(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4, denied=[2])
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(n) for n in (1, 3, 4)])
    everything = await registry.exceptions.among(lanes.lane, SEQUENCES)
    among = registry.exceptions.among
    assert await among(lanes.lane, RangeSet.of([4, 2, 9])) == [everything[1], everything[3]]
    assert await among(lanes.lane, RangeSet.span(0, 99)) == everything
    assert await among(lanes.lane, RangeSet()) == []
    assert await among(99, RangeSet.of([1])) == []


async def test_exceptions_are_counted_by_lane_and_kind(registry: Registry) -> None:
    lanes = await opened(registry)
    back = (await registry.lanes.get(key_of().reverse)).lane_id
    counts = registry.exceptions.counts
    assert await counts([lanes.lane, back]) == {}
    await lanes.accept(1, 2, 3, denied=[2, 3])
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(1)])
    found = {ExceptionKind.DENIED: 2, ExceptionKind.RETRY: 1}
    assert await counts([lanes.lane, back, 99]) == {lanes.lane: found}
    assert await counts([back]) == {}
    assert await counts([]) == {}


async def test_the_last_of_several_for_one_packet_stands(registry: Registry) -> None:
    lanes = await opened(registry)
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(1), retry(1, 2)])
    assert await registry.exceptions.among(lanes.lane, SEQUENCES) == [retry(1, 2)]


async def test_a_view_of_a_lane_says_whether_it_has_any(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2)
    assert not (await lanes.view()).has_exceptions
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(1)])
    assert (await lanes.view()).has_exceptions
    await registry.exceptions.remove(lanes.destination, lanes.lane, RangeSet.of([1]))
    assert not (await lanes.view()).has_exceptions
    await lanes.accept(3, denied=[3])
    assert (await lanes.view()).has_exceptions


async def test_removed_exceptions_are_gone_but_a_denial_stays(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4, denied=[2])
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(n) for n in (1, 3, 4)])
    await registry.exceptions.remove(lanes.source, lanes.lane, RangeSet.of([1, 2, 3, 9]))
    await registry.exceptions.remove(lanes.source, lanes.lane, RangeSet())
    left = await registry.exceptions.among(lanes.lane, SEQUENCES)
    assert [(e.sequence, e.kind) for e in left] == [
        (2, ExceptionKind.DENIED),
        (4, ExceptionKind.RETRY),
    ]


async def test_a_denial_stays_one_and_counts_the_attempts_to_end_it(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, denied=[1])
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(1, 4)])
    [denied] = await registry.exceptions.among(lanes.lane, SEQUENCES)
    assert (denied.kind, denied.detail) == (ExceptionKind.DENIED, "why 1")
    assert denied.reason is Reason.POLICY_DENIES_ROUTE
    assert (denied.attempts, denied.next_attempt_at) == (4, retry(1).next_attempt_at)


async def test_either_ends_lease_writes_exceptions_and_no_other(registry: Registry) -> None:
    lanes = await opened(registry)
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(1)])
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(2)])
    await acquire(registry, HANGZHOU)
    for fence in (lanes.source, Fence(HANGZHOU, 9)):
        with pytest.raises(LeaseLost):
            await registry.exceptions.put(fence, lanes.lane, [retry(3)])
        with pytest.raises(LeaseLost):
            await registry.exceptions.remove(fence, lanes.lane, RangeSet.of([1]))
    with pytest.raises(LaneNotFound):
        await registry.exceptions.put(lanes.destination, 99, [retry(3)])
    with pytest.raises(LaneNotFound):
        await registry.exceptions.remove(lanes.destination, 99, RangeSet.of([3]))
    assert [e.sequence for e in await registry.exceptions.among(lanes.lane, SEQUENCES)] == [1, 2]


async def test_why_a_packet_was_denied_is_a_fact_that_outlives_its_exception(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, denied=[2])
    await lanes.settle(2, kind=OutcomeKind.ABSENCE)
    assert await registry.exceptions.among(lanes.lane, SEQUENCES) == []
    stored = await registry.packets.page(lanes.lane, 0, 10)
    assert [(packet.sequence, packet.denial) for packet in stored] == [(1, ""), (2, "why 2")]
    assert await registry.packets.read(lanes.lane, RangeSet.of([1, 2])) == list(stored)


async def test_every_attempt_that_failed_is_a_fact(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3)
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(1), retry(3)])
    parked = retry(3, 2, kind=ExceptionKind.PARKED, reason=Reason.PACKET_INVALID, detail="odd")
    await registry.exceptions.put(lanes.source, lanes.lane, [parked])
    found = await registry.exceptions.attempts(lanes.lane, 3, 10)
    assert [(one.kind, one.peer, one.reason, one.detail) for one in found] == [
        (AttemptKind.RETRY, "suzhou", Reason.CHAIN_UNREACHABLE, "suzhou does not answer 苏州"),
        (AttemptKind.PARKED, "hangzhou", Reason.PACKET_INVALID, "odd"),
    ]
    assert found[0].at <= found[1].at
    assert await registry.exceptions.attempts(lanes.lane, 3, 1) == found[1:]
    assert await registry.exceptions.attempts(lanes.lane, 2, 10) == []
    assert await registry.exceptions.attempts(99, 3, 10) == []


async def test_a_fenced_out_writer_leaves_no_attempt(registry: Registry) -> None:
    lanes = await opened(registry)
    await acquire(registry, HANGZHOU)
    with pytest.raises(LeaseLost):
        await registry.exceptions.put(lanes.source, lanes.lane, [retry(1)])
    assert await registry.exceptions.attempts(lanes.lane, 1, 10) == []


async def test_an_exception_stands_since_it_became_of_its_kind(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(1)])
    [first] = await registry.exceptions.among(lanes.lane, SEQUENCES)
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(1, 2)])
    [second] = await registry.exceptions.among(lanes.lane, SEQUENCES)
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(1, kind=ExceptionKind.PARKED)])
    [parked] = await registry.exceptions.among(lanes.lane, SEQUENCES)
    assert first.since == second.since < parked.since


def parked(sequence: int) -> PacketException:
    return retry(sequence, kind=ExceptionKind.PARKED, next_attempt_at=None)


def only(kind: ExceptionKind, **narrowed: object) -> ExceptionFilter:
    return ExceptionFilter(kind=kind, **narrowed)  # type: ignore[arg-type]


async def names(registry: Registry, wanted: ExceptionFilter, *after: object) -> list[object]:
    place = after or ("", 0)
    found = await registry.exceptions.page(wanted, place, 10)  # type: ignore[arg-type]
    assert all(one.exception.kind is wanted.kind for one in found)
    return [(str(one.lane)[:1], one.exception.sequence) for one in found]


async def test_exceptions_of_a_kind_are_listed_over_all_lanes(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, denied=[2])
    back = lanes.lanes[1]
    await registry.exceptions.put(lanes.source, lanes.lane, [parked(1), retry(3)])
    await registry.exceptions.put(lanes.source, back.lane_id, [parked(7), parked(8)])
    kind, here = only(ExceptionKind.PARKED), key_of()
    assert await names(registry, kind) == [("h", 1), ("s", 7), ("s", 8)]
    assert await names(registry, only(ExceptionKind.RETRY)) == [("h", 3)]
    assert await names(registry, only(ExceptionKind.DENIED)) == [("h", 2)]
    assert await names(registry, only(ExceptionKind.HOLE)) == []
    assert await names(registry, kind, str(here), 1) == [("s", 7), ("s", 8)]
    assert await names(registry, kind, str(back.key), 7) == [("s", 8)]
    assert await names(registry, only(ExceptionKind.PARKED, lane=here)) == [("h", 1)]
    assert len(await registry.exceptions.page(kind, ("", 0), 2)) == 2


async def test_exceptions_are_listed_by_their_age(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2)
    await registry.exceptions.put(lanes.source, lanes.lane, [parked(1)])
    between = await registry.audit.clock()
    await registry.exceptions.put(lanes.source, lanes.lane, [parked(1), parked(2)])
    assert await names(registry, only(ExceptionKind.PARKED, before=between)) == [("h", 1)]
    now = await registry.audit.clock()
    assert await names(registry, only(ExceptionKind.PARKED, before=now)) == [("h", 1), ("h", 2)]


async def test_open_packets_of_a_stopped_lane_are_held(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4, denied=[4])
    await lanes.settle(1)
    await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet.of([2]))
    held = only(ExceptionKind.HELD)
    assert await names(registry, held) == []
    await registry.lanes.pause(key_of(), "works", ADMIN)
    [found] = await registry.exceptions.page(held, ("", 0), 10)
    assert (found.exception.sequence, found.exception.detail) == (3, "works")
    assert found.exception.reason is Reason.LANE_PAUSED
    [stored] = await registry.packets.read(lanes.lane, RangeSet.of([3]))
    assert found.exception.since == stored.accepted_at
    assert await names(registry, held, str(key_of()), 3) == []
    assert await names(registry, only(ExceptionKind.HELD, lane=key_of().reverse)) == []
    early = Timestamp(stored.accepted_at - 1_000_000)
    assert await names(registry, only(ExceptionKind.HELD, before=early)) == []
    await registry.lanes.resume(key_of(), ADMIN)
    assert await names(registry, held) == []
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    [frozen] = await registry.exceptions.page(held, ("", 0), 10)
    assert frozen.exception.reason is Reason.CLIENT_FROZEN
    assert frozen.exception.detail == "two truths"


async def test_what_an_operator_retries_is_due_and_audited(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4, denied=[4])
    await registry.exceptions.put(lanes.source, lanes.lane, [parked(1), retry(2)])
    hints = registry.changes.listen()
    picked = [(key_of(), n) for n in (1, 2, 3, 4, 9)] + [(key_of(number=5), 1)]
    by = Caller(identity=ADMIN.identity, request_id="r-1", digest=b"one")
    due = await registry.exceptions.retry(picked, by)
    assert due == {key_of(): RangeSet.of([1, 2])}
    assert await anext(hints) == Change(Topic.RETRIES, str(lanes.lane))
    now = await registry.audit.clock()
    left = {one.sequence: one for one in await registry.exceptions.among(lanes.lane, SEQUENCES)}
    assert {n: one.kind for n, one in left.items()} == {
        1: ExceptionKind.RETRY,
        2: ExceptionKind.RETRY,
        4: ExceptionKind.DENIED,
    }
    for sequence in (1, 2):
        at = left[sequence].next_attempt_at
        assert at is not None
        assert now - 3600 * SECOND < at <= now
    asked = (await registry.exceptions.attempts(lanes.lane, 1, 10))[-1]
    assert (asked.kind, asked.peer, asked.reason) == (AttemptKind.ASKED, ADMIN.identity, None)
    assert await registry.exceptions.retry(picked, by) == due
    assert len(await registry.exceptions.attempts(lanes.lane, 1, 10)) == 2
    with pytest.raises(RequestIdReused):
        await registry.exceptions.retry(
            picked, Caller(identity=ADMIN.identity, request_id="r-1", digest=b"two")
        )
    assert await registry.exceptions.retry([], ADMIN) == {}


async def test_a_retry_is_in_the_audit_trail(postgres: PostgresRegistry) -> None:
    lanes = await opened(postgres)
    await lanes.accept(1, 2)
    await postgres.exceptions.put(lanes.source, lanes.lane, [parked(1), parked(2)])
    await postgres.exceptions.retry([(key_of(), 1), (key_of(), 2)], ADMIN)
    async with postgres.database.line() as line:
        row = await line.fetchrow("SELECT * FROM audit_events WHERE action = 'packet.retry'")
    assert (row["identity"], row["subject"]) == (ADMIN.identity, key_of().name)
    assert row["detail"] == "{[1,3)}"


async def test_attempts_are_forgotten_after_a_month(postgres: PostgresRegistry) -> None:
    lanes = await opened(postgres)
    await lanes.accept(1)
    await postgres.exceptions.put(lanes.source, lanes.lane, [retry(1)])
    await postgres.exceptions.put(lanes.source, lanes.lane, [retry(1, 2)])
    async with postgres.database.line() as line:
        await line.execute("UPDATE attempts SET at = at - interval '31 days' WHERE attempt_id = 1")
    async with postgres.database.transaction() as connection:
        await forget(connection)
    assert len(await postgres.exceptions.attempts(lanes.lane, 1, 10)) == 1


async def test_exceptions_of_several_lanes_are_read_together_as_ranges(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(*range(1, 8), denied=(2, 3, 4, 6))
    await registry.exceptions.put(lanes.destination, lanes.lane, [parked(7)])
    other = lanes.lanes[1].lane_id
    assert await registry.exceptions.ranges([lanes.lane, other, 10_000]) == {
        lanes.lane: {
            ExceptionKind.DENIED: RangeSet.of([2, 3, 4, 6]),
            ExceptionKind.PARKED: RangeSet.of([7]),
        }
    }
    assert await registry.exceptions.ranges([other]) == {}
