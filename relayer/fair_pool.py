"""The threads that verify what peers show, shared fairly by the CPU time that they take.

Every peer has a budget: its share of the threads' time as long as others want theirs. What a peer's
proofs cost is measured, also where they fail, and whoever has had more than its share waits. No
peer has all threads at once where there is more than one, so a proof of one peer waits for no other
peer's, however large that is.

Source: design section 5; reliability notes section 4 (a budget of verification CPU for each peer).
"""

from __future__ import annotations

import time
from collections import Counter, deque
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from hub.core.time import MILLISECOND
from relayer.steps.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
P = ParamSpec("P")

QUANTUM: Final = 5 * MILLISECOND
"""CPU time of one peer's round (ns): about two frames of 256 proven packets."""
GUESS: Final = MILLISECOND
"""What work counts until it is known what it took (ns)."""


@dataclass(frozen=True, slots=True)
class _Job:
    peer: str
    work: Callable[[], Any]
    future: Future[Any]


class FairPool(Executor):
    """Threads; what is submitted to the pool itself is nobody's, with a share of its own."""

    def __init__(
        self,
        threads: int,
        spent: Callable[[str, int], None] = lambda *_: None,
        cpu: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        """*spent* hears from a thread who has used how much CPU (ns); *cpu* is a thread's clock."""
        self._pool = ThreadPoolExecutor(threads, "verify")
        self._spent = spent
        self._cpu = cpu
        self._lock = Lock()
        self._free = threads
        self._most = max(1, threads - 1)
        """Jobs of one peer that run or stand in line."""
        self._line: Shares[_Job] = Shares(QUANTUM)
        self._active: Counter[str] = Counter()
        self._behind: dict[str, deque[_Job]] = {}
        """By peer what stands in no line yet."""

    def of(self, peer: str) -> Executor:
        """The pool, where what is submitted is *peer*'s."""
        return _Share(self, peer)

    def submit(
        self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs
    ) -> Future[T]:
        """As an executor does."""
        return self.submit_for("", lambda: function(*arguments, **named))

    def submit_for(self, peer: str, work: Callable[[], T]) -> Future[T]:
        """The result of *work*, as soon as it is *peer*'s turn."""
        future: Future[T] = Future()
        job = _Job(peer, work, future)
        with self._lock:
            if self._active[peer] < self._most:
                self._stand(job)
            else:
                self._behind.setdefault(peer, deque()).append(job)
            self._begin()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as an executor's
        """As an executor does; what stands in line is cancelled in any case."""
        with self._lock:
            while (found := self._line.take()) is not None:
                found[1].future.cancel()
            for job in [job for jobs in self._behind.values() for job in jobs]:
                job.future.cancel()
            self._behind.clear()
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _stand(self, job: _Job) -> None:
        self._active[job.peer] += 1
        self._line.put((job.peer,), job, GUESS)

    def _begin(self) -> None:
        """Every free thread has work, as long as there is any."""
        while self._free and (found := self._line.take()) is not None:
            self._free -= 1
            self._pool.submit(self._run, found[1])

    def _run(self, job: _Job) -> None:
        began = self._cpu()
        if job.future.set_running_or_notify_cancel():
            try:
                result = job.work()
            except BaseException as error:  # noqa: BLE001 - whoever waits for it hears it
                job.future.set_exception(error)
            else:
                job.future.set_result(result)
        took = self._cpu() - began
        self._spent(job.peer, took)
        with self._lock:
            self._line.charge((job.peer,), took - GUESS)
            self._end(job.peer)
            self._begin()

    def _end(self, peer: str) -> None:
        self._free += 1
        self._active[peer] -= 1
        if not self._active[peer]:
            del self._active[peer]
        behind = self._behind.get(peer)
        if behind:
            self._stand(behind.popleft())
            if not behind:
                del self._behind[peer]


class _Share(Executor):
    """One peer's side of a pool."""

    def __init__(self, pool: FairPool, peer: str) -> None:
        self._pool = pool
        self._peer = peer

    def submit(
        self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs
    ) -> Future[T]:
        """As an executor does."""
        return self._pool.submit_for(self._peer, lambda: function(*arguments, **named))
