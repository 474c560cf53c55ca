"""``python -m tests.bench.flood``: what a city that floods costs another one, in figures.

Three cities: one sends steadily, one floods, and both send to the third. First both send their
share; then the second one sends 100 times as much; then as many false proofs. The table shows what
the steady one notices.

Exits with 0 when every true packet is complete, no invariant of the registry is broken, and every
refusal is a typed one; timing never decides.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from hub.cli.bench.line_process import LineProcess
from hub.cli.bench.options import Options
from hub.cli.bench.plan import ClientPair, Kind, LaneLoad, Phase, Plan
from hub.cli.bench.quantiles import quantile
from hub.cli.bench.run import EVERY_INVARIANT
from hub.cli.bench.system import System, system
from hub.core.ids import ClientId, PeerId
from hub.core.time import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FLOODING, STEADY, SHARED = PeerId("city-1"), PeerId("city-2"), PeerId("city-3")
PHASES: Final = ("warm-up", "before", "flood", "false proofs")
MEDIAN: Final = 500
WORST: Final = 990
"""Quantiles, per mille."""
MAX_COUNT: Final = 256
COMPLETE_S: Final = 60
GOOD, BROKEN = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodOptions:
    """One run."""

    seconds: int = 20
    """Length of each phase."""
    rate: int = 20
    """Packets a second of a city's share, each in a frame of its own."""
    times: int = 100
    """How many times its share the second city sends."""
    keys: int = 20_000
    """Keys in each chain's store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFigures:
    """What was seen of one phase."""

    name: str
    steady: Sequence[tuple[int, int]]
    """(microseconds, packets)."""
    flooding: Sequence[tuple[int, int]]
    refused: Counter[str]
    took: int
    """Nanoseconds."""


@dataclass(slots=True, kw_only=True)
class Figures:
    """What a run found."""

    phases: list[PhaseFigures] = field(default_factory=list)
    sent: int = 0
    completed: int = 0
    violations: int = 0

    @property
    def problems(self) -> list[str]:
        """Why the run is not good; nothing about time."""
        found = []
        if self.completed != self.sent:
            found.append(f"{self.sent - self.completed} packets are not complete")
        if self.violations:
            found.append(f"{self.violations} violations of the registry's invariants")
        return found


def flood_plan(options: FloodOptions) -> Plan:
    """The steady city's frames are alike in all phases; the flood is of larger and more frames."""
    pairs = tuple(
        [
            ClientPair(client=ClientId(f"07-tendermint-{at}"), left=city, right=SHARED)
            for at, city in enumerate((FLOODING, STEADY))
        ]
    )
    line = _Line()
    interval = SECOND // options.rate
    frames, lies = options.rate * options.seconds, options.rate * options.times
    phases = [
        _phase("warm-up", line, interval, (options.rate, 1), (options.rate, 1)),
        _phase("before", line, interval, (frames, 1), (frames, 1)),
        _phase("flood", line, interval, (frames, options.times), (frames, 1)),
        _phase("false proofs", line, interval, (0, 1), (frames, 1), forged=lies),
        _phase("never sent", line, interval, (1, 1), (0, 1)),
    ]
    return Plan(
        peers=(FLOODING, STEADY, SHARED),
        pairs=pairs,
        lanes=tuple([pair.lanes[0] for pair in pairs]),
        phases=tuple(phases),
        payload=200,
        keys=options.keys,
    )


async def run(options: FloodOptions, say: Callable[[str], None]) -> Figures:
    """What was found. Raises where the run cannot be finished."""
    plan = flood_plan(options)
    say(f"building {plan.packets:,} packets")
    with TemporaryDirectory(prefix="ydhub-flood-") as made:
        directory = Path(made)
        log = directory / "generator.log"
        generator = await LineProcess.start("the generator", "adapters.bench", log=log)
        try:
            built = await generator.ask(plan.workload())
            async with system(directory, Options(), plan, built["anchors"]) as found:
                await generator.ask(found.sessions(plan))
                return await _phases(plan, found, generator, say)
        finally:
            await generator.close()


async def _phases(
    plan: Plan, found: System, generator: LineProcess, say: Callable[[str], None]
) -> Figures:
    figures = Figures()
    for number, name in enumerate(PHASES):
        ran = await generator.ask({"do": "run", "phase": number})
        due = plan.due(number)
        question = {"do": "completed", "lanes": due, "within_s": COMPLETE_S}
        completed = (await found.registry.ask(question))["completed"]
        say(f"{name}: done")
        flooding, steady = [[(us, count) for us, count in lane] for lane in ran["by_lane"]]
        figures.phases.append(
            PhaseFigures(
                name=name,
                steady=steady,
                flooding=flooding,
                refused=Counter(ran["refused"]),
                took=ran["acknowledged_at"] - ran["began_at"],
            )
        )
        figures.sent, figures.completed = sum(due.values()), sum(completed.values())
    counts = (await found.registry.ask(EVERY_INVARIANT)).values()
    figures.violations = sum([abs(count) for count in counts])  # one not looked at whole counts too
    await generator.ask({"do": "stop"})
    return figures


def table(figures: Figures) -> str:
    """The phases, one a line."""
    lines = [
        "phase         steady p50   steady p99   x before   flooding/s   flooding p99   refused"
    ]
    before = next(quantile(one.steady, WORST) for one in figures.phases if one.name == "before")
    for one in figures.phases[1:]:
        median, worst = (quantile(one.steady, share) for share in (MEDIAN, WORST))
        count = sum(number for _, number in one.flooding)
        refused = ", ".join(f"{number} {reason}" for reason, number in one.refused.most_common())
        lines.append(
            f"{one.name:<12}{_ms(median):>10} ms{_ms(worst):>10} ms"
            f"{worst / max(before, 1):>11.2f}{count * SECOND // max(one.took, 1):>13,}"
            f"{_ms(quantile(one.flooding, WORST)):>12} ms   {refused}"
        )
    lines.append(f"{figures.completed:,} of {figures.sent:,} packets complete")
    return "\n".join([*lines, *figures.problems])


def main(arguments: Sequence[str]) -> int:
    """The program."""
    default = FloodOptions()
    parser = argparse.ArgumentParser(prog="python -m tests.bench.flood", description=__doc__)
    for name in ("seconds", "rate", "times", "keys"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    given = parser.parse_args(arguments)
    if not 1 <= given.times <= MAX_COUNT:
        parser.error(f"--times is 1 to {MAX_COUNT}")
    figures = asyncio.run(run(FloodOptions(**vars(given)), _say))
    print(table(figures))
    return BROKEN if figures.problems else GOOD


class _Line:
    """Hands out sequences of the two lanes."""

    def __init__(self) -> None:
        self._next = [1, 1]

    def load(self, lane: int, frames: int, count: int, interval: int) -> LaneLoad:
        first = self._next[lane]
        self._next[lane] += frames * count
        return LaneLoad(
            lane=lane, first=first, packets=frames * count, frame=count, interval=interval
        )


def _phase(
    name: str,
    line: _Line,
    interval: int,
    flooding: tuple[int, int],
    steady: tuple[int, int],
    *,
    forged: int = 0,
) -> Phase:
    loads = (line.load(0, *flooding, interval), line.load(1, *steady, interval))
    return Phase(name=name, kind=Kind.OPEN, loads=loads, forged=forged)


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1000:,.1f}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
