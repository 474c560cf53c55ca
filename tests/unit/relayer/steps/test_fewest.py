from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from relayer.steps.fewest import Fewest, Taken


def test_nothing_waits_at_first() -> None:
    line: Fewest[int] = Fewest()
    assert not line
    assert line.take() is None


def test_the_fewest_under_way_go_first_and_then_who_has_waited_longest() -> None:
    line: Fewest[int] = Fewest()
    for number in range(3):
        line.put(("a",), number)
    line.put(("b",), 10)
    line.put(("c",), 20)
    assert [_item(line) for _ in range(5)] == [0, 10, 20, 1, 2]


def test_what_has_ended_counts_no_more_and_names_are_forgotten() -> None:
    line: Fewest[int] = Fewest()
    line.put(("a", "x"), 0)
    first = line.take()
    assert first is not None
    line.put(("a", "x"), 1)
    line.put(("b", "x"), 2)
    line.end(first)
    line.put(("a", "x"), 3)
    assert [_item(line) for _ in range(3)] == [2, 1, 3]
    assert not line
    line.end(Taken(("b", "x"), 2, 1))
    assert list(line._below) == ["a"]


def test_a_heavy_one_counts_more() -> None:
    line: Fewest[int] = Fewest()
    line.put(("heavy",), 0, 5)
    line.put(("heavy",), 1, 5)
    for number in range(10, 14):
        line.put(("light",), number)
    assert [_item(line) for _ in range(6)] == [0, 10, 11, 12, 13, 1]


def test_the_line_is_no_longer_than_there_are_names_that_wait() -> None:
    """However long they wait, and however often one has its turn."""
    line: Fewest[int] = Fewest()
    for name in ("a", "b", "c"):
        line.put((name, "x"), 0)
    for number in range(1000):
        taken = line.take()
        assert taken is not None
        line.put((taken.path[0], "x"), number)
        line.put((taken.path[0], "x"), number)
        line.end(taken)
        _assert_bounded(line)
    assert len(line) == 1003


@given(
    st.lists(
        st.tuples(
            st.sampled_from("pppte"),
            st.sampled_from("ab"),
            st.sampled_from("xyz"),
            st.integers(1, 4),
        ),
        max_size=120,
    )
)
def test_each_is_taken_once_and_always_by_who_has_the_least_under_way(
    steps: list[tuple[str, str, str, int]],
) -> None:
    line: Fewest[int] = Fewest()
    waiting: dict[int, tuple[str, ...]] = {}
    running: list[Taken[int]] = []
    for number, (step, peer, lane, weight) in enumerate(steps):
        if step == "p":
            line.put((peer, lane), number, weight)
            waiting[number] = (peer, lane)
        elif step == "t":
            under_way = _weights(running, 1), _weights(running, 2)
            taken = line.take()
            assert (taken is None) == (not waiting)
            if taken is not None:
                assert waiting.pop(taken.item) == taken.path
                peers = {path[0] for path in [*waiting.values(), taken.path]}
                assert under_way[0][taken.path[:1]] == min(under_way[0][name,] for name in peers)
                lanes = {
                    path for path in [*waiting.values(), taken.path] if path[0] == taken.path[0]
                }
                assert under_way[1][taken.path] == min(under_way[1][path] for path in lanes)
                running.append(taken)
        elif running:
            line.end(running.pop(number % len(running)))
        assert len(line) == len(waiting)
        _assert_bounded(line)


def _assert_bounded(line: Fewest[int]) -> None:
    """At each level at most two entries for each name that waits."""
    assert len(line._line) <= 2 * sum(1 for below in line._below.values() if below)
    for below in line._below.values():
        _assert_bounded(below)


def _item(line: Fewest[int]) -> int:
    taken = line.take()
    assert taken is not None
    return taken.item


def _weights(running: list[Taken[int]], depth: int) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for taken in running:
        found[taken.path[:depth]] += taken.weight
    return found
