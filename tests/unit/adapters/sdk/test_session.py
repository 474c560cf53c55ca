from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.execution import ExecutionResult, Receive, Refused
from adapters.sdk.submission import Headers
from hub.core.client import Header
from hub.core.errors import AdapterOffline, ChainUnreachable, TimeoutElapsed
from hub.core.ids import ChainId, ClientId, PeerId
from hub.core.lane import LaneKey, Side
from hub.core.packet import MAX_PAYLOAD_BYTES
from hub.core.paths import receipt_key
from hub.core.ranges import RangeSet
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire import anchor_file
from hub.wire.frames import MAX_FRAME_BYTES, ranges_from_proto
from hub.wire.packet import encode_packet
from tests.harness.anchors import make_anchor
from tests.harness.attached import Attached, attached, cursor
from tests.harness.city import BACK, CLIENT, OUT, PaperChain
from tests.harness.clock import until
from tests.harness.packet_samples import PACKET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.relayer import RelayedSession


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Attached]:
    anchor_file.write(tmp_path / "suzhou.yaml", make_anchor("suzhou-1"), peer=PeerId("suzhou"))
    async with attached(tmp_path, anchors={"suzhou": tmp_path / "suzhou.yaml"}) as both:
        yield both


def sequences(frame: pb.AdapterFrame) -> list[int]:
    """The sequences of the paper items in *frame*."""
    if frame.WhichOneof("body") == "acknowledgements":
        return list(frame.acknowledgements.sequences)
    return [int(item.rstrip(b"\0")[1:]) for item in frame.packets.packets]


def foreign() -> pb.LaneCursor:
    """A cursor that names a client of another lane."""
    wrong = cursor()
    wrong.client = "07-tendermint-99"
    return wrong


async def shown(session: RelayedSession) -> pb.AdapterFrame:
    """The next frame of items; headers before it are accepted."""
    while True:
        frame = await session.next()
        if frame.WhichOneof("body") != "headers":
            return frame
        session.accept(frame)


async def headers(session: RelayedSession, *heights: int) -> pb.AdapterFrame:
    """The next frame, which shows the headers of exactly these heights; it is accepted."""
    frame = await session.expect("headers")
    assert [header.content for header in frame.headers.headers] == [b"h%d" % n for n in heights]
    session.accept(frame, [(height, height) for height in heights])
    return frame


class TestOpening:
    async def test_the_hello_says_who_dials_and_frame_ids_rise_from_one(self, both: Attached):
        session = await both.relayer.attached()
        frame = await session.expect("hello")
        assert session.peer == "hangzhou"
        assert frame.frame_id == 1
        assert frame.hello == pb.Hello(
            protocol_versions=[1],
            adapter="paper 1",
            chain_id="hangzhou-1",
            order_enforceable=True,
            execution_credits=2,
        )
        session.welcome()
        both.chain.grow()
        assert (await session.next()).frame_id == 2

    async def test_the_anchors_header_is_shown_first_where_the_hub_has_none(self, both: Attached):
        both.chain.height = 9
        session = await both.session(cursor(), client_height=0, anchor_height=4)
        await headers(session, 4)
        await headers(session, 9)

    async def test_a_welcome_that_does_not_come_ends_the_session(self, both: Attached):
        session = await both.relayer.attached()
        await session.expect("hello")
        await both.clock.advance(Duration(20 * SECOND))
        await session.gone()

    @pytest.mark.parametrize(
        "frame",
        [
            pb.RelayerFrame(heartbeat=pb.Heartbeat()),
            pb.RelayerFrame(welcome=pb.Welcome(protocol_version=2)),
            pb.RelayerFrame(welcome=pb.Welcome(protocol_version=1, cursors=[pb.LaneCursor()])),
            pb.RelayerFrame(welcome=pb.Welcome(protocol_version=1, cursors=[foreign()])),
            pb.RelayerFrame(welcome=pb.Welcome(protocol_version=1, cursors=[cursor(first=0)])),
        ],
        ids=[
            "no welcome",
            "another version",
            "a cursor of no lane",
            "a cursor with another lane's client",
            "a cursor without a first sequence",
        ],
    )
    async def test_a_welcome_that_is_none_ends_the_session(
        self, both: Attached, frame: pb.RelayerFrame
    ):
        session = await both.relayer.attached()
        await session.expect("hello")
        session.outbound.put_nowait(frame)
        await session.gone()


