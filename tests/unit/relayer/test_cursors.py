from __future__ import annotations

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.lane import Lane, LaneKey, LaneSide, LaneState, LaneView, Order
from hub.core.ranges import RangeSet
from hub.core.time import Timestamp
from hub.wire.frames import MAX_FRAME_BYTES, MAX_RANGES
from relayer.cursors import cursor, in_frames, widest

KEY = LaneKey.parse("hangzhou~07-tendermint-0~suzhou~07-tendermint-5")
VIEW = LaneView(
    lane=Lane(
        lane_id=1,
        key=KEY,
        state=LaneState.OPEN,
        order=Order.UNORDERED,
        first_sequence=3,
        pause_cause="",
        created_at=Timestamp(1),
        revision=1,
    ),
    source=LaneSide(epoch=1, gate=0, done=RangeSet.of([3, 4, 5])),
    destination=LaneSide(epoch=1, gate=0, done=RangeSet.of([3])),
    source_stopped="",
    destination_stopped="",
)


def test_the_source_hears_what_is_accepted_and_its_own_client() -> None:
    found = cursor(VIEW, KEY.source_peer)
    assert found.is_source
    assert (found.lane, found.first_sequence) == (KEY.name, 3)
    assert [(r.first, r.last) for r in found.done] == [(3, 5)]
    assert (found.client, found.counterparty_client) == ("07-tendermint-0", "07-tendermint-5")


def test_the_destination_hears_what_has_an_outcome_and_its_own_client() -> None:
    found = cursor(VIEW, KEY.destination_peer)
    assert not found.is_source
    assert [(r.first, r.last) for r in found.done] == [(3, 3)]
    assert (found.client, found.counterparty_client) == ("07-tendermint-5", "07-tendermint-0")


def test_of_too_many_ranges_the_widest_are_told_in_order() -> None:
    many = RangeSet(tuple([(10 * n, 10 * n + 1 + n % 3) for n in range(1, MAX_RANGES + 9)]))
    kept = widest(many, MAX_RANGES)
    assert len(kept.ranges) == MAX_RANGES
    assert kept.ranges == tuple(sorted(kept.ranges))
    assert len(kept) >= len(many) - 8 * 2
    assert widest(kept, MAX_RANGES) is kept


def test_cursors_are_cut_into_frames_without_losing_one() -> None:
    ranges = [pb.SequenceRange(first=2**62 + 2 * n, last=2**62 + 2 * n) for n in range(256)]
    cursors = [pb.LaneCursor(lane=f"lanes/{n}", done=ranges) for n in range(500)]
    frames = in_frames(cursors)
    assert len(frames) > 1
    assert [each.lane for frame in frames for each in frame] == [each.lane for each in cursors]
    for frame in frames:
        assert pb.LaneCursors(cursors=frame).ByteSize() <= MAX_FRAME_BYTES
    assert in_frames([]) == [[]]
