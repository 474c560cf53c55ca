"""Every exit of every state of a packet, between two chains over a real relayer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.execution import Acknowledge, ExecutionResult, Receive, Refused, TimeOut
from hub.core.errors import BacklogFull, PacketInvalid
from hub.core.lane import LaneState, Side
from hub.core.lifecycle import MOVES, PacketEvent, PacketState
from hub.core.record import ExceptionKind
from hub.exchange import status, story
from hub.ports.registry import Topic
from relayer import settlement
from tests.harness.exchange import ADMIN, HANGZHOU
from tests.harness.registry import SEQUENCES
from tests.harness.relayed import Relayed, relayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from adapters.sdk.execution import Execution
    from hub.core.errors import HubError

S, E = PacketState, PacketEvent


@pytest.fixture
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Relayed]:
    """An open lane; after the test, every move that the table says it makes was made."""
    async with relayed(tmp_path) as world:
        await world.open()
        yield world
        expected = {
            (state, MOVES[state, event])
            for (state, event), test in TABLE.items()
            if test.__name__ == request.node.originalname
        }
        assert expected <= world.outcomes.moves
        violations = await world.registry.audit.violations()
        assert [found for found in violations if found.count] == []


def refusing(error: HubError) -> Callable[[Execution], ExecutionResult | None]:
    """An adapter's answer to whatever brings packets: none is received, for *error*."""

    def says(execution: Execution) -> ExecutionResult | None:
        if not isinstance(execution.action, Receive):
            return None
        return ExecutionResult(
            refused=tuple([Refused(sequence, error) for sequence in execution.sequences])
        )

    return says


AWAY = BacklogFull(lane="mempool", count=9, limit=9)
NEVER = PacketInvalid(field="payload", problem="of no application here")


async def exceptions(world: Relayed) -> list[tuple[int, ExceptionKind]]:
    found = await world.registry.exceptions.among(world.desk.view.lane.lane_id, SEQUENCES)
    return [(entry.sequence, entry.kind) for entry in found]


def balance(world: Relayed) -> tuple[int, int]:
    """What the right received, and what the left was refunded, of packets from left to right."""
    key = world.key
    received = world.right.chain.ledger.incoming.get(key.destination_client)
    sent = world.left.chain.ledger.outgoing[key.source_client]
    executed = sum(one.executed for one in received.effects.values()) if received else 0
    return executed, sum(one.refunded for one in sent.effects.values())


async def test_delivered_then_acknowledged_then_completed(world: Relayed) -> None:
    world.right.adapter.shows_answers = False
    world.submit(world.left, 3)
    await world.reaches(S.DELIVERED, 1, 2, 3)
    await world.show_answers()
    await world.reaches(S.COMPLETED, 1, 2, 3)
    assert balance(world) == (3, 0)
    assert world.right.adapter.received()[0][0] == [1, 2, 3]


async def test_acknowledged_without_any_report_of_its_delivery(world: Relayed) -> None:
    world.right.adapter.reports.clear()
    world.submit(world.left)
    await world.reaches(S.COMPLETED)
    assert not world.desk.view.destination.progress
    assert balance(world) == (1, 0)


async def test_denied_then_timed_out_and_refunded(world: Relayed) -> None:
    other = (await world.registry.lanes.routes(world.key))[0]
    world.registry.state.routes.pop(other.key)
    await world.app.board.read_routes(world.desk)
    world.submit(world.left, timeout=20)
    await world.reaches(S.DENIED)
    assert await exceptions(world) == [(1, ExceptionKind.DENIED)]
    await world.reaches(S.REFUNDED)
    assert world.right.adapter.received() == []
    assert balance(world) == (0, 1)


async def test_denied_yet_delivered_by_others_is_acknowledged(world: Relayed) -> None:
    world.registry.state.routes.clear()
    await world.app.board.read_routes(world.desk)
    world.submit(world.left)
    await world.reaches(S.DENIED)
    packet = world.pending()
    await world.carry(world.right, lambda path, source: path.receive(source, [packet]))
    await world.reaches(S.COMPLETED)
    assert world.right.adapter.received() == []
    assert balance(world) == (1, 0)


