from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.errors import ClientFrozen, LeaseLost, RegistryUnreachable, TrustExpired
from hub.core.ranges import RangeSet
from hub.core.record import OutcomeKind
from hub.core.time import SECOND, Duration, Timestamp
from relayer.reproof import ask
from relayer.steps.events import Added, Lapsed
from relayer.switchboard import LaneDesk
from relayer.timeouts import ASK_AGAIN, PACKETS, TIDY_EVERY, TimeoutSweep
from tests.harness.clock import until
from tests.harness.exchange import ADMIN, SUZHOU
from tests.harness.inbound import show_packets
from tests.harness.watching import watch_lane

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

    from hub.core.packet import Packet
    from hub.core.record import StoredOutcome
    from tests.harness.inbound import Working


def sweep(at: Working) -> TimeoutSweep:
    made = TimeoutSweep(at.board.board, at.board.exchange.fences[SUZHOU], at.right)
    desk = at.board.board.desks.get(at.board.exchange.key)
    if desk is not None:
        watch_lane(desk, SUZHOU, made.watch)
    return made


async def accepted(at: Working, count: int = 1, lives: int = 30) -> list[Packet]:
    packets = at.board.exchange.send(count, timeout=lives)
    await at.board.exchange.accept(packets)
    await at.board.know()
    await at.board.fresh_desk()
    return packets


async def pass_by(at: Working, seconds: int) -> None:
    """The chains' time passes, and the hub has the headers."""
    at.board.exchange.path.advance(seconds)
    await at.board.know()


def outcomes(at: Working) -> list[StoredOutcome]:
    return at.board.registry.state.lanes[1].outcomes


def waiting(at: Working) -> list[int]:
    """Seconds at which the lane's batches are due."""
    return [batch.earliest for batch in at.board.registry.state.lanes[1].timeouts.values()]


def asked(at: Working) -> list[pb.ProofRequest]:
    requests = at.board.right.requests
    return [one.proofs for one in requests if one.WhichOneof("body") == "proofs"]


async def test_a_packet_that_was_not_received_in_time_is_proven_absent_and_refundable(
    at_work: Working,
) -> None:
    await accepted(at_work)
    await pass_by(at_work, 30)
    await sweep(at_work).sweep()
    [outcome] = outcomes(at_work)
    assert (outcome.kind, outcome.sequence) == (OutcomeKind.ABSENCE, 1)
    [request] = asked(at_work)
    newest = (await at_work.board.keeper(SUZHOU)).latest_verified()
    assert (request.height.number, request.batch) == (newest.height.number, False)
    assert at_work.delivery.events == [Lapsed(RangeSet.of([1]))]
    assert at_work.settlement.events == [Added(RangeSet.of([0]))]
    assert waiting(at_work) == []


async def test_only_the_destinations_own_time_decides(at_work: Working) -> None:
    """The hub's clock may be anywhere; so may the source's chain."""
    [packet] = await accepted(at_work)
    await at_work.board.clock.advance(Duration(3600 * SECOND))
    path = at_work.board.exchange.path
    path.now = Timestamp(path.now + 3600 * SECOND)
    path.left.produce_block(path.now)
    await at_work.board.know()
    await sweep(at_work).sweep()
    assert asked(at_work) == []
    assert waiting(at_work) == [packet.timeout_timestamp]


async def test_one_second_before_its_timeout_nothing_is_asked_and_at_it_everything(
    at_work: Working,
) -> None:
    [packet] = await accepted(at_work)
    one = sweep(at_work)
    now = at_work.board.exchange.path.now // SECOND
    await pass_by(at_work, packet.timeout_timestamp - now - 1)
    await one.sweep()
    assert asked(at_work) == []
    await pass_by(at_work, 1)
    await one.sweep()
    assert len(outcomes(at_work)) == 1
    assert waiting(at_work) == []


