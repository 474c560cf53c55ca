from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.time import SECOND, Duration
from relayer.session import ITEM_CREDITS, Session
from relayer.telemetry import DELIVERY, PROOF_FAILURES, SETTLEMENT, Telemetry
from tests.harness.census import VITALS
from tests.harness.city import OUT
from tests.harness.clock import ManualClock
from tests.harness.registry import HANGZHOU

if TYPE_CHECKING:
    from pathlib import Path

    from hub.core.ids import PeerId

MINE = {"peer": "hangzhou"}
LANE = {"lane": str(OUT)}


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.collection.get_sample_value(name, labels)


def session_of(peer: PeerId, executions: int = 4) -> Session:
    hello = pb.Hello(execution_credits=executions)
    return Session(peer, pb.AdapterFrame(frame_id=1, hello=hello), ManualClock())


def test_frames_are_counted_by_peer_and_kind_and_refusals_by_reason() -> None:
    telemetry = Telemetry()
    refused = [pb.Refusal(sequence=1, reason="LANE_PAUSED"), pb.Refusal(reason="LANE_PAUSED")]
    telemetry.frame("hangzhou", "packets", pb.Verdict(refused=refused))
    telemetry.frame("hangzhou", "packets", pb.Verdict())
    assert value(telemetry, "ydhub_frames_total", kind="packets", **MINE) == 2
    assert value(telemetry, "ydhub_refusals_total", reason="LANE_PAUSED", **MINE) == 2
    assert value(telemetry, "ydhub_proof_failures_total", reason="LANE_PAUSED", **MINE) is None


def test_refusals_of_what_proves_nothing_are_counted_apart() -> None:
    telemetry = Telemetry()
    refused = [pb.Refusal(reason="ROOT_MISMATCH")]
    telemetry.frame("hangzhou", "packets", pb.Verdict(refused=refused))
    for name in ("ydhub_refusals_total", "ydhub_proof_failures_total"):
        assert value(telemetry, name, reason="ROOT_MISMATCH", **MINE) == 1


def test_proof_failures_are_the_reasons_of_verification() -> None:
    assert {"ROOT_MISMATCH", "QUORUM_NOT_REACHED", "SIGNATURE_INVALID"} <= PROOF_FAILURES
    assert not PROOF_FAILURES & {"LANE_PAUSED", "LEASE_LOST", "FRAME_INVALID", "INTERNAL"}


def test_packets_and_outcomes_are_counted_by_lane() -> None:
    telemetry = Telemetry()
    telemetry.accepted(OUT, 5, 0)
    assert value(telemetry, "ydhub_packets_denied_total", **LANE) is None
    telemetry.accepted(OUT, 3, 2)
    telemetry.outcomes(OUT, 4)
    telemetry.lane(OUT, 6)
    assert value(telemetry, "ydhub_packets_accepted_total", **LANE) == 8
    assert value(telemetry, "ydhub_packets_denied_total", **LANE) == 2
    assert value(telemetry, "ydhub_outcomes_total", **LANE) == 4
    assert value(telemetry, "ydhub_backlog_packets", **LANE) == 6


def test_attempts_are_counted_by_way_and_reason_with_their_items_and_time() -> None:
    telemetry, lane = Telemetry(), str(OUT)
    telemetry.attempt(lane, DELIVERY, "OK", 200, Duration(2 * SECOND))
    telemetry.attempt(lane, DELIVERY, "ANSWER_OVERDUE", 0, Duration(25 * SECOND))
    telemetry.attempt(lane, SETTLEMENT, "OK", 3, Duration(SECOND))
    name = "ydhub_attempts_total"
    assert value(telemetry, name, way=DELIVERY, reason="OK", **LANE) == 1
    assert value(telemetry, name, way=DELIVERY, reason="ANSWER_OVERDUE", **LANE) == 1
    assert value(telemetry, "ydhub_executed_items_total", way=DELIVERY, **LANE) == 200
    assert value(telemetry, "ydhub_executed_items_total", way=SETTLEMENT, **LANE) == 3
    assert value(telemetry, "ydhub_attempt_seconds_sum", way=DELIVERY) == 27
    assert value(telemetry, "ydhub_attempt_seconds_bucket", way=DELIVERY, le="5.0") == 1


def test_lost_leases_are_counted_by_peer() -> None:
    telemetry = Telemetry()
    telemetry.lease_lost("hangzhou")
    assert value(telemetry, "ydhub_leases_lost_total", **MINE) == 1


def test_cpu_time_counts_for_the_peer_and_for_nobody_else() -> None:
    telemetry = Telemetry()
    telemetry.verified("hangzhou", 2 * SECOND)
    telemetry.verified("", SECOND)
    telemetry.verified("hangzhou", SECOND // 2)
    assert value(telemetry, "ydhub_verification_cpu_seconds_total", **MINE) == 2.5
    assert value(telemetry, "ydhub_verification_cpu_seconds_total", peer="") is None


def test_sessions_show_their_load_while_they_are_attached(tmp_path: Path) -> None:
    telemetry, session = Telemetry(), session_of(HANGZHOU)
    session.receive(pb.AdapterFrame(frame_id=2, headers=pb.HeaderBatch()))
    telemetry.look([session], tmp_path / "none", VITALS)
    assert value(telemetry, "ydhub_session_queue_frames", **MINE) == 1
    assert value(telemetry, "ydhub_session_item_credits", **MINE) == ITEM_CREDITS
    assert value(telemetry, "ydhub_session_unanswered_items", **MINE) is not None
    assert value(telemetry, "ydhub_session_executions", **MINE) == 0
    assert value(telemetry, "ydhub_session_execution_credits", **MINE) == 4
    assert value(telemetry, "ydhub_database_up") == 1
    telemetry.look([], tmp_path / "none", VITALS)
    assert value(telemetry, "ydhub_session_queue_frames", **MINE) is None


def test_audits_are_counted_by_peer_and_result() -> None:
    telemetry = Telemetry()
    telemetry.audited("hangzhou", "PRESENT", 2)
    telemetry.audited("hangzhou", "LOST", 0)
    telemetry.audits_waiting("hangzhou", 7)
    assert value(telemetry, "ydhub_audits_total", result="PRESENT", **MINE) == 2
    assert value(telemetry, "ydhub_audits_total", result="LOST", **MINE) is None
    assert value(telemetry, "ydhub_audits_waiting", **MINE) == 7
