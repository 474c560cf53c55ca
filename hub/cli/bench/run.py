"""One run: everything is started, every phase is run and measured, all is checked.

What was measured until a run is cut short stays in it, and says so.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from hub.cli.bench.accounting import Accounts, spent
from hub.cli.bench.line_process import LineProcess
from hub.cli.bench.plan import Kind, make_plan
from hub.cli.bench.result import (
    BUILDERS,
    GENERATOR,
    MEGABYTE,
    RunResult,
    phase_result,
    system_cpu,
)
from hub.cli.bench.room import check_room
from hub.cli.bench.system import system
from hub.cli.clock import monotonic
from hub.cli.redaction import redact
from hub.core.errors import HubError
from hub.core.time import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.cli.bench.accounting import Use
    from hub.cli.bench.options import Options
    from hub.cli.bench.plan import Plan
    from hub.cli.bench.result import PhaseResult
    from hub.cli.bench.system import System

FLUSHED_S: float = 1.2
"""A backend of Postgres publishes its counters at most once a second."""
COMPLETE_S: Final = 60
EVERY_INVARIANT: Final = {"do": "violations", "within_s": 1800}
PAST_PER_MINUTE: Final = 2_000_000
"""Packets of a past that a database takes, roughly."""


@dataclass(slots=True)
class Run:
    """A run under way."""

    name: str
    options: Options
    say: Callable[[str], None]
    found: RunResult = field(init=False)
    """What is known so far."""

    def __post_init__(self) -> None:
        known = replace(self.options, database_url=redact(self.options.database_url))
        self.found = RunResult(name=self.name, options=asdict(known), unfinished="not begun")

    async def carry_out(self) -> None:
        """All of it is in ``found``.

        Raises ``FieldInvalid`` where there is too little room for it, or ``HubError`` where it
        could not be carried through.
        """
        plan = make_plan(self.options)
        check_room(self.options, plan)
        try:
            async with AsyncExitStack() as stack:
                made = stack.enter_context(TemporaryDirectory(prefix="ydhub-bench-"))
                await self._in(Path(made), plan, stack)
        except HubError as error:
            self.found = replace(self.found, unfinished=f"{error.reason}: {error}")
            raise
        except asyncio.CancelledError:
            self.found = replace(self.found, unfinished="interrupted")
            raise

    async def _in(self, directory: Path, plan: Plan, stack: AsyncExitStack) -> None:
        self._learn(unfinished="in its set-up")
        self.say(
            f"{self.name}: building {sum([p.packets for p in plan.phases if not p.chunk]):,}"
            f" packets, {self.options.peers} chains of {self.options.keys:,} keys"
        )
        log = directory / "generator.log"
        generator = await LineProcess.start("the generator", "adapters.bench", log=log)
        stack.push_async_callback(generator.close)
        built = await generator.ask(plan.workload())
        self._learn(build_s=built["build_ms"] / 1000)
        self.say(f"built in {built['build_ms'] / 1000:.1f} s; measuring single functions")
        functions = (await generator.ask({"do": "measure"}))["functions_us"]
        load = load_line(self.options, built["packet_bytes"])
        self._learn(functions_us=functions, load=load)
        self.say(
            f"starting PostgreSQL, a hub, {self.options.relayers} relayer(s);"
            f" opening {self.options.lanes:,} lanes" + _past_line(self.options.behind)
        )
        started = await stack.enter_async_context(
            system(directory, self.options, plan, built["anchors"])
        )
        started.accounts.add(GENERATOR, generator.number)
        started.accounts.add_children(BUILDERS, generator.number)
        await generator.ask(started.sessions(plan))
        phases = _Phases(plan, started, generator, self.say, self._phase_done)
        await phases.carry_out()
        self.say("asking every invariant of all that the registry has")
        self._learn(violations=await started.registry.ask(EVERY_INVARIANT), unfinished="")
        await generator.ask({"do": "stop"})

    def _phase_done(self, phases: _Phases) -> None:
        self._learn(
            phases=tuple(phases.results),
            rest_us=phases.rest,
            memory_mb=phases.memory(),
            sent=phases.sent,
            completed=phases.completed,
            unfinished=f"after {phases.last}",
        )

    def _learn(self, **known: Any) -> None:
        self.found = replace(self.found, **known)


class _Phases:
    """The phases over a system that runs."""

    def __init__(
        self,
        plan: Plan,
        started: System,
        generator: LineProcess,
        say: Callable[[str], None],
        done: Callable[[_Phases], None],
    ) -> None:
        self._plan = plan
        self._system = started
        self._generator = generator
        self.rest: Mapping[str, float] = {}
        """By process: microseconds of CPU a second at rest."""
        self._say = say
        self._done = done
        self._first: Mapping[str, Use] = {}
        self._accounts: Accounts = started.accounts
        self.results: list[PhaseResult] = []
        self.sent = self.completed = 0
        self.last = "nothing"

    async def carry_out(self) -> None:
        """Each phase in turn, the warm-up left out."""
        self._first = self._accounts.read()
        before = await self._counters()
        for number, phase in enumerate(self._plan.phases):
            used = self._accounts.read()
            ran = await self._generator.ask({"do": "run", "phase": number})
            due = self._plan.due(number)
            question = {"do": "completed", "lanes": due, "within_s": COMPLETE_S}
            found = (await self._system.registry.ask(question))["completed"]
            completed_at = monotonic()
            used = spent(used, self._accounts.read())
            after = await self._counters()
            past = self._plan.past * len(self._plan.lanes)
            self.sent, self.completed = sum(due.values()) - past, sum(found.values()) - past
            self.last = phase.name
            if phase.kind is not Kind.WARM_UP:
                result = phase_result(phase, ran, completed_at, used, (before, after))
                self.results.append(result)
                self._say(
                    f"{phase.name}: {result.per_second:,.0f}/s, p50 {result.p50_ms} ms,"
                    f" p99 {result.p99_ms} ms, {result.system_us:.0f} us"
                )
            before = after
            self._done(self)
            if self.completed != self.sent:
                return
            if phase.kind is Kind.WARM_UP and self._plan.rest:
                await self._rest()
                before = await self._counters()

    async def _rest(self) -> None:
        """What everything costs while no packet is sent."""
        used, began = self._accounts.read(), monotonic()
        await asyncio.sleep(self._plan.rest)
        found = spent(used, self._accounts.read())
        seconds = (monotonic() - began) / SECOND
        self.rest = {name: round(use.cpu_us / seconds, 1) for name, use in found.items()}
        self._say(f"at rest: {system_cpu(self.rest) / 1000:,.0f} ms of CPU a second")

    def memory(self) -> dict[str, dict[str, float]]:
        """By process: megabytes at the start, at the end, and at its peak."""
        return {
            name: {
                "start": round(self._first[name].memory / MEGABYTE, 1),
                "end": round(use.memory / MEGABYTE, 1),
                "peak": round(use.peak / MEGABYTE, 1),
            }
            for name, use in self._accounts.read().items()
        }

    async def _counters(self) -> dict[str, Any]:
        await asyncio.sleep(FLUSHED_S)
        return await self._system.registry.ask({"do": "use"})


def _past_line(behind: int) -> str:
    if not behind:
        return ""
    return f" with {behind:,} packets behind, about {behind / PAST_PER_MINUTE:.1f} minutes"


def load_line(options: Options, packet_bytes: int) -> str:
    """What was sent, in a line."""
    order = f", order {options.order}" if options.order != "UNORDERED" else ""
    past = f", {options.behind:,} packets behind" if options.behind else ""
    return (
        f"{options.peers} peers ({options.family}), {options.lanes} lanes,"
        f" {options.carrying} of them active, {options.relayers}"
        f" relayer process{'es' * (options.relayers > 1)}, {options.keys:,} keys a chain,"
        f" packets of {packet_bytes} B, frames of at most {options.batch},"
        f" proofs {options.proofs}{order}{past}"
    )
