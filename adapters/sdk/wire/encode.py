"""What an adapter says, as frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.submission import Headers, Items, Misbehaviour, Submission
from hub.core.errors import (
    Exhausted,
    HubError,
    LostRace,
    Reason,
    StateForbids,
    Unavailable,
)
from hub.core.lane import Side
from hub.wire.frames import headers_to_proto, ranges_to_proto
from hub.wire.headers import header_to_proto, height_to_proto

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ydhub.client.v1 import client_pb2

    from adapters.sdk.chain import ChainClient
    from adapters.sdk.execution import ExecutionResult
    from hub.core.client import Header
    from hub.core.height import Height

MAX_TRUSTED_HEIGHTS: Final = 64
MAX_CLIENTS: Final = 64
_MAX_DETAIL = 512

_ENDED: Final = frozenset(
    {
        Reason.TIMEOUT_ELAPSED,
        Reason.ILLEGAL_MOVE,
        Reason.SEQUENCE_RETIRED,
        Reason.BELOW_FIRST_SEQUENCE,
    }
)
"""States that never change back."""
_CHANGEABLE: Final = frozenset({Reason.NOT_ENOUGH_TRUST, Reason.HEADER_FROM_FUTURE})
"""Evidence that other headers, or time, make good."""


def submission_to_proto(submission: Submission) -> pb.AdapterFrame:
    """The frame, without its id."""
    match submission:
        case Headers(headers):
            return pb.AdapterFrame(headers=headers_to_proto(headers))
        case Items():
            return _items(submission)
        case Misbehaviour():
            return pb.AdapterFrame(misbehaviour=_misbehaviour(submission))
        case _:
            assert_never(submission)


def _misbehaviour(found: Misbehaviour) -> pb.Misbehaviour:
    message = pb.Misbehaviour(
        peer=f"peers/{found.peer}" if found.peer is not None else "",
        first=header_to_proto(found.first),
        second=header_to_proto(found.second),
    )
    if found.first_trusted_height is not None:
        message.first_trusted_height.CopyFrom(height_to_proto(found.first_trusted_height))
    if found.second_trusted_height is not None:
        message.second_trusted_height.CopyFrom(height_to_proto(found.second_trusted_height))
    return message


def report_to_proto(execution_id: int, result: ExecutionResult) -> pb.AdapterFrame:
    """What became of an execution, without the frame's id."""
    report = pb.ExecutionReport(
        execution_id=execution_id,
        executed=ranges_to_proto(result.executed),
        already_done=ranges_to_proto(result.already_done),
        refused=[refusal_to_proto(entry.error, entry.sequence) for entry in result.refused],
        trusted_heights=_heights(result.trusted_heights),
    )
    return pb.AdapterFrame(report=report)


def headers_answer(headers: Iterable[Header]) -> pb.Answer:
    """The answer to a request for headers."""
    return pb.Answer(headers=headers_to_proto(headers))


def proofs_answer(height: Height, values: Sequence[bytes], proofs: Sequence[bytes]) -> pb.Answer:
    """The answer to a request for proofs."""
    answer = pb.ProofAnswer(height=height_to_proto(height), values=values, proofs=proofs)
    return pb.Answer(proofs=answer)


def clients_answer(clients: Sequence[ChainClient]) -> pb.Answer:
    """The answer to whatever asks for clients."""
    mirrors = [_mirror(client) for client in clients[:MAX_CLIENTS]]
    return pb.Answer(clients=pb.ClientAnswer(clients=mirrors))


def anchor_header_needed(height: Height) -> pb.Answer:
    """The answer to a client's creation for which the header at the anchor's *height* lacks."""
    return pb.Answer(anchor_header_needed=pb.AnchorHeaderNeeded(height=height_to_proto(height)))


def refusal_to_proto(error: BaseException, sequence: int = 0) -> pb.Refusal:
    """Why something was not done; what is no ``HubError`` is a bug, and its text stays here."""
    if not isinstance(error, HubError):
        detail = "the adapter failed; its log says how"
        return pb.Refusal(sequence=sequence, reason=Reason.INTERNAL, detail=detail, retryable=True)
    return pb.Refusal(
        sequence=sequence,
        reason=error.reason,
        detail=str(error)[:_MAX_DETAIL],
        retryable=is_retryable(error),
    )


def is_retryable(error: HubError) -> bool:
    """Whether the same may succeed later without anybody correcting it."""
    if isinstance(error, StateForbids):
        return error.reason not in _ENDED
    return error.reason in _CHANGEABLE or isinstance(error, Unavailable | LostRace | Exhausted)


def _items(shown: Items) -> pb.AdapterFrame:
    height = height_to_proto(shown.proof_height)
    contents = [item.content for item in shown.items]
    if shown.side is Side.SOURCE:
        return pb.AdapterFrame(
            packets=pb.PacketBatch(
                lane=shown.lane.name,
                proof_height=height,
                packets=contents,
                proof_batch=shown.proof_batch,
            )
        )
    return pb.AdapterFrame(
        acknowledgements=pb.AcknowledgementBatch(
            lane=shown.lane.name,
            proof_height=height,
            sequences=[item.sequence for item in shown.items],
            acknowledgements=contents,
            proof_batch=shown.proof_batch,
        )
    )


def _mirror(client: ChainClient) -> pb.ClientMirror:
    return pb.ClientMirror(
        client=client.client,
        proof_height=height_to_proto(client.proof_height),
        client_state=client.client_state,
        client_state_proof=client.client_state_proof,
        counterparty=client.counterparty,
        counterparty_proof=client.counterparty_proof,
        trusted_heights=_heights(client.trusted_heights),
        opening=client.opening,
        pending_height=height_to_proto(client.pending_height) if client.pending_height else None,
    )


def _heights(heights: Sequence[Height]) -> list[client_pb2.Height]:
    return [height_to_proto(height) for height in heights[-MAX_TRUSTED_HEIGHTS:]]
