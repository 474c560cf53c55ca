"""The metrics of one process, as Prometheus reads them.

What is exposed is what the table says of the program (hub/core/metrics.py), no more and no less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from hub.core.errors import FieldInvalid
from hub.core.metrics import Kind, Program, exposed_by
from hub.core.time import MILLISECOND, SECOND
from hub.wire import scrapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import Metric as Family

    from hub.core.census import Census, Vitals
    from hub.core.metrics import Metric

HOST: Final = "127.0.0.1"
"""Metrics name peers and lanes, so they leave the machine only through the operator's own agent."""
_MILLISECONDS: Final = SECOND // MILLISECOND

Sample = tuple[tuple[str, ...], int | float]
"""(labels, value)."""


class Exposition:
    """The metrics of one process."""

    def __init__(self, program: Program, version: str) -> None:
        """All at zero, in a collection of their own; *version* is the program's."""
        self.collection = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._census: Census | None = None
        ProcessCollector(registry=self.collection)
        for metric in exposed_by(program):
            self._make(metric)
        if any(metric.is_census for metric in exposed_by(program)):
            self.collection.register(_CensusCollector(lambda: self._census))
        self.gauge("ydhub_build_info").labels(version).set(1)

    def counter(self, name: str) -> Counter:
        """The counter of that name."""
        return self._counters[name]

    def gauge(self, name: str) -> Gauge:
        """The gauge of that name."""
        return self._gauges[name]

    def histogram(self, name: str) -> Histogram:
        """The histogram of that name."""
        return self._histograms[name]

    def census(self, census: Census) -> None:
        """Everything stands as *census* says."""
        self._census = census

    def vitals(self, vitals: Vitals) -> None:
        """The process is as *vitals* say; a database that did not answer leaves its last values."""
        self.gauge("ydhub_event_loop_lag_seconds").set(vitals.loop_lag / SECOND)
        latency = vitals.database_latency
        self.gauge("ydhub_database_up").set(latency is not None)
        if latency is not None:
            self.gauge("ydhub_database_latency_seconds").set(latency / SECOND)
            self.gauge("ydhub_clock_skew_seconds").set(vitals.clock_skew / SECOND)

    def connections(self, used: Callable[[], int], limit: int) -> None:
        """The database's pool has *limit* connections; *used* says how many work, when asked."""
        self.gauge("ydhub_database_connections").set_function(used)
        self.gauge("ydhub_database_connections_limit").set(limit)

    def certificate(self, file: Path) -> None:
        """The process shows the certificate in *file*; one that cannot be read ends at once."""
        gauge = self.gauge("ydhub_certificate_expires_timestamp_seconds")
        try:
            found = x509.load_pem_x509_certificate(file.read_bytes())
        except (OSError, ValueError):
            gauge.set(0)
        else:
            gauge.set(found.not_valid_after_utc.timestamp())

    def serve(self, port: int) -> WSGIServer:
        """The server, on the loopback's *port*, that Prometheus reads. Raises ``FieldInvalid``."""
        try:
            return scrapes.serve(self.collection, HOST, port)
        except OSError as error:
            raise FieldInvalid(field="metrics_port", problem=f"{port} cannot be bound") from error

    def _make(self, metric: Metric) -> None:
        if metric.is_census or metric.is_library:
            return
        name, meaning, labels, where = metric.name, metric.meaning, metric.labels, self.collection
        match metric.kind:
            case Kind.COUNTER:
                self._counters[name] = Counter(name, meaning, labels, registry=where)
            case Kind.GAUGE:
                self._gauges[name] = Gauge(name, meaning, labels, registry=where)
            case Kind.HISTOGRAM:
                buckets = [bound / _MILLISECONDS for bound in metric.bounds_ms]
                self._histograms[name] = Histogram(
                    name, meaning, labels, registry=where, buckets=buckets
                )


class _CensusCollector(Collector):
    """The rows that are read from the registry; a peer or lane that is gone has no sample."""

    def __init__(self, newest: Callable[[], Census | None]) -> None:
        self._newest = newest

    def collect(self) -> Iterator[Family]:
        """The families, without samples before the first census."""
        census = self._newest()
        samples = _samples(census) if census is not None else {}
        for metric in exposed_by(Program.HUB):
            if not metric.is_census:
                continue
            made = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            family = made(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in samples.get(metric.name, ()):
                family.add_metric(labels, value)
            yield family


def _samples(census: Census) -> dict[str, list[Sample]]:
    """By metric."""
    return {
        "ydhub_census_timestamp_seconds": [((), census.at / SECOND)],
        "ydhub_partitions_ahead_days": [((), census.partition_days)],
        **_peer_samples(census),
        **_lane_samples(census),
    }


def _peer_samples(census: Census) -> dict[str, list[Sample]]:
    peers = [((str(peer.peer),), peer) for peer in census.peers]
    seen = [(labels, peer) for labels, peer in peers if peer.header_height]
    return {
        "ydhub_peer_attached": [(labels, int(peer.is_attached)) for labels, peer in peers],
        "ydhub_lease_epoch": [
            ((*labels, peer.relayer), peer.epoch) for labels, peer in peers if peer.epoch
        ],
        "ydhub_header_height": [(labels, peer.header_height) for labels, peer in peers],
        "ydhub_header_timestamp_seconds": [
            (labels, peer.header_time / SECOND) for labels, peer in seen
        ],
        "ydhub_client_expires_timestamp_seconds": [
            (labels, peer.expires_at // SECOND) for labels, peer in peers
        ],
        "ydhub_client_frozen": [(labels, int(peer.is_frozen)) for labels, peer in peers],
        "ydhub_evidence": [(labels, peer.evidence_count) for labels, peer in peers],
    }


def _lane_samples(census: Census) -> dict[str, list[Sample]]:
    lanes = [((str(lane.key),), lane) for lane in census.lanes]
    return {
        "ydhub_lane_open": [(labels, int(lane.is_open)) for labels, lane in lanes],
        "ydhub_lane_accepted_packets_total": [
            (labels, lane.accepted_count) for labels, lane in lanes
        ],
        "ydhub_lane_ended_packets_total": [(labels, lane.ended_count) for labels, lane in lanes],
        "ydhub_lane_backlog_packets": [(labels, lane.open_count) for labels, lane in lanes],
        "ydhub_lane_owed_outcomes": [(labels, lane.owed_count) for labels, lane in lanes],
        "ydhub_lane_oldest_timestamp_seconds": [
            (labels, lane.oldest_at / SECOND) for labels, lane in lanes if lane.oldest_at
        ],
        "ydhub_lane_exceptions": [
            ((*labels, str(kind)), count)
            for labels, lane in lanes
            for kind, count in sorted(lane.exceptions.items())
        ],
    }
