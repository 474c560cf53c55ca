from __future__ import annotations

from hub.core.ranges import EMPTY, RangeSet
from hub.registry.recent import OVERHEAD, Newest, RecentFacts


def facts(*numbers: int) -> dict[int, str]:
    return {number: f"fact {number}" for number in numbers}


def test_kept_facts_are_answered_in_order() -> None:
    newest: Newest[str] = Newest(10_000)
    newest.keep(1, facts(5, 6), 20)
    newest.keep(1, facts(2), 10)
    assert newest.among(1, RangeSet.of([2, 5, 6])) == ["fact 2", "fact 5", "fact 6"]
    assert newest.among(1, EMPTY) == []


def test_an_answer_is_whole_or_none() -> None:
    newest: Newest[str] = Newest(10_000)
    newest.keep(1, facts(5, 6), 20)
    assert newest.among(1, RangeSet.of([5, 7])) is None
    assert newest.among(1, RangeSet.span(1, 2**62)) is None
    assert newest.among(2, RangeSet.of([5])) is None


def test_the_oldest_frames_go_where_all_take_too_much() -> None:
    newest: Newest[str] = Newest(3 * (OVERHEAD + 10))
    for number in range(5):
        newest.keep(number % 2, facts(number), 10)
    kept = [number for number in range(5) if newest.among(number % 2, RangeSet.of([number]))]
    assert kept == [2, 3, 4]


def test_a_frame_larger_than_the_bound_is_not_kept() -> None:
    newest: Newest[str] = Newest(1000)
    newest.keep(1, facts(1), 5000)
    assert newest.among(1, RangeSet.of([1])) is None
    newest.keep(1, facts(2), 5)
    assert newest.among(1, RangeSet.of([2])) == ["fact 2"]


def test_a_bound_of_nothing_keeps_nothing() -> None:
    facts = RecentFacts(0).facts
    for newest in (facts.packets, facts.outcomes, facts.proofs):
        newest.keep(1, {}, 0)
        assert newest.among(1, RangeSet.of([1])) is None


def test_what_is_forgotten_takes_nothing_of_those_who_began_before() -> None:
    recent = RecentFacts()
    before = recent.facts
    recent.forget()
    before.packets.keep(1, {}, 0)
    assert recent.facts is not before
    assert recent.facts.packets._max_bytes == before.packets._max_bytes
