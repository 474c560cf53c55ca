from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.lifecycle import PacketState
from hub.core.ranges import RangeSet
from hub.core.record import OutcomeKind
from hub.exchange import story
from relayer.holes import EVERY, HoleSweep
from relayer.reproof import KEYS
from relayer.steps.flow import Added
from tests.harness.clock import until
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.packet import Packet
    from tests.harness.inbound import Working


def sweep(at: Working) -> HoleSweep:
    return HoleSweep(at.board.board, at.board.exchange.fences[SUZHOU], at.right)


async def holed(at: Working, count: int = 3, *, carried: bool = True) -> list[Packet]:
    """Packets of which only the last is accepted; the others were carried by somebody else."""
    exchange, path = at.board.exchange, at.board.exchange.path
    packets = exchange.send(count)
    if carried:
        message = path.receive(path.left, packets[:-1])
        assert path.deliver(path.right, message).error is None
        path.advance()
        assert path.deliver(path.left, path.acknowledge(path.left, packets[:-1])).error is None
        path.advance()
    await exchange.accept(packets[-1:])
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
    monkeypatch.setattr("relayer.holes.prove_next_sequence", lambda *_: 1)
    one = sweep(at_work)
    for _ in range(3):
        await one.sweep()
    assert settled(at_work) == []


async def test_few_are_asked_for_at_a_time(at_work: Working) -> None:
    await holed(at_work, KEYS + 10)
    one = sweep(at_work)
    await one.sweep()
    await one.sweep()
    assert len(settled(at_work)) == KEYS - 1
    assert [len(request.proofs.keys) for request in at_work.board.left.requests] == [KEYS]
    await one.sweep()
    assert len(settled(at_work)) == KEYS + 9


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
    await board.clock.advance(EVERY)
    await until(lambda: settled(at_work))
    running.cancel()
