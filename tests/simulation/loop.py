"""An event loop whose time, order and processes are the simulation's own.

Several processes live on one loop. Each has its own queue, first in first out, as the loop of a
real process has; whose turn it is next is drawn from the run's seed. Time stands while anything is
ready, and then goes to the next timer. A process may stand still (its queue and its timers wait,
time goes on without it) or die (whatever it had in memory never runs again).

Which process runs is known from the context that every handle carries.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

SECOND = 1_000_000_000
_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
MAX_STEPS_AT_ONCE = 200_000
"""Handles that run while time stands: more are a loop that never waits."""


class Process:
    """One process: what it has to run, and whether it may."""

    def __init__(self, name: str) -> None:
        """A process that runs nothing yet."""
        self.name = name
        self.ready: deque[asyncio.Handle] = deque()
        self.is_alive = True
        self.is_paused = False
        self.context = Context()
        self.context.run(_PROCESS.set, self)

    @property
    def may_run(self) -> bool:
        """Whether it has something to run, and neither stands still nor is dead."""
        return bool(self.ready) and not self.is_paused

    def __repr__(self) -> str:
        return self.name


def current() -> Process:
    """The process that runs now."""
    found = _PROCESS.get()
    assert found is not None, "nothing of the simulation runs outside of its processes"
    return found


class SimTask(asyncio.Task[Any]):
    """A task that hashes by its number, so that sets of tasks have one order."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], **options: Any) -> None:
        loop = options["loop"]
        loop.numbers += 1
        self.number = loop.numbers  # asyncio itself puts it into a set at once
        super().__init__(coroutine, **options)
        loop.tasks.append(self)
        self._log_destroy_pending = False

    def __hash__(self) -> int:
        return int(self.number)

    def __eq__(self, other: object) -> bool:
        return self is other


class SimFuture(asyncio.Future[Any]):
    """A future that hashes by its number."""

    def __init__(self, *, loop: SimLoop) -> None:
        super().__init__(loop=loop)
        loop.numbers += 1
        self.number = loop.numbers

    def __hash__(self) -> int:
        return int(self.number)

    def __eq__(self, other: object) -> bool:
        return self is other


class SimLoop(asyncio.BaseEventLoop):
    """The loop of one run."""

    def __init__(self, chance: Random) -> None:
        """A loop without processes, at time 0; *chance* draws whose turn it is."""
        super().__init__()
        self.now = 0
        self.numbers = 0
        self.tasks: list[SimTask] = []
        """All there ever were: what a dead process left must not be collected while others run."""
        self.steps = 0
        self.faults: list[dict[str, Any]] = []
        """What no task caught."""
        self._chance = chance
        self._processes: list[Process] = []
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._at_once = 0
        self.main = self.process("world")
        self.set_task_factory(_task)
        self.set_exception_handler(lambda _, context: self.faults.append(context))

    def process(self, name: str) -> Process:
        """A new process."""
        found = Process(name)
        self._processes.append(found)
        return found

    def kill(self, process: Process) -> None:
        """Nothing of *process* runs any more."""
        process.is_alive = False
        process.ready.clear()
        self._processes.remove(process)

    def start(self, process: Process, coroutine: Coroutine[Any, Any, Any]) -> SimTask:
        """A task of *process*."""
        return SimTask(coroutine, loop=self, context=_child(process))

    def after(self, process: Process, delay: int, callback: Callable[..., object], *a: Any) -> None:
        """*callback* runs in *process*, *delay* (ns) later."""
        self.call_at_ns(self.now + delay, callback, *a, context=process.context)

    def time(self) -> float:
        """Seconds, for what asyncio itself waits for."""
        return self.now / SECOND

    def create_future(self) -> Any:
        """As a loop does."""
        return SimFuture(loop=self)

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """As a loop does."""
        handle = asyncio.Handle(callback, args, self, context or copy_context())
        self._put(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """As a loop does."""
        return self.call_at_ns(self.now + round(delay * SECOND), callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """As a loop does."""
        return self.call_at_ns(round(when * SECOND), callback, *args, context=context)

    def call_at_ns(self, due: int, callback: Any, *args: Any, context: Any = None) -> Any:
        """As ``call_at``, by whole nanoseconds."""
        context = context or copy_context()
        handle = asyncio.TimerHandle(due / SECOND, callback, args, self, context)
        self.numbers += 1
        heapq.heappush(self._timers, (due, self.numbers, handle))
        return handle

    def run_in_executor(  # type: ignore[override]
        self, _: Any, function: Any, *args: Any
    ) -> Any:
        """The work is done at once, at a moment that the seed draws; nothing runs beside it."""
        future = self.create_future()
        delay = self._chance.randrange(3) * 2_000_000
        self.call_at_ns(self.now + delay, _work, future, function, args)
        return future

    def run_until(self, happened: Callable[[], bool], limit: int) -> bool:
        """Whether it came about before *limit* (ns) of the simulation."""
        events._set_running_loop(self)
        try:
            while not happened():
                if self.now >= limit:
                    return False
                self._run_once()
            return True
        finally:
            events._set_running_loop(None)

    def _put(self, handle: asyncio.Handle) -> None:
        process = handle._context.get(_PROCESS) or self.main  # type: ignore[attr-defined]
        if process.is_alive:
            process.ready.append(handle)

    def _run_once(self) -> None:
        runnable = [process for process in self._processes if process.may_run]
        if not runnable:
            self._next_timer()
            return
        index = self._chance.randrange(len(runnable)) if len(runnable) > 1 else 0
        handle = runnable[index].ready.popleft()
        self.steps += 1
        self._at_once += 1
        assert self._at_once < MAX_STEPS_AT_ONCE, f"{runnable[index]} never waits: {handle}"
        if not handle._cancelled:
            handle._run()

    def _next_timer(self) -> None:
        """Time goes to the next timers, which are ready then."""
        assert self._timers, "nothing will ever happen"
        self.now = max(self.now, self._timers[0][0])
        self._at_once = 0
        while self._timers and self._timers[0][0] <= self.now:
            _, _, handle = heapq.heappop(self._timers)
            if not handle._cancelled:
                self._put(handle)

    def _timer_handle_cancelled(self, handle: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, event_list: Any) -> None:
        pass


def _task(loop: Any, coroutine: Any, **options: Any) -> SimTask:
    return SimTask(coroutine, loop=loop, **options)


def _child(process: Process) -> Context:
    return process.context.copy()


def _work(future: Any, function: Any, args: Any) -> None:
    if future.done():
        return
    try:
        result = function(*args)
    except Exception as error:  # noqa: BLE001 - whoever waits for it hears it
        future.set_exception(error)
    else:
        future.set_result(result)
