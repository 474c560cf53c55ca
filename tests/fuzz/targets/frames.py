"""Frames of an adapter session, from bytes to what they prove, as a relayer works on them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    ConsensusStateMissing,
    LaneNotFound,
    PacketNotFound,
    PeerNotFound,
    Reason,
)
from hub.light_clients.interface import NeedsBisection
from hub.wire.frames import (
    AbsenceFrame,
    AcknowledgementsFrame,
    HeadersFrame,
    MisbehaviourFrame,
    PacketsFrame,
    decode_frame,
)
from relayer.verification import prove_absence, prove_acknowledgements, prove_packets
from tests.fuzz.engine import ACCEPTED, SAME, Target, Unframed
from tests.fuzz.targets.frame_operators import OPERATORS
from tests.fuzz.targets.frame_samples import (
    CLIENT,
    DESTINATION_ROOTS,
    EQUIVOCATION,
    LANE,
    PACKETS,
    SOURCE_ROOTS,
    TIMEOUT,
    TRUE_FRAMES,
    TRUSTED_HEIGHT,
)
from tests.fuzz.targets.header_samples import ANCHOR, NEXT, NOW, TRUSTED_SET, TRUSTED_STATE
from tests.fuzz.targets.headers import says_what_a_valid_one_says

if TYPE_CHECKING:
    from hub.core.client import ConsensusState, Header
    from hub.core.height import Height
    from hub.core.lane import LaneKey
    from hub.wire.frames import ProvenFrame
    from relayer.verification import Root

REASONS: Final = frozenset(
    {
        Reason.COMMIT_MISMATCH,
        Reason.CONSENSUS_STATE_MISSING,
        Reason.ENCODING_NOT_CANONICAL,
        Reason.FRAME_INVALID,
        Reason.HEADER_UNPARSEABLE,
        Reason.HEIGHT_INVALID,
        Reason.IDENTIFIER_INVALID,
        Reason.LANE_NOT_FOUND,
        Reason.LIMIT_EXCEEDED,
        Reason.MISBEHAVIOUR_NOT_PROVEN,
        Reason.NON_MEMBERSHIP_NOT_PROVEN,
        Reason.PACKET_INVALID,
        Reason.PACKET_NOT_FOUND,
        Reason.PAYLOAD_TOO_LARGE,
        Reason.PEER_NOT_FOUND,
        Reason.PROOF_BATCH_INVALID,
        Reason.PROOF_SPEC_VIOLATED,
        Reason.PROOF_UNPARSEABLE,
        Reason.ROOT_MISMATCH,
        Reason.SIGNATURE_INVALID,
        Reason.TIMEOUT_NOT_REACHED,
        Reason.VALIDATOR_SET_MISMATCH,
    }
)


def target() -> Target:
    """Frames, as a relayer gets them from an adapter."""
    return Target("frames", OPERATORS, judge, REASONS)


def judge(data: bytes) -> str:
    """What the frame of *data* proves; ``SAME`` if a true frame says it too."""
    try:
        message = pb.AdapterFrame.FromString(data)
    except DecodeError as error:
        raise Unframed from error
    frame = decode_frame(message)
    match frame:
        case PacketsFrame():
            prove_packets(_root(frame.lane, frame.proof_height, SOURCE_ROOTS), frame)
        case AcknowledgementsFrame():
            root = _root(frame.lane, frame.proof_height, DESTINATION_ROOTS)
            prove_acknowledgements(root, frame)
        case AbsenceFrame():
            root = _root(frame.lane, frame.proof_height, DESTINATION_ROOTS)
            if frame.sequence not in PACKETS:
                raise PacketNotFound(name=f"{frame.lane.name}/packets/{frame.sequence}")
            prove_absence(root, frame, TIMEOUT)
        case HeadersFrame():
            return _headers(frame)
        case MisbehaviourFrame():
            return _misbehaviour(frame)
    return SAME if replace(frame, frame_id=0) in _true_frames() else ACCEPTED


@cache
def _true_frames() -> list[ProvenFrame]:
    """What true frames say; the number of a frame is no part of it."""
    return [replace(decode_frame(frame), frame_id=0) for frame in TRUE_FRAMES]


def _root(lane: LaneKey, height: Height, roots: dict[int, Root]) -> Root:
    if lane != LANE:
        raise LaneNotFound(name=lane.name)
    root = roots.get(height.number)
    if root is None or root.state.height != height:
        raise ConsensusStateMissing(client="the hub client", height=height.number)
    return root


def _headers(frame: HeadersFrame) -> str:
    for header in frame.headers:
        verdict = CLIENT.verify_header(ANCHOR, TRUSTED_STATE, TRUSTED_SET, header, now=NOW)
        if isinstance(verdict, NeedsBisection):
            raise verdict.shortfall
    same = all(says_what_a_valid_one_says(header) for header in frame.headers)
    return SAME if same else ACCEPTED


def _misbehaviour(frame: MisbehaviourFrame) -> str:
    if frame.peer not in {"", "suzhou"}:
        raise PeerNotFound(name=frame.peer)
    sides: list[tuple[ConsensusState, bytes, Header]] = []
    for height, header in (
        (frame.first_trusted_height, frame.first),
        (frame.second_trusted_height, frame.second),
    ):
        if height != TRUSTED_HEIGHT:
            raise ConsensusStateMissing(client="the hub client", height=height)
        sides.append((TRUSTED_STATE, TRUSTED_SET, header))
    CLIENT.verify_misbehaviour(ANCHOR, sides[0], sides[1], now=NOW)
    signed: list[Any] = [NEXT, EQUIVOCATION]
    same = all(says_what_a_valid_one_says(header, signed) for header in (frame.first, frame.second))
    return SAME if same else ACCEPTED
