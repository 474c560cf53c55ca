from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.misbehave import forge_batch, forge_packet
from hub.core.errors import (
    FrameInvalid,
    GateChanged,
    LeaseLost,
    Reason,
    RegistryUnreachable,
)
from hub.core.ids import ClientId, PeerId
from hub.core.lane import LaneKey, RateLimit, RouteKey, Side
from hub.core.packet import Acknowledgement
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp
from hub.wire.packet import encode_acknowledgement, encode_packet
from relayer import inbound
from relayer.penalties import PACE
from relayer.steps.events import Added
from relayer.steps.strikes import FIRST, FREE
from tests.harness.clock import until
from tests.harness.exchange import ADMIN, HANGZHOU
from tests.harness.inbound import Working, delivered, numbers, reasons, show_packets
from tests.harness.registry import SEQUENCES
from tests.harness.simchain import TRANSFER
from tests.harness.station import proto_height

if TYPE_CHECKING:
    from concurrent.futures import Executor


class TestPackets:
    async def test_new_ones_are_recorded_and_go_on_their_way_at_once(
        self, at_work: Working
    ) -> None:
        packets = at_work.board.exchange.send(3)
        verdict = await show_packets(at_work, packets)
        assert numbers(verdict.accepted) == [1, 2, 3]
        assert not verdict.refused
        stored = await at_work.board.registry.packets.read(1, RangeSet.span(1, 9))
        assert [packet.content for packet in stored] == list(map(encode_packet, packets))
        assert at_work.delivery.events == [Added(RangeSet.of([1, 2, 3]))]
        assert (await at_work.board.desk()).view.source.done == RangeSet.of([1, 2, 3])

    async def test_denied_ones_are_accepted_and_do_not_go_on(self, at_work: Working) -> None:
        board = at_work.board
        board.registry.state.routes.clear()
        await board.board.read_routes(await board.desk())
        verdict = await show_packets(at_work, board.exchange.send(2))
        assert numbers(verdict.accepted) == [1, 2]
        assert at_work.delivery.events == [Added(EMPTY)]
        assert len(await board.registry.exceptions.among(1, SEQUENCES)) == 2

    async def test_replayed_ones_are_already_done_and_nothing_goes_on_again(
        self, at_work: Working
    ) -> None:
        packets = at_work.board.exchange.send(2)
        await show_packets(at_work, packets)
        at_work.delivery.events.clear()
        for _ in range(3):
            verdict = await show_packets(at_work, packets)
            assert numbers(verdict.already_done) == [1, 2]
            assert not verdict.accepted
        assert at_work.delivery.events == []

    async def test_ones_that_have_ended_elsewhere_meanwhile_do_not_go_on(
        self, at_work: Working
    ) -> None:
        packets = at_work.board.exchange.send(2)
        await at_work.board.exchange.settle_elsewhere(1)
        await at_work.board.fresh_desk()
        verdict = await show_packets(at_work, packets)
        assert numbers(verdict.accepted) == [1, 2]
        assert at_work.delivery.events == [Added(RangeSet.of([2]))]

    async def test_a_brief_proof_takes_no_thread_and_its_cpu_time_is_counted_all_the_same(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        board = at_work.board
        threads: list[object] = []
        pool_of = board.board.pool_of
        verified: list[str] = []
        monkeypatch.setattr(board.telemetry, "verified", lambda peer, _: verified.append(peer))
        packets = board.exchange.send(2)
        await board.left.show()

        def taken(peer: PeerId) -> Executor:
            threads.append(peer)
            return pool_of(peer)

        monkeypatch.setattr(board.board, "pool_of", taken)
        await board.left.verdict(packets=board.left.packets(packets[:1]))
        assert (threads, verified) == ([], [HANGZHOU])
        monkeypatch.setattr(inbound, "BRIEF_BYTES", 0)
        await board.left.verdict(packets=board.left.packets(packets[1:]))
        assert threads == [HANGZHOU]

    async def test_a_forged_proof_or_packet_is_refused_and_the_genuine_one_taken(
        self, at_work: Working
    ) -> None:
        packets = at_work.board.exchange.send(2)
        genuine = at_work.board.left.packets(packets)
        forged = forge_batch(genuine.proof_batch)
        verdict = await show_packets(at_work, packets, proof_batch=forged)
        assert [sequence for sequence, _ in reasons(verdict)] == [0]
        other = [encode_packet(forge_packet(packets[0])), encode_packet(packets[1])]
        verdict = await show_packets(at_work, packets, packets=other)
        assert [sequence for sequence, _ in reasons(verdict)] == [0]
        assert at_work.board.registry.state.lanes[1].packets == {}
        assert numbers((await show_packets(at_work, packets)).accepted) == [1, 2]

    async def test_a_height_that_was_not_shown_is_missing(self, at_work: Working) -> None:
        left = at_work.board.left
        packets = at_work.board.exchange.send()
        verdict = await left.verdict(packets=left.packets(packets))
        assert reasons(verdict) == [(0, "CONSENSUS_STATE_MISSING")]
        assert verdict.refused[0].retryable
        await left.show()
        other_revision = proto_height(left.chain.height, revision=7)
        verdict = await left.verdict(packets=left.packets(packets, proof_height=other_revision))
        assert reasons(verdict) == [(0, "CONSENSUS_STATE_MISSING")]

    async def test_a_lane_of_others_is_not_spoken_for(self, at_work: Working) -> None:
        board = at_work.board
        batch = board.left.packets(board.exchange.send())
        assert reasons(await board.right.verdict(packets=batch)) == [(0, "IDENTITY_NOT_ALLOWED")]
        back = pb.PacketBatch(
            lane=board.exchange.key.reverse.name,
            proof_height=batch.proof_height,
            packets=[],
            proof_batch=b"",
        )
        assert reasons(await board.left.verdict(packets=back)) == [(0, "FRAME_INVALID")]

    async def test_a_packet_of_another_lane_than_its_frame_is_refused(
        self, at_work: Working
    ) -> None:
        packets = at_work.board.exchange.send()
        foreign = replace(packets[0], destination_client=ClientId("07-tendermint-77"))
        verdict = await show_packets(at_work, packets, packets=[encode_packet(foreign)])
        assert reasons(verdict) == [(0, "FRAME_INVALID")]

    async def test_an_unknown_lane_is_told_so(self, at_work: Working) -> None:
        key = at_work.board.exchange.key
        unknown = LaneKey(HANGZHOU, key.source_client, PeerId("wuxi"), key.destination_client)
        packets = at_work.board.exchange.send()
        verdict = await show_packets(at_work, packets, lane=unknown.name)
        assert reasons(verdict) == [(0, "LANE_NOT_FOUND")]
        verdict = await show_packets(at_work, packets, lane="lanes/no~lane")
        assert reasons(verdict) == [(0, "IDENTIFIER_INVALID")]

    async def test_a_paused_lane_is_told_so_whether_this_process_knows_it_or_not(
        self, at_work: Working
    ) -> None:
        board = at_work.board
        packets = board.exchange.send()
        await board.registry.lanes.pause(board.exchange.key, "inspection", ADMIN)
        for _ in range(2):
            assert reasons(await show_packets(at_work, packets)) == [(0, "LANE_PAUSED")]
            await board.fresh_desk()
        assert board.registry.state.lanes[1].packets == {}

    async def test_a_stopped_lane_costs_no_proof(self, at_work: Working) -> None:
        board = at_work.board
        packets = board.exchange.send()
        await board.registry.lanes.pause(board.exchange.key, "inspection", ADMIN)
        await board.fresh_desk()
        verdict = await show_packets(at_work, packets, proof_batch=b"no proof")
        assert reasons(verdict) == [(0, "LANE_PAUSED")]

    async def test_a_frozen_client_is_told_so_also_when_it_freezes_meanwhile(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between judging and recording: the registry's gate is another, and it is judged anew."""
        registry = at_work.board.registry
        accept = registry.packets.accept

        async def frozen_first(*arguments: Any) -> None:
            await registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
            await accept(*arguments)

        monkeypatch.setattr(registry.packets, "accept", frozen_first)
        packets = at_work.board.exchange.send()
        assert reasons(await show_packets(at_work, packets)) == [(0, "CLIENT_FROZEN")]
        assert registry.state.lanes[1].packets == {}
        assert at_work.delivery.events == []

    async def test_a_lane_that_never_rests_refuses_for_now(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def never(*_: Any) -> None:
            raise GateChanged(lane="l", gate=1)

        monkeypatch.setattr(at_work.board.registry.packets, "accept", never)
        verdict = await show_packets(at_work, at_work.board.exchange.send())
        assert reasons(verdict) == [(0, "GATE_CHANGED")]
        assert verdict.refused[0].retryable

    async def test_a_sequence_below_the_lanes_first_is_refused_alone(
        self, at_work: Working
    ) -> None:
        board = at_work.board
        row = board.registry.state.lanes[1]
        row.lane = replace(row.lane, first_sequence=2)
        await board.fresh_desk()
        verdict = await show_packets(at_work, board.exchange.send(3))
        assert reasons(verdict) == [(1, "BELOW_FIRST_SEQUENCE")]
        assert not verdict.refused[0].retryable
        assert numbers(verdict.accepted) == [2, 3]

    async def test_a_gap_that_is_too_wide_is_refused_until_it_is_filled(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every other sequence, until the lane has as many holes as it may."""
        monkeypatch.setattr("hub.registry.narrow.MAX_RANGES", 8)
        monkeypatch.setattr("hub.registry.narrow.RANGES_AFTER_CLOSING", 4)
        monkeypatch.setattr("hub.registry.memory.packets.MAX_HOLES", 4)
        packets = at_work.board.exchange.send(20)
        assert not (await show_packets(at_work, packets[:16:2])).refused
        verdict = await show_packets(at_work, packets[16::2])
        assert reasons(verdict) == [(0, "GAP_TOO_WIDE")]
        assert verdict.refused[0].retryable
        assert not (await show_packets(at_work, packets[1:16:2])).refused
        assert not (await show_packets(at_work, packets[16::2])).refused

    async def test_another_packet_under_a_proven_sequence_freezes_its_chain(
        self, at_work: Working
    ) -> None:
        board = at_work.board
        first, second, third = board.exchange.send(3)
        await show_packets(at_work, [first])
        row = board.registry.state.lanes[1]
        other = forge_packet(first)  # what the chain proved then
        row.packets[1] = msgspec.structs.replace(row.packets[1], content=encode_packet(other))
        at_work.delivery.events.clear()
        verdict = await show_packets(at_work, [first, second, third])
        assert reasons(verdict) == [
            (1, "PACKET_DIFFERS"),
            (2, "CLIENT_FROZEN"),
            (3, "CLIENT_FROZEN"),
        ]
        assert not verdict.accepted
        assert sorted(row.packets) == [1]
        assert row.sides[Side.SOURCE].stopped
        assert (await board.keeper(HANGZHOU)).hub_client.is_frozen
        [evidence] = await board.registry.clients.evidence(HANGZHOU)
        assert evidence.reason is Reason.PACKET_DIFFERS
        assert evidence.first == encode_packet(other)
        shown = pb.AdapterFrame.FromString(evidence.second)
        assert list(shown.packets.packets) == list(map(encode_packet, [first, second, third]))
        assert shown.packets.proof_batch

    async def test_a_frame_of_conflicts_leaves_one_piece_of_evidence(
        self, at_work: Working
    ) -> None:
        board = at_work.board
        packets = board.exchange.send(20)
        await show_packets(at_work, packets)
        row = board.registry.state.lanes[1]
        for number, stored in row.packets.items():
            row.packets[number] = msgspec.structs.replace(stored, content=stored.content + b" ")
        verdict = await show_packets(at_work, packets)
        assert len(verdict.refused) == 20
        assert len(await board.registry.clients.evidence(HANGZHOU)) == 1

    @pytest.mark.parametrize("done", [False, True])
    async def test_where_the_outcome_of_the_commit_is_unknown_a_resend_finds_out(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch, *, done: bool
    ) -> None:
        registry = at_work.board.registry
        accept = registry.packets.accept

        async def cut(*arguments: Any) -> None:
            monkeypatch.undo()
            if done:
                await accept(*arguments)
            raise RegistryUnreachable(problem="the connection was cut")

        monkeypatch.setattr(registry.packets, "accept", cut)
        packets = at_work.board.exchange.send(2)
        verdict = await show_packets(at_work, packets)
        assert reasons(verdict) == [(0, "REGISTRY_UNREACHABLE")]
        assert verdict.refused[0].retryable
        again = await show_packets(at_work, packets)
        found = again.already_done if done else again.accepted
        assert numbers(found) == [1, 2]
        assert len(registry.state.lanes[1].packets) == 2

    async def test_under_a_lease_that_is_over_nothing_is_written_and_the_session_ends(
        self, at_work: Working
    ) -> None:
        board = at_work.board
        packets = board.exchange.send()
        await board.left.show()
        await board.lease(HANGZHOU)
        board.left.say(packets=board.left.packets(packets))
        await board.left.session.ended.wait()
        assert isinstance(board.left.session.end_cause, LeaseLost)
        assert board.registry.state.lanes[1].packets == {}

    async def test_a_lease_that_is_lost_during_the_commit_ends_the_session(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = at_work.board.registry
        accept = registry.packets.accept

        async def overtaken(*arguments: Any) -> None:
            await at_work.board.lease(HANGZHOU)
            await accept(*arguments)

        monkeypatch.setattr(registry.packets, "accept", overtaken)
        board = at_work.board
        packets = board.exchange.send()
        await board.left.show()
        board.left.say(packets=board.left.packets(packets))
        await board.left.session.ended.wait()
        assert isinstance(board.left.session.end_cause, LeaseLost)
        assert registry.state.lanes[1].packets == {}

    async def test_a_bug_costs_one_frame_and_the_next_is_worked_on(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(*_: Any) -> None:
            monkeypatch.undo()
            raise ValueError("a bug")

        monkeypatch.setattr(at_work.board.registry.packets, "accept", broken)
        packets = at_work.board.exchange.send()
        verdict = await show_packets(at_work, packets)
        assert reasons(verdict) == [(0, "INTERNAL")]
        assert "bug" not in verdict.refused[0].detail
        assert numbers((await show_packets(at_work, packets)).accepted) == [1]


async def test_an_expired_client_proves_nothing(at_work: Working) -> None:
    board = at_work.board
    packets = board.exchange.send()
    await board.left.show()
    keeper = await board.keeper(HANGZHOU)
    board.clock._now = keeper.expires_at
    verdict = await board.left.verdict(packets=board.left.packets(packets))
    assert reasons(verdict) == [(0, "CLIENT_EXPIRED")]
    assert Timestamp(keeper.expires_at) == board.clock.now()


async def test_frames_and_refusals_are_counted(at_work: Working) -> None:
    board = at_work.board
    await board.left.show()
    await board.left.verdict(headers=pb.HeaderBatch())
    await show_packets(at_work, board.exchange.send(2))
    sample = board.telemetry.collection.get_sample_value
    assert sample("ydhub_frames_total", {"peer": "hangzhou", "kind": "headers"}) == 3
    assert sample("ydhub_refusals_total", {"peer": "hangzhou", "reason": "FRAME_INVALID"}) == 1
    lane = {"lane": str(board.exchange.key)}
    assert sample("ydhub_packets_accepted_total", lane) == 2


class TestFairness:
    async def test_what_is_known_already_is_answered_without_a_look_at_its_proof(
        self, at_work: Working
    ) -> None:
        left = at_work.board.left
        packets = at_work.board.exchange.send(2)
        await show_packets(at_work, packets)
        at_work.delivery.events.clear()
        verdict = await left.verdict(packets=left.packets(packets, proof_batch=b"none"))
        assert numbers(verdict.already_done) == [1, 2]
        assert at_work.delivery.events == []

    async def test_answers_that_are_known_already_need_no_proof_either(
        self, at_work: Working
    ) -> None:
        right = at_work.board.right
        packets = await delivered(at_work, 2)
        await right.show()
        await right.verdict(acknowledgements=right.acknowledgements(packets))
        again = right.acknowledgements(packets, proof_batch=b"none")
        assert numbers((await right.verdict(acknowledgements=again)).already_done) == [1, 2]
        other = [encode_acknowledgement(Acknowledgement((b"other",)))] * 2
        false = right.acknowledgements(packets, proof_batch=b"none", acknowledgements=other)
        [(sequence, _)] = reasons(await right.verdict(acknowledgements=false))
        assert sequence == 0

    async def test_who_shows_false_proofs_again_and_again_waits_and_nobody_else_does(
        self, at_work: Working
    ) -> None:
        board, left, right = at_work.board, at_work.board.left, at_work.board.right
        packets = board.exchange.send(2)
        genuine = left.packets(packets)
        forged = left.packets(packets, proof_batch=forge_batch(genuine.proof_batch))
        await left.show()
        for _ in range(FREE + 1):
            [(sequence, reason)] = reasons(await left.verdict(packets=forged))
            assert (sequence, reason != "RATE_LIMITED") == (0, True)
        slowed = await left.verdict(packets=genuine)
        assert reasons(slowed) == [(0, "RATE_LIMITED")]
        assert (slowed.refused[0].retryable, slowed.refused[0].wait_ms) == (True, 250)
        board.exchange.grow(1)
        assert not (await right.show()).refused
        await board.clock.advance(FIRST)
        assert numbers((await left.verdict(packets=genuine)).accepted) == [1, 2]

    async def test_who_does_not_wait_is_read_more_slowly(self, at_work: Working) -> None:
        board, left = at_work.board, at_work.board.left
        forged = pb.PacketBatch(lane=board.exchange.key.name)
        for _ in range(FREE + 3):
            board.board.penalties.judged(HANGZHOU, "packets", FrameInvalid(frame="f", problem="p"))
        first, second = left.say(packets=forged), left.say(packets=forged)
        await until(lambda: first in left.verdicts)
        assert second not in left.verdicts
        await board.clock.advance(PACE)
        await until(lambda: second in left.verdicts)
        assert reasons(left.verdicts[second]) == [(0, "RATE_LIMITED")]

    async def test_what_is_over_its_routes_limit_takes_no_place_and_is_told_when_to_come(
        self, at_work: Working
    ) -> None:
        board, left = at_work.board, at_work.board.left
        key = RouteKey.parse(f"{board.exchange.key}/routes/{TRANSFER}~{TRANSFER}")
        limit = RateLimit(packets=10, period=SECOND, burst=2)
        await board.registry.lanes.limit_route(key, limit, ADMIN)
        desk = await board.desk()
        await board.board.read_routes(desk)
        packets = board.exchange.send(4)
        verdict = await show_packets(at_work, packets)
        assert numbers(verdict.accepted) == [1, 2]
        waits = [(one.sequence, one.reason, one.wait_ms) for one in verdict.refused]
        assert waits == [(3, "RATE_LIMITED", 100), (4, "RATE_LIMITED", 200)]
        assert desk.view.source.done == RangeSet.of([1, 2])
        false = left.packets(packets[2:], proof_batch=b"none")
        early = await left.verdict(packets=false)
        assert reasons(early) == [(3, "RATE_LIMITED"), (4, "RATE_LIMITED")]
        await board.clock.advance(Duration(100 * MILLISECOND))
        assert numbers((await left.verdict(packets=left.packets(packets[2:]))).accepted) == [3]
        await board.clock.advance(Duration(100 * MILLISECOND))
        again = await left.verdict(packets=left.packets(packets))
        assert (numbers(again.accepted), numbers(again.already_done)) == ([4], [1, 2, 3])
