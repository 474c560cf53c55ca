from __future__ import annotations

from hub.core.invariants import InvariantViolation
from hub.core.time import SECOND, Timestamp
from hub.exchange.overview import DatabaseHealth
from hub.server.health_report import health_to_proto
from tests.unit.hub.wire.test_overview import REPORT


def test_a_report_has_both_clocks_and_what_was_asked() -> None:
    health = DatabaseHealth(
        report=REPORT,
        schema_revision="0003",
        partition_days=6,
        hub_time=Timestamp(5 * SECOND),
        database_time=Timestamp(7 * SECOND),
        violations=[InvariantViolation("sequences_dense", 2, ("lane 1",))],
    )
    found = health_to_proto(health, version="1.2")
    assert (found.version, found.schema_revision, found.needed_revision) == ("1.2", "0003", "0002")
    assert (found.hub_time.seconds, found.database_time.seconds) == (5, 7)
    assert found.partition_days_ahead == 6
    (broken,) = found.invariants
    assert (broken.name, broken.violation_count) == ("sequences_dense", 2)
