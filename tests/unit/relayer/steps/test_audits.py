from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import Timestamp
from relayer.steps.audits import (
    MAX_ENTRIES,
    MOST,
    ONE_IN,
    AuditQueue,
    Entry,
    added,
    due,
    is_chosen,
    removed,
)

KEY, OTHER = b"k" * 32, b"o" * 32
LANE = "lanes/hangzhou~c-0~suzhou~c-0"
INDEXES = st.sets(st.integers(0, 200), min_size=1, max_size=20)


def at(time: int) -> Timestamp:
    return Timestamp(time)


def queue_of(*entries: tuple[int, range | list[int]]) -> AuditQueue:
    made = [Entry(RangeSet.of(items), at(since), len(items)) for since, items in entries]
    return AuditQueue(tuple(made))


class TestChoice:
    def test_about_one_in_a_thousand_is_chosen(self) -> None:
        chosen = sum(is_chosen(KEY, LANE, sequence) for sequence in range(100_000))
        assert 60 <= chosen <= 140
        assert ONE_IN == 1000

    def test_the_choice_is_the_same_each_time_and_another_for_another_key_or_lane(self) -> None:
        def chosen(key: bytes, lane: str) -> set[int]:
            return {sequence for sequence in range(20_000) if is_chosen(key, lane, sequence)}

        assert chosen(KEY, LANE) == chosen(KEY, LANE) != chosen(OTHER, LANE)
        assert chosen(KEY, LANE) != chosen(KEY, f"{LANE}1")

    def test_lane_and_sequence_do_not_run_together(self) -> None:
        found = [is_chosen(KEY, f"{LANE}{n}", 11) == is_chosen(KEY, LANE, n * 100 + 11)
                 for n in range(20_000)]  # fmt: skip
        assert not all(found)


class TestWaiting:
    def test_what_was_executed_is_due_once_a_later_header_can_show_it(self) -> None:
        queue, lost = added(AuditQueue(), RangeSet.of([3, 4]), at(10))
        queue, _ = added(queue, RangeSet.of([1]), at(20))
        assert lost == 0
        assert due(queue, at(9), 9) == EMPTY
        assert due(queue, at(10), 9) == RangeSet.of([3, 4])
        assert due(queue, at(20), 9) == RangeSet.of([1, 3, 4])
        assert due(queue, at(20), 1) == RangeSet.of([3])
        assert due(queue, at(20), 0) == EMPTY

    def test_what_waits_already_is_due_after_its_last_execution(self) -> None:
        queue, _ = added(queue_of((10, [1, 2])), RangeSet.of([2]), at(30))
        assert queue == queue_of((10, [1]), (30, [2]))

    def test_what_is_done_waits_no_more(self) -> None:
        queue = queue_of((10, [1, 2]), (20, [3]))
        assert removed(queue, RangeSet.of([2, 3])) == queue_of((10, [1]))
        assert removed(queue, EMPTY) is queue

    def test_what_has_no_room_is_counted(self) -> None:
        queue, lost = added(AuditQueue(), RangeSet.span(0, MOST + 5), at(1))
        assert (len(queue), lost) == (MOST, 5)
        assert added(queue, RangeSet.of([MOST + 9]), at(2)) == (queue, 1)
        assert added(queue, EMPTY, at(2)) == (queue, 0)

    def test_retries_leave_room_for_what_was_chosen(self) -> None:
        queue, lost = added(AuditQueue(), RangeSet.span(0, MOST), at(1), MOST // 2)
        assert (len(queue), lost) == (MOST // 2, MOST // 2)
        queue, lost = added(queue, RangeSet.of([MOST + 1]), at(2))
        assert (len(queue), lost) == (MOST // 2 + 1, 0)

    def test_many_entries_become_one_that_is_due_later(self) -> None:
        queue = AuditQueue()
        for time in range(MAX_ENTRIES + 3):
            queue, _ = added(queue, RangeSet.of([2 * time]), at(time))
        assert len(queue.entries) == MAX_ENTRIES
        assert queue.entries[-1].since == MAX_ENTRIES + 2
        assert len(queue) == MAX_ENTRIES + 3

    def test_what_waits_already_is_left_as_it_is_by_what_comes_later(self) -> None:
        queue, _ = added(AuditQueue(), RangeSet.of(range(0, 2 * MOST - 4, 2)), at(1))
        longer, lost = added(queue, RangeSet.of([2 * MOST]), at(2))
        assert (len(longer), lost) == (MOST - 1, 0)
        assert longer.entries[0] is queue.entries[0]

    @given(st.lists(st.tuples(st.booleans(), INDEXES), max_size=90))
    def test_nothing_that_waits_is_due_before_its_last_execution(
        self, steps: list[tuple[bool, set[int]]]
    ) -> None:
        queue, last = AuditQueue(), dict[int, int]()
        for time, (is_new, numbers) in enumerate(steps):
            items = RangeSet.of(numbers)
            if is_new:
                queue, _ = added(queue, items, at(time))
                last.update(dict.fromkeys(numbers, time))
            else:
                queue = removed(queue, items)
                last = {index: since for index, since in last.items() if index not in numbers}
            assert all(entry.count == len(entry.items) > 0 for entry in queue.entries)
        assert set(due(queue, at(len(steps)), MOST)) == set(last)
        for until in range(len(steps)):
            assert all(last[index] <= until for index in due(queue, at(until), MOST))
