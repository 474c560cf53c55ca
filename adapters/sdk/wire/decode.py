"""What a relayer says, as core values: bounded and checked once, at the edge.

The relayer is another organisation's process. Nothing of what it claims is believed here; the
chain's own client judges it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from adapters.sdk.execution import (
    Acknowledge,
    Action,
    Execution,
    Freeze,
    Gone,
    PassOver,
    Receive,
    TimeOut,
    UpdateStep,
)
from adapters.sdk.submission import LaneCursor, Refusal, Verdict
from hub.core.errors import FrameInvalid, LimitExceeded
from hub.core.ids import parse_client_id
from hub.core.lane import LaneKey, Side
from hub.core.record import SkippedLeaf
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire.frames import MAX_ITEMS, ranges_from_proto
from hub.wire.headers import header_from_proto, height_from_proto
from hub.wire.packet import decode_acknowledgement, decode_packet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from ydhub.client.v1 import client_pb2
    from ydhub.relay.v1 import relay_pb2 as pb

    from hub.core.height import Height
    from hub.core.packet import Packet

    class _Batch(Protocol):
        """What Receive and Acknowledge share."""

        @property
        def packets(self) -> Sequence[bytes]: ...
        @property
        def skipped(self) -> Sequence[pb.SkippedLeaf]: ...


MAX_UPDATES: Final = 256
LONGEST_WAIT: Final = Duration(60 * SECOND)
"""An adapter that is told to wait longer tries again all the same."""
"""Headers before one action: the longest bisection, with room."""
_DIGEST_BYTES = 32


def cursor_from_proto(cursor: pb.LaneCursor) -> LaneCursor:
    """Where a lane stands. Raises ``FrameInvalid`` or ``IdentifierInvalid``."""
    lane = LaneKey.parse(cursor.lane)
    side = Side.SOURCE if cursor.is_source else Side.DESTINATION
    ends = (lane.source_client, lane.destination_client)
    own, other = ends if cursor.is_source else ends[::-1]
    if (cursor.client, cursor.counterparty_client) != (own, other):
        raise FrameInvalid(frame="lane cursor", problem=f"has not the clients of {lane}")
    if not cursor.first_sequence:
        raise FrameInvalid(frame="lane cursor", problem="has no first sequence")
    return LaneCursor(
        lane=lane,
        side=side,
        first_sequence=cursor.first_sequence,
        done=ranges_from_proto(cursor.done),
    )


def verdict_from_proto(verdict: pb.Verdict) -> Verdict:
    """What became of a frame. Raises ``FrameInvalid`` or ``LimitExceeded``."""
    if len(verdict.refused) > MAX_ITEMS:
        raise LimitExceeded(what="refusals", count=len(verdict.refused), limit=MAX_ITEMS)
    refused = [
        Refusal(
            sequence=refusal.sequence,
            reason=refusal.reason,
            detail=refusal.detail,
            retryable=refusal.retryable,
            wait=Duration(min(refusal.wait_ms * MILLISECOND, LONGEST_WAIT)),
        )
        for refusal in verdict.refused
    ]
    return Verdict(
        frame_id=verdict.frame_id,
        accepted=ranges_from_proto(verdict.accepted),
        already_done=ranges_from_proto(verdict.already_done),
        refused=tuple(refused),
    )


def execution_from_proto(execution: pb.Execution) -> Execution:
    """What is to be executed. Raises ``Malformed`` errors."""
    if len(execution.updates) > MAX_UPDATES:
        raise LimitExceeded(what="updates", count=len(execution.updates), limit=MAX_UPDATES)
    return Execution(
        execution_id=execution.execution_id,
        lane=execution.lane,
        client=parse_client_id(execution.client),
        updates=tuple([_update(step) for step in execution.updates]),
        action=_action(execution),
        possible_duplicate=execution.possible_duplicate,
        in_order=execution.in_order,
    )


def _action(execution: pb.Execution) -> Action | None:
    kind = execution.WhichOneof("action")
    match kind:
        case "receive":
            return _receive(execution.receive)
        case "acknowledge":
            return _acknowledge(execution.acknowledge)
        case "time_out":
            message = execution.time_out
            return TimeOut(
                packet=decode_packet(message.packet),
                content=message.packet,
                proof_height=height_from_proto(message.proof_height),
                proof=message.proof,
            )
        case "misbehaviour":
            return _freeze(execution.misbehaviour)
        case "pass_over":
            return _pass_over(execution.pass_over)
        case None:
            return None
        case _:
            assert_never(kind)


def _receive(message: pb.Receive) -> Receive:
    return Receive(
        packets=_packets("receive", message),
        contents=tuple(message.packets),
        skipped=_skipped(message),
        proof_height=height_from_proto(message.proof_height),
        proof_batch=message.proof_batch,
    )


def _acknowledge(message: pb.Acknowledge) -> Acknowledge:
    packets = _packets("acknowledge", message)
    if len(message.acknowledgements) != len(packets):
        raise FrameInvalid(frame="acknowledge", problem="packets and answers differ in count")
    return Acknowledge(
        packets=packets,
        contents=tuple(message.packets),
        acknowledgements=tuple([decode_acknowledgement(a) for a in message.acknowledgements]),
        acknowledgement_contents=tuple(message.acknowledgements),
        skipped=_skipped(message),
        proof_height=height_from_proto(message.proof_height),
        proof_batch=message.proof_batch,
    )


def _freeze(message: pb.Misbehaviour) -> Freeze:
    first = UpdateStep(
        trusted_height=_trusted(message.first_trusted_height),
        trusted_validators=message.first_trusted_validators,
        header=header_from_proto(message.first),
    )
    second = UpdateStep(
        trusted_height=_trusted(message.second_trusted_height),
        trusted_validators=message.second_trusted_validators,
        header=header_from_proto(message.second),
    )
    return Freeze(first=first, second=second)


def _pass_over(message: pb.PassOver) -> PassOver:
    if not message.gone:
        raise FrameInvalid(frame="pass over", problem="has no sequence")
    if len(message.gone) > MAX_ITEMS:
        what = "sequences to pass over"
        raise LimitExceeded(what=what, count=len(message.gone), limit=MAX_ITEMS)
    last = 0
    for one in message.gone:
        if one.sequence <= last:
            problem = f"sequence {one.sequence} does not rise"
            raise FrameInvalid(frame="pass over", problem=problem)
        last = one.sequence
    return PassOver(
        gone=tuple([Gone(one.sequence, one.proof) for one in message.gone]),
        next_sequence=message.next_sequence,
        next_sequence_proof=message.next_sequence_proof,
        proof_height=height_from_proto(message.proof_height),
    )


def _update(step: pb.UpdateStep) -> UpdateStep:
    return UpdateStep(
        trusted_height=_trusted(step.trusted_height),
        trusted_validators=step.trusted_validators,
        header=header_from_proto(step.header),
    )


def _trusted(height: client_pb2.Height) -> Height | None:
    """The height; None where none is named: the client waits for its anchor's header."""
    return height_from_proto(height) if height.number else None


def _packets(frame: str, message: _Batch) -> tuple[Packet, ...]:
    count = len(message.packets) + len(message.skipped)
    if not message.packets:
        raise FrameInvalid(frame=frame, problem="has no packet")
    if count > MAX_ITEMS:
        raise LimitExceeded(what=f"packets of {frame}", count=count, limit=MAX_ITEMS)
    packets = tuple([decode_packet(content) for content in message.packets])
    ends = (packets[0].source_client, packets[0].destination_client)
    last = 0
    for packet in packets:
        if packet.sequence <= last:
            raise FrameInvalid(frame=frame, problem=f"sequence {packet.sequence} does not rise")
        if (packet.source_client, packet.destination_client) != ends:
            raise FrameInvalid(frame=frame, problem="has packets of several lanes")
        last = packet.sequence
    return packets


def _skipped(message: _Batch) -> tuple[SkippedLeaf, ...]:
    for leaf in message.skipped:
        if len(leaf.commitment) != _DIGEST_BYTES:
            raise FrameInvalid(frame="skipped leaf", problem="has no commitment of 32 bytes")
    return tuple([SkippedLeaf(leaf.sequence, leaf.commitment) for leaf in message.skipped])
