from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.wire.decode import cursor_from_proto
from hub.core.ranges import RangeSet
from hub.wire.frames import MAX_FRAME_BYTES, MAX_RANGES
from relayer.cursors import cursor, in_frames, widest
from tests.harness.exchange import HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from tests.harness.station import Station


async def test_each_end_is_told_what_its_own_side_has_done(board: Station) -> None:
    view = (await board.desk()).view
    view = replace(
        view,
        source=replace(view.source, done=RangeSet.of([1, 2, 3, 5])),
        destination=replace(view.destination, done=RangeSet.of([2])),
    )
    source, destination = cursor(view, HANGZHOU), cursor(view, SUZHOU)
    key = board.exchange.key
    assert source == pb.LaneCursor(
        lane=key.name,
        is_source=True,
        first_sequence=1,
        done=[pb.SequenceRange(first=1, last=3), pb.SequenceRange(first=5, last=5)],
        client=key.source_client,
        counterparty_client=key.destination_client,
    )
    assert (destination.is_source, destination.client) == (False, key.destination_client)
    assert destination.done == [pb.SequenceRange(first=2, last=2)]


async def test_an_adapter_can_read_the_cursor_of_a_lane_with_any_number_of_holes(
    board: Station,
) -> None:
    """A source that leaves out every other sequence must not lock out the destination's adapter."""
    view = (await board.desk()).view
    holes = RangeSet.of(range(1, 4000, 2))
    view = replace(view, destination=replace(view.destination, done=holes))
    told = cursor_from_proto(cursor(view, SUZHOU))
    assert len(told.done.ranges) == MAX_RANGES
    assert not told.done - holes


def test_the_widest_ranges_are_told_in_order() -> None:
    numbers = RangeSet(((1, 2), (10, 30), (40, 41), (50, 55)))
    assert widest(numbers, 2) == RangeSet(((10, 30), (50, 55)))
    assert widest(numbers, 4) is numbers


def test_cursors_of_ten_thousand_lanes_go_in_frames_that_are_small_enough() -> None:
    done = [pb.SequenceRange(first=first, last=first) for first in range(1, 40, 2)]
    cursors = [pb.LaneCursor(lane=f"lanes/{number}", done=done) for number in range(10_000)]
    frames = in_frames(cursors)
    assert [one for frame in frames for one in frame] == cursors
    sizes = [pb.LaneCursors(cursors=frame).ByteSize() for frame in frames]
    assert len(sizes) > 1
    assert max(sizes) <= MAX_FRAME_BYTES
    assert min(sizes[:-1]) > MAX_FRAME_BYTES * 9 // 10


def test_no_cursors_are_one_empty_frame() -> None:
    assert in_frames([]) == [[]]