async def test_a_packet_that_was_received_is_left_to_its_acknowledgement(
    at_work: Working,
) -> None:
    [packet] = await accepted(at_work)
    await at_work.board.exchange.deliver([packet])
    await pass_by(at_work, 30)
    one = sweep(at_work)
    await one.sweep()
    assert outcomes(at_work) == []
    time = (await at_work.board.keeper(SUZHOU)).latest_verified().time // SECOND
    assert waiting(at_work) == [time + ASK_AGAIN]
    await pass_by(at_work, ASK_AGAIN)
    await one.sweep()
    assert len(asked(at_work)) == 2
    right = at_work.board.right
    await right.verdict(acknowledgements=right.acknowledgements([packet]))
    await pass_by(at_work, TIDY_EVERY)
    await one.sweep()
    assert [outcome.kind for outcome in outcomes(at_work)] == [OutcomeKind.ACKNOWLEDGEMENT]
    assert waiting(at_work) == []
    assert len(asked(at_work)) == 2


async def test_of_a_frame_the_late_ones_are_proven_and_the_others_wait(at_work: Working) -> None:
    exchange = at_work.board.exchange
    late, later = exchange.send(timeout=20)[0], exchange.send(timeout=500)[0]
    await exchange.accept([late, later])
    await at_work.board.fresh_desk()
    await pass_by(at_work, 30)
    await sweep(at_work).sweep()
    assert [outcome.sequence for outcome in outcomes(at_work)] == [1]
    assert waiting(at_work) == [later.timeout_timestamp]


async def test_denied_and_parked_packets_time_out_too(at_work: Working) -> None:
    exchange = at_work.board.exchange
    packets = exchange.send(timeout=20)
    await exchange.accept(packets, denied="route is not listed")
    await at_work.board.fresh_desk()
    await pass_by(at_work, 30)
    await sweep(at_work).sweep()
    assert [outcome.kind for outcome in outcomes(at_work)] == [OutcomeKind.ABSENCE]


