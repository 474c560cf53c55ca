"""Frames of an adapter session: protobuf to core values, bounded and checked once, at the edge.

What a frame claims is not judged here; that takes a verified root (relayer/verification.py).

Source: design section 5, at most 256 items and 1 MiB a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.client import Header
from hub.core.errors import FrameInvalid, LimitExceeded
from hub.core.lane import LaneKey
from hub.core.ranges import RangeSet
from hub.wire.headers import header_from_proto, height_from_proto, height_to_proto
from hub.wire.packet import decode_acknowledgement, decode_packet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ydhub.client.v1 import client_pb2

    from hub.core.height import Height
    from hub.core.packet import Acknowledgement, Packet

MAX_ITEMS: Final = 256
"""Items of a frame."""
MAX_FRAME_BYTES: Final = 1 << 20
"""Bytes of a frame with more than one item."""
MAX_SEQUENCE: Final = 2**63 - 1
MAX_HEADERS: Final = 256
MAX_RANGES: Final = 256

_ITEM_BODIES = frozenset({"packets", "acknowledgements", "absence"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketsFrame:
    """Packets of one lane, claimed to be committed under the root of a header."""

    frame_id: int
    lane: LaneKey
    proof_height: Height
    packets: tuple[Packet, ...]
    """Sequences rising."""
    contents: tuple[bytes, ...]
    """Their canonical bytes."""
    proof_batch: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgementsFrame:
    """Acknowledgements of one lane, claimed to be written under the root of a header."""

    frame_id: int
    lane: LaneKey
    proof_height: Height
    sequences: tuple[int, ...]
    """Rising."""
    acknowledgements: tuple[Acknowledgement, ...]
    contents: tuple[bytes, ...]
    proof_batch: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceFrame:
    """A packet's receipt, claimed to be absent under the root of a header."""

    frame_id: int
    lane: LaneKey
    sequence: int
    proof_height: Height
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadersFrame:
    """Headers of the adapter's chain."""

    frame_id: int
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MisbehaviourFrame:
    """Two headers, claimed to contradict each other."""

    frame_id: int
    peer: str
    """Whose chain; empty means the adapter's own."""
    first: Header
    second: Header
    first_trusted_height: int
    """0 leaves it to the hub."""
    second_trusted_height: int


ProvenFrame = PacketsFrame | AcknowledgementsFrame | AbsenceFrame | HeadersFrame | MisbehaviourFrame
"""Frames that a verdict answers."""


def decode_frame(frame: pb.AdapterFrame) -> ProvenFrame:
    """The frame with its items read. Raises ``Malformed`` errors; one bad item refuses all."""
    kind = frame.WhichOneof("body")
    size = frame.ByteSize()
    if size > MAX_FRAME_BYTES and _item_count(frame) > 1:
        raise LimitExceeded(what="bytes of a frame", count=size, limit=MAX_FRAME_BYTES)
    match kind:
        case "packets":
            return _packets(frame.frame_id, frame.packets)
        case "acknowledgements":
            return _acknowledgements(frame.frame_id, frame.acknowledgements)
        case "absence":
            return _absence(frame.frame_id, frame.absence)
        case "headers":
            headers = headers_from_proto(frame.headers)
            if not headers:
                raise FrameInvalid(frame="headers", problem="has no header")
            return HeadersFrame(frame_id=frame.frame_id, headers=headers)
        case "misbehaviour":
            return _misbehaviour(frame.frame_id, frame.misbehaviour)
        case "hello" | "heartbeat" | "credits" | "report" | "answer" | None:
            raise FrameInvalid(frame=str(kind), problem="is answered by no verdict")
        case _:
            assert_never(kind)


def item_count(frame: pb.AdapterFrame) -> int:
    """How many item credits the frame takes: packets, acknowledgements and absences count."""
    return _item_count(frame) if frame.WhichOneof("body") in _ITEM_BODIES else 0


def headers_from_proto(batch: pb.HeaderBatch) -> tuple[Header, ...]:
    """The headers of a batch, each with its validator set. Raises ``FrameInvalid``."""
    if len(batch.headers) > MAX_HEADERS:
        raise LimitExceeded(what="headers", count=len(batch.headers), limit=MAX_HEADERS)
    sets = batch.validator_sets
    headers: list[Header] = []
    for header in batch.headers:
        if header.validator_set >= len(sets):
            raise FrameInvalid(frame="headers", problem="a header names no validator set")
        headers.append(Header(content=header.content, validators=sets[header.validator_set]))
    return tuple(headers)


def headers_to_proto(headers: Iterable[Header]) -> pb.HeaderBatch:
    """A batch of *headers*, each validator set once."""
    batch = pb.HeaderBatch()
    places: dict[bytes, int] = {}
    for header in headers:
        place = places.setdefault(header.validators, len(places))
        batch.headers.add(content=header.content, validator_set=place)
    batch.validator_sets.extend(places)
    return batch


