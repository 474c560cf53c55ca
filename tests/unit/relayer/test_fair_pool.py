from __future__ import annotations

from threading import Event, local
from typing import TYPE_CHECKING

import pytest

from relayer.fair_pool import QUANTUM, FairPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

WITHIN_S = 10


class Cpu:
    """A clock of each thread's CPU time that a test moves by hand."""

    def __init__(self) -> None:
        self._at = local()

    def __call__(self) -> int:
        return getattr(self._at, "now", 0)

    def burn(self, nanoseconds: int) -> None:
        self._at.now = self() + nanoseconds


@pytest.fixture
def cpu() -> Cpu:
    return Cpu()


@pytest.fixture
def single(cpu: Cpu) -> Iterator[FairPool]:
    """A pool of one thread."""
    pool = FairPool(1, cpu=cpu)
    yield pool
    pool.shutdown()


def held(pool: FairPool, peer: str) -> tuple[Event, Event, Future[bool]]:
    """Work of *peer* that has begun, or will; what tells that it has, and what ends it."""
    begun, end = Event(), Event()

    def work() -> bool:
        begun.set()
        return end.wait(WITHIN_S)

    return begun, end, pool.of(peer).submit(work)


def test_work_is_done_and_its_result_or_failure_told(single: FairPool) -> None:
    assert single.of("hangzhou").submit(divmod, 7, 2).result(WITHIN_S) == (3, 1)
    assert single.submit(divmod, 7, 2).result(WITHIN_S) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        single.of("hangzhou").submit(divmod, 7, 0).result(WITHIN_S)
    assert single.of("hangzhou").submit(divmod, 9, 2).result(WITHIN_S) == (4, 1)


def test_a_flood_waits_for_others_turn_by_turn(single: FairPool, cpu: Cpu) -> None:
    order: list[str] = []

    def work(peer: str) -> Callable[[], None]:
        def run() -> None:
            order.append(peer)
            cpu.burn(2 * QUANTUM)

        return run

    begun, end, _ = held(single, "wuxi")
    assert begun.wait(WITHIN_S)
    flood = [single.of("hangzhou").submit(work("hangzhou")) for _ in range(20)]
    others = [single.of("suzhou").submit(work("suzhou")) for _ in range(5)]
    end.set()
    for future in [*flood, *others]:
        future.result(WITHIN_S)
    assert order[:10].count("suzhou") == 5


def test_whoever_took_long_waits_until_the_others_have_had_as_much(
    single: FairPool, cpu: Cpu
) -> None:
    order: list[str] = []

    def work(peer: str, nanoseconds: int) -> Callable[[], None]:
        def run() -> None:
            order.append(peer)
            cpu.burn(nanoseconds)

        return run

    begun, end, _ = held(single, "wuxi")
    assert begun.wait(WITHIN_S)
    futures = [single.of("hangzhou").submit(work("hangzhou", 10 * QUANTUM)) for _ in range(3)]
    futures += [single.of("suzhou").submit(work("suzhou", QUANTUM)) for _ in range(30)]
    end.set()
    for future in futures:
        future.result(WITHIN_S)
    first, second, _ = [at for at, peer in enumerate(order) if peer == "hangzhou"]
    assert second - first >= 8


def test_no_peer_has_all_threads_at_once() -> None:
    pool = FairPool(2)
    begun, end, _ = held(pool, "hangzhou")
    assert begun.wait(WITHIN_S)
    _, second_end, second = held(pool, "hangzhou")
    assert pool.of("suzhou").submit(divmod, 7, 2).result(WITHIN_S) == (3, 1)
    assert not second.running()
    end.set()
    second_end.set()
    assert second.result(WITHIN_S)
    pool.shutdown()


def test_the_time_it_took_is_told_also_of_what_failed(cpu: Cpu) -> None:
    told: list[tuple[str, int]] = []
    pool = FairPool(1, lambda *entry: told.append(entry), cpu)

    def fail() -> None:
        cpu.burn(7)
        raise ValueError

    failing = pool.of("hangzhou").submit(fail)
    assert isinstance(failing.exception(WITHIN_S), ValueError)
    pool.of("suzhou").submit(cpu.burn, 3).result(WITHIN_S)
    pool.shutdown()
    assert told == [("hangzhou", 7), ("suzhou", 3)]


def test_what_is_cancelled_does_not_run(single: FairPool) -> None:
    begun, end, _ = held(single, "hangzhou")
    assert begun.wait(WITHIN_S)
    ran: list[int] = []
    waiting = single.of("suzhou").submit(ran.append, 1)
    assert waiting.cancel()
    end.set()
    single.of("suzhou").submit(ran.append, 2).result(WITHIN_S)
    assert ran == [2]


def test_what_stands_in_line_at_the_end_is_cancelled(cpu: Cpu) -> None:
    pool = FairPool(1, cpu=cpu)
    begun, end, first = held(pool, "hangzhou")
    assert begun.wait(WITHIN_S)
    waiting = [pool.of(peer).submit(divmod, 1, 1) for peer in ("hangzhou", "hangzhou", "suzhou")]
    pool.shutdown(wait=False)
    end.set()
    assert first.result(WITHIN_S)
    assert all(future.cancelled() for future in waiting)
