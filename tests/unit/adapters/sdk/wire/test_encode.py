from __future__ import annotations

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.chain import ChainClient, Item
from adapters.sdk.execution import ExecutionResult, Refused
from adapters.sdk.submission import Headers, Items, Misbehaviour
from adapters.sdk.wire.encode import (
    anchor_header_needed,
    clients_answer,
    headers_answer,
    is_retryable,
    proofs_answer,
    refusal_to_proto,
    report_to_proto,
    submission_to_proto,
)
from hub.core.client import Header
from hub.core.errors import (
    BacklogFull,
    ChainUnreachable,
    ClientFrozen,
    ClientNotFound,
    ConsensusStateMissing,
    FieldInvalid,
    GasExhausted,
    HubError,
    LeaseLost,
    PacketUnsupported,
    RootMismatch,
    SequenceOutOfOrder,
    TimeoutElapsed,
    TimeoutNotReached,
    TransactionLost,
    TransactionRefused,
)
from hub.core.height import Height
from hub.core.ids import PeerId
from hub.core.lane import LaneKey, Side
from hub.core.ranges import RangeSet
from hub.wire.frames import AcknowledgementsFrame, PacketsFrame, decode_frame
from hub.wire.packet import encode_acknowledgement, encode_packet
from tests.harness.city import CLIENT
from tests.harness.packet_samples import ACKNOWLEDGEMENT, PACKET

LANE = LaneKey(
    PeerId("hangzhou"), PACKET.source_client, PeerId("suzhou"), PACKET.destination_client
)
HEIGHT = Height(1, 7)
HEADER = Header(content=b"h", validators=b"v")


def test_packets_are_what_the_relayer_reads() -> None:
    items = (Item(PACKET.sequence, encode_packet(PACKET)),)
    shown = Items(
        lane=LANE, side=Side.SOURCE, proof_height=HEIGHT, items=items, proof_batch=b"batch"
    )
    frame = decode_frame(submission_to_proto(shown))
    assert isinstance(frame, PacketsFrame)
    assert (frame.lane, frame.proof_height, frame.proof_batch) == (LANE, HEIGHT, b"batch")
    assert frame.packets == (PACKET,)


def test_acknowledgements_are_what_the_relayer_reads() -> None:
    items = (Item(5, encode_acknowledgement(ACKNOWLEDGEMENT)),)
    shown = Items(
        lane=LANE, side=Side.DESTINATION, proof_height=HEIGHT, items=items, proof_batch=b"batch"
    )
    frame = decode_frame(submission_to_proto(shown))
    assert isinstance(frame, AcknowledgementsFrame)
    assert (frame.sequences, frame.acknowledgements) == ((5,), (ACKNOWLEDGEMENT,))


def test_headers_and_misbehaviour_are_frames_of_their_own() -> None:
    assert submission_to_proto(Headers((HEADER,))).WhichOneof("body") == "headers"
    found = Misbehaviour(
        first=HEADER, second=HEADER, first_trusted_height=HEIGHT, second_trusted_height=HEIGHT
    )
    assert submission_to_proto(found).WhichOneof("body") == "misbehaviour"


def test_misbehaviour_of_another_chain_names_it_and_may_leave_the_heights_to_the_hub() -> None:
    other = Misbehaviour(first=HEADER, second=HEADER, peer=PeerId("suzhou"))
    message = submission_to_proto(other).misbehaviour
    assert message.peer == "peers/suzhou"
    assert not message.HasField("first_trusted_height")
    assert not message.HasField("second_trusted_height")


def test_a_report_tells_every_sequence_and_the_last_trusted_heights() -> None:
    result = ExecutionResult(
        executed=RangeSet.span(1, 4),
        already_done=RangeSet.of([9]),
        refused=(Refused(5, TimeoutElapsed(timeout=1, time=2)),),
        trusted_heights=tuple([Height(1, number) for number in range(1, 101)]),
    )
    report = report_to_proto(3, result).report
    assert report.execution_id == 3
    assert list(report.executed) == [pb.SequenceRange(first=1, last=3)]
    assert list(report.already_done) == [pb.SequenceRange(first=9, last=9)]
    assert [refusal.sequence for refusal in report.refused] == [5]
    assert [height.number for height in report.trusted_heights] == list(range(37, 101))


def test_answers_hold_what_was_asked_for() -> None:
    assert headers_answer([HEADER]).headers.headers[0].content == b"h"
    proofs = proofs_answer(HEIGHT, [b"value"], [b"proof"]).proofs
    assert (proofs.height.number, list(proofs.values), list(proofs.proofs)) == (
        7,
        [b"value"],
        [b"proof"],
    )


@pytest.mark.parametrize("pending", [None, Height(1, 3)])
def test_a_mirror_names_a_pending_height_only_while_there_is_one(pending: Height | None) -> None:
    client = ChainClient(
        client=CLIENT,
        chain_id="suzhou-1",
        proof_height=HEIGHT,
        client_state=b"state",
        client_state_proof=b"proof",
        counterparty=b"",
        counterparty_proof=b"",
        trusted_heights=(HEIGHT,),
        opening="laneOpenings/1",
        pending_height=pending,
    )
    [mirror] = clients_answer([client]).clients.clients
    assert mirror.HasField("pending_height") == (pending is not None)
    assert mirror.trusted_heights == [client_pb2.Height(revision=1, number=7)]
    assert len(clients_answer([client] * 100).clients.clients) == 64


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ChainUnreachable(chain="c", problem="p"), True),
        (BacklogFull(lane="l", count=1, limit=1), True),
        (LeaseLost(peer="p", epoch=1), True),
        (ConsensusStateMissing(client="c", height=1), True),
        (ClientFrozen(client="c", cause="x"), True),
        (SequenceOutOfOrder(got=2, expected=1), True),
        (TimeoutNotReached(timeout=2, time=1), True),
        (GasExhausted(used=2, limit=1), True),
        (TransactionLost(chain="c", transaction="t", height=1), True),
        (TransactionRefused(chain="c", codespace="sdk", code=5, log="l"), True),
        (PacketUnsupported(chain="c", problem="p"), False),
        (TimeoutElapsed(timeout=1, time=2), False),
        (RootMismatch(got="a", expected="b"), False),
        (FieldInvalid(field="f", problem="p"), False),
        (ClientNotFound(name="c"), False),
    ],
    ids=lambda value: getattr(value, "reason", None),
)
def test_only_what_may_succeed_unchanged_is_retryable(error: HubError, *, retryable: bool) -> None:
    assert is_retryable(error) == retryable
    refusal = refusal_to_proto(error, 4)
    assert (refusal.sequence, refusal.reason, refusal.retryable) == (4, error.reason, retryable)


def test_a_bug_keeps_its_text_to_itself_and_a_long_detail_is_cut() -> None:
    refusal = refusal_to_proto(RuntimeError("secret"))
    assert refusal.reason == "INTERNAL"
    assert "secret" not in refusal.detail
    assert len(refusal_to_proto(FieldInvalid(field="f", problem="x" * 9999)).detail) == 512


def test_the_header_of_an_anchor_is_asked_for_by_its_height() -> None:
    answer = anchor_header_needed(HEIGHT)
    assert answer.anchor_header_needed.height == client_pb2.Height(revision=1, number=7)
