from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.client import Header
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
from hub.core.ids import PeerId
from hub.core.lane import LaneKey
from hub.core.ranges import RangeSet
from hub.wire import frames
from hub.wire.packet import encode_acknowledgement, encode_packet
from tests.harness.packet_samples import ACKNOWLEDGEMENT, PACKET

if TYPE_CHECKING:
    from collections.abc import Callable

LANE = LaneKey(
    PeerId("hangzhou"), PACKET.source_client, PeerId("suzhou"), PACKET.destination_client
)
HEIGHT = client_pb2.Height(revision=1, number=9)


def packets() -> pb.AdapterFrame:
    contents = [encode_packet(replace(PACKET, sequence=sequence)) for sequence in (5, 6, 9)]
    batch = pb.PacketBatch(
        lane=LANE.name, proof_height=HEIGHT, packets=contents, proof_batch=b"proof"
    )
    return pb.AdapterFrame(frame_id=3, packets=batch)


def acknowledgements() -> pb.AdapterFrame:
    answer = encode_acknowledgement(ACKNOWLEDGEMENT)
    batch = pb.AcknowledgementBatch(
        lane=LANE.name,
        proof_height=HEIGHT,
        sequences=[5, 6],
        acknowledgements=[answer, answer],
        proof_batch=b"proof",
    )
    return pb.AdapterFrame(frame_id=4, acknowledgements=batch)


def absence() -> pb.AdapterFrame:
    found = pb.Absence(lane=LANE.name, sequence=5, proof_height=HEIGHT, proof=b"proof")
    return pb.AdapterFrame(frame_id=5, absence=found)


def headers() -> pb.AdapterFrame:
    shown = [Header(content=bytes([n]), validators=b"set") for n in (1, 2)]
    return pb.AdapterFrame(frame_id=6, headers=frames.headers_to_proto(shown))


def misbehaviour() -> pb.AdapterFrame:
    found = pb.Misbehaviour(
        peer="peers/suzhou",
        first=client_pb2.Header(content=b"a", validators=b"s"),
        second=client_pb2.Header(content=b"b", validators=b"s"),
        first_trusted_height=HEIGHT,
        second_trusted_height=HEIGHT,
    )
    return pb.AdapterFrame(frame_id=7, misbehaviour=found)


def test_packets_are_read_and_their_bytes_kept() -> None:
    found = frames.decode_frame(packets())
    assert isinstance(found, frames.PacketsFrame)
    assert (found.frame_id, found.lane, found.proof_height) == (3, LANE, Height(1, 9))
    assert [packet.sequence for packet in found.packets] == [5, 6, 9]
    assert list(found.contents) == list(packets().packets.packets)


def test_acknowledgements_are_read_and_their_bytes_kept() -> None:
    found = frames.decode_frame(acknowledgements())
    assert isinstance(found, frames.AcknowledgementsFrame)
    assert found.sequences == (5, 6)
    assert found.acknowledgements == (ACKNOWLEDGEMENT, ACKNOWLEDGEMENT)


def test_an_absence_reads_back() -> None:
    found = frames.decode_frame(absence())
    assert isinstance(found, frames.AbsenceFrame)
    assert frames.absence_to_proto(found) == absence()


def test_a_validator_set_travels_once_with_its_headers() -> None:
    frame = headers()
    assert list(frame.headers.validator_sets) == [b"set"]
    found = frames.decode_frame(frame)
    assert isinstance(found, frames.HeadersFrame)
    assert [header.content for header in found.headers] == [b"\x01", b"\x02"]
    assert {header.validators for header in found.headers} == {b"set"}


def test_misbehaviour_names_its_chain() -> None:
    found = frames.decode_frame(misbehaviour())
    assert isinstance(found, frames.MisbehaviourFrame)
    assert (found.peer, found.first.content, found.second_trusted_height) == ("suzhou", b"a", 9)


