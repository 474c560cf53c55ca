from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    AnswerOverdue,
    ChainUnreachable,
    ClientFrozen,
    ConsensusStateMissing,
    GateChanged,
    LeaseLost,
    Reason,
    SequenceRetired,
)
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import ExceptionKind
from hub.core.time import SECOND, Duration
from relayer import audits
from relayer.audits import EVERY, LIES, Audits, Result
from relayer.runner import FlowRunner
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.registry import SEQUENCES
from tests.harness.watching import watch_lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.packet import Packet
    from hub.core.record import Refusal
    from tests.harness.station import Station

KEYS = 8
"""Of one question, where a test makes it so few."""
DRIFT = 10
"""Seconds that clocks may differ, of the harness's anchors."""


class Ways(FlowRunner):
    """A way back to the source that only notes what is open again."""

    def __init__(self) -> None:
        self.open_again: list[tuple[list[int], Refusal | None]] = []

    def reopened(self, items: RangeSet, refusal: Refusal | None = None) -> None:
        self.open_again.append((list(items), refusal))


async def reported(board: Station, count: int, *, executed: bool) -> list[Packet]:
    """Packets whose acknowledgement the left's adapter reports executed, truly or not."""
    exchange = board.exchange
    packets = exchange.send(count)
    await exchange.accept(packets)
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    if executed:
        path = exchange.path
        assert path.deliver(path.left, path.acknowledge(path.left, packets)).error is None
    lane_id = (await board.desk()).view.lane.lane_id
    fence = exchange.fences[HANGZHOU]
    await board.registry.outcomes.record_completed(fence, lane_id, RangeSet.span(0, count))
    desk = await board.fresh_desk()
    desk.owes_proof(EMPTY, RangeSet.span(0, count), board.clock.now())
    return packets


