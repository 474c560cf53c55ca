"""What a relayer tells of itself, for Prometheus; hub/core/metrics.py says what it means.

Labels are bounded: peers, lanes and reasons; never sequences.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

from hub.core import errors
from hub.core.errors import VerificationFailed
from hub.core.metrics import Program
from hub.core.time import SECOND
from hub.wire.exposition import Exposition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb

    from hub.core.census import Vitals
    from hub.core.lane import LaneKey
    from hub.core.time import Duration
    from relayer.session import Session

DELIVERY: Final = "delivery"
SETTLEMENT: Final = "settlement"

PROOF_FAILURES: Final = frozenset(
    str(kind.reason)
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, VerificationFailed) and "reason" in vars(kind)
)
"""Reasons that say that evidence did not prove its claim."""


class Telemetry:
    """The metrics of one process."""

    def __init__(self, version: str = "") -> None:
        """All at zero; *version* is the program's."""
        self.exposition = found = Exposition(Program.RELAYER, version)
        self.collection = found.collection
        self.sessions = found.gauge("ydhub_sessions")
        self._frames = found.counter("ydhub_frames_total")
        self._refusals = found.counter("ydhub_refusals_total")
        self._proof_failures = found.counter("ydhub_proof_failures_total")
        self._cpu = found.counter("ydhub_verification_cpu_seconds_total")
        self._accepted = found.counter("ydhub_packets_accepted_total")
        self._denied = found.counter("ydhub_packets_denied_total")
        self._outcomes = found.counter("ydhub_outcomes_total")
        self._attempts = found.counter("ydhub_attempts_total")
        self._executed = found.counter("ydhub_executed_items_total")
        self._attempt_seconds = found.histogram("ydhub_attempt_seconds")
        self._audits = found.counter("ydhub_audits_total")
        self._audits_waiting = found.gauge("ydhub_audits_waiting")
        self._leases_lost = found.counter("ydhub_leases_lost_total")
        self._backlog = found.gauge("ydhub_backlog_packets")
        self._session_gauges = {
            name: found.gauge(f"ydhub_session_{name}")
            for name in (
                "queue_frames",
                "unanswered_items",
                "item_credits",
                "executions",
                "execution_credits",
            )
        }
        self._shown: set[str] = set()

    def frame(self, peer: str, kind: str, verdict: pb.Verdict) -> None:
        """A frame of *kind* was answered by *verdict*."""
        self._frames.labels(peer, kind).inc()
        for refused in verdict.refused:
            self._refusals.labels(peer, refused.reason).inc()
            if refused.reason in PROOF_FAILURES:
                self._proof_failures.labels(peer, refused.reason).inc()

    def accepted(self, lane: LaneKey, count: int, denied: int) -> None:
        """*count* packets were accepted, *denied* of them against policy."""
        self._accepted.labels(str(lane)).inc(count)
        if denied:
            self._denied.labels(str(lane)).inc(denied)

    def outcomes(self, lane: LaneKey, count: int) -> None:
        """*count* outcomes were recorded."""
        self._outcomes.labels(str(lane)).inc(count)

    def attempt(self, lane: str, way: str, reason: str, executed: int, took: Duration) -> None:
        """An attempt of the *lane* on its *way* ended after *took* (ns): *executed* items are done.

        Its *reason* is OK, or why nobody knows what became of it.
        """
        self._attempts.labels(lane, way, reason).inc()
        self._attempt_seconds.labels(way).observe(took / SECOND)
        if executed:
            self._executed.labels(lane, way).inc(executed)

    def lane(self, lane: LaneKey, backlog: int) -> None:
        """*backlog* packets of the lane wait to be handed to its destination."""
        self._backlog.labels(str(lane)).set(backlog)

    def audited(self, peer: str, result: str, count: int) -> None:
        """*count* executions that *peer* reported were looked at, with that *result*."""
        if count:
            self._audits.labels(peer, result).inc(count)

    def audits_waiting(self, peer: str, count: int) -> None:
        """*count* executions that *peer* reported are still to be shown."""
        self._audits_waiting.labels(peer).set(count)

    def lease_lost(self, peer: str) -> None:
        """The lease of *peer* was lost, or could not be got."""
        self._leases_lost.labels(peer).inc()

    def verified(self, peer: str, took: int) -> None:
        """Something that *peer* has shown took *took* (ns) of CPU time, true or not."""
        if peer:
            self._cpu.labels(peer).inc(took / SECOND)

    def look(self, sessions: Iterable[Session], cert_file: Path, vitals: Vitals) -> None:
        """The process is as *vitals* say, and these are the *sessions* that are attached."""
        self.exposition.vitals(vitals)
        self.exposition.certificate(cert_file)
        present: set[str] = set()
        for session in sessions:
            present.add(session.peer)
            for name, value in session.load.items():
                self._session_gauges[name].labels(session.peer).set(value)
        for gone in self._shown - present:
            for gauge in self._session_gauges.values():
                gauge.remove(gone)
        self._shown = present
