"""Verdicts: what became of a frame, as its adapter hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    BelowFirstSequence,
    Conflict,
    Corrupt,
    HubError,
    Malformed,
    NotAllowed,
    RateLimited,
    Reason,
    SequenceRetired,
    Unsupported,
)
from hub.wire.frames import ranges_to_proto

if TYPE_CHECKING:
    from hub.exchange.packets import Judgement

MAX_DETAIL = 512
"""Characters of a detail."""

_FINAL = (
    Malformed,
    Conflict,
    Corrupt,
    NotAllowed,
    Unsupported,
    BelowFirstSequence,
    SequenceRetired,
)
"""Trying the same again cannot help. Better evidence, another state or time may help the rest."""


def verdict(frame_id: int, judgement: Judgement) -> pb.Verdict:
    """The verdict on the adapter's frame *frame_id*."""
    return pb.Verdict(
        frame_id=frame_id,
        accepted=ranges_to_proto(judgement.accepted),
        already_done=ranges_to_proto(judgement.already_done),
        refused=[refusal(sequence, error) for sequence, error in judgement.refused],
    )


def broken(frame_id: int) -> pb.Verdict:
    """The verdict on a frame that met a bug of ours, whose text stays here."""
    detail = "the relayer failed; its log says how"
    refused = pb.Refusal(reason=Reason.INTERNAL, detail=detail, retryable=True)
    return pb.Verdict(frame_id=frame_id, refused=[refused])


def refusal(sequence: int, error: HubError) -> pb.Refusal:
    """Why the item *sequence* (0: the whole frame) was refused."""
    return pb.Refusal(
        sequence=sequence,
        reason=error.reason,
        detail=str(error)[:MAX_DETAIL],
        retryable=not isinstance(error, _FINAL),
        wait_ms=error.wait_ms if isinstance(error, RateLimited) else 0,
    )