def absence_to_proto(frame: AbsenceFrame) -> pb.AdapterFrame:
    """The frame as an adapter would send it."""
    absence = pb.Absence(
        lane=frame.lane.name,
        sequence=frame.sequence,
        proof_height=height_to_proto(frame.proof_height),
        proof=frame.proof,
    )
    return pb.AdapterFrame(frame_id=frame.frame_id, absence=absence)


def ranges_from_proto(ranges: Sequence[pb.SequenceRange]) -> RangeSet:
    """The set of sequences. Raises ``FrameInvalid`` or ``LimitExceeded``."""
    if len(ranges) > MAX_RANGES:
        raise LimitExceeded(what="sequence ranges", count=len(ranges), limit=MAX_RANGES)
    found = RangeSet()
    for part in ranges:
        if not 0 < part.first <= part.last <= MAX_SEQUENCE:
            raise FrameInvalid(frame="ranges", problem=f"{part.first} to {part.last} is no range")
        found |= RangeSet.span(part.first, part.last + 1)
    return found


def ranges_to_proto(ranges: RangeSet) -> list[pb.SequenceRange]:
    """The set of sequences as rows, both ends included."""
    return [pb.SequenceRange(first=low, last=high - 1) for low, high in ranges.ranges]


def _item_count(frame: pb.AdapterFrame) -> int:
    match frame.WhichOneof("body"):
        case "packets":
            return len(frame.packets.packets)
        case "acknowledgements":
            return len(frame.acknowledgements.sequences)
        case "headers":
            return len(frame.headers.headers)
        case _:
            return 1


def _packets(frame_id: int, batch: pb.PacketBatch) -> PacketsFrame:
    lane = LaneKey.parse(batch.lane)
    _bound("packets", len(batch.packets))
    contents = tuple(batch.packets)
    packets = tuple([decode_packet(content) for content in contents])
    _rising("packets", [packet.sequence for packet in packets])
    ends = (lane.source_client, lane.destination_client)
    for packet in packets:
        if (packet.source_client, packet.destination_client) != ends:
            raise FrameInvalid(frame="packets", problem="a packet is of another lane")
    return PacketsFrame(
        frame_id=frame_id,
        lane=lane,
        proof_height=height_from_proto(batch.proof_height),
        packets=packets,
        contents=contents,
        proof_batch=batch.proof_batch,
    )


def _acknowledgements(frame_id: int, batch: pb.AcknowledgementBatch) -> AcknowledgementsFrame:
    lane = LaneKey.parse(batch.lane)
    _bound("acknowledgements", len(batch.sequences))
    if len(batch.sequences) != len(batch.acknowledgements):
        raise FrameInvalid(
            frame="acknowledgements", problem="sequences and answers differ in count"
        )
    _rising("acknowledgements", batch.sequences)
    contents = tuple(batch.acknowledgements)
    return AcknowledgementsFrame(
        frame_id=frame_id,
        lane=lane,
        proof_height=height_from_proto(batch.proof_height),
        sequences=tuple(batch.sequences),
        acknowledgements=tuple([decode_acknowledgement(content) for content in contents]),
        contents=contents,
        proof_batch=batch.proof_batch,
    )


def _absence(frame_id: int, absence: pb.Absence) -> AbsenceFrame:
    _rising("absence", [absence.sequence])
    return AbsenceFrame(
        frame_id=frame_id,
        lane=LaneKey.parse(absence.lane),
        sequence=absence.sequence,
        proof_height=height_from_proto(absence.proof_height),
        proof=absence.proof,
    )


def _misbehaviour(frame_id: int, found: pb.Misbehaviour) -> MisbehaviourFrame:
    return MisbehaviourFrame(
        frame_id=frame_id,
        peer=found.peer.removeprefix("peers/"),
        first=header_from_proto(found.first),
        second=header_from_proto(found.second),
        first_trusted_height=_number(found.first_trusted_height),
        second_trusted_height=_number(found.second_trusted_height),
    )


def _number(height: client_pb2.Height) -> int:
    """The number of *height*; 0 where none is named. Raises ``HeightInvalid``."""
    return height_from_proto(height).number if height.revision or height.number else 0


def _bound(what: str, count: int) -> None:
    if not count:
        raise FrameInvalid(frame=what, problem="has no item")
    if count > MAX_ITEMS:
        raise LimitExceeded(what=f"{what} of a frame", count=count, limit=MAX_ITEMS)


def _rising(what: str, sequences: Sequence[int]) -> None:
    last = 0
    for sequence in sequences:
        if not last < sequence <= MAX_SEQUENCE:
            raise FrameInvalid(frame=what, problem=f"sequence {sequence} does not rise")
        last = sequence