async def test_accepted_then_timed_out_and_refunded(world: Relayed) -> None:
    world.right.adapter.says = refusing(AWAY)
    world.submit(world.left, timeout=15)
    await world.reaches(S.REFUNDED)
    assert balance(world) == (0, 1)


async def test_reported_delivered_by_a_lie_then_timed_out_and_refunded(world: Relayed) -> None:
    def lie(execution: Execution) -> ExecutionResult | None:
        is_receive = isinstance(execution.action, Receive)
        return ExecutionResult(executed=execution.sequences) if is_receive else None

    world.right.adapter.says = lie
    world.submit(world.left, timeout=15)
    await world.reaches(S.DELIVERED)
    await world.reaches(S.REFUNDED)
    assert balance(world) == (0, 1)


async def test_received_in_time_and_asked_about_too_late_is_acknowledged(world: Relayed) -> None:
    world.right.adapter.shows_answers = False
    world.submit(world.left, timeout=30)
    await world.reaches(S.DELIVERED)
    await world.seconds(40)
    assert await world.state() is S.DELIVERED
    await world.show_answers()
    await world.reaches(S.COMPLETED)
    assert balance(world) == (1, 0)


async def test_a_hole_that_others_carried_is_settled_elsewhere(world: Relayed) -> None:
    await world.left.detach()
    world.submit(world.left)
    await world.seconds(2)
    packet = world.pending()
    await world.carry(world.right, lambda path, source: path.receive(source, [packet]))
    await world.second()
    await world.carry(world.left, lambda path, source: path.acknowledge(source, [packet]))
    world.left.attach()
    world.submit(world.left)
    await world.reaches(S.COMPLETED, 2)
    assert await world.state(1) is None
    await world.reaches(S.SETTLED_ELSEWHERE, 1)
    await world.until(lambda: len(world.desk.view.source.progress) == 2)
    assert balance(world) == (2, 0)


async def test_held_by_a_pause_then_proven_afresh_on_resume(world: Relayed) -> None:
    world.right.adapter.says = refusing(AWAY)
    world.submit(world.left)
    await world.until(world.right.adapter.received)
    await world.pause()
    world.right.adapter.says = lambda _: None
    tried = len(world.right.adapter.executions)
    await world.seconds(8)
    assert len(world.right.adapter.executions) == tried
    assert await world.state() is S.ACCEPTED
    await world.registry.lanes.resume(world.key, ADMIN)
    await world.reaches(S.COMPLETED)
    first, *_, last = world.right.adapter.received()
    assert last[1] > first[1]


async def test_held_by_a_freeze_then_proven_afresh_when_it_ends(world: Relayed) -> None:
    world.right.adapter.says = refusing(AWAY)
    world.submit(world.left)
    await world.until(world.right.adapter.received)
    await world.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
    await world.until(lambda: world.desk.view.source_stopped)
    world.right.adapter.says = lambda _: None
    tried = len(world.right.adapter.executions)
    await world.seconds(8)
    assert len(world.right.adapter.executions) == tried
    assert await world.state() is S.ACCEPTED
    shown = world.left.adapter.batches
    await unfreeze(world)
    await world.reaches(S.COMPLETED)
    assert world.left.adapter.batches == shown + 1


async def unfreeze(world: Relayed) -> None:
    """The freeze of the left's client is over: by hand, for nobody may do that yet."""
    state = world.registry.state
    row = state.client(HANGZHOU)
    row.frozen_at, row.frozen_cause = None, ""
    for lane_id, lane in state.lanes.items():
        for side in lane.sides.values():
            if side.peer == HANGZHOU:
                side.gate, side.stopped = side.gate + 1, False
        state.announce(Topic.LANES, lane_id)
    state.announce(Topic.PEERS, HANGZHOU)