class TestShowing:
    async def test_the_header_comes_before_the_packets_that_it_proves(self, both: Attached):
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

    async def test_acknowledgements_are_shown_for_a_lane_that_arrives(self, both: Attached):
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

    async def test_a_session_resumes_from_the_cursor(self, both: Attached):
        both.chain.send(range(1, 21))
        session = await both.session(cursor(done=((1, 7), (11, 12)), first=3))
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [8, 9, 10, *range(13, 21)]

    async def test_what_a_dead_session_left_unanswered_is_shown_again(self, both: Attached):
        both.chain.send(range(1, 4))
        session = await both.session(cursor())
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [1, 2, 3]
        session.end()
        session = await both.redialled(cursor(done=((1, 1),)), client_height=2)
        assert sequences(await session.expect("packets")) == [2, 3]

    async def test_frames_hold_at_most_256_items(self, both: Attached):
        both.chain.send(range(1, 601))
        session = await both.session(cursor())
        await headers(session, 2)
        shown = [sequences(await session.expect("packets")) for _ in range(3)]
        assert [len(numbers) for numbers in shown] == [256, 256, 88]
        assert [number for numbers in shown for number in numbers] == list(range(1, 601))

    async def test_frames_of_large_packets_stay_under_a_mebibyte(self, both: Attached):
        both.chain.send(range(1, 9), size=MAX_PAYLOAD_BYTES)
        session = await both.session(cursor())
        await headers(session, 2)
        shown: list[int] = []
        while len(shown) < 8:
            frame = await session.expect("packets")
            assert frame.ByteSize() <= MAX_FRAME_BYTES
            shown += sequences(frame)
        assert shown == list(range(1, 9))

    async def test_a_packet_larger_than_a_frame_travels_alone(self, both: Attached):
        both.chain.send(range(1, 3), size=MAX_FRAME_BYTES)
        session = await both.session(cursor())
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [1]
        assert sequences(await session.expect("packets")) == [2]

    async def test_lanes_take_turns(self, both: Attached):
        client = ClientId("07-tendermint-1")
        other = LaneKey(OUT.source_peer, client, OUT.destination_peer, OUT.destination_client)
        both.chain.send(range(1, 513))
        both.chain.send(range(1, 513), client=client)
        session = await both.session(cursor(), cursor(other))
        await headers(session, 3)
        lanes = [(await session.expect("packets")).packets.lane for _ in range(4)]
        assert lanes == [OUT.name, other.name, OUT.name, other.name]

    async def test_a_lane_opened_later_is_served(self, both: Attached):
        both.chain.send(range(1, 3))
        session = await both.session()
        await headers(session, 2)
        session.say(lanes=pb.LaneCursors(cursors=[cursor(done=((1, 1),))]))
        assert sequences(await session.expect("packets")) == [2]

    async def test_only_active_lanes_are_looked_at(self, both: Attached):
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
    async def test_a_header_is_shown_every_interval_though_nothing_needs_it(self, both: Attached):
        session = await both.session()
        for height in (2, 3, 4):
            both.chain.grow()
            await headers(session, height)
            await both.advance(session, 1)

    async def test_headers_within_an_interval_are_left_out(self, both: Attached):
        session = await both.session()
        both.chain.grow()
        await headers(session, 2)
        for _ in range(5):
            both.chain.grow()
        await until(lambda: both.chain.height == 7)
        await both.clock.advance(SECOND)
        await headers(session, 7)

    async def test_a_refused_header_is_shown_again_later(self, both: Attached):
        session = await both.session(cursor())
        both.chain.send(range(1, 3))
        session.refuse(await session.expect("headers"), "REGISTRY_UNREACHABLE")
        packets = await session.expect("packets")
        session.refuse(packets, "CONSENSUS_STATE_MISSING")
        await both.advance(session, 1)
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [1, 2]

    async def test_a_node_that_lags_behind_the_hub_shows_nothing(self, both: Attached):
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
    ):
        session = await both.session(cursor())
        both.chain.send(range(1, 4))
        await headers(session, 2)
        session.accept(await session.expect("packets"), [(1, 3)])
        await until(lambda: len(both.log.accepted(OUT, Side.SOURCE)) == 3)
        await until(lambda: b'"accepted":[[1,3]]' in (tmp_path / "accepted.jsonl").read_bytes())
        both.chain.send(range(4, 5))
        assert sequences(await shown(session)) == [4]

    async def test_items_refused_for_now_come_again_with_a_newer_proof(self, both: Attached):
        session = await both.session(cursor())
        both.chain.send(range(1, 3))
        await headers(session, 2)
        session.refuse(await session.expect("packets"), "LANE_PAUSED")
        both.chain.grow()
        await both.advance(session, 1)
        frame = await shown(session)
        assert (sequences(frame), frame.packets.proof_height.number) == ([1, 2], 3)

    async def test_an_item_refused_for_good_blocks_no_other(self, both: Attached):
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

    async def test_never_more_items_are_unanswered_than_there_are_credits(self, both: Attached):
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
    async def test_a_malformed_verdict_ends_the_session(self, both: Attached, verdict: pb.Verdict):
        session = await both.session(cursor())
        session.say(verdict=verdict)
        await session.gone()

    async def test_a_chain_that_fails_is_asked_again_later(self, both: Attached):
        session = await both.session(cursor())
        both.chain.failures = [ChainUnreachable(chain="hangzhou-1", problem="is away")] * 2
        both.chain.send(range(1, 3))
        await until(lambda: len(both.chain.failures) == 1)
        await both.clock.advance(SECOND)
        await until(lambda: not both.chain.failures)
        await both.clock.advance(SECOND)
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [1, 2]


