from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.steps.shares import Shares

NAMES = ("hangzhou", "suzhou", "wuxi", "ningbo")
QUANTUM = 10


def take(shares: Shares[int], count: int) -> list[str]:
    """Who had the next so many turns."""
    found = [shares.take() for _ in range(count)]
    return [entry[0][0] for entry in found if entry is not None]


def test_nothing_waits_at_first_and_nothing_is_taken() -> None:
    shares: Shares[int] = Shares(QUANTUM)
    assert not len(shares)
    assert shares.take() is None


def test_what_waits_under_one_path_keeps_its_order() -> None:
    shares: Shares[int] = Shares(QUANTUM)
    for number in range(50):
        shares.put(("hangzhou", "lane"), number, 3)
    assert [shares.take() for _ in range(50)] == [
        (("hangzhou", "lane"), number) for number in range(50)
    ]


def test_a_flood_has_every_other_turn_beside_one_that_asks_for_as_much() -> None:
    shares: Shares[int] = Shares(QUANTUM)
    for number in range(1000):
        shares.put(("hangzhou",), number, QUANTUM)
    for number in range(5):
        shares.put(("suzhou",), number, QUANTUM)
    assert Counter(take(shares, 10)) == {"hangzhou": 5, "suzhou": 5}


def test_a_newcomer_waits_for_one_turn_of_each_other() -> None:
    shares: Shares[int] = Shares(QUANTUM)
    for name in NAMES[1:]:
        for number in range(100):
            shares.put((name,), number, 1)
    take(shares, 57)
    shares.put(("hangzhou",), 0, 1)
    assert "hangzhou" in take(shares, (len(NAMES) - 1) * QUANTUM + 1)


def test_whoever_has_many_lanes_has_no_more_than_who_has_one() -> None:
    shares: Shares[int] = Shares(QUANTUM)
    for lane in range(100):
        for number in range(10):
            shares.put(("hangzhou", f"lane-{lane}"), number, 5)
    for number in range(10):
        shares.put(("suzhou", "lane"), number, 5)
    assert take(shares, 20).count("suzhou") == 10


def test_what_it_cost_beyond_what_was_said_is_paid_later() -> None:
    shares: Shares[int] = Shares(QUANTUM)
    for number in range(100):
        shares.put(("hangzhou",), number, 1)
        shares.put(("suzhou",), number, 1)
    assert take(shares, 1) == ["hangzhou"]
    shares.charge(("hangzhou",), 5 * QUANTUM)
    assert "hangzhou" not in take(shares, 4 * QUANTUM)
    assert "hangzhou" in take(shares, 2 * QUANTUM)


def test_what_is_owed_is_owed_still_after_an_empty_line() -> None:
    shares: Shares[int] = Shares(QUANTUM)
    for number in range(100):
        shares.put(("suzhou",), number, 1)
    shares.put(("hangzhou",), 0, 1)
    while take(shares, 1) != ["hangzhou"]:
        pass
    shares.charge(("hangzhou",), 3 * QUANTUM)
    shares.put(("hangzhou",), 1, 1)
    assert "hangzhou" not in take(shares, 2 * QUANTUM)


def test_debts_end_when_nothing_waits() -> None:
    shares: Shares[int] = Shares(QUANTUM)
    shares.put(("hangzhou",), 0, 1000)
    take(shares, 1)
    shares.charge(("hangzhou",), 1000)
    for number in range(QUANTUM):
        shares.put(("hangzhou",), number, 1)
        shares.put(("suzhou",), number, 1)
    assert take(shares, 1) == ["hangzhou"]


def test_debts_are_paid_by_time_and_then_the_name_is_forgotten() -> None:
    """Others' rounds count for whoever wants nothing, as they would if it stood in line."""
    shares: Shares[int] = Shares(QUANTUM)
    for number in range(200):
        shares.put(("suzhou",), number, 1)
    shares.put(("hangzhou",), 0, 1)
    while take(shares, 1) != ["hangzhou"]:
        pass
    shares.charge(("hangzhou",), 3 * QUANTUM)
    assert "hangzhou" in shares._root._idle
    take(shares, 4 * QUANTUM)
    assert not shares._root._idle
    shares.put(("hangzhou",), 0, 1)
    assert "hangzhou" in take(shares, QUANTUM + 1)


