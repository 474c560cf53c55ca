from __future__ import annotations

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.time import SECOND
from relayer.telemetry import TABLE, Telemetry
from tests.harness.city import OUT


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.collection.get_sample_value(name, labels)


def test_every_metric_of_the_table_is_collected_and_no_other() -> None:
    names = {metric.name for metric in Telemetry().collection.collect()}
    assert names == {name.removesuffix("_total") for name in TABLE}


def test_frames_are_counted_by_peer_and_kind_and_refusals_by_reason() -> None:
    telemetry = Telemetry()
    refused = [pb.Refusal(sequence=1, reason="LANE_PAUSED"), pb.Refusal(reason="LANE_PAUSED")]
    telemetry.frame("hangzhou", "packets", pb.Verdict(refused=refused))
    telemetry.frame("hangzhou", "packets", pb.Verdict())
    labels = {"peer": "hangzhou"}
    assert value(telemetry, "ydhub_frames_total", kind="packets", **labels) == 2
    assert value(telemetry, "ydhub_refusals_total", reason="LANE_PAUSED", **labels) == 2


def test_packets_and_outcomes_are_counted_by_lane() -> None:
    telemetry, lane = Telemetry(), {"lane": str(OUT)}
    telemetry.accepted(OUT, 5, 0)
    assert value(telemetry, "ydhub_packets_denied_total", **lane) is None
    telemetry.accepted(OUT, 3, 2)
    telemetry.outcomes(OUT, 4)
    telemetry.lane(OUT, 6)
    assert value(telemetry, "ydhub_packets_accepted_total", **lane) == 8
    assert value(telemetry, "ydhub_packets_denied_total", **lane) == 2
    assert value(telemetry, "ydhub_outcomes_total", **lane) == 4
    assert value(telemetry, "ydhub_backlog_packets", **lane) == 6


def test_a_clients_end_is_told_as_a_time_so_that_it_stays_true_when_nobody_updates_it() -> None:
    telemetry = Telemetry()
    telemetry.client("hangzhou", 1_800_000_000 * SECOND + 5)
    name = "ydhub_client_expires_timestamp_seconds"
    assert value(telemetry, name, peer="hangzhou") == 1_800_000_000
