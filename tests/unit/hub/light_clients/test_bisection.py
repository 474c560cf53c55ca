from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.errors import (
    FieldInvalid,
    HeightNotIncreasing,
    HubError,
    LimitExceeded,
    SignatureInvalid,
    TrustExpired,
    ValidatorSetMismatch,
)
from hub.core.time import SECOND, Timestamp
from hub.light_clients.bisection import HeaderNeeded, Step, bisect
from hub.light_clients.cometbft.client import CometBftClient
from tests.harness.cometbft import (
    DAY,
    Block,
    Member,
    anchor_of,
    make_block,
    make_chain,
    make_header,
    members,
    with_entry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.client import ConsensusState, Header

CLIENT = CometBftClient()
STEADY = members(10, 10, 10, 10)


def moving(blocks: int, shift_every: int = 1, size: int = 4) -> list[Block]:
    """A chain whose set loses its first member and gains a new one every few blocks."""
    return make_chain(
        [
            members(*[10] * size, first=at // shift_every)
            for at in range(blocks)
        ]
    )  # fmt: skip


class Source:
    """A chain that is asked for headers, and counts what it was asked for."""

    def __init__(self, chain: Sequence[Block]) -> None:
        self.headers = {block.height: block.header for block in chain}
        self.asked: list[int] = []

    def climb(
        self, trusted: Block, target: int, *, with_set: bool = True, **how: Any
    ) -> list[ConsensusState]:
        """The states that ``bisect`` yields when it is sent what it asks for."""
        now = how.pop("now", Timestamp(trusted.time + DAY // 2))
        validators = trusted.next_set if with_set else None
        steps = bisect(
            CLIENT, anchor_of(trusted), trusted.state, validators, target, now=now, **how
        )
        states: list[ConsensusState] = []
        send: Header | None = None
        while True:
            try:
                event = steps.send(send)
            except StopIteration:
                return states
            send = None
            if isinstance(event, HeaderNeeded):
                self.asked.append(event.height)
                send = self.headers.get(event.height)
            else:
                assert isinstance(event, Step)
                assert CLIENT.read_header(event.header) == event.state
                states.append(event.state)


def test_steady_set_is_skipped_over_in_one_step() -> None:
    chain = make_chain([STEADY] * 40)
    source = Source(chain)
    assert source.climb(chain[0], 40) == [chain[39].state]
    assert source.asked == [40]


def test_next_header_needs_nothing_else() -> None:
    chain = make_chain([STEADY, members(1, first=50)])
    for with_set in (True, False):
        source = Source(chain)
        assert source.climb(chain[0], 2, with_set=with_set) == [chain[1].state]
        assert source.asked == [2]


def test_changing_set_is_climbed_by_halves() -> None:
    chain = moving(33)
    source = Source(chain)
    states = source.climb(chain[0], 33)
    assert states == [chain[state.height.number - 1].state for state in states]
    heights = [state.height.number for state in states]
    assert heights == sorted(set(heights))
    assert heights[-1] == 33
    # Two of four may have gone in a skip; so every third state at most is left out.
    assert len(heights) >= 32 // 3
    assert len(source.asked) == len(set(source.asked))


def test_set_that_changes_wholly_at_every_block_is_climbed_block_by_block() -> None:
    chain = moving(10, size=1)
    source = Source(chain)
    assert source.climb(chain[0], 10) == [block.state for block in chain[1:]]
    assert sorted(source.asked) == list(range(2, 11))


def test_set_that_the_target_carries_is_not_asked_for_again() -> None:
    chain = make_chain([members(5), *[STEADY] * 9])
    source = Source(chain)
    assert source.climb(chain[0], 10, with_set=False) == [chain[9].state]
    assert source.asked == [10]


def test_set_that_is_not_known_is_taken_from_the_header_after() -> None:
    chain = make_chain([members(5), STEADY, *[(*STEADY, *members(1, first=9))] * 8])
    source = Source(chain)
    assert source.climb(chain[0], 10, with_set=False) == [chain[9].state]
    assert source.asked == [10, 2]


def test_intermediate_states_lead_from_one_whole_set_to_another() -> None:
    old, new = STEADY, members(10, 10, 10, 10, first=20)
    chain = make_chain([old] * 10 + [new] * 10)
    source = Source(chain)
    states = source.climb(chain[0], 20)
    # The last block of the old set names the new one, so that is where the two meet.
    assert states[-2:] == [chain[9].state, chain[19].state]


def test_target_must_be_above() -> None:
    chain = make_chain([STEADY] * 3)
    for target in (0, 1, 2):
        with pytest.raises(HeightNotIncreasing):
            Source(chain).climb(chain[1], target)


def test_header_that_is_not_sent_is_an_error() -> None:
    chain = make_chain([STEADY] * 3)
    with pytest.raises(FieldInvalid):
        Source(chain).climb(chain[0], 4)


def test_header_of_another_height_is_an_error() -> None:
    chain = make_chain([STEADY] * 5)
    source = Source(chain)
    source.headers[5] = chain[3].header
    with pytest.raises(FieldInvalid):
        source.climb(chain[0], 5)


def test_forged_header_ends_the_climb_where_it_stands() -> None:
    chain = moving(9, size=1)
    source = Source(chain)
    source.headers[5] = with_entry(chain[4], 0, signature=bytes(64)).header
    with pytest.raises(SignatureInvalid):
        source.climb(chain[0], 9)


def test_target_of_strangers_is_refused_at_the_latest_at_its_own_height() -> None:
    chain = make_chain([STEADY] * 9)
    strangers = members(10, 10, first=50)
    header = make_header(strangers, strangers, height=9, time=chain[8].time)
    source = Source(chain)
    source.headers[9] = make_block(header, strangers, strangers).header
    with pytest.raises(ValidatorSetMismatch):
        source.climb(chain[0], 9)
    assert source.asked == [9, 5, 7, 8]


def test_wrong_set_is_refused() -> None:
    chain = make_chain([members(5), STEADY, *[(*STEADY, *members(1, first=9))] * 3])
    source = Source(chain)
    source.headers[2] = make_chain([members(5), members(6)])[1].header
    with pytest.raises(ValidatorSetMismatch):
        source.climb(chain[0], 5, with_set=False)


def test_number_of_headers_is_bounded() -> None:
    chain = moving(40, size=1)
    source = Source(chain)
    with pytest.raises(LimitExceeded) as caught:
        source.climb(chain[0], 40, max_headers=20)
    assert (caught.value.count, caught.value.limit) == (21, 20)
    assert len(source.asked) == 20


def test_states_that_expired_on_the_way_are_not_built_on() -> None:
    chain = make_chain([STEADY] * 3)
    with pytest.raises(TrustExpired):
        Source(chain).climb(chain[0], 3, now=Timestamp(chain[0].time + DAY))


def test_distant_target_costs_no_more_requests_than_its_bits() -> None:
    trusted = make_chain([STEADY])[0]
    strangers = members(10, first=50)
    height = 2**62

    def forged(at: int) -> Block:
        header = make_header(strangers, strangers, height=at, time=Timestamp(trusted.time + SECOND))
        return make_block(header, strangers, strangers)

    class Liar(dict[int, Any]):
        def get(self, at: int, default: Any = None) -> Any:
            return forged(at).header

    source = Source([])
    source.headers = Liar()
    with pytest.raises(HubError):
        source.climb(trusted, height)
    assert len(source.asked) <= 64


@settings(max_examples=25)
@given(
    groups=st.lists(
        st.sets(st.integers(0, 5), min_size=1, max_size=5).map(
            lambda seeds: tuple(Member(seed) for seed in sorted(seeds))
        ),
        min_size=2,
        max_size=12,
    ),
    with_set=st.booleans(),
)
def test_every_honest_chain_is_climbed(groups: list[tuple[Member, ...]], *, with_set: bool) -> None:
    chain = make_chain(groups)
    source = Source(chain)
    states = source.climb(chain[0], len(chain), with_set=with_set)
    by_height: Mapping[int, ConsensusState] = {b.height: b.state for b in chain}
    assert states == [by_height[state.height.number] for state in states]
    assert states[-1] == chain[-1].state
    assert len(source.asked) == len(set(source.asked)) < len(chain)
