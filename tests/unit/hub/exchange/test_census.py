from __future__ import annotations

from hub.core.errors import Reason
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, PacketException
from hub.core.time import SECOND, Timestamp
from hub.exchange.census import take
from hub.registry.memory import MemoryRegistry
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SHANGHAI,
    SUZHOU,
    add_headers,
    disproof,
    header,
    opened,
    register,
)

NOW = Timestamp(1_800_000_100 * SECOND)


async def test_an_empty_registry_has_nobody() -> None:
    found = await take(MemoryRegistry(), NOW)
    assert (found.at, found.peers, found.lanes) == (NOW, (), ())
    assert found.partition_days == 7


async def test_a_peer_stands_as_its_lease_and_client_do() -> None:
    registry = MemoryRegistry()
    lanes = await opened(registry)
    await registry.leases.renew(lanes.source, 10 * SECOND, attached=True)  # type: ignore[arg-type]
    await add_headers(registry, lanes.source, [header(9)])
    await registry.clients.freeze(SUZHOU, "why", (Reason.PACKET_DIFFERS, b"1", b"2"), ADMIN)
    await register(registry, SHANGHAI)
    hangzhou, new, suzhou = (await take(registry, NOW)).peers
    assert (hangzhou.peer, suzhou.peer) == (HANGZHOU, SUZHOU)
    assert (hangzhou.relayer, hangzhou.epoch) == ("east-1", lanes.source.epoch)
    assert (hangzhou.is_attached, suzhou.is_attached) == (True, False)
    assert hangzhou.header_height == 9
    assert hangzhou.header_time == 1_800_000_009 * SECOND
    assert hangzhou.expires_at > hangzhou.header_time
    assert (new.header_height, new.header_time, new.expires_at) == (0, 0, 0)
    assert (hangzhou.is_frozen, suzhou.is_frozen) == (False, True)
    assert (hangzhou.evidence_count, suzhou.evidence_count) == (0, 1)


async def test_a_peer_without_a_lease_has_no_epoch() -> None:
    registry = MemoryRegistry()
    lanes = await opened(registry)
    await registry.leases.release(lanes.source)
    hangzhou, _ = (await take(registry, NOW)).peers
    assert (hangzhou.relayer, hangzhou.epoch, hangzhou.is_attached) == ("", 0, False)


async def test_a_lane_is_counted_from_its_records() -> None:
    registry = MemoryRegistry()
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3)
    await lanes.accept(4)
    await lanes.settle(1, 2)
    await registry.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0]))
    parked = PacketException(
        sequence=3,
        kind=ExceptionKind.PARKED,
        reason=Reason.PACKET_DIFFERS,
        detail="",
        attempts=1,
        next_attempt_at=None,
    )
    await registry.exceptions.put(lanes.source, lanes.lane, [parked])
    out, back = (await take(registry, NOW)).lanes
    assert (out.accepted_count, out.ended_count, out.open_count, out.owed_count) == (4, 1, 2, 1)
    [stored] = await registry.packets.read(lanes.lane, RangeSet.of([3]))
    assert out.oldest_at == stored.accepted_at
    assert dict(out.exceptions) == {ExceptionKind.PARKED: 1}
    assert out.is_open
    assert (back.accepted_count, back.open_count, back.oldest_at) == (0, 0, None)
    assert back.exceptions == {}


async def test_a_paused_lane_is_not_open() -> None:
    registry = MemoryRegistry()
    lanes = await opened(registry)
    await registry.lanes.pause(lanes.lanes[0].key, "a drill", ADMIN)
    out, back = (await take(registry, NOW)).lanes
    assert (out.is_open, back.is_open) == (False, True)


async def test_what_is_open_again_is_owed_and_lets_no_counter_fall() -> None:
    registry = MemoryRegistry()
    lanes = await opened(registry)
    await lanes.accept(1, 2)
    await lanes.settle(1, 2)
    await registry.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.span(0, 2))
    await registry.outcomes.reopen(lanes.source, lanes.lane, 1, [disproof(0, 1)])
    out, _ = (await take(registry, NOW)).lanes
    assert (out.ended_count, out.owed_count) == (2, 1)
    await registry.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0]))
    out, _ = (await take(registry, NOW)).lanes
    assert (out.ended_count, out.owed_count) == (3, 0)
