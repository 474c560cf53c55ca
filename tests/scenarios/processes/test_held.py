"""What a pause stops waits, and is carried when the lane goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.lane.v1 import lane_pb2, lane_service_pb2

from tests.harness.network import HANGZHOU, SUZHOU
from tests.harness.traffic import a_packet_passes

if TYPE_CHECKING:
    from hub.core.lane import LaneKey
    from tests.harness.network import LiveNetwork


async def pause(live: LiveNetwork, lane: LaneKey) -> None:
    request = lane_service_pb2.PauseLaneRequest(name=lane.name, cause="a drill")
    async with live.hub() as hub:
        await hub.call(hub.lanes.PauseLane, request)


async def resume(live: LiveNetwork, lane: LaneKey) -> None:
    request = lane_service_pb2.ResumeLaneRequest(name=lane.name)
    async with live.hub() as hub:
        await hub.call(hub.lanes.ResumeLane, request)


async def accepted(live: LiveNetwork, lane: LaneKey) -> lane_pb2.Lane:
    """The lane, once everything that was sent is accepted."""

    async def all_are() -> bool:
        return (await live.shown(lane)).accepted_count == live.sent[lane]

    await live.until(all_are, "acceptance")
    return await live.shown(lane)


async def test_a_paused_lane_holds_its_packets_and_carries_them_when_it_goes_on(
    live: LiveNetwork,
) -> None:
    lane = live.lane(HANGZHOU, SUZHOU)
    await live.kill(SUZHOU)
    first = (await live.send(lane, 20)).first_sequence
    before = await accepted(live, lane)
    await pause(live, lane)
    try:
        await live.network.start(SUZHOU)
        await live.send(lane, 20)
        # The other direction is another lane, and carries on.
        await a_packet_passes(live, SUZHOU, HANGZHOU)
        held = await live.shown(lane)
        assert held.state == lane_pb2.LANE_STATE_PAUSED
        assert held.accepted_count == before.accepted_count
        assert held.outcome_count == before.outcome_count
        assert await live.state(lane, first) == "ACCEPTED"
    finally:
        await resume(live, lane)
    await live.reached(lane, first, "COMPLETED")
    await live.judged()