def receive(number: int, *packets: int) -> pb.Execution:
    return pb.Execution(
        execution_id=number,
        lane=BACK.name,
        client=CLIENT,
        receive=pb.Receive(
            packets=[encode_packet(replace(PACKET, sequence=number)) for number in packets],
            proof_height=client_pb2.Height(revision=1, number=7),
            proof_batch=b"batch",
        ),
    )


class TestExecutions:
    async def test_an_execution_is_reported_once_the_chain_has_answered(self, both: Attached):
        session = await both.session(cursor(BACK, is_source=False))
        session.say(execution=receive(7, 3, 4, 5))
        execution = await both.chain.executions.get()
        assert isinstance(execution.action, Receive)
        assert execution.sequences == RangeSet.span(3, 6)
        error = TimeoutElapsed(timeout=1, time=2)
        both.chain.results.put_nowait(
            ExecutionResult(
                executed=RangeSet.of([3]),
                already_done=RangeSet.of([4]),
                refused=(Refused(5, error),),
            )
        )
        report = (await session.expect("report")).report
        assert report.execution_id == 7
        assert ranges_from_proto(report.executed) == RangeSet.of([3])
        assert ranges_from_proto(report.already_done) == RangeSet.of([4])
        [refusal] = report.refused
        assert (refusal.sequence, refusal.reason) == (5, "TIMEOUT_ELAPSED")
        assert not refusal.retryable

    async def test_executions_begin_in_order_and_run_together(self, both: Attached):
        session = await both.session()
        session.say(execution=receive(1, 1))
        session.say(execution=receive(2, 2))
        begun = [(await both.chain.executions.get()).execution_id for _ in range(2)]
        assert begun == [1, 2]

    async def test_more_executions_than_credits_are_refused_for_now(self, both: Attached):
        session = await both.session()
        for number in (1, 2, 3):
            session.say(execution=receive(number, number))
        report = (await session.expect("report")).report
        assert report.execution_id == 3
        assert report.refused[0].reason == "CREDITS_SPENT"
        assert report.refused[0].retryable

    @pytest.mark.parametrize(
        ("failure", "reason", "retryable"),
        [
            (ChainUnreachable(chain="c", problem="is away"), "CHAIN_UNREACHABLE", True),
            (RuntimeError("a bug"), "INTERNAL", True),
        ],
    )
    async def test_a_failed_execution_is_reported_and_the_session_goes_on(
        self, both: Attached, failure: Exception, reason: str, *, retryable: bool
    ):
        session = await both.session()
        session.say(execution=receive(1, 1))
        both.chain.results.put_nowait(failure)  # type: ignore[arg-type]
        [refusal] = (await session.expect("report")).report.refused
        assert (refusal.sequence, refusal.reason, refusal.retryable) == (0, reason, retryable)
        assert "a bug" not in refusal.detail
        session.say(execution=receive(2, 2))
        assert (await both.chain.executions.get()) is not None

    async def test_a_malformed_execution_is_refused_by_itself(self, both: Attached):
        session = await both.session()
        execution = receive(9, 2, 1)
        session.say(execution=execution)
        [refusal] = (await session.expect("report")).report.refused
        assert (refusal.reason, refusal.retryable) == ("FRAME_INVALID", False)


