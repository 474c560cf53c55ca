"""One run of the bench: everything is started, every phase is run and measured, all is checked."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import psutil

from tests.bench import clock, micro, result
from tests.bench.accounting import Process, read
from tests.bench.generator import Attach, Built, Failed, Ran, Run, Stop
from tests.bench.generator import main as generate
from tests.bench.plan import make_plan
from tests.bench.result import PhaseResult, Result, phase_result
from tests.bench.system import system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from hub.core.lane import LaneKey
    from tests.bench.accounting import DatabaseUse
    from tests.bench.options import Options
    from tests.bench.plan import Plan
    from tests.bench.system import System

_MEGABYTE = 2**20
_END_S = 10


async def run(options: Options, say: Callable[[str], None]) -> Result:
    """What was found; *say* hears how far it is. Raises where the run cannot be finished."""
    plan = make_plan(options)
    busy = os.getloadavg()[0]
    packets = sum([phase.packets for phase in plan.phases])
    say(f"building {packets:,} packets, {options.peers} chains of {options.keys:,} keys")
    async with generator_process(plan) as generator:
        built = await generator.built()
        say(f"built in {built.build_ms / 1000:.1f} s; measuring single functions")
        functions = micro.measure(built.root, built.samples)
        async with system(options.relayers, plan, built.anchors) as found:
            await generator.ask(attach(plan, found))
            bench = _Bench(plan, found, generator, say)
            phases = await bench.phases()
            await generator.ask(Stop())
            return await bench.result(options, phases, functions, built, busy)


class GeneratorProcess:
    """The generator, and the pipe to it."""

    def __init__(self, pipe: Connection, process: SpawnProcess) -> None:
        self._pipe = pipe
        self.usage = Process(psutil.Process(process.pid))

    async def built(self) -> Built:
        """What it says first."""
        answer = await self._receive()
        assert isinstance(answer, Built)
        return answer

    async def ask(self, command: object) -> Any:
        """Its answer to *command*. Raises ``RuntimeError`` if it failed."""
        self._pipe.send(command)
        return await self._receive()

    async def _receive(self) -> Any:
        answer = await asyncio.to_thread(self._pipe.recv)
        if isinstance(answer, Failed):
            raise RuntimeError(answer.text)  # noqa: TRY004 - the other process failed, no type did
        return answer


@asynccontextmanager
async def generator_process(plan: Plan) -> AsyncIterator[GeneratorProcess]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=generate, args=(theirs, plan))
    process.start()
    theirs.close()  # so that its death is the end of the pipe
    try:
        yield GeneratorProcess(ours, process)
    finally:
        ours.close()
        await asyncio.to_thread(process.join, _END_S)
        if process.is_alive():
            process.kill()
            process.join()


def attach(plan: Plan, found: System) -> Attach:
    """Peers are dealt out to the relayer processes in turn."""
    relayers = found.relayers
    return Attach(
        addresses={
            peer: relayers[at % len(relayers)].address for at, peer in enumerate(plan.peers)
        },
        files={
            peer: tuple(str(file) for file in found.certificates.files(f"/peers/{peer}"))  # type: ignore[misc]
            for peer in plan.peers
        },
    )


@dataclass(slots=True)
class _Bench:
    """The phases over a system that runs."""

    plan: Plan
    system: System
    generator: GeneratorProcess
    say: Callable[[str], None]
    began_with: DatabaseUse | None = None
    ended_with: DatabaseUse | None = None
    memory: dict[str, float] | None = None

    async def phases(self) -> list[PhaseResult]:
        """Each phase in turn, the warm-up left out."""
        found: list[PhaseResult] = []
        self.memory = {"start": self._memory()}
        before = self.began_with = await self.system.postgres.use()
        for number, phase in enumerate(self.plan.phases):
            cpu = self._read()
            ran: Ran = await self.generator.ask(Run(number))
            await self.system.completed(self._due(number))
            completed_at = clock.monotonic()
            cpu = self._read() - cpu
            after = await self.system.postgres.use()
            measured = phase_result(phase, ran, completed_at, cpu, (before, after))
            self.say(
                f"{phase.name}: {measured.per_second:,.0f}/s, p50 {measured.p50_ms} ms,"
                f" p99 {measured.p99_ms} ms, {measured.cpu_us:.0f} us"
            )
            if number:
                found.append(measured)
            before = self.ended_with = after
        self.memory |= {"end": self._memory(), "peak": self._peak()}
        return found

    async def result(
        self,
        options: Options,
        phases: list[PhaseResult],
        functions: dict[str, float],
        built: Built,
        busy: float,
    ) -> Result:
        """Everything, with the checks of the end."""
        assert self.began_with is not None
        assert self.ended_with is not None
        assert self.memory is not None
        due = self._due(len(self.plan.phases) - 1)
        sent = sum(due.values())
        return Result(
            made_at=result.made_at(),
            command=result.command(),
            machine=result.machine(await self.system.postgres.version()),
            busy=round(busy, 1),
            commit=result.commit(),
            load=(
                f"{options.peers} peers, {options.lanes} lanes, {options.quiet} quiet ones,"
                f" {options.relayers} relayer"
                f" process(es), {options.keys:,} keys a chain, packets of {built.packet_bytes} B,"
                f" frames of at most {options.batch}"
            ),
            options=asdict(options),
            phases=phases,
            functions_us=functions,
            memory_mb=self.memory,
            database_bytes=round((self.ended_with.size - self.began_with.size) / sent, 1),
            sent=sent,
            completed=sum([await self.system.completed_count(lane) for lane in due]),
            violations=await self.system.violations(),
        )

    def _due(self, number: int) -> dict[LaneKey, int]:
        """Packets of each lane up to the end of the phase of that number."""
        return {
            lane: sum(
                slot.count for phase in self.plan.phases[: number + 1] for slot in phase.slots[at]
            )
            for at, lane in enumerate(self.plan.lanes)
        }

    def _read(self) -> Any:
        relayers = [relayer.usage for relayer in self.system.relayers]
        return read(relayers, self.system.postgres, self.generator.usage)

    def _memory(self) -> float:
        return max([relayer.usage.memory for relayer in self.system.relayers]) / _MEGABYTE

    def _peak(self) -> float:
        return max([relayer.usage.peak for relayer in self.system.relayers]) / _MEGABYTE
