from __future__ import annotations

from prometheus_client import generate_latest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.lane import LaneKey
from hub.core.time import SECOND
from relayer.telemetry import TABLE, Telemetry

LANE = LaneKey.parse("hangzhou~07-tendermint-0~suzhou~07-tendermint-1")


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.collection.get_sample_value(name, labels)


def test_every_metric_of_the_table_is_exposed_with_its_meaning() -> None:
    page = generate_latest(Telemetry().collection).decode()
    for name, meaning in TABLE.items():
        assert f"# HELP {name} {meaning}" in page


def test_frames_and_refusals_are_counted_by_peer() -> None:
    telemetry = Telemetry()
    refused = [pb.Refusal(sequence=1, reason="ROOT_MISMATCH"), pb.Refusal(reason="ROOT_MISMATCH")]
    telemetry.frame("hangzhou", "packets", pb.Verdict(refused=refused))
    assert value(telemetry, "ydhub_frames_total", peer="hangzhou", kind="packets") == 1
    found = value(telemetry, "ydhub_refusals_total", peer="hangzhou", reason="ROOT_MISMATCH")
    assert found == 2


def test_packets_are_counted_by_lane() -> None:
    telemetry = Telemetry()
    telemetry.accepted(LANE, 5, 0)
    telemetry.accepted(LANE, 3, 2)
    telemetry.outcomes(LANE, 4)
    telemetry.lane(LANE, 9)
    assert value(telemetry, "ydhub_packets_accepted_total", lane=str(LANE)) == 8
    assert value(telemetry, "ydhub_packets_denied_total", lane=str(LANE)) == 2
    assert value(telemetry, "ydhub_outcomes_total", lane=str(LANE)) == 4
    assert value(telemetry, "ydhub_backlog_packets", lane=str(LANE)) == 9


def test_a_clients_end_is_told_in_seconds() -> None:
    telemetry = Telemetry()
    telemetry.client("suzhou", 1_790_000_000 * SECOND + 7)
    found = value(telemetry, "ydhub_client_expires_timestamp_seconds", peer="suzhou")
    assert found == 1_790_000_000