class TestRequests:
    async def ask(self, session: RelayedSession, **body: object) -> pb.Answer:
        session.say(request=pb.Request(request_id=5, **body))  # type: ignore[arg-type]
        while True:
            frame = await session.next()
            if frame.WhichOneof("body") == "answer":
                assert frame.answer.request_id == 5
                return frame.answer
            assert frame.WhichOneof("body") == "headers"

    async def test_headers_are_answered_with_each_validator_set_once(self, both: Attached):
        both.chain.height = 30
        session = await both.session(client_height=30)
        answer = await self.ask(session, headers=pb.HeaderRequest(heights=[8, 9, 10]))
        assert list(answer.headers.validator_sets) == [b"v0", b"v1"]
        assert [header.content for header in answer.headers.headers] == [b"h8", b"h9", b"h10"]
        assert [header.validator_set for header in answer.headers.headers] == [0, 0, 1]

    async def test_a_header_that_is_not_there_is_refused_with_its_reason(self, both: Attached):
        session = await both.session()
        answer = await self.ask(session, headers=pb.HeaderRequest(heights=[8]))
        assert (answer.refusal.reason, answer.refusal.retryable) == ("HEADER_NOT_FOUND", False)

    async def test_proofs_are_one_for_each_key(self, both: Attached):
        both.chain.present = {b"k1": b"value"}
        session = await both.session()
        request = pb.ProofRequest(keys=[b"k1", b"k2"], height=client_pb2.Height(number=1))
        answer = await self.ask(session, proofs=request)
        assert answer.proofs == pb.ProofAnswer(
            height=client_pb2.Height(number=1),
            values=[b"value", b""],
            proofs=[b"proof of k1", b"proof of k2"],
        )

    async def test_a_batch_is_one_proof_and_the_newest_height_is_the_default(self, both: Attached):
        session = await both.session()
        both.chain.grow()
        await headers(session, 2)
        answer = await self.ask(session, proofs=pb.ProofRequest(keys=[b"k1", b"k2"], batch=True))
        assert list(answer.proofs.proofs) == [b"2 keys at 2"]
        assert answer.proofs.height.number == 2

    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ([], "FRAME_INVALID"),
            ([b"b", b"a"], "FRAME_INVALID"),
            ([b"a", b"a"], "FRAME_INVALID"),
            ([b""], "FRAME_INVALID"),
            ([bytes(257)], "FRAME_INVALID"),
            ([b"%05d" % n for n in range(257)], "LIMIT_EXCEEDED"),
        ],
    )
    async def test_keys_that_break_the_rules_are_refused(
        self, both: Attached, keys: list[bytes], reason: str
    ):
        session = await both.session()
        answer = await self.ask(session, proofs=pb.ProofRequest(keys=keys))
        assert answer.refusal.reason == reason

    async def test_an_answer_too_large_for_the_relayer_is_refused(self, both: Attached):
        both.chain.present = {b"k": bytes(2 * MAX_FRAME_BYTES)}
        session = await both.session()
        answer = await self.ask(session, proofs=pb.ProofRequest(keys=[b"k"]))
        assert answer.refusal.reason == "LIMIT_EXCEEDED"

    async def test_a_present_receipt_brings_the_acknowledgement_again(self, both: Attached):
        session = await both.session(cursor(BACK, is_source=False))
        both.chain.write(range(5, 6))
        await headers(session, 2)
        frame = await session.expect("acknowledgements")
        session.refuse(frame, "OUTCOME_DIFFERS", sequence=5, retryable=False)
        key = receipt_key(CLIENT, 5)
        both.chain.present = {key: b"\x02"}
        await self.ask(session, proofs=pb.ProofRequest(keys=[key]))
        frame = await session.expect("acknowledgements")
        assert list(frame.acknowledgements.sequences) == [5]

    async def test_a_client_is_mirrored_after_the_header_that_proves_it(self, both: Attached):
        both.chain.existing = {CLIENT: both.chain.client(CLIENT, "suzhou-1")}
        session = await both.session()
        answer = await self.ask(session, client=pb.ClientQuery(client=CLIENT))
        [mirror] = answer.clients.clients
        assert (mirror.client, mirror.client_state) == (CLIENT, b"state")
        assert mirror.pending_height.number == 3
        answer = await self.ask(session, client=pb.ClientQuery(chain_id="suzhou-1"))
        assert len(answer.clients.clients) == 1
        answer = await self.ask(session, client=pb.ClientQuery(chain_id="shanghai-1"))
        assert not answer.clients.clients

    async def test_a_client_is_created_from_the_operators_own_anchor(self, both: Attached):
        session = await both.session()
        request = pb.CreateClient(
            peer="peers/suzhou", chain_id="suzhou-1", ordered=True, opening="laneOpenings/1"
        )
        answer = await self.ask(session, create_client=request)
        assert [mirror.client for mirror in answer.clients.clients] == [CLIENT]
        assert both.chain.created == [(make_anchor("suzhou-1"), True, "laneOpenings/1")]

    @pytest.mark.parametrize(
        ("request_", "reason"),
        [
            (pb.CreateClient(peer="peers/shanghai", chain_id="shanghai-1"), "ANCHOR_INVALID"),
            (pb.CreateClient(peer="peers/suzhou", chain_id="suzhou-2"), "ANCHOR_MISMATCH"),
            (pb.CreateClient(peer="", chain_id="suzhou-1"), "IDENTIFIER_INVALID"),
        ],
        ids=["no anchor of its own", "another chain", "no peer"],
    )
    async def test_no_client_is_created_without_an_anchor_of_ones_own(
        self, both: Attached, request_: pb.CreateClient, reason: str
    ):
        session = await both.session()
        answer = await self.ask(session, create_client=request_)
        assert (answer.refusal.reason, answer.refusal.retryable) == (reason, False)
        assert both.chain.created == []

    async def test_an_anchor_file_of_another_peer_is_refused(self, both: Attached, tmp_path: Path):
        anchor_file.write(tmp_path / "suzhou.yaml", make_anchor("suzhou-1"), peer=PeerId("wuxi"))
        session = await both.session()
        request = pb.CreateClient(peer="suzhou", chain_id="suzhou-1")
        answer = await self.ask(session, create_client=request)
        assert answer.refusal.reason == "ANCHOR_MISMATCH"

    async def test_a_counterparty_is_registered_under_the_operators_own_prefix(
        self, both: Attached
    ):
        both.chain.existing = {CLIENT: both.chain.client(CLIENT, "suzhou-1")}
        session = await both.session()
        request = pb.RegisterCounterparty(
            client=CLIENT, counterparty_client="07-tendermint-7", counterparty_prefix=[b"ibc", b""]
        )
        answer = await self.ask(session, register_counterparty=request)
        assert answer.WhichOneof("body") == "clients"
        assert both.chain.registered == [(CLIENT, ClientId("07-tendermint-7"), (b"ibc", b""))]

    async def test_a_prefix_that_the_hub_offers_is_compared_and_never_adopted(self, both: Attached):
        both.chain.existing = {CLIENT: both.chain.client(CLIENT, "suzhou-1")}
        session = await both.session()
        request = pb.RegisterCounterparty(
            client=CLIENT, counterparty_client="07-tendermint-7", counterparty_prefix=[b"evil"]
        )
        answer = await self.ask(session, register_counterparty=request)
        assert answer.refusal.reason == "ANCHOR_MISMATCH"
        assert both.chain.registered == []

    async def test_a_counterparty_on_an_unknown_chain_is_refused(self, both: Attached):
        both.chain.existing = {CLIENT: both.chain.client(CLIENT, "wuxi-1")}
        session = await both.session()
        request = pb.RegisterCounterparty(client=CLIENT, counterparty_client="07-tendermint-7")
        answer = await self.ask(session, register_counterparty=request)
        assert answer.refusal.reason == "ANCHOR_INVALID"

    async def test_a_request_for_nothing_known_is_refused(self, both: Attached):
        session = await both.session()
        answer = await self.ask(session)
        assert answer.refusal.reason == "FRAME_INVALID"

    async def test_a_bug_behind_a_request_fails_it_alone(self, both: Attached):
        session = await both.session()
        both.chain.failures = [RuntimeError("a bug")]
        answer = await self.ask(session, client=pb.ClientQuery(client=CLIENT))
        assert answer.refusal.reason == "INTERNAL"
        answer = await self.ask(session, client=pb.ClientQuery(client=CLIENT))
        assert answer.refusal.reason == "CLIENT_NOT_FOUND"