async def later(board: Station, seconds: int = DRIFT) -> None:
    """Time has passed, and the hub has a header of now."""
    path = board.exchange.path
    await board.clock.advance(Duration(seconds * SECOND))
    path.advance((board.clock.now() - path.now) // SECOND)
    await board.know()


async def audit_of(board: Station) -> tuple[Audits, Ways]:
    desk = await board.desk()
    ways = Ways()
    desk.settlement = ways
    audit = Audits(board.board, board.exchange.fences[HANGZHOU], board.telemetry)
    watch_lane(desk, HANGZHOU, audit.watch)
    return audit, ways


def counted(board: Station, result: Result) -> float:
    found = board.telemetry.collection.get_sample_value(
        "ydhub_audits_total", {"peer": str(HANGZHOU), "result": str(result)}
    )
    return found or 0.0


async def standing(board: Station) -> tuple[RangeSet, int]:
    """What is executed by the registry, and how often something was open again."""
    desk = await board.desk()
    side = (await board.registry.lanes.view(desk.view.lane.lane_id)).source
    assert desk.view.source.progress == side.progress
    return side.progress, side.reopened_count


async def test_what_was_executed_is_shown_gone_and_nothing_waits(wired: Station) -> None:
    await reported(wired, 3, executed=True)
    audit, ways = await audit_of(wired)
    await later(wired)
    await audit.audit()
    [request] = wired.left.requests
    assert (len(request.proofs.keys), request.proofs.batch) == (3, False)
    assert await standing(wired) == (RangeSet.span(0, 3), 0)
    assert (counted(wired, Result.ABSENT), counted(wired, Result.PRESENT)) == (3, 0)
    assert not (await wired.desk()).to_audit.entries
    assert ways.open_again == []
    await audit.audit()
    assert len(wired.left.requests) == 1


async def test_nothing_is_asked_before_a_header_can_show_it(wired: Station) -> None:
    await reported(wired, 1, executed=False)
    audit, _ = await audit_of(wired)
    await audit.audit()
    await later(wired, DRIFT - 1)
    await audit.audit()
    assert wired.left.requests == []
    assert len((await wired.desk()).to_audit) == 1
    waiting = {"peer": str(HANGZHOU)}
    gauge = wired.telemetry.collection.get_sample_value("ydhub_audits_waiting", waiting)
    assert gauge == 1


async def test_what_was_not_executed_is_open_again_with_its_proof(wired: Station) -> None:
    await reported(wired, 2, executed=False)
    path = wired.exchange.path
    packet = path.left.ledger.outgoing[wired.exchange.key.source_client].pending[1].packet
    assert path.deliver(path.left, path.acknowledge(path.left, [packet])).error is None
    audit, ways = await audit_of(wired)
    await later(wired)
    with capture_logs() as logs:
        await audit.audit()
    assert await standing(wired) == (RangeSet.of([0]), 1)
    assert ways.open_again == [([1], None)]
    assert (counted(wired, Result.ABSENT), counted(wired, Result.PRESENT)) == (1, 1)
    [line] = [line for line in logs if line["event"] == "execution_disproven"]
    assert (line["log_level"], line["reason"]) == ("error", Reason.EXECUTION_DISPROVEN)
    assert (line["peer"], line["times"]) == (HANGZHOU, 1)
    [(kept, _)] = wired.registry.state.lanes[1].reopenings
    assert (kept.sequence, kept.height) == (2, path.left.height)
    assert kept.proof
    [exception] = await wired.registry.exceptions.among(1, SEQUENCES)
    assert (exception.sequence, exception.kind) == (2, ExceptionKind.RETRY)
    assert not (await wired.desk()).to_audit.entries


async def test_who_lies_again_and_again_of_a_packet_has_it_parked(wired: Station) -> None:
    await reported(wired, 1, executed=False)
    audit, ways = await audit_of(wired)
    desk, one = await wired.desk(), RangeSet.of([0])
    for _ in range(LIES):
        await later(wired)
        await audit.audit()
        await wired.clock.advance(SECOND)
        fence = wired.exchange.fences[HANGZHOU]
        await wired.registry.outcomes.record_completed(fence, 1, one)
        desk.completed(one)
        desk.owes_proof(EMPTY, one, wired.clock.now())
    *before, (items, refusal) = ways.open_again
    assert before == [([0], None)] * (LIES - 1)
    assert items == [0]
    assert refusal is not None
    assert (refusal.reason, refusal.is_final) == (Reason.EXECUTION_DISPROVEN, True)
    assert await standing(wired) == (one, LIES)


LIE = {
    "hides that it stands": lambda found: found.values.__setitem__(0, b""),
    "says another value": lambda found: found.values.__setitem__(0, b"v" * 32),
    "shows another proof": lambda found: found.proofs.__setitem__(0, found.proofs[1]),
    "shows no proof": lambda found: found.proofs.__setitem__(0, b""),
}


@pytest.mark.parametrize("lie", LIE.values(), ids=LIE.keys())
async def test_an_adapter_that_lies_once_more_is_asked_again(
    wired: Station, lie: Callable[[pb.ProofAnswer], None]
) -> None:
    await reported(wired, 2, executed=False)
    audit, ways = await audit_of(wired)
    await later(wired)

    def answer(request: pb.Request) -> pb.Answer:
        found = wired.left.prove(request.proofs)
        lie(found.proofs)
        return found

    wired.left.answers = answer
    await audit.audit()
    assert ways.open_again == [([1], None)]
    assert counted(wired, Result.UNPROVEN) == 1
    assert list((await wired.desk()).to_audit.entries[0].items) == [0]
    await audit.audit()
    assert len(wired.left.requests) == 1, "it is asked again under a later header"
    wired.left.answers = lambda _: None
    await later(wired)
    await audit.audit()
    assert ways.open_again == [([1], None), ([0], None)]


async def test_what_the_source_reports_executed_and_did_not_show_stays_executed(
    wired: Station,
) -> None:
    """A claim that it stands, of what is gone, proves nothing."""
    await reported(wired, 2, executed=True)
    audit, ways = await audit_of(wired)
    await later(wired)

    def answer(request: pb.Request) -> pb.Answer:
        found = wired.left.prove(request.proofs)
        found.proofs.values[0] = b"v" * 32
        return found

    wired.left.answers = answer
    await audit.audit()
    assert ways.open_again == []
    assert (counted(wired, Result.ABSENT), counted(wired, Result.UNPROVEN)) == (1, 1)


async def test_without_an_answer_everything_waits_and_others_are_asked_first(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "KEYS", KEYS)
    await reported(wired, KEYS + 4, executed=True)
    audit, _ = await audit_of(wired)
    await later(wired)
    error = ChainUnreachable(chain="hangzhou-1", problem="no")
    wired.left.answers = lambda _: refusing(error)
    with pytest.raises(ChainUnreachable):
        await audit.audit()
    wired.left.answers = lambda _: None
    await audit.audit()
    assert [len(request.proofs.keys) for request in wired.left.requests] == [KEYS, 4]
    assert len((await wired.desk()).to_audit) == KEYS
    await later(wired)
    await audit.audit()
    assert counted(wired, Result.ABSENT) == KEYS + 4


def refusing(error: Any) -> pb.Answer:
    return pb.Answer(refusal=pb.Refusal(reason=error.reason, detail=str(error)))


async def test_what_was_judged_before_a_pause_is_judged_again(wired: Station) -> None:
    await reported(wired, 1, executed=False)
    audit, ways = await audit_of(wired)
    await later(wired)
    await wired.registry.lanes.pause(wired.exchange.key, "work", ADMIN)
    with pytest.raises(GateChanged):
        await audit.audit()
    assert ways.open_again == []
    await wired.fresh_desk()
    await later(wired)
    await audit.audit()
    assert ways.open_again == [([0], None)]


async def test_a_gate_from_after_a_recovery_goes_with_no_header_from_before(
    wired: Station,
) -> None:
    """The lane may be read anew before its client is."""
    await reported(wired, 1, executed=False)
    audit, ways = await audit_of(wired)
    await later(wired)
    await wired.registry.clients.freeze(HANGZHOU, "two truths", None, ADMIN)
    wired.exchange.grow(1)
    anchor = wired.exchange.anchor(HANGZHOU, wired.left.chain.height)
    await wired.registry.clients.recover(HANGZHOU, anchor, wired.clock.now(), "mended", ADMIN)
    await wired.fresh_desk()
    with pytest.raises(ConsensusStateMissing):
        await audit.audit()
    assert ways.open_again == []
    await later(wired)
    await audit.audit()
    assert ways.open_again == [([0], None)]


async def test_a_frozen_client_shows_nothing(wired: Station) -> None:
    await reported(wired, 1, executed=False)
    audit, _ = await audit_of(wired)
    await later(wired)
    await wired.registry.clients.freeze(HANGZHOU, "two truths", None, ADMIN)
    await wired.fresh_desk()
    await audit.audit()
    assert wired.left.requests == []
    await wired.board.refresh(HANGZHOU)
    with pytest.raises(ClientFrozen):
        await audit.audit()
    assert await standing(wired) == (RangeSet.of([0]), 0)


async def test_whoever_lost_the_lease_opens_nothing(wired: Station) -> None:
    await reported(wired, 1, executed=False)
    audit, ways = await audit_of(wired)
    await later(wired)
    await wired.lease(HANGZHOU)
    with pytest.raises(LeaseLost):
        await audit.audit()
    assert ways.open_again == []


async def test_the_reports_of_another_peer_are_not_ones_own_to_audit(owned: Station) -> None:
    watches = {peer: owner._audits.watch for peer, owner in owned.owners.items()}
    for watch in watches.values():
        watch.take()
    desk = await owned.desk()
    desk.owes_proof(EMPTY, RangeSet.of([0]), owned.clock.now())
    assert (watches[HANGZHOU].take(), watches[SUZHOU].take()) == ([desk], [])


async def test_what_has_no_records_any_more_is_lost(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reported(wired, 2, executed=False)
    audit, _ = await audit_of(wired)
    await later(wired)

    async def retired(*_: object) -> None:
        raise SequenceRetired(lane="a lane", sequence=1)

    monkeypatch.setattr(wired.registry.outcomes, "read", retired)
    await audit.audit()
    assert counted(wired, Result.LOST) == 2
    monkeypatch.undo()
    desk = await wired.desk()
    desk.owes_proof(EMPTY, RangeSet.span(0, 2), wired.clock.now())
    await later(wired)
    monkeypatch.setattr(wired.registry.outcomes, "reopen", retired)
    await audit.audit()
    assert counted(wired, Result.LOST) == 4
    assert not desk.to_audit.entries


async def test_what_found_no_room_is_counted_once(wired: Station) -> None:
    audit, _ = await audit_of(wired)
    desk = await wired.desk()
    desk.owes_proof(RangeSet.span(0, 20_000), EMPTY, wired.clock.now())
    await audit.audit()
    await audit.audit()
    assert counted(wired, Result.LOST) == 20_000 - len(desk.to_audit) > 0


async def test_lanes_have_their_turns(wired: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "KEYS", KEYS)
    await reported(wired, KEYS + 1, executed=True)
    await later(wired)
    desk = await wired.desk()
    twin = type(desk)(replace(desk.view, lane=replace(desk.view.lane, lane_id=2)), desk.routes)
    wired.registry.state.lanes[2] = wired.registry.state.lanes[1]
    twin.owes_proof(EMPTY, RangeSet.of([0]), wired.clock.now())
    fence = wired.exchange.fences[HANGZHOU]
    audit = Audits(wired.board, fence, wired.telemetry)
    watch_lane(desk, HANGZHOU, audit.watch)
    watch_lane(twin, HANGZHOU, audit.watch)
    await later(wired)
    await audit.audit()
    assert (len(desk.to_audit), len(twin.to_audit)) == (1, 1)
    await audit.audit()
    assert (len(desk.to_audit), len(twin.to_audit)) == (0, 0)
    assert [len(request.proofs.keys) for request in wired.left.requests] == [KEYS, 2]


async def test_it_looks_now_and_then_and_survives_what_fails(
    owned: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    async def look(self: Audits) -> None:
        looked.append(1)
        raise AnswerOverdue(what="an answer", waited_ms=1)

    monkeypatch.setattr(audits.Audits, "audit", look)
    await owned.seconds(2 * EVERY // SECOND)
    assert len(looked) == 2 * len(owned.owners)
