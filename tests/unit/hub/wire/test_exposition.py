from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from hub.core.errors import FieldInvalid
from hub.core.metrics import Program, exposed_by
from hub.core.time import Timestamp
from hub.wire.exposition import Exposition
from tests.harness.census import CENSUS, KEY, LANE, NOW, PEER, VITALS
from tests.harness.certificates import Certificates

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {"lane": str(KEY)}
MINE = {"peer": "hangzhou"}


@pytest.fixture
def hub() -> Exposition:
    return Exposition(Program.HUB, "1.2.3")


@pytest.mark.parametrize("program", list(Program))
def test_every_metric_of_the_table_is_exposed_and_no_other(program: Program) -> None:
    names = {family.name for family in Exposition(program, "1").collection.collect()}
    assert names == {metric.name.removesuffix("_total") for metric in exposed_by(program)}


@pytest.mark.parametrize("program", list(Program))
def test_labels_and_meanings_are_the_tables(program: Program) -> None:
    found = Exposition(program, "1")
    found.census(CENSUS)
    meanings = {family.name: family.documentation for family in found.collection.collect()}
    for metric in exposed_by(program):
        if not metric.is_library:
            assert meanings[metric.name.removesuffix("_total")] == metric.meaning
    for family in found.collection.collect():
        for sample in family.samples:
            row = next(m for m in exposed_by(program) if sample.name.startswith(m.name))
            assert set(sample.labels) - {"le"} == set(row.labels), sample


def test_the_version_is_a_label(hub: Exposition) -> None:
    assert hub.collection.get_sample_value("ydhub_build_info", {"version": "1.2.3"}) == 1


def test_a_census_is_told_in_base_units(hub: Exposition) -> None:
    sample = hub.collection.get_sample_value
    assert sample("ydhub_lane_backlog_packets", LABELS) is None
    hub.census(CENSUS)
    now = NOW / 10**9
    assert sample("ydhub_census_timestamp_seconds") == now
    assert sample("ydhub_partitions_ahead_days") == 7
    assert sample("ydhub_peer_attached", MINE) == 1
    assert sample("ydhub_lease_epoch", {**MINE, "relayer": "east-1"}) == 3
    assert sample("ydhub_header_height", MINE) == 70
    assert sample("ydhub_header_timestamp_seconds", MINE) == now - 2
    assert sample("ydhub_client_expires_timestamp_seconds", MINE) == now + 600
    assert sample("ydhub_client_frozen", MINE) == 0
    assert sample("ydhub_lane_accepted_packets_total", LABELS) == 10
    assert sample("ydhub_lane_ended_packets_total", LABELS) == 6
    assert sample("ydhub_lane_backlog_packets", LABELS) == 3
    assert sample("ydhub_lane_owed_outcomes", LABELS) == 1
    assert sample("ydhub_lane_oldest_timestamp_seconds", LABELS) == now - 5
    assert sample("ydhub_lane_exceptions", {**LABELS, "kind": "PARKED"}) == 2


def test_what_is_gone_has_no_sample_any_more(hub: Exposition) -> None:
    sample = hub.collection.get_sample_value
    hub.census(CENSUS)
    nobody = replace(PEER, epoch=0, relayer="", header_height=0, header_time=Timestamp(0))
    hub.census(replace(CENSUS, peers=(nobody,), lanes=(replace(LANE, oldest_at=None),)))
    assert sample("ydhub_lease_epoch", {**MINE, "relayer": "east-1"}) is None
    assert sample("ydhub_header_timestamp_seconds", MINE) is None
    assert sample("ydhub_lane_oldest_timestamp_seconds", LABELS) is None
    hub.census(replace(CENSUS, peers=(), lanes=()))
    assert sample("ydhub_peer_attached", MINE) is None
    assert sample("ydhub_lane_backlog_packets", LABELS) is None


def test_a_database_that_does_not_answer_is_down_and_its_latency_stays(hub: Exposition) -> None:
    sample = hub.collection.get_sample_value
    hub.vitals(VITALS)
    assert sample("ydhub_event_loop_lag_seconds") == 0.02
    assert sample("ydhub_database_latency_seconds") == 0.003
    assert sample("ydhub_clock_skew_seconds") == -0.001
    assert sample("ydhub_database_up") == 1
    hub.vitals(replace(VITALS, database_latency=None, clock_skew=0))
    assert sample("ydhub_database_up") == 0
    assert sample("ydhub_database_latency_seconds") == 0.003
    assert sample("ydhub_clock_skew_seconds") == -0.001


def test_connections_are_counted_when_they_are_asked_for(hub: Exposition) -> None:
    used = [3]
    hub.connections(lambda: used[0], 10)
    sample = hub.collection.get_sample_value
    assert sample("ydhub_database_connections") == 3
    used[0] = 4
    assert sample("ydhub_database_connections") == 4
    assert sample("ydhub_database_connections_limit") == 10


def test_a_certificates_end_is_told_and_one_that_cannot_be_read_has_ended(
    hub: Exposition, tmp_path: Path
) -> None:
    sample = hub.collection.get_sample_value
    file, _, _ = Certificates.make(tmp_path).files("/hub")
    name = "ydhub_certificate_expires_timestamp_seconds"
    hub.certificate(file)
    assert (sample(name) or 0) > 1_700_000_000
    hub.certificate(tmp_path / "none")
    assert sample(name) == 0


def test_it_is_served_on_the_loopback_alone(hub: Exposition) -> None:
    server = hub.serve(0)
    try:
        host, port = server.server_address[:2]
        assert host == "127.0.0.1"
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b"ydhub_build_info" in answer.read()
        with pytest.raises(FieldInvalid):
            hub.serve(int(port))
    finally:
        server.shutdown()
        server.server_close()
