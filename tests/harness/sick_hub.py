"""What a doctor is given of a hub in good health, and ways to make it sick."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.duration_pb2 import Duration as ProtoDuration
from ydhub.client.v1 import client_pb2
from ydhub.hub.v1 import status_service_pb2 as pb
from ydhub.lane.v1 import lane_pb2
from ydhub.peer.v1 import peer_pb2

from hub.cli.doctor.findings import DAY, Examined, Verdict
from hub.cli.doctor.registry import CHECKS
from hub.core.report import STANDBY
from hub.core.time import SECOND, Timestamp
from hub.wire.times import timestamp_to_proto

NOW: Final = Timestamp(1_800_000_000 * SECOND)
VERSION: Final = "0.1.0"
LANE: Final = "lanes/hangzhou~07-tendermint-0~suzhou~07-tendermint-0"
PERIOD_S: Final = 14 * 86_400


def ago(seconds: int) -> Any:
    """The moment *seconds* before now, as a message; after it where negative."""
    return timestamp_to_proto(Timestamp(NOW - seconds * SECOND))


def database(**changes: Any) -> pb.GetDatabaseResponse:
    """The database of a hub in good health, but for *changes*."""
    names = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")
    values: dict[str, Any] = {
        "hub_time": ago(0),
        "database_time": ago(0),
        "schema_revision": "0002",
        "needed_revision": "0002",
        "server_version": "18.4",
        "settings": [
            *[pb.DatabaseSetting(name=n, value="on", is_durable=True) for n in names],
            pb.DatabaseSetting(name=STANDBY, value="1 synchronous", is_durable=True),
        ],
        "connection_count": 20,
        "max_connection_count": 100,
        "partition_days_ahead": 7,
        "tables": [pb.TableUpkeep(name="lanes", live_count=50, dead_count=60)],
        "leases": [lease("hangzhou"), lease("suzhou")],
        "size_bytes": 10**9,
        "disk_free_bytes": 500 * 2**30,
        "disk_total_bytes": 1000 * 2**30,
        "transactions_left": 2_000_000_000,
        "version": VERSION,
    }
    return pb.GetDatabaseResponse(**(values | changes))


def lease(peer: str, **changes: Any) -> pb.LeaseUpkeep:
    """A living lease of *peer*."""
    values: dict[str, Any] = {"owner": "east-1", "is_attached": True, "expire_time": ago(-4)}
    return pb.LeaseUpkeep(peer=f"peers/{peer}", **(values | changes))


def lane(**changes: Any) -> pb.LaneActivity:
    """A lane in good health."""
    values: dict[str, Any] = {
        "lane": LANE,
        "state": lane_pb2.LANE_STATE_OPEN,
        "accepted_count": 1000,
        "outcome_count": 990,
        "completed_count": 985,
        "open_count": 10,
        "owed_count": 5,
        "oldest_open_time": ago(2),
        "oldest_owed_time": ago(1),
    }
    return pb.LaneActivity(**(values | changes))


def activity(*lanes: pb.LaneActivity) -> pb.GetActivityResponse:
    """*lanes* in numbers."""
    return pb.GetActivityResponse(time=ago(0), lanes=lanes or [lane()])


def exception(kind: Any, seconds: int, count: int = 1) -> pb.LaneActivity:
    """A lane with exceptions, the oldest since *seconds* ago."""
    return lane(exceptions=[pb.ExceptionCount(kind=kind, count=count, oldest_time=ago(seconds))])


def client(**changes: Any) -> client_pb2.Client:
    """A client in good health."""
    options = client_pb2.TrustOptions(trusting_period=ProtoDuration(seconds=PERIOD_S))
    values: dict[str, Any] = {
        "name": "peers/suzhou/client",
        "status": client_pb2.CLIENT_STATUS_ACTIVE,
        "expire_time": ago(-PERIOD_S // 2),
        "options": options,
    }
    return client_pb2.Client(**(values | changes))


def peer(**changes: Any) -> peer_pb2.Peer:
    """An attached peer."""
    values: dict[str, Any] = {
        "name": "peers/suzhou",
        "state": peer_pb2.PEER_STATE_ACTIVE,
        "attached": True,
    }
    return peer_pb2.Peer(**(values | changes))


def healthy(**changes: Any) -> Examined:
    """All that was asked of a hub in good health, but for *changes*."""
    values: dict[str, Any] = {
        "now": NOW,
        "version": VERSION,
        "server": "hub.example:7443",
        "asked_at": NOW,
        "database": database(invariants=[pb.InvariantStatus(name="sequences_dense")]),
        "hub_report": database(),
        "invariants_asked": True,
        "activity": activity(),
        "earlier": activity(),
        "peers": [peer()],
        "clients": [client()],
        "certificates": {whose: Timestamp(NOW + 90 * DAY) for whose in ("own", "hub", "ca")},
    }
    return Examined(**(values | changes))


def away() -> Examined:
    """What is left where neither hub nor database answers."""
    return Examined(now=NOW, version=VERSION, server="hub.example:7443", hub_error="UNAVAILABLE")


def judged(name: str, **changes: Any) -> Verdict:
    """What the check *name* says of a hub in good health, but for *changes*."""
    check = next(check for check in CHECKS if check.name == name)
    return check.judge(healthy(**changes))
