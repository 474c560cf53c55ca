"""Checks of lanes and packets: each heard in the cases in which it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ydhub.lane.v1 import lane_pb2
from ydhub.packet.v1 import packet_pb2

from hub.cli.doctor.findings import Level
from tests.harness.sick_hub import activity, ago, exception, judged, lane

if TYPE_CHECKING:
    from ydhub.hub.v1 import status_service_pb2 as pb

WARNING, FAILED = Level.WARNING, Level.FAILED
KIND = packet_pb2.PacketException
PAUSED = lane_pb2.LANE_STATE_PAUSED


def lanes(*found: pb.LaneActivity) -> dict[str, Any]:
    return {"activity": activity(*found)}


SICK: list[tuple[str, Level, dict[str, Any], str]] = [
    ("lane.paused", WARNING, lanes(lane(state=PAUSED, pause_cause="works")), "(works)"),
    ("lane.gaps", WARNING, lanes(lane(hole_count=3)), "(3)"),
    ("packet.parked", WARNING, lanes(exception(KIND.KIND_PARKED, 1, 7)), "(7), the oldest for 1s"),
    ("packet.parked", FAILED, lanes(exception(KIND.KIND_PARKED, 3600)), "1h"),
    ("packet.retry", WARNING, lanes(exception(KIND.KIND_RETRY, 601)), "10m1s"),
    ("packet.retry", FAILED, lanes(exception(KIND.KIND_RETRY, 86_400)), "1d"),
    ("packet.denied", WARNING, lanes(exception(KIND.KIND_DENIED, 3601)), "1h1s"),
    ("packet.denied", FAILED, lanes(exception(KIND.KIND_DENIED, 31 * 86_400)), "31d"),
    ("packet.held", WARNING, lanes(lane(state=PAUSED)), "(10), the oldest for 2s"),
    ("packet.held", WARNING, lanes(lane(destination_stopped="frozen")), "the oldest for 2s"),
    ("packet.held", FAILED, lanes(lane(source_stopped="x", oldest_open_time=ago(4000))), "1h6m"),
    ("packet.open", WARNING, lanes(lane(oldest_open_time=ago(300))), "5m"),
    ("packet.open", FAILED, lanes(lane(oldest_open_time=ago(3600))), "1h"),
    ("packet.outcomes", WARNING, lanes(lane(oldest_owed_time=ago(60))), "1m"),
    ("packet.outcomes", FAILED, lanes(lane(oldest_owed_time=ago(600))), "10m"),
    ("packet.backlog", WARNING, lanes(lane(open_count=110)), "(from 10 to 110)"),
]


@pytest.mark.parametrize(("name", "level", "changes", "words"), SICK)
def test_a_check_is_heard_where_it_must_be(
    name: str, level: Level, changes: dict[str, Any], words: str
) -> None:
    verdict = judged(name, **changes)
    assert verdict.level is level, verdict
    assert words in verdict.detail
    assert verdict.fix
