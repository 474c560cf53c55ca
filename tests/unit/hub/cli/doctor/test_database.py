"""Checks of the registry's database: each heard in the cases in which it must be."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration as ProtoDuration
from ydhub.hub.v1 import status_service_pb2 as pb

from hub.cli.doctor.findings import Level
from hub.core.report import STANDBY
from tests.harness.sick_hub import database, judged

WARNING, FAILED = Level.WARNING, Level.FAILED


def of(**changes: Any) -> dict[str, Any]:
    """The database is so."""
    return {"database": database(**changes)}


SICK: list[tuple[str, Level, dict[str, Any], str]] = [
    ("database.answers", FAILED, {"database": None, "errors": {"database": "refused"}}, "refused"),
    ("database.schema", FAILED, of(schema_revision="0001"), "0002 is needed"),
    ("database.schema", WARNING, of(schema_revision="0003"), "0003"),
    (
        "database.durability",
        FAILED,
        of(settings=[pb.DatabaseSetting(name="fsync", value="off")]),
        "fsync=off",
    ),
    (
        "database.standby",
        FAILED,
        of(settings=[pb.DatabaseSetting(name=STANDBY, value="0 standbys stream")]),
        "0 standbys stream",
    ),
    ("database.partitions", WARNING, of(partition_days_ahead=3), "for 3 days"),
    ("database.partitions", FAILED, of(partition_days_ahead=0), "for 0 days"),
    ("database.connections", WARNING, of(connection_count=80), "80 of 100"),
    ("database.connections", FAILED, of(connection_count=99), "99 of 100"),
    (
        "database.dead-rows",
        WARNING,
        of(tables=[pb.TableUpkeep(name="leases", live_count=9, dead_count=10_000)]),
        "leases (10000 dead",
    ),
    ("database.transactions", WARNING, of(oldest_transaction=ProtoDuration(seconds=60)), "1m"),
    ("database.transactions", FAILED, of(oldest_transaction=ProtoDuration(seconds=700)), "11m40s"),
    ("database.locks", WARNING, of(waiting_session_count=3), "3 sessions"),
    ("database.locks", FAILED, of(waiting_session_count=20), "20 sessions"),
    ("database.disk", WARNING, of(disk_free_bytes=200 * 2**30), "20 %"),
    ("database.disk", FAILED, of(disk_free_bytes=90 * 2**30), "9 %"),
    ("database.wraparound", WARNING, of(transactions_left=400_000_000), "400 million"),
    ("database.wraparound", FAILED, of(transactions_left=50_000_000), "50 million"),
    (
        "database.invariants",
        FAILED,
        of(invariants=[pb.InvariantStatus(name="outcomes_dense", violation_count=2)]),
        "outcomes_dense (2 rows)",
    ),
]


@pytest.mark.parametrize(("name", "level", "changes", "words"), SICK)
def test_a_check_is_heard_where_it_must_be(
    name: str, level: Level, changes: dict[str, Any], words: str
) -> None:
    verdict = judged(name, **changes)
    assert verdict.level is level, verdict
    assert words in verdict.detail
    assert verdict.fix


def test_a_missing_standby_is_no_weak_setting_and_an_older_hub_tells_nothing_of_it() -> None:
    missing = of(settings=[pb.DatabaseSetting(name=STANDBY, value="none")])
    assert judged("database.durability", **missing).level is Level.OK
    assert judged("database.standby", **of(settings=[])).level is Level.UNKNOWN
    has = of(settings=[pb.DatabaseSetting(name=STANDBY, value="1 synchronous", is_durable=True)])
    assert judged("database.standby", **has).level is Level.OK