class TestEnds:
    async def test_heartbeats_go_out_every_second(self, both: Attached):
        session = await both.session()
        for _ in range(3):
            session.say(heartbeat=pb.Heartbeat())
            await both.clock.advance(SECOND)
            await session.heartbeat()

    async def test_three_silent_seconds_end_a_session_whose_stream_still_stands(
        self, both: Attached
    ):
        session = await both.session()
        await both.clock.advance(Duration(3 * SECOND))
        await session.gone()
        await both.redialled()

    async def test_a_drain_finishes_what_is_in_flight_and_takes_nothing_new(self, both: Attached):
        session = await both.session(cursor())
        both.chain.send(range(1, 3))
        await headers(session, 2)
        frame = await session.expect("packets")
        session.say(execution=receive(1, 1))
        await both.chain.executions.get()
        session.say(drain=pb.Drain())
        both.chain.send(range(3, 5))
        session.accept(frame, [(1, 2)])
        both.chain.results.put_nowait(ExecutionResult(executed=RangeSet.of([1])))
        assert (await session.next()).WhichOneof("body") == "report"
        await session.gone()
        assert both.log.accepted(OUT, Side.SOURCE) == RangeSet.span(1, 3)
        session = await both.redialled(cursor(done=((1, 2),)), client_height=2)
        await session.expect("headers")
        assert sequences(await session.expect("packets")) == [3, 4]

    async def test_a_drain_that_never_ends_is_cut(self, both: Attached):
        session = await both.session(cursor())
        both.chain.send(range(1, 3))
        await headers(session, 2)
        await session.expect("packets")
        session.say(drain=pb.Drain())
        await until(lambda: both.client._session and both.client._session.pump._is_draining)
        await both.advance(session, 9)
        await both.clock.advance(SECOND)
        await session.gone()

    async def test_a_second_welcome_ends_the_session(self, both: Attached):
        session = await both.session()
        session.welcome()
        await session.gone()

    async def test_a_bug_in_the_chain_ends_one_session_and_the_next_goes_on(self, both: Attached):
        both.chain.failures = [RuntimeError("a bug")]
        both.chain.send(range(1, 3))
        session = await both.session(cursor())
        await session.gone()
        session = await both.redialled(cursor())
        await headers(session, 2)
        assert sequences(await session.expect("packets")) == [1, 2]


