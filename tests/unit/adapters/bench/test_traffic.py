from __future__ import annotations

import pytest

from adapters.bench.traffic import Frame, LaneTraffic, Latencies
from adapters.bench.workload import Slot
from hub.core.ids import ClientId, PeerId
from hub.core.lane import LaneKey

LANE = LaneKey(PeerId("a"), ClientId("07-tendermint-0"), PeerId("b"), ClientId("07-tendermint-0"))


def made(*counts: int, chunk: int = 0, first: int = 1) -> list[Frame]:
    frames = []
    for count in counts:
        frames.append(Frame(Slot(first, count), b"", b"", chunk))
        first += count
    return frames


@pytest.fixture
def traffic() -> LaneTraffic:
    found = LaneTraffic(LANE)
    found.extend(made(60, 30, 10))
    return found


def test_a_packet_counts_once_however_often_it_is_handed_over(traffic: LaneTraffic) -> None:
    frame = traffic.frame_of(70)
    assert (frame.first, frame.end, frame.count) == (61, 91, 30)
    traffic.sent(frame, due_at=1000)
    assert traffic.under_way == 30
    traffic.acknowledged(frame, range(61, 75), now=11_000)
    traffic.acknowledged(frame, range(70, 91), now=51_000)
    assert traffic.latencies.entries == [(10, 14), (50, 16)]
    assert (traffic.under_way, traffic.resent) == (0, 5)
    assert traffic.moved.is_set()
    traffic.start()
    assert traffic.latencies.entries == []
    assert traffic.resent == 0


@pytest.mark.parametrize("sequence", [0, 101])
def test_what_was_never_sent_has_no_frame(traffic: LaneTraffic, sequence: int) -> None:
    with pytest.raises(LookupError):
        traffic.frame_of(sequence)
    with pytest.raises(LookupError):
        LaneTraffic(LANE).frame_of(1)


def test_frames_of_a_phase_are_found_by_its_first_sequence(traffic: LaneTraffic) -> None:
    assert [frame.first for frame in traffic.frames_from(61, 2)] == [61, 91]
    assert list(traffic.frames_from(61, 0)) == []


def test_parts_that_are_over_are_forgotten(traffic: LaneTraffic) -> None:
    traffic.extend(made(5, 5, chunk=1, first=101))
    traffic.forget(1)
    assert [frame.first for frame in traffic.frames] == [101, 106]
    assert traffic.frame_of(107).chunk == 1
    with pytest.raises(LookupError):
        traffic.frame_of(100)


def test_latencies_are_whole_microseconds_never_too_short() -> None:
    latencies = Latencies()
    latencies.add(1, 2)
    latencies.add(1000, 3)
    latencies.add(1001, 4)
    assert latencies.entries == [(1, 5), (2, 4)]
