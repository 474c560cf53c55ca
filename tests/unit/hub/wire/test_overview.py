from __future__ import annotations

from dataclasses import replace

from ydhub.lane.v1 import lane_pb2
from ydhub.packet.v1 import packet_pb2

from hub.core.ids import PeerId
from hub.core.lane import LaneState
from hub.core.record import ExceptionKind
from hub.core.report import (
    DatabaseReport,
    ExceptionCount,
    LaneActivity,
    LeaseUpkeep,
    Setting,
    TableUpkeep,
)
from hub.core.time import SECOND, Duration, Timestamp
from hub.wire.overview import activity_to_proto, database_to_proto
from tests.harness.registry import key_of

AT = Timestamp(1_800_000_000 * SECOND)
LANE = LaneActivity(
    key=key_of(),
    state=LaneState.PAUSED,
    pause_cause="works",
    source_stopped="",
    destination_stopped="frozen",
    accepted_count=9,
    delivered_count=7,
    outcome_count=5,
    completed_count=3,
    open_count=4,
    owed_count=2,
    hole_count=1,
    oldest_open_at=AT,
    oldest_owed_at=None,
    exceptions=(ExceptionCount(ExceptionKind.PARKED, 2, AT),),
)
REPORT = DatabaseReport(
    needed_revision="0002",
    server_version="18.4",
    settings=(Setting("fsync", "off", is_durable=False),),
    connection_count=3,
    max_connection_count=100,
    tables=(TableUpkeep("lanes", 2, 1),),
    leases=(LeaseUpkeep(peer=PeerId("suzhou"), owner="", is_attached=False, expires_at=AT),),
    oldest_transaction=Duration(2 * SECOND),
    waiting_session_count=1,
    size_bytes=10,
    disk_free_bytes=20,
    disk_total_bytes=30,
    transactions_left=40,
)


def test_a_lane_keeps_its_numbers_and_what_it_has_not_is_not_set() -> None:
    found = activity_to_proto(AT, [LANE])
    (lane,) = found.lanes
    assert (lane.lane, lane.state) == (key_of().name, lane_pb2.LANE_STATE_PAUSED)
    counts = (lane.accepted_count, lane.delivered_count, lane.outcome_count, lane.completed_count)
    assert counts == (9, 7, 5, 3)
    assert (lane.open_count, lane.owed_count) == (4, 2)
    assert (lane.hole_count, lane.destination_stopped, lane.pause_cause) == (1, "frozen", "works")
    assert lane.oldest_open_time.seconds == found.time.seconds == AT // SECOND
    assert not lane.HasField("oldest_owed_time")
    (parked,) = lane.exceptions
    assert (parked.kind, parked.count) == (packet_pb2.PacketException.KIND_PARKED, 2)
    owed = replace(LANE, oldest_open_at=None, oldest_owed_at=AT)
    (lane,) = activity_to_proto(AT, [owed]).lanes
    assert (lane.HasField("oldest_open_time"), lane.HasField("oldest_owed_time")) == (False, True)


def test_a_database_keeps_its_numbers() -> None:
    found = database_to_proto(REPORT)
    (setting,) = found.settings
    assert (setting.name, setting.value, setting.is_durable) == ("fsync", "off", False)
    (table,) = found.tables
    assert (table.name, table.live_count, table.dead_count) == ("lanes", 2, 1)
    (lease,) = found.leases
    assert (lease.peer, lease.owner, lease.expire_time.seconds) == (
        "peers/suzhou",
        "",
        AT // SECOND,
    )
    assert found.oldest_transaction.seconds == 2
    rooms = (found.size_bytes, found.disk_free_bytes, found.disk_total_bytes)
    assert rooms == (10, 20, 30)
    assert (found.transactions_left, found.waiting_session_count) == (40, 1)