async def test_one_header_is_swept_by_once_and_a_lane_looked_at_when_it_is_due(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    [packet] = await accepted(at_work, lives=20)
    await at_work.board.exchange.deliver([packet])
    one, due, counted = sweep(at_work), at_work.board.registry.packets.due_timeouts, []

    async def counting(*arguments: int) -> Any:
        counted.append(arguments)
        return await due(*arguments)

    monkeypatch.setattr(at_work.board.registry.packets, "due_timeouts", counting)
    for swept in (0, 0, 1, 1, 2):
        for _ in range(2):
            await one.sweep()
            assert len(counted) == swept
        await pass_by(at_work, 10 if swept < 1 else ASK_AGAIN - 1)


async def test_times_are_read_once_and_known_of_what_is_accepted_here(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = at_work.board.registry.packets
    one, earliest, asked_for = sweep(at_work), packets.earliest_timeouts, []

    async def counting(lanes: Any) -> Any:
        asked_for.append(list(lanes))
        return await earliest(lanes)

    monkeypatch.setattr(packets, "earliest_timeouts", counting)
    await accepted(at_work, lives=500)
    await one.sweep()
    assert asked_for == [[1]]
    shown = at_work.board.exchange.send(2, timeout=40)
    await show_packets(at_work, shown)
    await pass_by(at_work, 1)
    await one.sweep()
    assert asked_for == [[1]]
    await pass_by(at_work, 40)
    await one.sweep()
    assert [outcome.sequence for outcome in outcomes(at_work)] == [2, 3]
    await pass_by(at_work, 1)
    await one.sweep()
    assert asked_for == [[1], [1]]


async def test_where_times_cannot_be_read_they_are_asked_for_again(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accepted(at_work)
    await pass_by(at_work, 30)
    one = sweep(at_work)

    async def away(_: Any) -> Any:
        raise RegistryUnreachable(problem="away")

    with monkeypatch.context() as patch:
        patch.setattr(at_work.board.registry.packets, "earliest_timeouts", away)
        with pytest.raises(RegistryUnreachable):
            await one.sweep()
    await one.sweep()
    assert len(outcomes(at_work)) == 1


async def test_where_a_session_ends_while_times_are_read_the_next_one_reads_them(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accepted(at_work)
    await pass_by(at_work, 30)
    is_asked = asyncio.Event()

    async def never(_: Any) -> Any:
        is_asked.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(at_work.board.registry.packets, "earliest_timeouts", never)
        ending = asyncio.ensure_future(sweep(at_work).sweep())
        await is_asked.wait()
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
    await sweep(at_work).sweep()
    assert len(outcomes(at_work)) == 1


@pytest.mark.parametrize("lie", ["present", "cut", "of another key"])
async def test_a_lie_about_one_receipt_refunds_nothing_and_is_asked_for_again(
    at_work: Working, lie: str
) -> None:
    await accepted(at_work, 2, lives=20)
    await pass_by(at_work, 30)
    right = at_work.board.right

    def answer(request: pb.Request) -> pb.Answer | None:
        if request.WhichOneof("body") != "proofs":
            return None
        found = right.prove(request.proofs)
        match lie:
            case "present":
                found.proofs.values[0] = b"\x01"
            case "cut":
                found.proofs.proofs[0] = found.proofs.proofs[0][:-1]
            case _:
                found.proofs.proofs[0] = found.proofs.proofs[1][:1]
        return found

    right.answers = answer
    one = sweep(at_work)
    await one.sweep()
    assert 1 not in [outcome.sequence for outcome in outcomes(at_work)]
    assert waiting(at_work) != []
    right.answers = lambda _: None
    await pass_by(at_work, ASK_AGAIN)
    await one.sweep()
    assert sorted(outcome.sequence for outcome in outcomes(at_work)) == [1, 2]


async def test_a_lane_that_fails_holds_up_no_other(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is swept again, though the header is still the same."""
    await accepted(at_work, lives=20)
    await pass_by(at_work, 30)
    board = at_work.board
    view = board.board.desks[board.exchange.key].view
    broken = LaneDesk(replace(view, lane=replace(view.lane, lane_id=99)), {})
    broken.next_timeout = 1
    due = board.registry.packets.due_timeouts

    async def failing(lane_id: int, at: int, limit: int) -> Any:
        if lane_id == 99:
            raise LeaseLost(peer=SUZHOU, epoch=1)
        return await due(lane_id, at, limit)

    monkeypatch.setattr(board.registry.packets, "due_timeouts", failing)
    one = sweep(at_work)
    watch_lane(broken, SUZHOU, one.watch)
    await one.sweep()
    assert len(outcomes(at_work)) == 1
    assert one._swept_at == 0


async def test_an_idle_lane_is_left_without_batches_so_that_its_days_can_be_dropped(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = at_work.board.exchange
    for _ in range(3):
        packets = await accepted(at_work, lives=5000)
        await exchange.deliver(packets)
        await exchange.acknowledge(packets)
    await at_work.board.fresh_desk()
    one = sweep(at_work)

    async def away(*_: Any) -> Any:
        raise RegistryUnreachable(problem="away")

    with monkeypatch.context() as patch:
        patch.setattr(at_work.board.registry.packets, "drop_ended_timeouts", away)
        with pytest.raises(RegistryUnreachable):
            await one.sweep()
    assert len(waiting(at_work)) == 3
    await pass_by(at_work, TIDY_EVERY)
    await one.sweep()
    assert waiting(at_work) == []
    await accepted(at_work, lives=5000)
    await pass_by(at_work, TIDY_EVERY)
    await one.sweep()
    assert len(waiting(at_work)) == 1


async def test_a_packet_that_this_process_has_not_heard_of_keeps_its_timeout(
    at_work: Working,
) -> None:
    """Another process accepts it while its lane seems idle here."""
    exchange = at_work.board.exchange
    await at_work.board.fresh_desk()
    [packet] = exchange.send(timeout=40)
    await exchange.accept([packet])
    await pass_by(at_work, 1)
    one = sweep(at_work)
    await one.sweep()
    assert waiting(at_work) == [packet.timeout_timestamp]


async def test_packets_between_those_of_a_frame_are_read_a_few_at_a_time(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame of the first and the last packet of a long lane must not read all of it at once."""
    exchange = at_work.board.exchange
    first = exchange.send(timeout=20)
    between = exchange.send(2 * PACKETS, timeout=500)
    last = exchange.send(timeout=20)
    await exchange.accept(between)
    await exchange.accept(first + last)
    await at_work.board.fresh_desk()
    await pass_by(at_work, 30)
    read, sizes = at_work.board.registry.packets.read, []

    async def counting(lane_id: int, sequences: RangeSet, *limits: Any) -> Any:
        sizes.append(len(sequences))
        return await read(lane_id, sequences, *limits)

    monkeypatch.setattr(at_work.board.registry.packets, "read", counting)
    await sweep(at_work).sweep()
    assert sorted(outcome.sequence for outcome in outcomes(at_work)) == [1, 2 * PACKETS + 2]
    assert max(sizes) <= PACKETS
    assert len(waiting(at_work)) == 2


async def test_under_a_lease_that_is_over_nothing_is_recorded(at_work: Working) -> None:
    await accepted(at_work, lives=20)
    await pass_by(at_work, 30)
    one = sweep(at_work)
    await at_work.board.lease(SUZHOU)
    await one.sweep()
    assert outcomes(at_work) == []
    assert waiting(at_work) != []


async def test_a_frozen_or_expired_destination_proves_no_absence(at_work: Working) -> None:
    await accepted(at_work, lives=20)
    await pass_by(at_work, 30)
    board = at_work.board
    await board.registry.clients.freeze(SUZHOU, "inspection", None, ADMIN)
    await board.board.refresh(SUZHOU)
    with pytest.raises(ClientFrozen):
        await sweep(at_work).sweep()
    row = board.registry.state.client(SUZHOU)
    row.frozen_at = None
    await board.board.refresh(SUZHOU)
    board.clock._now = (await board.keeper(SUZHOU)).expires_at
    with pytest.raises(TrustExpired):
        await sweep(at_work).sweep()
    assert asked(at_work) == []


async def started_again(at: Working) -> None:
    """The destination's client is frozen, and starts again from the newest header."""
    board = at.board
    await board.registry.clients.freeze(SUZHOU, "two headers", None, ADMIN)
    board.exchange.grow(1)
    anchor = board.exchange.anchor(SUZHOU, board.exchange.chain(SUZHOU).height)
    await board.registry.clients.recover(SUZHOU, anchor, board.clock.now(), "mended", ADMIN)


@pytest.mark.parametrize("is_heard", [True, False])
async def test_an_absence_from_before_its_client_started_again_is_not_recorded(
    at_work: Working, monkeypatch: pytest.MonkeyPatch, *, is_heard: bool
) -> None:
    """Its root may be that of a forged header; whether this process has heard of it, or not."""
    await accepted(at_work)
    await pass_by(at_work, 30)
    board, one = at_work.board, sweep(at_work)

    async def slow(*arguments: Any, **how: Any) -> Any:
        found = await ask(*arguments, **how)
        await started_again(at_work)
        if is_heard:
            await board.board.refresh(SUZHOU)
            await board.fresh_desk()
        return found

    with monkeypatch.context() as patch:
        patch.setattr("relayer.timeouts.ask", slow)
        await one.sweep()
    assert len(asked(at_work)) == 1
    assert outcomes(at_work) == []
    assert waiting(at_work) != []
    await pass_by(at_work, 1)
    await one.sweep()
    [outcome] = outcomes(at_work)
    assert outcome.kind is OutcomeKind.ABSENCE
    [proof] = [row.stored.proof for row in board.registry.state.proofs.values()][-1:]
    assert proof.height >= (await board.keeper(SUZHOU)).hub_client.anchor.height.number


async def test_a_lane_that_is_reached_after_its_client_started_again_is_not_judged_by_what_was(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accepted(at_work)
    await pass_by(at_work, 30)
    packets, one = at_work.board.registry.packets, sweep(at_work)
    earliest = packets.earliest_timeouts

    async def slow(lanes: Any) -> Any:
        await started_again(at_work)
        await at_work.board.board.refresh(SUZHOU)
        return await earliest(lanes)

    with monkeypatch.context() as patch:
        patch.setattr(packets, "earliest_timeouts", slow)
        await one.sweep()
    assert (asked(at_work), outcomes(at_work)) == ([], [])
    await pass_by(at_work, 1)
    await one.sweep()
    assert len(outcomes(at_work)) == 1


async def test_it_goes_on_by_itself_once_a_second_whatever_fails(at_work: Working) -> None:
    await accepted(at_work, lives=20)
    await pass_by(at_work, 30)
    board = at_work.board
    await board.registry.clients.freeze(SUZHOU, "inspection", None, ADMIN)
    await board.board.refresh(SUZHOU)
    running = asyncio.ensure_future(sweep(at_work).run())
    await board.seconds(2)
    assert not running.done()
    row = board.registry.state.client(SUZHOU)
    row.frozen_at = None
    for side in board.registry.state.lanes[1].sides.values():
        side.stopped = False
    await board.board.refresh(SUZHOU)
    await board.fresh_desk()
    await board.seconds(1)
    await until(lambda: outcomes(at_work))
    running.cancel()