@pytest.mark.parametrize("extra", [0, 1, -1, 5 * QUANTUM])
def test_as_many_names_are_kept_as_owe_or_wait(extra: int) -> None:
    """However many there ever were, and however they owe, while something always waits."""
    shares: Shares[int] = Shares(QUANTUM)
    for number in range(1000):
        shares.put(("always",), number, QUANTUM)
    for number in range(1000):
        path = (f"lane-{number}",)
        shares.put(path, number, 1)
        shares.put(path, number, QUANTUM)
        for _ in range(3):
            assert shares.take() is not None
        shares.charge(path, extra)
        shares.put(("always",), number, QUANTUM)
    root = shares._root
    most = 3 * (2 + max(0, extra) // QUANTUM)
    assert len(root._idle) <= most
    assert len(root._balance) <= most + len(root._later) + len(root._served)


def test_a_weight_is_so_many_times_the_turn() -> None:
    shares: Shares[int] = Shares(QUANTUM, {"outcomes": 4})
    for number in range(200):
        shares.put(("outcomes",), number, 1)
        shares.put(("packets",), number, 1)
    assert Counter(take(shares, 100)) == {"outcomes": 80, "packets": 20}


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from("abc"), st.integers(1, 50)), max_size=80
    ),
    st.lists(st.booleans(), max_size=200),
)
def test_work_is_taken_as_long_as_there_is_any_and_each_once(
    work: list[tuple[str, str, int]], turns: list[bool]
) -> None:
    shares: Shares[int] = Shares(QUANTUM)
    waiting, put, taken = 0, 0, []
    todo = list(enumerate(work))
    for is_put in [*turns, *[True] * len(todo), *[False] * len(todo)]:
        if is_put and todo:
            number, (name, lane, cost) = todo.pop(0)
            shares.put((name, lane), number, cost)
            waiting, put = waiting + 1, put + 1
        elif not is_put:
            found = shares.take()
            assert (found is not None) == (waiting > 0)
            if found is not None:
                path, number = found
                assert path == work[number][:2]
                taken.append(number)
                waiting -= 1
        assert len(shares) == waiting
    assert sorted(taken) == list(range(len(work)))
    for name in NAMES:
        for lane in "abc":
            mine = [number for number in taken if work[number][:2] == (name, lane)]
            assert mine == sorted(mine)


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=4),
    st.integers(1, 300),
    st.integers(1, 25),
)
def test_between_two_that_always_want_more_the_difference_is_bounded(
    costs: list[int], turns: int, quantum: int
) -> None:
    """By a quantum and one piece of work of each: nobody starves, whatever the others' size."""
    shares: Shares[int] = Shares(quantum)
    names = NAMES[: len(costs)]
    served: Counter[str] = Counter()
    for at, name in enumerate(names):
        shares.put((name,), at, costs[at])
        shares.put((name,), at, costs[at])
    for _ in range(turns):
        found = shares.take()
        assert found is not None
        (name,), at = found
        served[name] += costs[at]
        shares.put((name,), at, costs[at])
    had = [served[name] for name in names]
    assert max(had) - min(had) <= 2 * (quantum + max(costs))


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 500)), max_size=60))
def test_wrong_estimates_starve_nobody(charges: list[tuple[str, int]]) -> None:
    shares: Shares[int] = Shares(QUANTUM)
    served: Counter[str] = Counter()
    for name in NAMES:
        shares.put((name,), 0, 1)
        shares.put((name,), 0, 1)
    for name, extra in [*charges, *[("", 0)] * 40]:
        found = shares.take()
        assert found is not None
        served[found[0][0]] += 1
        shares.put(found[0], 0, 1)
        if name:
            shares.charge((name,), extra)
            served[name] += extra
    # Whoever still owes had that much more before; the others have shared what was left.
    worst = 500 + QUANTUM + 2
    assert max(served[name] for name in NAMES) - min(served[name] for name in NAMES) <= (
        sum(extra for _, extra in charges) + worst
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_paths_may_be_deep(depth: int) -> None:
    shares: Shares[int] = Shares(QUANTUM)
    path = ("a", "b", "c")[:depth]
    shares.put(path, 7, 1)
    assert shares.take() == (path, 7)
    shares.charge(path, 5)
    assert shares.take() is None
