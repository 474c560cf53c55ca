"""Candidates made and judged, chunk by chunk, and what became of them.

A chunk is a pure function of the target, the seed and its number, so a run gives the same counts on
any number of processes, and one chunk can be run again alone.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

import psutil

from hub.core.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.core.errors import Reason
    from tests.fuzz.operators import Operator

CHUNK: Final = 5_000
ACCEPTED: Final = "ACCEPTED"
SAME: Final = "same as a valid one"
"""The candidate says what a valid object says; it is not counted as a mutation."""

MAX_GROWTH: Final = 64 << 20
"""Bytes by which a process may grow after its first chunk."""

_SAMPLES: Final = 5
_STRUCTURAL_SHARE: Final = 0.65


class Unframed(Exception):
    """The bytes never reach our code: the transport's own parser refuses them."""


UNFRAMED: Final = "refused by protobuf"


@dataclass(frozen=True)
class Target:
    """One kind of untrusted input: how to change it, how it is judged."""

    name: str
    operators: tuple[Operator[Any], ...]
    judge: Callable[[Any], str]
    """``ACCEPTED`` or ``SAME``; raises ``HubError`` for what is refused."""
    reasons: frozenset[Reason]
    """Every reason that a run has to reach."""


@dataclass
class Tally:
    """What became of candidates."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By operator, and reason or ``ACCEPTED``."""
    structural: int = 0
    same: int = 0
    crashes: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    crash_count: int = 0
    slowest: float = 0.0
    """Seconds that the slowest judgment took."""
    seconds: float = 0.0
    """Of CPU, over all processes."""
    memory: dict[int, list[int]] = field(default_factory=dict)
    """Resident bytes of each process after each of its chunks."""

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def growth(self) -> int:
        """Bytes by which the process that grew most did so."""
        return max((max(sizes) - sizes[0] for sizes in self.memory.values()), default=0)

    def add(self, other: Tally) -> None:
        """*other*'s candidates are counted too."""
        self.counts += other.counts
        self.structural += other.structural
        self.same += other.same
        self.crashes += other.crashes[: _SAMPLES - len(self.crashes)]
        self.accepted += other.accepted[: _SAMPLES - len(self.accepted)]
        self.crash_count += other.crash_count
        self.slowest = max(self.slowest, other.slowest)
        self.seconds += other.seconds
        for process, sizes in other.memory.items():
            self.memory.setdefault(process, []).extend(sizes)


def run_chunk(target: Target, seed: int, number: int, count: int) -> Tally:
    """*count* candidates of chunk *number*, judged."""
    tally = Tally()
    began = time.process_time()
    rng = Random(f"{target.name} {seed} {number}")
    for operator, candidate in _candidates(target, rng):
        verdict = _judged(target, candidate, tally)
        if verdict == SAME:
            tally.same += 1
            continue
        tally.counts[operator.name, verdict] += 1
        tally.structural += operator.structural
        if verdict == ACCEPTED and len(tally.accepted) < _SAMPLES:
            tally.accepted.append(f"chunk {number}, {operator.name}: {candidate!r:.600}")
        if tally.total == count:
            break
    tally.seconds = time.process_time() - began
    tally.memory[os.getpid()] = [psutil.Process().memory_info().rss]
    return tally


def failures(target: Target, tally: Tally) -> list[str]:
    """What the run may not end with."""
    reached = {verdict for _, verdict in tally.counts}
    missing = sorted(reason for reason in target.reasons if reason.value not in reached)
    accepted = sum(n for (_, verdict), n in tally.counts.items() if verdict == ACCEPTED)
    found = []
    if accepted:
        found += [f"{accepted} accepted", *tally.accepted]
    if tally.crash_count:
        found += [f"{tally.crash_count} raised something else than HubError", *tally.crashes]
    if missing:
        found.append(f"reasons not reached: {', '.join(missing)}")
    if tally.structural * 2 < tally.total:
        found.append(f"only {tally.structural} of {tally.total} are structural")
    if tally.growth > MAX_GROWTH:
        found.append(f"memory grew by {tally.growth >> 20} MiB")
    return found


def _candidates(target: Target, rng: Random) -> Iterator[tuple[Operator[Any], Any]]:
    """Candidates without end: operators of each kind in turn, so that none is left out."""
    kinds = [
        [one for one in target.operators if one.structural],
        [one for one in target.operators if not one.structural],
    ]
    at = [rng.randrange(len(kind) or 1) for kind in kinds]
    while True:
        kind = 0 if rng.random() < _STRUCTURAL_SHARE or not kinds[1] else 1
        operator = kinds[kind][at[kind]]
        at[kind] = (at[kind] + 1) % len(kinds[kind])
        candidate = operator.make(rng)
        if candidate is not None:
            yield operator, candidate


def _judged(target: Target, candidate: Any, tally: Tally) -> str:
    began = time.perf_counter()
    try:
        return _verdict(target, candidate)
    except Exception as error:  # noqa: BLE001 - what must not happen is counted, not raised
        tally.crash_count += 1
        if len(tally.crashes) < _SAMPLES:
            tally.crashes.append(f"{type(error).__name__}: {error}: {candidate!r:.600}")
        return f"{type(error).__name__}!"
    finally:
        tally.slowest = max(tally.slowest, time.perf_counter() - began)


def _verdict(target: Target, candidate: Any) -> str:
    try:
        return target.judge(candidate)
    except HubError as error:
        # The message is a template over the fields: that it can be made is part of the promise.
        str(error)
        return error.reason.value
    except Unframed:
        return UNFRAMED