class TestSubmissions:
    async def test_a_submission_of_its_own_hears_its_verdict(self, both: Attached):
        session = await both.session()
        shown = Headers((Header(content=b"forged", validators=b"v"),))
        submitted = asyncio.ensure_future(both.client.submit(shown))
        frame = await session.expect("headers")
        session.refuse(frame, "QUORUM_NOT_REACHED", retryable=False)
        verdict = await submitted
        assert verdict.whole is not None
        assert verdict.whole.reason == "QUORUM_NOT_REACHED"

    async def test_a_submission_fails_with_its_session(self, both: Attached):
        with pytest.raises(AdapterOffline):
            await both.client.submit(Headers(()))
        session = await both.session()
        submitted = asyncio.ensure_future(both.client.submit(Headers(())))
        await session.expect("headers")
        session.end()
        with pytest.raises(AdapterOffline):
            await submitted

    async def test_the_session_tells_its_lanes(self, both: Attached):
        await both.session(cursor(done=((1, 4),)))
        assert both.client.lane(CLIENT, Side.SOURCE).done == RangeSet.span(1, 5)


class TestDialling:
    async def test_addresses_are_tried_in_turn(self, tmp_path: Path):
        async with attached(tmp_path, more_relayers=2) as both:
            session = asyncio.ensure_future(both.relayer.attached())
            for _ in range(20):
                if session.done():
                    break
                await asyncio.wait([session], timeout=0.1)
                await both.clock.advance(Duration(500 * MILLISECOND))
            await session

    async def test_a_chain_of_another_name_is_only_logged(self, tmp_path: Path):
        chain = PaperChain()
        chain.chain_id = ChainId("wuxi-1")
        async with attached(tmp_path, chain=chain) as both:
            session = await both.relayer.attached()
            assert (await session.expect("hello")).hello.chain_id == "wuxi-1"
