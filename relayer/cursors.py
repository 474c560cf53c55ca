"""Where lanes stand, as an adapter is told: bounded, whatever the lanes are like.

Source: design section 5 (resumption from durable cursors).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.ranges import RangeSet
from hub.wire.frames import MAX_FRAME_BYTES, MAX_RANGES, ranges_to_proto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ids import PeerId
    from hub.core.lane import LaneView

_FIELD_BYTES: Final = 8
"""Most bytes of a field's tag and length."""


def cursor(view: LaneView, peer: PeerId) -> pb.LaneCursor:
    """Where the lane of *view* stands, for the adapter of *peer* at one of its ends."""
    key = view.lane.key
    is_source = key.source_peer == peer
    own, other = key.source_client, key.destination_client
    done = view.source.done if is_source else view.destination.done
    return pb.LaneCursor(
        lane=key.name,
        is_source=is_source,
        first_sequence=view.lane.first_sequence,
        done=ranges_to_proto(widest(done, MAX_RANGES)),
        client=own if is_source else other,
        counterparty_client=other if is_source else own,
    )


def widest(numbers: RangeSet, limit: int) -> RangeSet:
    """The *limit* widest ranges of *numbers*, or all.

    What is left out the adapter shows once more, and hears that it is done.
    """
    if len(numbers.ranges) <= limit:
        return numbers
    by_width = sorted(numbers.ranges, key=lambda ends: ends[0] - ends[1])
    return RangeSet(tuple(sorted(by_width[:limit])))


def in_frames(cursors: Sequence[pb.LaneCursor]) -> list[list[pb.LaneCursor]]:
    """*cursors* in order, each list small enough for one frame; at least one list."""
    frames: list[list[pb.LaneCursor]] = [[]]
    room = MAX_FRAME_BYTES
    for each in cursors:
        size = each.ByteSize() + _FIELD_BYTES
        if size > room:
            frames.append([])
            room = MAX_FRAME_BYTES
        room -= size
        frames[-1].append(each)
    return frames
