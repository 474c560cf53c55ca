from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.cosmos.tx.gas import BASE, MAX_COST, GasModel

UPDATE = "/ibc.core.client.v1.MsgUpdateClient"
RECEIVE = "/ibc.core.channel.v2.MsgRecvPacket"
KINDS = st.sampled_from([UPDATE, RECEIVE, "another"])


def learned(*seen: tuple[list[str], int]) -> GasModel:
    """What is known after *seen*."""
    model = GasModel()
    for kinds, used in seen:
        model.learned(kinds, used)
    return model


def estimate(model: GasModel, kinds: list[str]) -> int:
    """The estimate that is there."""
    found = model.estimate(kinds)
    assert found is not None
    return found


def test_nothing_is_estimated_before_it_was_seen() -> None:
    model = GasModel()
    assert model.estimate([RECEIVE]) is None
    model.learned([RECEIVE] * 3, 320_000)
    assert model.estimate([RECEIVE, UPDATE]) is None
    assert model.estimate([RECEIVE] * 50) is not None


def test_what_is_asked_for_is_what_was_used_and_a_quarter() -> None:
    model = learned(([RECEIVE] * 3, 320_000))
    assert estimate(model, [RECEIVE] * 3) == 400_000
    assert estimate(model, [RECEIVE] * 500) == (BASE + 500 * 100_000) * 5 // 4


def test_what_a_known_kind_leaves_is_the_unknown_kinds() -> None:
    model = learned(([RECEIVE], 120_000), ([UPDATE, RECEIVE, RECEIVE], 300_000))
    assert estimate(model, [UPDATE]) == (BASE + 80_000) * 5 // 4
    assert estimate(model, [RECEIVE]) == 150_000


def test_one_message_never_makes_many_look_cheap() -> None:
    base, each = 46_000, 13_500
    model = learned(([RECEIVE], base + each))
    assert estimate(model, [RECEIVE] * 500) > base + 500 * each


def test_more_use_is_believed_at_once() -> None:
    model = learned(([RECEIVE], 120_000))
    model.learned([RECEIVE] * 2, 620_000)
    assert estimate(model, [RECEIVE] * 2) >= 620_000 * 5 // 4


def test_less_use_is_believed_slowly_and_wholly_in_the_end() -> None:
    model = learned(([RECEIVE] * 10, 2_020_000))
    before = estimate(model, [RECEIVE] * 10)
    model.learned([RECEIVE] * 10, 1_020_000)
    after = estimate(model, [RECEIVE] * 10)
    assert 1_020_000 * 5 // 4 < after < before
    assert before - after < (before - 1_020_000 * 5 // 4) // 2
    for _ in range(60):
        model.learned([RECEIVE] * 10, 1_020_000)
    assert 1_020_000 * 5 // 4 <= estimate(model, [RECEIVE] * 10) < 1_020_000 * 5 // 4 + 100


def test_after_running_out_half_as_much_again_is_asked_for() -> None:
    model = learned(([RECEIVE] * 4, 420_000))
    limit = estimate(model, [RECEIVE] * 4)
    model.ran_out([RECEIVE] * 4, limit)
    raised = estimate(model, [RECEIVE] * 4)
    assert limit * 3 // 2 <= raised < limit * 3 // 2 + 10


def test_several_that_ran_out_under_one_limit_raise_it_once() -> None:
    model = learned(([RECEIVE] * 4, 420_000))
    limit = estimate(model, [RECEIVE] * 4)
    for _ in range(8):
        model.ran_out([RECEIVE] * 4, limit)
    assert estimate(model, [RECEIVE] * 4) < limit * 3 // 2 + 10


def test_running_out_tells_of_an_unknown_kind_too() -> None:
    model = GasModel()
    model.ran_out([UPDATE, RECEIVE], 1_000_000)
    assert estimate(model, [UPDATE, RECEIVE]) >= 1_500_000


def test_after_many_without_effect_one_that_runs_out_is_enough() -> None:
    model = learned(([RECEIVE] * 10, 720_000))
    for _ in range(50):
        model.learned([RECEIVE] * 10, 150_000)
    limit = estimate(model, [RECEIVE] * 10)
    assert limit < 720_000 // 3
    model.ran_out([RECEIVE] * 10, limit)
    assert estimate(model, [RECEIVE] * 10) == 720_000 * 5 // 4


def test_what_ran_out_is_no_cost_to_come_back_to() -> None:
    model = learned(([RECEIVE] * 10, 720_000))
    model.ran_out([RECEIVE], 60_000_000)
    for _ in range(100):
        model.learned([RECEIVE] * 10, 720_000)
    limit = estimate(model, [RECEIVE] * 10)
    model.ran_out([RECEIVE] * 10, limit)
    assert estimate(model, [RECEIVE] * 10) < 2 * limit


def test_running_out_again_and_again_under_raised_limits_goes_on_rising() -> None:
    model = learned(([RECEIVE], 120_000))
    limits: list[int] = []
    for _ in range(5):
        limits.append(estimate(model, [RECEIVE]))
        model.ran_out([RECEIVE], limits[-1])
    assert all(later * 2 >= earlier * 3 for earlier, later in pairwise(limits))


def test_a_cheap_transaction_leaves_no_kind_without_cost() -> None:
    model = learned(([RECEIVE], 5), ([RECEIVE], 5))
    assert estimate(model, [RECEIVE]) > BASE
    model.learned([RECEIVE], 120_000)
    assert estimate(model, [RECEIVE]) == 150_000


def test_no_messages_cost_the_base() -> None:
    assert estimate(GasModel(), []) == BASE * 5 // 4


@given(
    st.lists(
        st.tuples(st.lists(KINDS, min_size=1, max_size=40), st.integers(0, 10**20), st.booleans()),
        max_size=30,
    )
)
def test_whatever_is_told_costs_are_positive_bounded_and_the_same_again(
    seen: list[tuple[list[str], int, bool]],
) -> None:
    one, two = GasModel(), GasModel()
    for kinds, amount, is_short in seen:
        for model in (one, two):
            (model.ran_out if is_short else model.learned)(kinds, amount)
        found = one.estimate(kinds)
        assert found is not None
        assert BASE < found <= (BASE + len(kinds) * MAX_COST) * 5 // 4 + 1
        assert found == two.estimate(kinds)


@given(st.lists(KINDS, min_size=1, max_size=40), st.integers(0, 10**9), st.integers(1, 10**9))
def test_what_was_just_used_is_always_asked_for(kinds: list[str], first: int, used: int) -> None:
    model = learned((kinds, first), (kinds, used))
    assert estimate(model, kinds) >= used * 5 // 4
