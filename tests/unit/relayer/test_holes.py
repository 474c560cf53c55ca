from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import ChainUnreachable
from hub.core.ids import PeerId
from hub.core.lifecycle import PacketState
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import OutcomeKind
from hub.core.time import SECOND, Duration
from hub.exchange import story
from relayer.holes import EVERY, WITHIN, HoleSweep
from relayer.reproof import ask
from relayer.steps.events import Added
from relayer.switchboard import MAX_UNKNOWN, LaneDesk
from tests.harness.clock import until
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.inbound import reasons
from tests.harness.watching import watch_lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.lane import LaneView
    from hub.core.packet import Packet
    from tests.harness.inbound import Working


def sweep(at: Working) -> HoleSweep:
    made = HoleSweep(at.board.board, at.board.exchange.fences[SUZHOU], at.right)
    watch_lane(at.board.board.desks[at.board.exchange.key], SUZHOU, made.watch)
    return made


async def holed(
    at: Working, count: int = 3, *, carried: bool = True, accepted: int = 1
) -> list[Packet]:
    """Packets of which only the last is accepted; the others were carried by somebody else."""
    exchange, path = at.board.exchange, at.board.exchange.path
    packets = exchange.send(count)
    if carried:
        message = path.receive(path.left, packets[:-1])
        assert path.deliver(path.right, message).error is None
        path.advance()
        assert path.deliver(path.left, path.acknowledge(path.left, packets[:-1])).error is None
        path.advance()
    if accepted:
        await exchange.accept(packets[-accepted:])
    await at.board.know()
    await at.board.fresh_desk()
    return packets


def settled(at: Working) -> list[int]:
    outcomes = at.board.registry.state.lanes[1].outcomes
    assert {outcome.kind for outcome in outcomes} <= {OutcomeKind.SETTLED_ELSEWHERE}
    return [outcome.sequence for outcome in outcomes]


async def test_what_is_missing_twice_and_proven_gone_has_ended_elsewhere(
    at_work: Working,
) -> None:
    await holed(at_work)
    one = sweep(at_work)
    await one.sweep()
    assert at_work.board.left.requests == []
    await one.sweep()
    assert settled(at_work) == [1, 2]
    assert at_work.settlement.events == [Added(RangeSet.of([0, 1]))]
    standing = await story.get(at_work.board.registry, at_work.board.exchange.key, 1)
    assert standing.state is PacketState.SETTLED_ELSEWHERE
    [proof] = [row.stored.proof for row in at_work.board.registry.state.proofs.values()][-1:]
    assert pb.ProofAnswer.FromString(proof.content).proofs
    await one.sweep()
    await one.sweep()
    assert settled(at_work) == [1, 2]


async def test_what_the_source_still_holds_is_waited_for(at_work: Working) -> None:
    packets = await holed(at_work, carried=False)
    one = sweep(at_work)
    for _ in range(3):
        await one.sweep()
    assert settled(at_work) == []
    left = at_work.board.left
    verdict = await left.verdict(packets=left.packets(packets[:2]))
    assert verdict.accepted == [pb.SequenceRange(first=1, last=2)]


async def test_what_was_accepted_meanwhile_is_none(at_work: Working) -> None:
    packets = await holed(at_work, carried=False)
    one = sweep(at_work)
    await one.sweep()
    await at_work.board.exchange.accept(packets[:1])
    await at_work.board.fresh_desk()
    path = at_work.board.exchange.path
    message = path.receive(path.left, packets[:2])
    assert path.deliver(path.right, message).error is None
    path.advance()
    assert path.deliver(path.left, path.acknowledge(path.left, packets[:2])).error is None
    path.advance()
    await at_work.board.know()
    await one.sweep()
    assert settled(at_work) == [2]


