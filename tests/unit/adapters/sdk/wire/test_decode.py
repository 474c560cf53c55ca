from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.execution import Acknowledge, Freeze, Gone, PassOver, Receive, TimeOut
from adapters.sdk.wire.decode import (
    LONGEST_WAIT,
    MAX_UPDATES,
    cursor_from_proto,
    execution_from_proto,
    verdict_from_proto,
)
from hub.core.errors import (
    EncodingNotCanonical,
    FrameInvalid,
    HeightInvalid,
    HubError,
    IdentifierInvalid,
    LimitExceeded,
    PacketInvalid,
)
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.lane import Side
from hub.core.ranges import RangeSet
from hub.core.record import SkippedLeaf
from hub.core.time import MILLISECOND
from hub.wire.packet import encode_acknowledgement, encode_packet
from tests.harness.attached import cursor
from tests.harness.city import BACK, CLIENT, OUT
from tests.harness.packet_samples import ACKNOWLEDGEMENT, PACKET

HEIGHT = client_pb2.Height(revision=1, number=7)
ANSWER = encode_acknowledgement(ACKNOWLEDGEMENT)


def packet(sequence: int = 5, **changes: object) -> bytes:
    return encode_packet(replace(PACKET, sequence=sequence, **changes))  # type: ignore[arg-type]


def receive(*packets: bytes, **fields: object) -> pb.Execution:
    values = {"packets": packets or [packet()], "proof_height": HEIGHT, **fields}
    return pb.Execution(execution_id=3, client=CLIENT, receive=pb.Receive(**values))  # type: ignore[arg-type]


def acknowledge(**fields: object) -> pb.Execution:
    values = {
        "packets": [packet(5), packet(6)],
        "acknowledgements": [ANSWER, ANSWER],
        "proof_height": HEIGHT,
        **fields,
    }
    message = pb.Acknowledge(**values)  # type: ignore[arg-type]
    return pb.Execution(execution_id=3, client=CLIENT, acknowledge=message)


def test_an_execution_is_read_with_its_updates() -> None:
    message = receive(
        packet(5),
        packet(6),
        proof_batch=b"batch",
        skipped=[pb.SkippedLeaf(sequence=7, commitment=bytes(32))],
    )
    message.updates.add(trusted_height=HEIGHT, trusted_validators=b"v")
    message.updates.add(header=client_pb2.Header(content=b"h", validators=b"v"))
    message.possible_duplicate = message.in_order = True
    found = execution_from_proto(message)
    assert (found.execution_id, found.client) == (3, CLIENT)
    assert found.possible_duplicate
    assert found.in_order
    assert [step.trusted_height for step in found.updates] == [Height(1, 7), None]
    assert found.updates[1].header.content == b"h"
    assert found.action == Receive(
        packets=(PACKET, replace(PACKET, sequence=6)),
        contents=(packet(5), packet(6)),
        skipped=(SkippedLeaf(7, bytes(32)),),
        proof_height=Height(1, 7),
        proof_batch=b"batch",
    )


def test_acknowledgements_are_read_with_their_packets() -> None:
    action = execution_from_proto(acknowledge()).action
    assert isinstance(action, Acknowledge)
    assert action.acknowledgements == (ACKNOWLEDGEMENT, ACKNOWLEDGEMENT)
    assert action.acknowledgement_contents == (ANSWER, ANSWER)


def test_a_timeout_is_read() -> None:
    message = pb.TimeOut(packet=packet(), proof_height=HEIGHT, proof=b"proof")
    action = execution_from_proto(pb.Execution(client=CLIENT, time_out=message)).action
    assert action == TimeOut(
        packet=PACKET, content=packet(), proof_height=Height(1, 7), proof=b"proof"
    )


def pass_over(*sequences: int) -> pb.Execution:
    message = pb.PassOver(
        gone=[pb.GoneSequence(sequence=one, proof=b"absent") for one in sequences],
        next_sequence=9,
        next_sequence_proof=b"proof",
        proof_height=HEIGHT,
    )
    return pb.Execution(client=CLIENT, pass_over=message)


def test_sequences_to_pass_over_are_read() -> None:
    assert execution_from_proto(pass_over(3, 7)).action == PassOver(
        gone=(Gone(3, b"absent"), Gone(7, b"absent")),
        next_sequence=9,
        next_sequence_proof=b"proof",
        proof_height=Height(1, 7),
    )


def test_misbehaviour_is_read_as_two_steps() -> None:
    message = pb.Misbehaviour(first_trusted_height=HEIGHT, second_trusted_height=HEIGHT)
    action = execution_from_proto(pb.Execution(client=CLIENT, misbehaviour=message)).action
    assert isinstance(action, Freeze)
    assert action.first.trusted_height == action.second.trusted_height == Height(1, 7)