async def test_parked_when_refused_for_good_then_ended_by_its_timeout(world: Relayed) -> None:
    world.right.adapter.says = refusing(NEVER)
    world.submit(world.left, timeout=20)
    await world.until(lambda: world.registry.state.lanes[1].exceptions)
    assert await exceptions(world) == [(1, ExceptionKind.PARKED)]
    tried = len(world.right.adapter.executions)
    await world.seconds(5)
    assert len(world.right.adapter.executions) == tried
    await world.reaches(S.REFUNDED)
    assert await exceptions(world) == []
    assert balance(world) == (0, 1)


async def test_retried_after_a_refusal_that_may_pass(world: Relayed) -> None:
    world.right.adapter.says = refusing(AWAY)
    world.submit(world.left)
    await world.until(lambda: world.registry.state.lanes[1].exceptions)
    assert await exceptions(world) == [(1, ExceptionKind.RETRY)]
    world.right.adapter.says = lambda _: None
    await world.reaches(S.COMPLETED)
    assert await exceptions(world) == []
    assert balance(world) == (1, 0)
    assert world.right.adapter.executions[-1].possible_duplicate


async def test_a_pause_stops_acceptance_and_never_outcomes(world: Relayed) -> None:
    world.right.adapter.shows_answers = False
    world.submit(world.left)
    await world.reaches(S.DELIVERED)
    await world.pause()
    world.submit(world.left)
    await world.show_answers()
    await world.reaches(S.COMPLETED)
    assert world.desk.view.lane.state is LaneState.PAUSED
    assert await world.state(2) is None
    await world.registry.lanes.resume(world.key, ADMIN)
    await world.reaches(S.COMPLETED, 2)
    assert world.registry.state.lanes[1].sides[Side.SOURCE].gate == 3


def lying(world: Relayed, kind: type[Acknowledge | TimeOut], lies: int) -> None:
    """The left's adapter refuses what is of that *kind* once, then lies so often, then runs it."""
    answers = iter([False, *[True] * lies])

    def says(execution: Execution) -> ExecutionResult | None:
        if not isinstance(execution.action, kind):
            return None
        executed = next(answers, None)
        if executed is None:
            return None
        if executed:
            return ExecutionResult(executed=execution.sequences)
        refused = [Refused(sequence, AWAY) for sequence in execution.sequences]
        return ExecutionResult(refused=tuple(refused))

    world.left.adapter.says = says


async def test_completed_by_a_lie_is_open_again_and_ends_right(world: Relayed) -> None:
    lying(world, Acknowledge, lies=1)
    world.submit(world.left)
    await world.reaches(S.COMPLETED)
    assert len(world.left.chain.ledger.outgoing[world.key.source_client].pending) == 1
    await world.until(lambda: world.desk.view.source.reopened_count)
    await world.until(lambda: not world.left.chain.ledger.outgoing[world.key.source_client].pending)
    await world.reaches(S.COMPLETED)
    assert world.left.adapter.executions[-1].possible_duplicate
    assert await exceptions(world) == []
    assert balance(world) == (1, 0)
    [reopening] = await world.registry.outcomes.reopenings(1, 1)
    told = [
        (event.event, event.proof_height)
        for event in (await story.explain(world.registry, world.key, 1)).events
        if event.event in {E.COMPLETE, E.REOPEN}
    ]
    assert told == [(E.COMPLETE, 0), (E.REOPEN, reopening.height), (E.COMPLETE, 0)]
    await world.until(lambda: not world.desk.to_audit.entries)
    assert world.desk.view.source.reopened_count == 1


async def test_refunded_by_a_lie_is_open_again_and_ends_right(world: Relayed) -> None:
    world.right.adapter.says = refusing(AWAY)
    lying(world, TimeOut, lies=1)
    world.submit(world.left, timeout=15)
    await world.reaches(S.REFUNDED)
    assert balance(world) == (0, 0)
    await world.until(lambda: world.desk.view.source.reopened_count)
    await world.until(lambda: balance(world) == (0, 1))
    await world.reaches(S.REFUNDED)
    assert await exceptions(world) == []


