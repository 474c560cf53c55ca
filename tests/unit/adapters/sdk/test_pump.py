from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import ChainUnreachable
from hub.core.ids import ClientId
from hub.core.lane import LaneKey, Side
from hub.core.packet import MAX_PAYLOAD_BYTES
from hub.core.time import SECOND, Duration
from hub.wire.frames import MAX_FRAME_BYTES
from tests.harness.attached import Attached, cursor, headers, sequences, shown
from tests.harness.city import BACK, CLIENT, OUT
from tests.harness.clock import until

if TYPE_CHECKING:
    from pathlib import Path


class TestShowing:
    async def test_the_header_comes_before_the_packets_that_it_proves(self, both: Attached) -> None:
        session = await both.session(cursor())
        both.chain.send(range(1, 4))
        await headers(session, 2)
        frame = await session.expect("packets")
        assert frame.packets == pb.PacketBatch(
            lane=OUT.name,
            proof_height=client_pb2.Height(revision=1, number=2),
            packets=[b"p1\0", b"p2\0", b"p3\0"],
            proof_batch=b"3 keys at 2",
        )

    async def test_acknowledgements_are_shown_for_a_lane_that_arrives(self, both: Attached) -> None:
        session = await both.session(cursor(BACK, is_source=False))
        both.chain.write(range(5, 7))
        await headers(session, 2)
        frame = await session.expect("acknowledgements")
        assert frame.acknowledgements == pb.AcknowledgementBatch(
            lane=BACK.name,
            proof_height=client_pb2.Height(revision=1, number=2),
            sequences=[5, 6],
            acknowledgements=[b"a5", b"a6"],
            proof_batch=b"2 keys at 2",
        )

    async def test_a_session_resumes_from_the_cursor(self, both: Attached) -> None:
        both.chain.send(range(1, 21))
        session = await both.session(cursor(done=((1, 7), (11, 12)), first=3))
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [8, 9, 10, *range(13, 21)]

    async def test_what_a_dead_session_left_unanswered_is_shown_again(self, both: Attached) -> None:
        both.chain.send(range(1, 4))
        session = await both.session(cursor())
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [1, 2, 3]
        session.end()
        session = await both.redialled(cursor(done=((1, 1),)), client_height=2)
        assert sequences(await session.expect("packets")) == [2, 3]

    async def test_frames_hold_at_most_256_items(self, both: Attached) -> None:
        both.chain.send(range(1, 601))
        session = await both.session(cursor())
        await headers(session, 2)
        shown = [sequences(await session.expect("packets")) for _ in range(3)]
        assert [len(numbers) for numbers in shown] == [256, 256, 88]
        assert [number for numbers in shown for number in numbers] == list(range(1, 601))

    async def test_frames_of_large_packets_stay_under_a_mebibyte(self, both: Attached) -> None:
        both.chain.send(range(1, 9), size=MAX_PAYLOAD_BYTES)
        session = await both.session(cursor())
        await headers(session, 2)
        shown: list[int] = []
        while len(shown) < 8:
            frame = await session.expect("packets")
            assert frame.ByteSize() <= MAX_FRAME_BYTES
            shown += sequences(frame)
        assert shown == list(range(1, 9))

    async def test_a_packet_larger_than_a_frame_travels_alone(self, both: Attached) -> None:
        both.chain.send(range(1, 3), size=MAX_FRAME_BYTES)
        session = await both.session(cursor())
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [1]
        assert sequences(await session.expect("packets")) == [2]

    async def test_lanes_take_turns(self, both: Attached) -> None:
        client = ClientId("07-tendermint-1")
        other = LaneKey(OUT.source_peer, client, OUT.destination_peer, OUT.destination_client)
        both.chain.send(range(1, 513))
        both.chain.send(range(1, 513), client=client)
        session = await both.session(cursor(), cursor(other))
        await headers(session, 3)
        lanes = [(await session.expect("packets")).packets.lane for _ in range(4)]
        assert lanes == [OUT.name, other.name, OUT.name, other.name]

    async def test_a_lane_opened_later_is_served(self, both: Attached) -> None:
        both.chain.send(range(1, 3))
        session = await both.session()
        await headers(session, 2)
        session.say(lanes=pb.LaneCursors(cursors=[cursor(done=((1, 1),))]))
        assert sequences(await session.expect("packets")) == [2]

    async def test_only_active_lanes_are_looked_at(self, both: Attached) -> None:
        session = await both.session(cursor(), cursor(BACK, is_source=False))
        both.chain.grow()
        await headers(session, 2)
        await until(lambda: len(both.chain.asked) >= 2)
        both.chain.asked.clear()
        for _ in range(5):
            both.chain.grow()
            await both.advance(session, 1)
            await session.next()
        assert both.chain.asked == []


