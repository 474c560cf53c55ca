from __future__ import annotations

import asyncio
from typing import Any

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.lane import MAX_LANE_NAME
from relayer.intake import TOGETHER, Intake
from tests.harness.clock import settle


def packets(number: int, lane: str = "a", count: int = 256) -> pb.AdapterFrame:
    batch = pb.PacketBatch(lane=lane, packets=[b""] * count)
    return pb.AdapterFrame(frame_id=number, packets=batch)


def answers(number: int, lane: str = "a", count: int = 256) -> pb.AdapterFrame:
    batch = pb.AcknowledgementBatch(lane=lane, sequences=range(1, count + 1))
    return pb.AdapterFrame(frame_id=number, acknowledgements=batch)


async def order(*frames: pb.AdapterFrame) -> list[int]:
    """The ids of *frames* in the order in which they are worked on."""
    intake = Intake()
    for frame in frames:
        intake.put_nowait(frame)
    assert intake.qsize() == len(frames)
    found = [(await intake.get()).frame_id for _ in frames]
    assert intake.qsize() == 0
    return found


async def test_headers_and_misbehaviour_go_first_and_keep_their_order() -> None:
    others: list[dict[str, Any]] = [
        {"headers": pb.HeaderBatch()},
        {"misbehaviour": pb.Misbehaviour()},
        {"headers": pb.HeaderBatch()},
    ]
    first = [pb.AdapterFrame(frame_id=at, **body) for at, body in enumerate(others, 10)]
    assert await order(packets(1), first[0], answers(2), *first[1:]) == [10, 11, 12, 1, 2]


async def test_headers_that_wait_one_behind_the_other_come_together() -> None:
    intake = Intake()
    bodies: list[dict[str, Any]] = [{"headers": pb.HeaderBatch()} for _ in range(TOGETHER + 3)]
    bodies[1] = {"misbehaviour": pb.Misbehaviour()}
    for at, body in enumerate(bodies):
        intake.put_nowait(pb.AdapterFrame(frame_id=at, **body))
    intake.put_nowait(packets(1000))
    assert [frame.frame_id for frame in intake.headers()] == [0]
    assert intake.headers() == []
    assert (await intake.get()).frame_id == 1
    assert [frame.frame_id for frame in intake.headers()] == list(range(2, TOGETHER + 2))
    assert [frame.frame_id for frame in intake.headers()] == [TOGETHER + 2]
    assert intake.headers() == []
    assert (await intake.get()).frame_id == 1000


async def test_one_lane_keeps_its_order() -> None:
    assert await order(*[packets(number, count=9) for number in range(50)]) == list(range(50))


async def test_a_long_line_of_one_lane_keeps_no_other_waiting() -> None:
    flood = [packets(number) for number in range(20)]
    found = await order(*flood, packets(100, "b", 1), packets(101, "b", 1))
    assert found.index(101) <= 3


async def test_lanes_whose_names_are_too_long_share_one_turn() -> None:
    flood = [packets(number, "x" * MAX_LANE_NAME + str(number)) for number in range(20)]
    mine = [packets(100 + number, "b") for number in range(5)]
    found = await order(*flood, *mine)
    assert sum(number >= 100 for number in found[:10]) == 5


async def test_lanes_that_never_come_again_are_kept_in_mind_no_longer_than_they_owe() -> None:
    """Also while something always waits."""
    intake = Intake()
    intake.put_nowait(packets(0))
    for number in range(1, 500):
        intake.put_nowait(packets(number, f"lane-{number}", 1))
        intake.put_nowait(packets(number, f"lane-{number}"))
        intake.put_nowait(packets(0))
        while intake.qsize() > 1:
            await intake.get()
    [below] = intake._items._root._later.values()
    assert len(below._idle) <= 2
    assert len(below._balance) <= 3


async def test_answers_have_four_turns_to_one_of_new_packets() -> None:
    new = [packets(number) for number in range(20)]
    ends = [answers(100 + number) for number in range(20)]
    found = await order(*new, *ends)
    assert sum(number >= 100 for number in found[:10]) == 8
    absence = pb.AdapterFrame(frame_id=200, absence=pb.Absence(lane="a"))
    assert (await order(*new, absence)).index(200) <= 1


async def test_who_waits_gets_what_comes() -> None:
    intake = Intake()
    waiting = asyncio.ensure_future(intake.get())
    await settle()
    assert not waiting.done()
    intake.put_nowait(packets(7))
    assert (await waiting).frame_id == 7
