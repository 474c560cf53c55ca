"""Metrics of a relayer: every name, its unit and its meaning, in one table.

Labels are bounded: peers, lanes and reasons; never sequences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

from hub.core.time import SECOND

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

    from hub.core.lane import LaneKey

TABLE = {
    "ydhub_frames_total": "Frames of adapters that were answered, by peer and kind.",
    "ydhub_refusals_total": "Items or frames refused, by peer and reason.",
    "ydhub_packets_accepted_total": "Packets accepted, by lane; denied ones among them.",
    "ydhub_packets_denied_total": "Packets accepted that policy forbids, by lane.",
    "ydhub_outcomes_total": "Outcomes recorded, by lane.",
    "ydhub_sessions": "Adapter sessions attached now.",
    "ydhub_backlog_packets": "Packets accepted and not handed to the destination, by lane.",
    "ydhub_client_expires_timestamp_seconds": (
        "Unix time at which a hub client expires unless a header comes, by peer; 0 before any."
    ),
}
"""Name to meaning."""


class Telemetry:
    """The metrics of one process."""

    def __init__(self) -> None:
        """All at zero, in a collection of their own."""
        self.collection = CollectorRegistry()
        self._frames = self._counter("ydhub_frames_total", "peer", "kind")
        self._refusals = self._counter("ydhub_refusals_total", "peer", "reason")
        self._accepted = self._counter("ydhub_packets_accepted_total", "lane")
        self._denied = self._counter("ydhub_packets_denied_total", "lane")
        self._outcomes = self._counter("ydhub_outcomes_total", "lane")
        self.sessions = self._gauge("ydhub_sessions")
        self._backlog = self._gauge("ydhub_backlog_packets", "lane")
        self._expires = self._gauge("ydhub_client_expires_timestamp_seconds", "peer")

    def frame(self, peer: str, kind: str, verdict: pb.Verdict) -> None:
        """A frame of *kind* was answered by *verdict*."""
        self._frames.labels(peer, kind).inc()
        for refused in verdict.refused:
            self._refusals.labels(peer, refused.reason).inc()

    def accepted(self, lane: LaneKey, count: int, denied: int) -> None:
        """*count* packets were accepted, *denied* of them against policy."""
        self._accepted.labels(str(lane)).inc(count)
        if denied:
            self._denied.labels(str(lane)).inc(denied)

    def outcomes(self, lane: LaneKey, count: int) -> None:
        """*count* outcomes were recorded."""
        self._outcomes.labels(str(lane)).inc(count)

    def lane(self, lane: LaneKey, backlog: int) -> None:
        """*backlog* packets of the lane wait to be handed to its destination."""
        self._backlog.labels(str(lane)).set(backlog)

    def client(self, peer: str, expires_at: int) -> None:
        """The hub's client of *peer* expires at that time (ns)."""
        self._expires.labels(peer).set(expires_at // SECOND)

    def _counter(self, name: str, *labels: str) -> Counter:
        return Counter(name, TABLE[name], labels, registry=self.collection)

    def _gauge(self, name: str, *labels: str) -> Gauge:
        return Gauge(name, TABLE[name], labels, registry=self.collection)