@pytest.mark.parametrize(
    "lie",
    [
        lambda found: found.values.__setitem__(0, b"still here"),
        lambda found: found.proofs.__setitem__(0, found.proofs[1]),
        lambda found: found.proofs.__setitem__(0, b""),
        lambda found: found.values.__setitem__(-1, (9).to_bytes(8, "big")),
        lambda found: found.values.__setitem__(-1, b""),
        lambda found: found.proofs.pop(),
    ],
    ids=[
        "says that it stands",
        "shows another proof",
        "shows none",
        "says another next sequence",
        "hides the next sequence",
        "answers too little",
    ],
)
async def test_an_adapter_that_lies_settles_nothing_that_is_not_gone(
    at_work: Working, lie: Callable[[pb.ProofAnswer], None]
) -> None:
    await holed(at_work, 2, carried=False)
    left = at_work.board.left

    def answer(request: pb.Request) -> pb.Answer:
        found = left.prove(request.proofs)
        found.proofs.values[0] = b""  # as if it were gone
        lie(found.proofs)
        return found

    left.answers = answer
    one = sweep(at_work)
    for _ in range(3):
        await one.sweep()
    assert settled(at_work) == []


async def test_sequences_that_the_source_never_gave_out_are_not_settled(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    await holed(at_work, 2)
    monkeypatch.setattr("relayer.verification.prove_next_sequence", lambda *_: 1)
    one = sweep(at_work)
    for _ in range(3):
        await one.sweep()
    assert settled(at_work) == []


async def test_many_are_asked_for_together_and_all_in_one_sweep(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayer.holes.KEYS", 8)
    await holed(at_work, 21)
    one = sweep(at_work)
    await one.sweep()
    await one.sweep()
    assert settled(at_work) == list(range(1, 21))
    assert asked(at_work) == [8, 8, 7]


async def test_a_sweep_asks_about_one_lane_so_often_and_goes_on_in_the_next(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayer.holes.KEYS", 3)
    monkeypatch.setattr("relayer.holes.PARTS", 2)
    await holed(at_work, 8)
    one = sweep(at_work)
    await one.sweep()
    await one.sweep()
    assert settled(at_work) == [1, 2, 3, 4]
    await one.sweep()
    assert settled(at_work) == [1, 2, 3, 4, 5, 6, 7]


async def test_what_the_source_still_holds_is_asked_for_ever_more_seldom(
    at_work: Working,
) -> None:
    await holed(at_work, carried=False)
    one = sweep(at_work)
    counts = []
    for _ in range(40):
        await one.sweep()
        counts.append(len(asked(at_work)))
    assert [at for at in range(1, 40) if counts[at] > counts[at - 1]] == [1, 3, 6, 11, 20, 29, 38]


async def test_what_is_found_on_the_way_counts_though_the_rest_fails(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayer.holes.KEYS", 3)
    await holed(at_work, 6)
    left = at_work.board.left
    left.answers = lambda _: (
        pb.Answer(refusal=pb.Refusal(reason="HEADER_NOT_FOUND"))
        if len(left.requests) == 2
        else None
    )
    one = sweep(at_work)
    await one.sweep()
    await one.sweep()
    assert settled(at_work) == [1, 2]
    await one.sweep()
    assert settled(at_work) == [1, 2, 3, 4, 5]


async def test_what_was_proven_gone_before_its_client_started_again_is_not_settled(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its root may be that of a forged header."""
    await holed(at_work)
    board, one = at_work.board, sweep(at_work)

    async def slow(*arguments: Any, **how: Any) -> Any:
        found = await ask(*arguments, **how)
        await board.registry.clients.freeze(HANGZHOU, "two headers", None, ADMIN)
        board.exchange.grow(1)
        anchor = board.exchange.anchor(HANGZHOU, board.exchange.chain(HANGZHOU).height)
        await board.registry.clients.recover(HANGZHOU, anchor, board.clock.now(), "mended", ADMIN)
        return found

    await one.sweep()
    with monkeypatch.context() as patch:
        patch.setattr("relayer.holes.ask", slow)
        await one.sweep()
    assert len(asked(at_work)) == 1
    assert settled(at_work) == []
    await board.know()
    for _ in range(3):
        await one.sweep()
    assert settled(at_work) == [1, 2]


class TestSlowSource:
    async def test_it_holds_up_no_other_sources_lanes(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each answer comes just in time, and every sequence stands still."""
        await holed(at_work)
        board, one = at_work.board, sweep(at_work)
        lane = (await board.desk()).view.lane
        key = replace(lane.key, source_peer=PeerId("nanjing"))
        slow = LaneDesk(replace((await board.desk()).view, lane=replace(lane, lane_id=0, key=key)))
        watch_lane(slow, SUZHOU, one.watch)
        late = copy(await board.keeper(HANGZHOU))
        keeper = board.board.keeper

        async def asking(on: Any, whose: Any, *arguments: Any, **how: Any) -> Any:
            if whose is late:
                await board.clock.sleep(Duration(14 * SECOND))
            return await ask(on, whose, *arguments, **how)

        async def keeping(peer: PeerId) -> Any:
            return late if peer == key.source_peer else await keeper(peer)

        monkeypatch.setattr("relayer.holes.ask", asking)
        monkeypatch.setattr(board.board, "keeper", keeping)
        await one.sweep()
        sweeping = asyncio.ensure_future(one.sweep())
        await until(lambda: settled(at_work) == [1, 2])
        assert not sweeping.done()
        sweeping.cancel()

    async def test_it_has_so_long_in_one_sweep_and_goes_on_in_the_next(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also with its other lanes, where the first takes all of it."""
        await holed(at_work, 8, carried=False)
        board, one, questions = at_work.board, sweep(at_work), list[tuple[bytes, ...]]()
        view = (await board.desk()).view
        second = LaneDesk(replace(view, lane=replace(view.lane, lane_id=2)))
        watch_lane(second, SUZHOU, one.watch)

        async def asking(on: Any, keeper: Any, state: Any, keys: Any, **how: Any) -> Any:
            questions.append(tuple(keys))
            await board.clock.sleep(Duration(2 * WITHIN // 5))
            return await ask(on, keeper, state, keys, **how)

        monkeypatch.setattr("relayer.holes.ask", asking)
        monkeypatch.setattr("relayer.holes.KEYS", 3)
        within = WITHIN // SECOND
        # The first lane, the second, none, since both rest once, and the first again.
        assert [await self.swept(at_work, one) for _ in range(5)] == [0, within, within, 0, within]
        assert len(set(questions[:3])) == 3
        assert questions[3:6] == questions[:3]
        assert questions[6] == questions[2]

    async def test_a_lane_whose_question_is_cut_short_by_others_is_first_in_the_next_sweep(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await holed(at_work)
        board, one, questions = at_work.board, sweep(at_work), list[int]()
        view = (await board.desk()).view
        for number in (0, 2):
            lane = replace(view.lane, lane_id=number)
            watch_lane(LaneDesk(replace(view, lane=lane)), SUZHOU, one.watch)
        search = one._search

        async def searching(desk: LaneDesk, *arguments: Any, **how: Any) -> bool:
            questions.append(desk.view.lane.lane_id)
            return await search(desk, *arguments, **how)

        async def asking(*arguments: Any, **how: Any) -> Any:
            await board.clock.sleep(Duration(2 * WITHIN // 5))
            raise ChainUnreachable(chain="hangzhou-1", problem="no answer")

        monkeypatch.setattr("relayer.holes.ask", asking)
        monkeypatch.setattr(one, "_search", searching)
        await self.swept(at_work, one)
        await self.swept(at_work, one)
        assert len(set(questions[3:])) == 3
        cut = questions[5]
        await self.swept(at_work, one)
        assert questions[6] == cut
        assert one._searches[cut].rest == 0 or questions.count(cut) == 3

    async def swept(self, at: Working, one: HoleSweep) -> int:
        """How many seconds the sweep took."""
        sweeping, seconds = asyncio.ensure_future(one.sweep()), 0
        await at.board.rests()
        while not sweeping.done():
            await at.board.seconds(1)
            await at.board.rests()
            seconds += 1
        await sweeping
        return seconds


class TestAnswered:
    """Others carried everything, so that no accepted packet comes after what is missing."""

    async def test_what_the_destination_has_answered_is_looked_for_and_has_ended(
        self, at_work: Working
    ) -> None:
        packets = await holed(at_work, accepted=0)
        assert await answers(at_work, packets[:2]) == [
            (1, "PACKET_NOT_FOUND"),
            (2, "PACKET_NOT_FOUND"),
        ]
        one = sweep(at_work)
        await one.sweep()
        await one.sweep()
        assert settled(at_work) == [1, 2]
        assert await answers(at_work, packets[:2]) == []
        await one.sweep()
        desk = await at_work.board.fresh_desk()
        assert not desk.unknown
        assert len(asked(at_work)) == 1

    async def test_what_is_shown_meanwhile_is_none(self, at_work: Working) -> None:
        packets = await holed(at_work, carried=False, accepted=0)
        path = at_work.board.exchange.path
        assert path.deliver(path.right, path.receive(path.left, packets[:1])).error is None
        path.advance()
        await at_work.board.know()
        assert await answers(at_work, packets[:1]) == [(1, "PACKET_NOT_FOUND")]
        one = sweep(at_work)
        await one.sweep()
        await at_work.board.exchange.accept(packets[:1])
        await at_work.board.fresh_desk()
        await one.sweep()
        assert (settled(at_work), asked(at_work)) == ([], [])
        assert await answers(at_work, packets[:1]) == []

    async def test_what_was_never_given_out_is_forgotten_until_it_is_answered_again(
        self, at_work: Working
    ) -> None:
        await holed(at_work)
        desk = await at_work.board.desk()
        desk.answered(RangeSet.of([1, 700, 800]))
        one = sweep(at_work)
        await one.sweep()
        await one.sweep()
        assert settled(at_work) == [1, 2]
        assert desk.unknown == RangeSet.of([1])
        await one.sweep()
        assert desk.unknown == EMPTY

    async def test_what_is_below_the_first_sequence_of_the_lane_is_nobodys(
        self, at_work: Working
    ) -> None:
        await holed(at_work)
        row = at_work.board.registry.state.lanes[1]
        row.lane = replace(row.lane, first_sequence=2)
        desk = await at_work.board.fresh_desk()
        desk.refreshed(await at_work.board.registry.lanes.view(1))
        desk.answered(RangeSet.of([1]))
        one = sweep(at_work)
        await one.sweep()
        await one.sweep()
        assert settled(at_work) == [2]

    def test_few_of_many_are_remembered(self) -> None:
        desk = LaneDesk(cast("LaneView", None), {})
        desk.answered(RangeSet.span(1, 2 * MAX_UNKNOWN))
        desk.answered(RangeSet.of([3 * MAX_UNKNOWN]))
        assert desk.unknown == RangeSet.span(1, MAX_UNKNOWN + 1)


async def answers(at: Working, packets: list[Packet]) -> list[tuple[int, str]]:
    """What is refused of the right's answers to *packets*."""
    right = at.board.right
    await right.show()
    return reasons(await right.verdict(acknowledgements=right.acknowledgements(packets)))


def asked(at: Working) -> list[int]:
    """How many keys each question to the left's adapter had."""
    return [len(request.proofs.keys) for request in at.board.left.requests]


async def test_it_goes_on_by_itself_and_a_lane_that_fails_is_swept_again(
    at_work: Working,
) -> None:
    await holed(at_work)
    board = at_work.board
    await board.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
    await board.board.refresh(HANGZHOU)
    running = asyncio.ensure_future(sweep(at_work).run())
    await board.seconds(3 * EVERY // 10**9, heard=())
    assert settled(at_work) == []
    assert not running.done()
    board.registry.state.client(HANGZHOU).frozen_at = None
    await board.board.refresh(HANGZHOU)
    await board.clock.advance(Duration(2 * EVERY))
    await until(lambda: settled(at_work))
    running.cancel()