def test_updates_may_come_alone() -> None:
    assert execution_from_proto(pb.Execution(client=CLIENT)).action is None


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (pb.Execution(client="nobody"), IdentifierInvalid),
        (pb.Execution(client=CLIENT, updates=[pb.UpdateStep()] * (MAX_UPDATES + 1)), LimitExceeded),
        (pb.Execution(client=CLIENT, receive=pb.Receive(proof_height=HEIGHT)), FrameInvalid),
        (receive(packet(6), packet(5)), FrameInvalid),
        (receive(packet(5), packet(5)), FrameInvalid),
        (receive(packet(5), packet(6, source_client=ClientId("a-1"))), FrameInvalid),
        (receive(packet() + b"\x38\x01"), EncodingNotCanonical),
        (receive(b"\xff"), PacketInvalid),
        (receive(*[packet(number) for number in range(1, 258)]), LimitExceeded),
        (receive(skipped=[pb.SkippedLeaf(commitment=bytes(32))] * 256), LimitExceeded),
        (receive(skipped=[pb.SkippedLeaf(commitment=bytes(31))]), FrameInvalid),
        (receive(proof_height=client_pb2.Height()), HeightInvalid),
        (acknowledge(acknowledgements=[ANSWER]), FrameInvalid),
        (acknowledge(acknowledgements=[ANSWER, b""]), PacketInvalid),
        (pb.Execution(client=CLIENT, time_out=pb.TimeOut(packet=b"")), IdentifierInvalid),
        (pass_over(), FrameInvalid),
        (pass_over(3, 3), FrameInvalid),
        (pass_over(*range(1, 258)), LimitExceeded),
    ],
)
def test_an_execution_that_breaks_a_rule_is_refused(
    message: pb.Execution, error: type[HubError]
) -> None:
    with pytest.raises(error):
        execution_from_proto(message)


@pytest.mark.parametrize(("lane", "side"), [(OUT, Side.SOURCE), (BACK, Side.DESTINATION)])
def test_a_cursor_is_read_for_either_end(lane: object, side: Side) -> None:
    message = cursor(lane, is_source=side is Side.SOURCE, done=((1, 4), (9, 9)))  # type: ignore[arg-type]
    found = cursor_from_proto(message)
    assert (found.lane, found.side, found.first_sequence) == (lane, side, 1)
    assert found.done == RangeSet.of([1, 2, 3, 4, 9])


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("lane", "lanes/x", IdentifierInvalid),
        ("client", "07-tendermint-9", FrameInvalid),
        ("counterparty_client", "07-tendermint-9", FrameInvalid),
        ("first_sequence", 0, FrameInvalid),
        ("is_source", False, FrameInvalid),
    ],
)
def test_a_cursor_that_contradicts_itself_is_refused(
    field: str, value: object, error: type[HubError]
) -> None:
    message = cursor()
    setattr(message, field, value)
    with pytest.raises(error):
        cursor_from_proto(message)


def test_a_verdict_is_read() -> None:
    message = pb.Verdict(
        frame_id=4,
        accepted=[pb.SequenceRange(first=1, last=3)],
        already_done=[pb.SequenceRange(first=5, last=5)],
        refused=[
            pb.Refusal(sequence=4, reason="A_NEWER_ONE", detail="why", retryable=True, wait_ms=250)
        ],
    )
    verdict = verdict_from_proto(message)
    assert verdict.frame_id == 4
    assert (verdict.accepted, verdict.already_done) == (RangeSet.span(1, 4), RangeSet.of([5]))
    [refusal] = verdict.refused
    assert (refusal.sequence, refusal.reason, refusal.retryable) == (4, "A_NEWER_ONE", True)
    assert refusal.wait == 250 * MILLISECOND
    endless = pb.Verdict(refused=[pb.Refusal(sequence=1, retryable=True, wait_ms=2**64 - 1)])
    assert verdict_from_proto(endless).refused[0].wait == LONGEST_WAIT


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (pb.Verdict(accepted=[pb.SequenceRange(first=2, last=1)]), FrameInvalid),
        (pb.Verdict(already_done=[pb.SequenceRange(first=0, last=1)]), FrameInvalid),
        (pb.Verdict(accepted=[pb.SequenceRange(first=1, last=1)] * 257), LimitExceeded),
        (pb.Verdict(refused=[pb.Refusal()] * 257), LimitExceeded),
    ],
)
def test_a_verdict_that_breaks_a_rule_is_refused(
    message: pb.Verdict, error: type[HubError]
) -> None:
    with pytest.raises(error):
        verdict_from_proto(message)


WHOLE = [
    pb.RelayerFrame(execution=receive(packet(5), packet(6))),
    pb.RelayerFrame(execution=acknowledge()),
    pb.RelayerFrame(
        execution=pb.Execution(
            client=CLIENT,
            updates=[pb.UpdateStep(trusted_height=HEIGHT)],
            time_out=pb.TimeOut(packet=packet(), proof_height=HEIGHT),
        )
    ),
    pb.RelayerFrame(execution=pass_over(3, 7)),
    pb.RelayerFrame(verdict=pb.Verdict(frame_id=4, accepted=[pb.SequenceRange(first=1, last=3)])),
    pb.RelayerFrame(lanes=pb.LaneCursors(cursors=[cursor(done=((1, 4),))])),
]


@settings(max_examples=2000)
@given(
    frame=st.sampled_from(WHOLE),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=3)), max_size=4),
)
def test_whatever_a_relayer_sends_is_read_or_refused_with_a_reason(
    frame: pb.RelayerFrame, changes: list[tuple[int, bytes]]
) -> None:
    content = bytearray(frame.SerializeToString())
    for place, inserted in changes:
        at = place % len(content)
        content[at : at + 1] = inserted
    try:
        changed = pb.RelayerFrame.FromString(bytes(content))
    except DecodeError:
        return
    with suppress(HubError):
        execution_from_proto(changed.execution)
    with suppress(HubError):
        verdict_from_proto(changed.verdict)
    for one in changed.lanes.cursors:
        with suppress(HubError):
            cursor_from_proto(one)
