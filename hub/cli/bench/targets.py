"""The numbers to reach, and whether they are.

Source: design section 8; what a bench cannot measure (kills, take-over) has commands of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.cli.bench.plan import Kind
from hub.cli.bench.presets import EVERY_LANE, LONG_PAST, MANY_LANES, MANY_PEERS, ONE_LANE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.cli.bench.result import PhaseResult, Result, RunResult

HEADER: Final = "header of 100 validators"
"""Name of the function that verifies one."""
LATENCY_RATE: Final = 5000
_FEW_LANES: Final = 16
_KEYS: Final = 1_000_000
"""Of each chain's store, for a number to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One number that the design names."""

    name: str
    committed: float
    stretch: float
    more_is_better: bool = False
    measured: Callable[[Result], float | None]
    """None where no run of the result shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A target beside what was measured."""

    target: Target
    measured: float | None

    @property
    def verdict(self) -> str:
        """Whether it is reached."""
        if self.measured is None:
            return "not measured"
        if self._is_reached(self.measured, self.target.stretch):
            return "reached, stretch too"
        is_reached = self._is_reached(self.measured, self.target.committed)
        return "reached" if is_reached else "not reached"

    def _is_reached(self, measured: float, aim: float) -> bool:
        return measured >= aim if self.target.more_is_better else measured < aim


def rows(result: Result) -> list[Row]:
    """Every target beside what *result* measured."""
    return [Row(target=target, measured=target.measured(result)) for target in TARGETS]


def capacity(run: RunResult) -> float | None:
    """Packets a second of closed loop: the median round; None where there is none."""
    return run.middle(Kind.CLOSED, lambda phase: phase.per_second)


def _with_relayers(count: int) -> Callable[[Result], float | None]:
    def measured(result: Result) -> float | None:
        for run in result.runs:
            if run.options.get("relayers") == count and _is_plain(run):
                return capacity(run)
        return None

    return measured


def _phase(
    kind: Kind, rate: int, value: Callable[[PhaseResult], float]
) -> Callable[[Result], float | None]:
    def measured(result: Result) -> float | None:
        for run in result.runs:
            for phase in run.of(kind):
                if phase.rate == rate and _is_plain(run) and run.options.get("relayers") == 1:
                    return value(phase)
        return None

    return measured


def _cost(result: Result) -> float | None:
    """Of one relayer process at saturation."""
    for run in result.runs:
        if run.options.get("relayers") == 1 and _is_plain(run) and run.of(Kind.CLOSED):
            return run.middle(Kind.CLOSED, lambda phase: phase.system_us)
    return None


def _memory(result: Result) -> float | None:
    """Of the largest relayer process of any run."""
    found = [run.relayer_memory_mb for run in result.runs]
    return max([memory for memory in found if memory is not None], default=None)


def _header(result: Result) -> float | None:
    found = [run.functions_us[HEADER] for run in result.runs if HEADER in run.functions_us]
    return min(found) / 1000 if found else None


def _against_one_lane(name: str) -> Callable[[Result], float | None]:
    """How many times the cost of a packet on one lane that of the run *name* is."""

    def measured(result: Result) -> float | None:
        costs = {
            run.name: run.middle(Kind.CLOSED, lambda phase: phase.system_us) for run in result.runs
        }
        one, other = costs.get(ONE_LANE), costs.get(name)
        return round(other / one, 2) if one and other else None

    return measured


def _beyond_rest(name: str) -> Callable[[Result], float | None]:
    """As ``_against_one_lane``, each less what its peers cost while no packet is sent."""

    def measured(result: Result) -> float | None:
        costs = {}
        for run in result.runs:
            if run.rest_us:
                costs[run.name] = run.middle(Kind.CLOSED, run.beyond_rest)
        one, other = costs.get(ONE_LANE), costs.get(name)
        return round(other / one, 2) if one and other else None

    return measured


def _is_plain(run: RunResult) -> bool:
    """Whether its load is the usual one: few lanes, no past, batches, no order, large trees."""
    options = run.options
    return (
        run.name not in {ONE_LANE, MANY_LANES, LONG_PAST, MANY_PEERS, EVERY_LANE}
        and options.get("lanes", 0) <= _FEW_LANES
        and options.get("keys", 0) >= _KEYS
        and not options.get("behind")
        and options.get("proofs") == "batch"
        and options.get("order") == "UNORDERED"
    )


TARGETS: Final = (
    Target(
        name="packets/s, 1 relayer process",
        committed=15_000,
        stretch=30_000,
        more_is_better=True,
        measured=_with_relayers(1),
    ),
    Target(
        name="packets/s, 2 relayer processes",
        committed=20_000,
        stretch=30_000,
        more_is_better=True,
        measured=_with_relayers(2),
    ),
    Target(
        name="latency at 5,000/s, p50 ms",
        committed=12,
        stretch=5,
        measured=_phase(Kind.OPEN, LATENCY_RATE, lambda phase: phase.p50_ms),
    ),
    Target(
        name="latency at 5,000/s, p99 ms",
        committed=80,
        stretch=25,
        measured=_phase(Kind.OPEN, LATENCY_RATE, lambda phase: phase.p99_ms),
    ),
    Target(
        name="one packet on an idle hub, p50 ms",
        committed=10,
        stretch=5,
        measured=_phase(Kind.IDLE, 0, lambda phase: phase.p50_ms),
    ),
    Target(
        name="CPU us a packet at saturation, relayer + Postgres",
        committed=75,
        stretch=45,
        measured=_cost,
    ),
    Target(name="memory of a relayer process, MB", committed=120, stretch=80, measured=_memory),
    Target(
        name="header of 100 validators, every signature, ms",
        committed=10,
        stretch=6,
        measured=_header,
    ),
    Target(
        name="CPU a packet, 10,000 lanes (100 active) against one",
        committed=1.3,
        stretch=1.1,
        measured=_against_one_lane(MANY_LANES),
    ),
    Target(
        name="CPU a packet, 10^7 packets behind against none",
        committed=1.3,
        stretch=1.1,
        measured=_against_one_lane(LONG_PAST),
    ),
    Target(
        name="CPU a packet, 100 peers attached against two",
        committed=1.3,
        stretch=1.1,
        measured=_against_one_lane(MANY_PEERS),
    ),
    Target(
        name="the same, each less its CPU at rest (headers, heartbeats)",
        committed=1.3,
        stretch=1.1,
        measured=_beyond_rest(MANY_PEERS),
    ),
)
