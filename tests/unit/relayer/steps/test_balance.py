from __future__ import annotations

from typing import ClassVar

from hub.core.ids import PeerId
from hub.core.relayer import Relayer
from hub.core.time import Timestamp
from relayer.steps.balance import (
    CHANCES,
    LONGEST_REST,
    PAUSE,
    REST,
    STEADY,
    STRAIGHT_BACK,
    Balance,
    Handed,
    Move,
    room_for,
    step,
)

HANGZHOU, SUZHOU, SHANGHAI = PeerId("hangzhou"), PeerId("suzhou"), PeerId("shanghai")
START = Timestamp(1_000_000_000)


def relayer(name: str, sessions: int, *, alive: bool = True, draining: bool = False) -> Relayer:
    return Relayer(
        relayer=name,
        address=f"{name}:9700",
        version="1.0",
        started_at=START,
        heartbeat_at=START,
        is_alive=alive,
        is_draining=draining,
        sessions=sessions,
        revision=1,
    )


def target_of(*sessions: int) -> list[str]:
    """For each relayer in turn, whom it gives a session to; empty for nobody."""
    relayers = [relayer(f"r{at}", count) for at, count in enumerate(sessions)]
    found = [room_for(one.relayer, relayers) for one in relayers]
    return [one.relayer if one is not None else "" for one in found]


class TestRoom:
    def test_nobody_gives_where_shares_differ_by_one_at_most(self) -> None:
        for shares in ((0,), (3,), (2, 2), (2, 1), (1, 1, 1), (4, 3, 3)):
            assert set(target_of(*shares)) == {""}

    def test_who_has_too_many_gives_to_who_has_too_few(self) -> None:
        assert target_of(3, 0) == ["r1", ""]
        assert target_of(2, 0) == ["r1", ""]
        assert target_of(4, 2, 0) == ["r2", "", ""]

    def test_nobody_gives_where_it_would_only_turn_the_difference_round(self) -> None:
        assert target_of(1, 0) == ["", ""]
        assert target_of(2, 1, 1) == ["", "", ""]

    def test_who_is_too_full_finds_room_though_nobody_is_below_the_share_rounded_down(
        self,
    ) -> None:
        assert target_of(3, 1, 1, 1) == ["r1", "", "", ""]

    def test_two_that_have_too_many_give_to_different_ones(self) -> None:
        assert target_of(4, 4, 1, 1) == ["r2", "r3", "", ""]
        assert target_of(3, 3, 1, 1) == ["r2", "r3", "", ""]

    def test_those_that_are_gone_or_drain_get_nothing_and_are_no_part_of_the_share(self) -> None:
        full = relayer("r0", 3)
        for other in (relayer("r1", 0, alive=False), relayer("r1", 0, draining=True)):
            assert room_for("r0", [full, other]) is None
        assert room_for("r0", []) is None

    def test_moves_end_and_never_go_back(self) -> None:
        shares = [9, 0, 0, 2]
        for _ in range(20):
            targets = target_of(*shares)
            moves = [(at, int(to[1:])) for at, to in enumerate(targets) if to]
            for source, to in moves:
                assert shares[source] > shares[to] + 1
                shares[source] -= 1
                shares[to] += 1
        assert sorted(shares) == [2, 3, 3, 3]
        assert target_of(*shares) == [""] * 4


class TestStep:
    target = relayer("west-1", 0)
    peers: ClassVar = {HANGZHOU: 7, SUZHOU: 7, SHANGHAI: 7}

    def move(
        self, state: Balance, at: int, target: Relayer | None = target, chance: int = 0
    ) -> tuple[Balance, Move | None]:
        return step(state, target, self.peers, Timestamp(START + at), chance)

    def test_a_share_that_has_just_become_too_large_is_left_alone(self) -> None:
        state, move = self.move(Balance(), 0)
        assert (move, state.over_since) == (None, START)
        assert self.move(state, STEADY - 1)[1] is None

    def test_a_share_that_stays_too_large_loses_one_session(self) -> None:
        state, _ = self.move(Balance(), 0)
        state, move = self.move(state, STEADY)
        assert move == Move(HANGZHOU, "west-1:9700")
        assert state.handed == {HANGZHOU: Handed(Timestamp(START + STEADY), 7)}

    def test_it_counts_anew_once_the_share_was_fair(self) -> None:
        state, _ = self.move(Balance(), 0)
        state, _ = self.move(state, 1, None)
        assert state.over_since is None
        state, move = self.move(state, STEADY)
        assert (move, state.over_since) == (None, START + STEADY)

    def test_between_two_moves_there_is_a_pause_that_chance_doubles_at_most(self) -> None:
        for chance, pause in ((0, PAUSE), (CHANCES // 2, PAUSE * 3 // 2)):
            state, _ = self.move(Balance(), 0)
            state, _ = self.move(state, STEADY, chance=chance)
            assert self.move(state, STEADY + pause - 1)[1] is None
            found = self.move(state, STEADY + pause)[1]
            assert found is not None
            assert found.peer == SHANGHAI

    def test_a_peer_that_came_straight_back_is_left_alone_each_time_for_longer(self) -> None:
        for times, rest in ((1, REST), (2, 2 * REST), (3, 4 * REST), (40, LONGEST_REST)):
            state = Balance(over_since=START, handed={HANGZHOU: Handed(START, 5, times)})
            back = {HANGZHOU: 5 + STRAIGHT_BACK}
            assert step(state, self.target, back, Timestamp(START + rest - 1), 0)[1] is None
            state, move = step(state, self.target, back, Timestamp(START + rest), 0)
            assert move == Move(HANGZHOU, "west-1:9700")
            assert state.handed[HANGZHOU].times == times + 1

    def test_a_peer_that_another_has_owned_since_is_like_any_other(self) -> None:
        state = Balance(over_since=START, handed={HANGZHOU: Handed(START, 5, 9)})
        back = {HANGZHOU: 5 + STRAIGHT_BACK + 1}
        state, move = step(state, self.target, back, Timestamp(START + STEADY), 0)
        assert move == Move(HANGZHOU, "west-1:9700")
        assert state.handed[HANGZHOU].times == 1

    def test_a_peer_that_is_away_or_still_leaves_stays_noted(self) -> None:
        state = Balance(handed={HANGZHOU: Handed(START, 5)})
        for attached in ({}, {HANGZHOU: 5}):
            after, _ = step(state, None, attached, Timestamp(START + LONGEST_REST), 0)
            assert after.handed == state.handed

    def test_who_has_no_sessions_of_its_own_gives_none(self) -> None:
        state = Balance(over_since=START)
        assert step(state, self.target, {}, Timestamp(START + STEADY), 0) == (state, None)
