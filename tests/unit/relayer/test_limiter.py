from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.core.ids import PortId
from hub.core.lane import RateLimit, Route, RouteAction, RouteKey
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp
from relayer.limiter import LONGEST, OVERDUE, Limiter
from tests.harness.city import OUT
from tests.harness.packet_samples import PACKET, PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.errors import RateLimited
    from hub.core.packet import Packet

NOW = Timestamp(1000 * SECOND)
PORTS = ("transfer", "ledger")


def routes_of(
    limit: RateLimit | None, ports: tuple[str, str] = PORTS
) -> Mapping[tuple[str, str], Route]:
    key = RouteKey(OUT, PortId(ports[0]), PortId(ports[1]))
    return {ports: Route(key=key, action=RouteAction.ALLOW, limit=limit)}


TEN = routes_of(RateLimit(packets=10, period=SECOND, burst=3))


def shown(first: int, last: int) -> list[Packet]:
    return [replace(PACKET, sequence=s, payloads=(PAYLOAD,)) for s in range(first, last + 1)]


def waits(found: Mapping[int, RateLimited]) -> dict[int, int]:
    return {sequence: error.wait_ms for sequence, error in found.items()}


def take(limiter: Limiter, packets: list[Packet], now: Timestamp = NOW) -> dict[int, int]:
    """How long each has to wait (ms) of those that were not taken."""
    over = limiter.over(packets, TEN, now)
    sequences = RangeSet.of([packet.sequence for packet in packets])
    limiter.note(packets, TEN, sequences - RangeSet.of(over), over, now)
    return waits(over)


def after(milliseconds: int) -> Timestamp:
    return Timestamp(NOW + milliseconds * MILLISECOND)


def test_without_a_limit_all_are_taken() -> None:
    assert Limiter().over(shown(1, 256), routes_of(None), NOW) == {}


def test_what_is_over_the_limit_is_told_when_its_turn_is() -> None:
    assert take(Limiter(), shown(1, 6)) == {4: 100, 5: 200, 6: 300}


def test_what_was_refused_is_taken_at_its_time() -> None:
    limiter = Limiter()
    take(limiter, shown(1, 6))
    assert take(limiter, shown(4, 4), after(99)) == {4: 100}
    assert take(limiter, shown(4, 4), after(100)) == {}
    assert take(limiter, shown(5, 6), after(300)) == {}


def test_asking_takes_nothing() -> None:
    limiter = Limiter()
    for _ in range(5):
        assert waits(limiter.over(shown(1, 4), TEN, NOW)) == {4: 100}


def test_what_is_new_does_not_overtake_what_was_refused() -> None:
    limiter = Limiter()
    take(limiter, shown(1, 6))
    assert take(limiter, shown(7, 7), after(2000)) == {7: 100}
    assert take(limiter, shown(4, 7), after(2000)) == {7: 100}
    assert take(limiter, shown(7, 9), after(2300)) == {}


def test_what_is_new_waits_until_what_was_refused_has_had_its_time() -> None:
    limiter = Limiter()
    take(limiter, shown(1, 13))
    assert take(limiter, shown(14, 14), after(100))[14] >= 900


def test_what_never_comes_again_holds_up_nothing_for_ever() -> None:
    limiter = Limiter()
    take(limiter, shown(1, 6))
    until = Timestamp(after(300) + OVERDUE)
    assert take(limiter, shown(7, 7), Timestamp(until - 1)) == {7: 100}
    assert take(limiter, shown(8, 8), Timestamp(until + LONGEST + OVERDUE)) == {}


def test_nobody_waits_longer_than_the_longest_and_every_wait_is_on_the_grid() -> None:
    slow = routes_of(RateLimit(packets=7, period=Duration(60 * SECOND), burst=1))
    found = waits(Limiter().over(shown(1, 50), slow, NOW))
    assert max(found.values()) == LONGEST // MILLISECOND
    assert all(wait % 100 == 0 for wait in found.values())


def test_a_packet_of_several_routes_takes_of_each() -> None:
    limiter = Limiter()
    both = {**TEN, **routes_of(RateLimit(packets=1, period=SECOND, burst=1), ("data", "data"))}
    [packet] = shown(1, 1)
    [payload] = packet.payloads
    data = replace(payload, source_port=PortId("data"), destination_port=PortId("data"))
    two = [replace(packet, sequence=s, payloads=(payload, data)) for s in (1, 2)]
    assert waits(limiter.over(two, both, NOW)) == {2: 1000}
    limiter.note(two, both, RangeSet.of([1]), {}, NOW)
    assert waits(limiter.over([two[1]], both, NOW)) == {2: 1000}


def test_what_is_refused_for_another_reason_takes_nothing() -> None:
    limiter = Limiter()
    for _ in range(9):
        assert limiter.over(shown(1, 3), TEN, NOW) == {}
        limiter.note(shown(1, 3), TEN, EMPTY, {}, NOW)
