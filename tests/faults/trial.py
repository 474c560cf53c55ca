"""One fault, how it is brought about, and what became of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hub.core.time import MILLISECOND, Duration
from tests.faults import verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from tests.faults.verdict import Verdict
    from tests.harness.network import LiveNetwork
    from tests.harness.pair import Pair

    Judge = Callable[[LiveNetwork, "Trial"], Awaitable[Verdict]]
    """The verdict of a network's books after a trial."""


class NotFired(AssertionError):
    """The fault did not happen, or happened to nobody."""


@dataclass(frozen=True, slots=True)
class Site:
    """The network that a fault strikes."""

    live: LiveNetwork
    relayers: Pair | None = None
    """Where two relayers are wanted."""

    @property
    def pair(self) -> Pair:
        """Both relayers."""
        assert self.relayers is not None
        return self.relayers


class Strike(Protocol):
    """Brings a fault about."""

    def __call__(self, site: Site, chance: Random) -> Awaitable[Duration]:
        """How long (ns) it took until a packet that was sent meanwhile had ended.

        Raises ``NotFired`` where there was no fault, and ``AssertionError`` where it was not dealt
        with as it must be.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of one fault."""

    kind: str
    fault: str
    """The row of the table."""
    run: int
    strike: Strike
    ground: str = "plain"
    """The kind of network that it wants."""
    dates_answers: bool = True
    """Whether clocks can be believed."""

    @property
    def key(self) -> str:
        """Names it from run to run."""
        return f"{self.kind}/{self.fault}/{self.run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one trial."""

    kind: str
    fault: str
    run: int
    fired: bool
    recovery_ms: int
    sent: int = 0
    executed: int = 0
    refunded: int = 0
    lost: int = 0
    doubled: int = 0
    broken: int = 0
    problem: str = ""

    @property
    def key(self) -> str:
        """The trial's."""
        return f"{self.kind}/{self.fault}/{self.run}"

    @property
    def holds(self) -> bool:
        """The fault happened, and nothing is wrong."""
        return self.fired and not (self.lost or self.doubled or self.broken or self.problem)


async def judge(live: LiveNetwork, trial: Trial) -> Verdict:
    """The verdict of the network's books after *trial*."""
    return await verdict.reached(live, dates_answers=trial.dates_answers)


async def attempt(
    trial: Trial, site: Site, chance: Random, before: Verdict, judged: Judge = judge
) -> tuple[Result, Verdict]:
    """What became of *trial*, and the books after it; they were *before* until then."""
    fired, took, problems = True, Duration(0), []
    try:
        took = await trial.strike(site, chance)
    except NotFired as error:
        fired = False
        problems.append(f"not fired: {error}")
    except AssertionError as error:
        problems.append(str(error) or repr(error))
    except Exception as error:  # noqa: BLE001 - one trial's failure is a line of the table
        problems.append(f"{type(error).__name__}: {error}")
    after = before
    try:
        after = await judged(site.live, trial)
    except Exception as error:  # noqa: BLE001 - likewise
        problems.append(f"no verdict: {type(error).__name__}: {error}")
    problems += after.problems
    return _result(trial, before, after, fired=fired, took=took, problem="\n".join(problems)), after


def _result(
    trial: Trial, before: Verdict, after: Verdict, *, fired: bool, took: Duration, problem: str
) -> Result:
    return Result(
        kind=trial.kind,
        fault=trial.fault,
        run=trial.run,
        fired=fired,
        recovery_ms=took // MILLISECOND,
        sent=after.sent - before.sent,
        executed=after.executed - before.executed,
        refunded=after.refunded - before.refunded,
        lost=after.lost,
        doubled=after.doubled,
        broken=after.broken,
        problem=problem,
    )


async def not_fired_unless(
    holds: Callable[[], Awaitable[bool]], within_s: float, what: str
) -> None:
    """Returns once it holds. Raises ``NotFired`` when it does not within *within_s*."""
    try:
        async with asyncio.timeout(within_s):
            while not await holds():  # noqa: ASYNC110 - processes set no event
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise NotFired(what) from None
