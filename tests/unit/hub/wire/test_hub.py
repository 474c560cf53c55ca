from __future__ import annotations

from hub.core.ids import PeerId
from hub.core.invariants import InvariantViolation
from hub.core.report import HubReport, RelayerReport
from hub.core.time import SECOND, Timestamp
from hub.wire.hub import report_to_proto


def test_a_report_is_told_whole() -> None:
    report = HubReport(
        schema_revision="0001",
        invariants=(InvariantViolation("a", 0), InvariantViolation("b", 2)),
        relayers=(
            RelayerReport(
                name="east-1",
                peers=(PeerId("hangzhou"),),
                lease_expires_at=Timestamp(1_800_000_000 * SECOND),
            ),
        ),
        peer_count=1,
        open_lane_count=2,
        accepted_count=3,
        ended_count=4,
        exception_count=5,
        disproven=((PeerId("suzhou"), 6),),
    )
    message = report_to_proto(report, version="1.2.3", caller="spiffe://x/admins/li")
    assert (message.version, message.caller) == ("1.2.3", "spiffe://x/admins/li")
    assert [(i.name, i.violation_count) for i in message.invariants] == [("a", 0), ("b", 2)]
    assert list(message.relayers[0].peers) == ["peers/hangzhou"]
    counts = (
        message.peer_count,
        message.open_lane_count,
        message.accepted_count,
        message.ended_count,
        message.exception_count,
    )
    assert counts == (1, 2, 3, 4, 5)
    [liar] = message.disproven_reports
    assert (liar.peer, liar.reopened_count) == ("peers/suzhou", 6)