async def test_one_in_a_thousand_is_audited_though_nothing_failed(
    world: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "is_chosen", lambda _key, _lane, sequence: sequence == 2)

    def lie(execution: Execution) -> ExecutionResult | None:
        is_first = not world.desk.view.source.reopened_count
        is_lie = isinstance(execution.action, Acknowledge) and is_first
        return ExecutionResult(executed=execution.sequences) if is_lie else None

    world.left.adapter.says = lie
    world.submit(world.left, 3)
    await world.reaches(S.COMPLETED, 1, 2, 3)
    await world.until(lambda: world.desk.view.source.reopened_count)
    await world.until(lambda: len(pending(world)) == 2)
    await world.reaches(S.COMPLETED, 2)
    assert pending(world) == {1, 3}
    assert await world.registry.outcomes.reopenings(1, 1) == []


def pending(world: Relayed) -> set[int]:
    """What the left chain still commits to."""
    return set(world.left.chain.ledger.outgoing[world.key.source_client].pending)


async def test_who_lies_again_and_again_needs_an_operator_and_the_status_says_who(
    world: Relayed,
) -> None:
    lying(world, Acknowledge, lies=3)
    world.submit(world.left)
    await world.until(lambda: world.desk.view.source.reopened_count == 3)
    await world.seconds(2)
    assert await exceptions(world) == [(1, ExceptionKind.PARKED)]
    assert await world.state() is S.ACKNOWLEDGED
    waiting = (await story.explain(world.registry, world.key, 1)).waiting_for
    assert "an operator" in waiting
    assert (await status.report(world.registry)).disproven == ((HANGZHOU, 3),)
    tried = len(world.left.adapter.executions)
    await world.seconds(20)
    assert len(world.left.adapter.executions) == tried
    await world.registry.exceptions.retry([(world.key, 1)], ADMIN)
    await world.reaches(S.COMPLETED)
    await world.seconds(20)
    assert await exceptions(world) == []
    assert (pending(world), world.desk.view.source.reopened_count) == (set(), 3)


async def test_a_new_session_does_not_hide_a_lie(world: Relayed) -> None:
    lying(world, Acknowledge, lies=2)
    world.submit(world.left)
    await world.reaches(S.COMPLETED)
    await world.left.detach()
    await world.seconds(2)
    world.left.attach()
    await world.until(lambda: world.desk.view.source.reopened_count == 1)
    await world.reaches(S.COMPLETED)
    await world.left.detach()
    await world.seconds(2)
    world.left.attach()
    await world.until(lambda: world.desk.view.source.reopened_count == 2)
    await world.until(lambda: not pending(world))
    await world.reaches(S.COMPLETED)
    assert balance(world) == (1, 0)


TABLE = {
    (S.ACCEPTED, E.DELIVER): test_delivered_then_acknowledged_then_completed,
    (S.DELIVERED, E.ACKNOWLEDGE): test_delivered_then_acknowledged_then_completed,
    (S.ACKNOWLEDGED, E.COMPLETE): test_delivered_then_acknowledged_then_completed,
    (S.ACCEPTED, E.ACKNOWLEDGE): test_acknowledged_without_any_report_of_its_delivery,
    (S.ACCEPTED, E.TIME_OUT): test_accepted_then_timed_out_and_refunded,
    (S.DELIVERED, E.TIME_OUT): test_reported_delivered_by_a_lie_then_timed_out_and_refunded,
    (S.DENIED, E.ACKNOWLEDGE): test_denied_yet_delivered_by_others_is_acknowledged,
    (S.DENIED, E.TIME_OUT): test_denied_then_timed_out_and_refunded,
    (S.TIMED_OUT, E.REFUND): test_denied_then_timed_out_and_refunded,
    (S.COMPLETED, E.REOPEN): test_completed_by_a_lie_is_open_again_and_ends_right,
    (S.REFUNDED, E.REOPEN): test_refunded_by_a_lie_is_open_again_and_ends_right,
}
"""Every move of the life of a packet, and the test that makes it; the fixture holds it to that."""


def test_every_exit_of_every_state_is_reached() -> None:
    assert TABLE.keys() == MOVES.keys()
