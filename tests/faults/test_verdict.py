"""Bugs planted in the books: each makes the verdict, and the run, fail."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import TYPE_CHECKING

import pytest

from hub.core.time import MILLISECOND, Duration
from tests.faults.trial import NotFired, Site, Trial, attempt
from tests.faults.verdict import Verdict, of_books, read_answers, untrue
from tests.harness.network import LiveNetwork
from tests.unit.hub.cli.dev.test_ledgers import THERE, books, executed, source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub.cli.dev.ledgers import Books

SENT = 3


def _is_lost(found: Books) -> None:
    """Packet 1 was received by nobody, and its sender waits forever."""
    found.ledgers["hangzhou"].effects[0].acknowledged = 0
    del found.ledgers["suzhou"].effects[0]


def _is_stuck(found: Books) -> None:
    found.ledgers["hangzhou"].effects[1].acknowledged = 0


def _is_executed_twice(found: Books) -> None:
    found.ledgers["suzhou"].effects[0].executed = 2


def _is_refunded_twice(found: Books) -> None:
    found.ledgers["hangzhou"].effects[2].refunded = 2


def _is_refunded_and_executed(found: Books) -> None:
    found.ledgers["suzhou"].effects.append(executed(3))


def _is_acknowledged_and_timed_out(found: Books) -> None:
    found.ledgers["hangzhou"].effects[2].acknowledged = 1
    found.ledgers["suzhou"].effects.append(executed(3))


def _is_minted(found: Books) -> None:
    found.ledgers["hangzhou"].supplies[0].amount += 1


def _is_unbacked(found: Books) -> None:
    found.ledgers["suzhou"].supplies[0].amount += 1


def _is_forged(found: Books) -> None:
    found.ledgers["suzhou"].effects.append(executed(9))


def _is_forgotten(found: Books) -> None:
    """The chain has lost the packet itself."""
    del found.ledgers["hangzhou"].effects[2]


def _was_never_sent(found: Books) -> None:
    found.ledgers["hangzhou"].effects.append(source(4, refunded=1, timed_out=1))


@pytest.mark.parametrize(
    ("bug", "lost", "doubled"),
    [
        (_is_lost, 1, 0),
        (_is_stuck, 1, 0),
        (_is_executed_twice, 0, 1),
        (_is_refunded_twice, 0, 1),
        (_is_refunded_and_executed, 0, 1),
        (_is_acknowledged_and_timed_out, 0, 1),
        (_is_minted, 0, 0),
        (_is_unbacked, 0, 0),
        (_is_forged, 0, 0),
        (_is_forgotten, 0, 0),
        (_was_never_sent, 0, 0),
    ],
)
def test_a_bug_in_the_books_is_seen_and_counted(
    bug: Callable[[Books], None], lost: int, doubled: int
) -> None:
    found = deepcopy(books())
    bug(found)
    verdict = of_books(found, sent=SENT)
    assert not verdict.holds
    assert (verdict.lost, verdict.doubled) == (lost, doubled)
    assert verdict.lost + verdict.doubled + verdict.broken >= 1
    assert verdict.problems != ()


def test_whole_books_hold() -> None:
    verdict = of_books(books(), sent=SENT)
    assert verdict.holds
    assert (verdict.sent, verdict.executed, verdict.refunded) == (3, 2, 1)


@pytest.mark.parametrize(
    "said", [{"broken": ["I3: 1"]}, {"problems": ["relayer: Traceback"]}], ids=["broken", "log"]
)
def test_a_broken_invariant_or_a_complaint_is_enough(said: dict[str, list[str]]) -> None:
    assert not of_books(books(), sent=SENT, **said).holds


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ({5: 99}, []),
        ({5: 100}, []),
        ({5: 101}, ["5: recorded 1 us after it was answered"]),
        ({}, ["5: answered accepted, and not recorded"]),
        ({6: 1}, ["5: answered accepted, and not recorded"]),
    ],
)
def test_an_answer_that_was_not_true_when_it_was_given_is_seen(
    recorded: dict[int, int], said: list[str]
) -> None:
    lane = str(THERE)
    found = untrue({lane: {5: 100}}, {lane: recorded})
    assert [line.removeprefix(f"{lane} ") for line in found] == said


def test_answers_are_read_with_their_time_in_microseconds(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    lines = [
        {"at": 7_000_999, "lane": f"lanes/{THERE}", "side": "SOURCE", "accepted": [[1, 2], [5, 5]]},
        {"at": 8_000_000, "lane": f"lanes/{THERE}", "side": "DESTINATION", "accepted": [[9, 9]]},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert read_answers(log) == {str(THERE): {1: 7000, 2: 7000, 5: 7000}}
    assert read_answers(tmp_path / "none") == {}


async def _well(site: Site, chance: Random) -> Duration:
    return Duration(25 * MILLISECOND)


async def _not_fired(site: Site, chance: Random) -> Duration:
    raise NotFired("the process ended by itself")


async def _stays_away(site: Site, chance: Random) -> Duration:
    raise AssertionError("waited for a packet")


async def _breaks(site: Site, chance: Random) -> Duration:
    raise ValueError("a bug of the trial")


def _trial(strike: object) -> Trial:
    return Trial(kind="kills", fault="relayer", run=1, strike=strike)  # type: ignore[arg-type]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(LiveNetwork(tmp_path / "net"))


@pytest.mark.parametrize(
    ("strike", "fired", "said"),
    [
        (_not_fired, 0, "not fired: the process ended by itself"),
        (_stays_away, 1, "waited for a packet"),
        (_breaks, 1, "ValueError: a bug of the trial"),
    ],
)
async def test_a_fault_that_did_not_happen_or_was_not_survived_fails_its_trial(
    site: Site, strike: object, fired: int, said: str
) -> None:
    async def judged(_: LiveNetwork, __: Trial) -> Verdict:
        return Verdict(sent=10, executed=10)

    result, _ = await attempt(_trial(strike), site, Random(1), Verdict(), judged)
    assert (result.fired, result.problem) == (fired, said)
    assert not result.holds


async def test_a_verdict_that_does_not_hold_fails_the_trial(site: Site) -> None:
    async def judged(_: LiveNetwork, __: Trial) -> Verdict:
        return Verdict(sent=10, executed=9, lost=1, problems=("one was lost",))

    result, _ = await attempt(_trial(_well), site, Random(1), Verdict(), judged)
    assert (result.lost, result.problem) == (1, "one was lost")
    assert not result.holds


async def test_books_that_cannot_be_read_fail_the_trial(site: Site) -> None:
    async def judged(_: LiveNetwork, __: Trial) -> Verdict:
        raise OSError("nobody answers")

    result, _ = await attempt(_trial(_well), site, Random(1), Verdict(), judged)
    assert not result.holds


async def test_a_trial_counts_what_came_since_the_one_before(site: Site) -> None:
    async def judged(_: LiveNetwork, __: Trial) -> Verdict:
        return Verdict(sent=30, executed=28, refunded=2)

    before = Verdict(sent=10, executed=9, refunded=1)
    result, after = await attempt(_trial(_well), site, Random(1), before, judged)
    assert (result.sent, result.executed, result.refunded) == (20, 19, 1)
    assert (result.holds, result.recovery_ms, after.sent) == (True, 25, 30)