@pytest.mark.parametrize(
    ("make", "change", "error"),
    [
        (packets, lambda f: f.packets.ClearField("packets"), FrameInvalid),
        (packets, lambda f: f.packets.packets.extend(list(f.packets.packets) * 90), LimitExceeded),
        (packets, lambda f: f.packets.packets.reverse(), FrameInvalid),
        (packets, lambda f: f.packets.packets.append(f.packets.packets[2]), FrameInvalid),
        (packets, lambda f: f.packets.packets.append(b"\xff"), PacketInvalid),
        (packets, lambda f: f.packets.packets.append(b"\x30\x01"), EncodingNotCanonical),
        (packets, lambda f: f.packets.ClearField("proof_height"), HeightInvalid),
        (packets, lambda f: setattr(f.packets, "lane", "lanes/x"), IdentifierInvalid),
        (packets, lambda f: setattr(f.packets, "lane", LANE.reverse.name), FrameInvalid),
        (
            acknowledgements,
            lambda f: f.acknowledgements.sequences.append(7),
            FrameInvalid,
        ),
        (
            acknowledgements,
            lambda f: f.acknowledgements.sequences.reverse(),
            FrameInvalid,
        ),
        (acknowledgements, lambda f: f.acknowledgements.ClearField("sequences"), FrameInvalid),
        (absence, lambda f: setattr(f.absence, "sequence", 0), FrameInvalid),
        (absence, lambda f: setattr(f.absence, "sequence", 2**63), FrameInvalid),
        (absence, lambda f: setattr(f.absence.proof_height, "number", 0), HeightInvalid),
        (headers, lambda f: f.headers.ClearField("headers"), FrameInvalid),
        (headers, lambda f: f.headers.ClearField("validator_sets"), FrameInvalid),
        (headers, lambda f: f.headers.headers.extend(list(f.headers.headers) * 200), LimitExceeded),
        (
            misbehaviour,
            lambda f: setattr(f.misbehaviour.first_trusted_height, "number", 0),
            HeightInvalid,
        ),
    ],
)
def test_each_way_of_breaking_a_frame_is_refused(
    make: Callable[[], pb.AdapterFrame],
    change: Callable[[pb.AdapterFrame], object],
    error: type[HubError],
) -> None:
    frame = make()
    change(frame)
    with pytest.raises(error):
        frames.decode_frame(frame)


def test_a_frame_over_its_bytes_is_refused_and_one_large_item_travels_alone() -> None:
    frame = packets()
    frame.packets.proof_batch = bytes(frames.MAX_FRAME_BYTES)
    with pytest.raises(LimitExceeded):
        frames.decode_frame(frame)
    del frame.packets.packets[1:]
    assert isinstance(frames.decode_frame(frame), frames.PacketsFrame)


@pytest.mark.parametrize(
    "frame",
    [
        pb.AdapterFrame(),
        pb.AdapterFrame(heartbeat=pb.Heartbeat()),
        pb.AdapterFrame(hello=pb.Hello()),
    ],
)
def test_frames_that_no_verdict_answers_are_refused_here(frame: pb.AdapterFrame) -> None:
    with pytest.raises(FrameInvalid):
        frames.decode_frame(frame)


def test_only_items_take_credits() -> None:
    assert frames.item_count(packets()) == 3
    assert frames.item_count(acknowledgements()) == 2
    assert frames.item_count(absence()) == 1
    assert frames.item_count(headers()) == 0
    assert frames.item_count(pb.AdapterFrame(heartbeat=pb.Heartbeat())) == 0


def test_ranges_read_back() -> None:
    numbers = RangeSet.of([1, 2, 3, 7, 9, 10])
    assert frames.ranges_from_proto(frames.ranges_to_proto(numbers)) == numbers
    with pytest.raises(LimitExceeded):
        frames.ranges_from_proto([pb.SequenceRange(first=1, last=1)] * (frames.MAX_RANGES + 1))


def test_misbehaviour_may_leave_the_trusted_heights_to_the_hub() -> None:
    frame = misbehaviour()
    frame.misbehaviour.ClearField("first_trusted_height")
    frame.misbehaviour.ClearField("second_trusted_height")
    found = frames.decode_frame(frame)
    assert isinstance(found, frames.MisbehaviourFrame)
    assert (found.first_trusted_height, found.second_trusted_height) == (0, 0)