class TestHeaders:
    async def test_a_header_is_shown_every_interval_though_nothing_needs_it(
        self, both: Attached
    ) -> None:
        session = await both.session()
        for height in (2, 3, 4):
            both.chain.grow()
            await headers(session, height)
            await both.advance(session, 1)

    async def test_headers_within_an_interval_are_left_out(self, both: Attached) -> None:
        session = await both.session()
        both.chain.grow()
        await headers(session, 2)
        for _ in range(5):
            both.chain.grow()
        await until(lambda: both.chain.height == 7)
        await both.clock.advance(SECOND)
        await headers(session, 7)

    async def test_a_refused_header_is_shown_again_later(self, both: Attached) -> None:
        session = await both.session(cursor())
        both.chain.send(range(1, 3))
        session.refuse(await session.expect("headers"), "REGISTRY_UNREACHABLE")
        packets = await session.expect("packets")
        session.refuse(packets, "CONSENSUS_STATE_MISSING")
        await both.advance(session, 1)
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [1, 2]

    async def test_a_node_that_lags_behind_the_hub_shows_nothing(self, both: Attached) -> None:
        session = await both.session(cursor(), client_height=5)
        both.chain.send(range(1, 3))
        both.chain.grow()
        await both.clock.advance(Duration(2 * SECOND))
        both.chain.grow(CLIENT)
        both.chain.grow(CLIENT)
        frame = await session.expect("packets")
        assert frame.packets.proof_height.number == 5


class TestVerdicts:
    async def test_accepted_answers_are_on_disk_and_never_shown_again(
        self, both: Attached, tmp_path: Path
    ) -> None:
        session = await both.session(cursor())
        both.chain.send(range(1, 4))
        await headers(session, 2)
        session.accept(await session.expect("packets"), [(1, 3)])
        await until(lambda: len(both.log.accepted(OUT, Side.SOURCE)) == 3)
        await until(lambda: b'"accepted":[[1,3]]' in (tmp_path / "accepted.jsonl").read_bytes())
        both.chain.send(range(4, 5))
        assert sequences(await shown(session)) == [4]

    async def test_what_a_cursor_says_is_done_is_noted_as_accepted_once(
        self, both: Attached, tmp_path: Path
    ) -> None:
        log = tmp_path / "accepted.jsonl"
        session = await both.session(cursor(done=((1, 4),)))
        await until(lambda: b'"accepted":[[1,4]]' in log.read_bytes())
        session.say(lanes=pb.LaneCursors(cursors=[cursor(done=((1, 6),))]))
        await until(lambda: b'"accepted":[[5,6]]' in log.read_bytes())
        assert both.log.count(Side.SOURCE) == 6

    async def test_items_refused_for_now_come_again_with_a_newer_proof(
        self, both: Attached
    ) -> None:
        session = await both.session(cursor())
        both.chain.send(range(1, 3))
        await headers(session, 2)
        session.refuse(await session.expect("packets"), "LANE_PAUSED")
        both.chain.grow()
        await both.advance(session, 1)
        frame = await shown(session)
        assert (sequences(frame), frame.packets.proof_height.number) == ([1, 2], 3)

    async def test_an_item_refused_for_good_blocks_no_other(self, both: Attached) -> None:
        session = await both.session(cursor())
        both.chain.send(range(1, 3))
        await headers(session, 2)
        frame = await session.expect("packets")
        refused = pb.Refusal(sequence=1, reason="PACKET_DIFFERS", retryable=False)
        accepted = [pb.SequenceRange(first=2, last=2)]
        session.say(
            verdict=pb.Verdict(frame_id=frame.frame_id, accepted=accepted, refused=[refused])
        )
        both.chain.send(range(3, 4))
        assert sequences(await shown(session)) == [3]

    async def test_never_more_items_are_unanswered_than_there_are_credits(
        self, both: Attached
    ) -> None:
        both.chain.send(range(1, 301))
        session = await both.session(cursor(), item_credits=100)
        await headers(session, 2)
        first = await session.expect("packets")
        assert sequences(first) == list(range(1, 101))
        both.chain.grow()
        await both.clock.advance(SECOND)
        await headers(session, 3)
        assert session.frames.empty()
        session.accept(first, [(1, 100)])
        assert sequences(await session.expect("packets")) == list(range(101, 201))
        session.say(credits=pb.Credits(count=30))
        assert sequences(await session.expect("packets")) == list(range(201, 231))

    @pytest.mark.parametrize(
        "verdict",
        [
            pb.Verdict(accepted=[pb.SequenceRange(first=3, last=2)]),
            pb.Verdict(accepted=[pb.SequenceRange(first=1, last=1)] * 300),
            pb.Verdict(refused=[pb.Refusal(sequence=1)] * 300),
        ],
        ids=["a range that is none", "too many ranges", "too many refusals"],
    )
    async def test_a_malformed_verdict_ends_the_session(
        self, both: Attached, verdict: pb.Verdict
    ) -> None:
        session = await both.session(cursor())
        session.say(verdict=verdict)
        await session.gone()

    async def test_a_chain_that_fails_is_asked_again_later(self, both: Attached) -> None:
        session = await both.session(cursor())
        both.chain.failures = [ChainUnreachable(chain="hangzhou-1", problem="is away")] * 2
        both.chain.send(range(1, 3))
        await until(lambda: len(both.chain.failures) == 1)
        await both.clock.advance(SECOND)
        await until(lambda: not both.chain.failures)
        await both.clock.advance(SECOND)
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [1, 2]
