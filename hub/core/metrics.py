"""Every metric of every process: its name, kind, unit, labels, meaning, and what to read about it.

One closed table. Processes expose what stands here and nothing else; the reference page, the alert
rules and the dashboards are held against it by tests. Labels are bounded: peers, lanes, reasons,
methods; never sequences or hashes. What says how things stand (backlog, age, expiry) is read from
the registry, and never counted from events, so it is right after a restart too.

Names: base units, ``_total`` for counters. Source: Prometheus, "Metric and label naming".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How a metric moves."""

    COUNTER = "counter"
    """It only rises, until its process starts again or, read from the registry, never falls."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Program(StrEnum):
    """Who exposes a metric."""

    HUB = "hub"
    RELAYER = "relayer"


BOTH: Final = (Program.HUB, Program.RELAYER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of the table."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...] = ()
    meaning: str
    programs: tuple[Program, ...]
    runbook: str = ""
    """The page under deploy/runbooks for when it looks wrong, without its suffix; empty if none."""
    bounds_ms: tuple[int, ...] = ()
    """Upper bounds of the buckets of a histogram, whose unit is the second."""
    is_census: bool = False
    """Whether it is read from the registry, every few seconds."""
    is_library: bool = False
    """Whether the client library itself collects it, of the process."""

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which its samples are scraped."""
        if self.kind is Kind.HISTOGRAM:
            return tuple([f"{self.name}_{part}" for part in ("bucket", "sum", "count")])
        return (self.name,)


def _process(name: str, kind: Kind, unit: str, meaning: str) -> Metric:
    return Metric(name=name, kind=kind, unit=unit, meaning=meaning, programs=BOTH, is_library=True)


def _vital(name: str, unit: str, meaning: str, runbook: str, *labels: str) -> Metric:
    return Metric(
        name=name,
        kind=Kind.GAUGE,
        unit=unit,
        labels=labels,
        meaning=meaning,
        programs=BOTH,
        runbook=runbook,
    )


def _census(
    name: str, unit: str, meaning: str, runbook: str, *labels: str, kind: Kind = Kind.GAUGE
) -> Metric:
    return Metric(
        name=name,
        kind=kind,
        unit=unit,
        labels=labels,
        meaning=meaning,
        programs=(Program.HUB,),
        runbook=runbook,
        is_census=True,
    )


def _counted(name: str, unit: str, meaning: str, runbook: str, *labels: str) -> Metric:
    return Metric(
        name=name,
        kind=Kind.COUNTER,
        unit=unit,
        labels=labels,
        meaning=meaning,
        programs=(Program.RELAYER,),
        runbook=runbook,
    )


def _session(name: str, unit: str, meaning: str, runbook: str, *labels: str) -> Metric:
    return Metric(
        name=name,
        kind=Kind.GAUGE,
        unit=unit,
        labels=labels,
        meaning=meaning,
        programs=(Program.RELAYER,),
        runbook=runbook,
    )


_PROCESS: Final = (
    _process("process_cpu_seconds_total", Kind.COUNTER, "s", "CPU time of the process."),
    _process("process_resident_memory_bytes", Kind.GAUGE, "bytes", "Memory that it holds."),
    _process("process_virtual_memory_bytes", Kind.GAUGE, "bytes", "Address space that it has."),
    _process("process_open_fds", Kind.GAUGE, "files", "Files and sockets that are open."),
    _process("process_max_fds", Kind.GAUGE, "files", "Files and sockets that may be open."),
    _process("process_start_time_seconds", Kind.GAUGE, "unix s", "When the process started."),
)

_VITALS: Final = (
    _vital("ydhub_build_info", "1", "Always 1; its label is the program's version.", "", "version"),
    _vital(
        "ydhub_event_loop_lag_seconds",
        "s",
        "How late a timer ran that was due: the worst of the last five.",
        "event-loop-lag",
    ),
    _vital("ydhub_database_up", "0 or 1", "Whether the database answered.", "registry-unreachable"),
    _vital(
        "ydhub_database_latency_seconds",
        "s",
        "Round trip of the last question that asks for nothing.",
        "database-slow",
    ),
    _vital(
        "ydhub_database_connections",
        "connections",
        "Connections of the pool that work on something.",
        "database-slow",
    ),
    _vital("ydhub_database_connections_limit", "connections", "The pool's size.", "database-slow"),
    _vital(
        "ydhub_clock_skew_seconds",
        "s",
        "The database's clock less the process's own.",
        "clock-skew",
    ),
    _vital(
        "ydhub_certificate_expires_timestamp_seconds",
        "unix s",
        "When the process's own certificate ends.",
        "certificate-expiring",
    ),
)

_CALLS: Final = (
    Metric(
        name="ydhub_calls_total",
        kind=Kind.COUNTER,
        unit="calls",
        labels=("method", "reason"),
        meaning="Calls of the control plane that ended, by method and reason; OK is none, "
        "CANCELLED that the caller left or its deadline passed.",
        programs=(Program.HUB,),
        runbook="api-errors",
    ),
    Metric(
        name="ydhub_call_seconds",
        kind=Kind.HISTOGRAM,
        unit="s",
        labels=("method",),
        meaning="How long calls of the control plane took; a watch lasts as long as it is watched.",
        programs=(Program.HUB,),
        runbook="api-errors",
        bounds_ms=(5, 25, 100, 500, 2_500, 10_000),
    ),
)

_INVARIANTS: Final = (
    Metric(
        name="ydhub_invariant_broken_rows",
        kind=Kind.GAUGE,
        unit="rows",
        labels=("invariant",),
        meaning="Rows that break it, the most that one round has found since the process began.",
        programs=(Program.HUB,),
        runbook="invariant-broken",
    ),
    Metric(
        name="ydhub_invariants_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="unix s",
        meaning="When every invariant was last asked to the end; 0 before, or where none is asked.",
        programs=(Program.HUB,),
        runbook="invariant-broken",
    ),
)

_CENSUS: Final = (
    _census(
        "ydhub_census_timestamp_seconds",
        "unix s",
        "When the registry was last read for the rows that are of it, by the hub's clock.",
        "registry-unreachable",
    ),
    _census("ydhub_peer_attached", "0 or 1", "Whether it has a session.", "adapter-away", "peer"),
    _census(
        "ydhub_lease_epoch",
        "epochs",
        "Epoch of the peer's living lease; it rises whenever a lease is taken.",
        "lease-flapping",
        "peer",
        "relayer",
    ),
    _census(
        "ydhub_header_height",
        "blocks",
        "Number of the newest verified header.",
        "header-lag",
        "peer",
    ),
    _census(
        "ydhub_header_timestamp_seconds",
        "unix s",
        "Time in the newest verified header; what lies between it and now is the lag.",
        "header-lag",
        "peer",
    ),
    _census(
        "ydhub_client_expires_timestamp_seconds",
        "unix s",
        "When the hub's client of the chain expires unless a header comes; 0 before any.",
        "client-expired",
        "peer",
    ),
    _census(
        "ydhub_client_frozen",
        "0 or 1",
        "Whether the hub's client of the chain is frozen.",
        "client-frozen",
        "peer",
    ),
    _census(
        "ydhub_evidence",
        "records",
        "Misbehaviour of the chain that is kept as evidence.",
        "client-frozen",
        "peer",
    ),
    _census(
        "ydhub_lane_open", "0 or 1", "Whether the lane accepts packets.", "lane-stopped", "lane"
    ),
    _census(
        "ydhub_lane_accepted_packets_total",
        "packets",
        "Packets that were ever accepted on the lane.",
        "",
        "lane",
        kind=Kind.COUNTER,
    ),
    _census(
        "ydhub_lane_ended_packets_total",
        "packets",
        "Packets of the lane whose outcome is executed at their source.",
        "",
        "lane",
        kind=Kind.COUNTER,
    ),
    _census(
        "ydhub_lane_backlog_packets",
        "packets",
        "Packets accepted that have no outcome yet.",
        "backlog-growing",
        "lane",
    ),
    _census(
        "ydhub_lane_owed_outcomes",
        "packets",
        "Outcomes recorded that the source has not executed yet.",
        "backlog-growing",
        "lane",
    ),
    _census(
        "ydhub_lane_oldest_timestamp_seconds",
        "unix s",
        "When the first packet without an outcome was accepted; no sample where all have one.",
        "packet-stuck",
        "lane",
    ),
    _census(
        "ydhub_lane_exceptions",
        "packets",
        "Packets that do not move by themselves, by kind: HOLE, RETRY, PARKED, DENIED; what a "
        "paused lane holds is not among them.",
        "packet-stuck",
        "lane",
        "kind",
    ),
    _census(
        "ydhub_partitions_ahead_days",
        "days",
        "Days after today that have their partitions.",
        "partitions-missing",
    ),
)

_RELAYER: Final = (
    _counted(
        "ydhub_frames_total",
        "frames",
        "Frames of adapters that were answered, by peer and kind.",
        "",
        "peer",
        "kind",
    ),
    _counted(
        "ydhub_refusals_total",
        "items",
        "Items or frames refused, by peer and reason.",
        "refusals",
        "peer",
        "reason",
    ),
    _counted(
        "ydhub_proof_failures_total",
        "items",
        "Refusals whose evidence did not prove the claim, by peer and reason.",
        "proof-failures",
        "peer",
        "reason",
    ),
    _counted(
        "ydhub_verification_cpu_seconds_total",
        "s",
        "CPU time that the proofs of a peer took.",
        "proof-failures",
        "peer",
    ),
    _counted(
        "ydhub_packets_accepted_total",
        "packets",
        "Packets accepted here, by lane; denied ones among them.",
        "",
        "lane",
    ),
    _counted(
        "ydhub_packets_denied_total",
        "packets",
        "Packets accepted here that policy forbids, by lane.",
        "refusals",
        "lane",
    ),
    _counted("ydhub_outcomes_total", "packets", "Outcomes recorded here, by lane.", "", "lane"),
    _counted(
        "ydhub_attempts_total",
        "attempts",
        "Executions asked of adapters that ended, by lane, way and reason; OK is none, "
        "GIVEN_UP that its session or lane ended first. "
        "The way is delivery, or settlement for what goes back to the source.",
        "deliveries-failing",
        "lane",
        "way",
        "reason",
    ),
    _counted(
        "ydhub_executed_items_total",
        "items",
        "Items that adapters reported executed, by lane and way.",
        "",
        "lane",
        "way",
    ),
    Metric(
        name="ydhub_attempt_seconds",
        kind=Kind.HISTOGRAM,
        unit="s",
        labels=("way",),
        meaning="From an attempt's turn to the adapter's report.",
        programs=(Program.RELAYER,),
        runbook="deliveries-failing",
        bounds_ms=(10, 50, 200, 1_000, 5_000, 25_000),
    ),
    _counted(
        "ydhub_audits_total",
        "packets",
        "Reported executions that were looked at on the chain, by peer and result: ABSENT where "
        "the commitment is gone, PRESENT where the packet is open again, UNPROVEN where the "
        "adapter showed neither, LOST where there was no room to wait or the records are dropped.",
        "reports-disproven",
        "peer",
        "result",
    ),
    _session(
        "ydhub_audits_waiting",
        "packets",
        "Reported executions that the peer's adapter has yet to show.",
        "reports-disproven",
        "peer",
    ),
    _counted(
        "ydhub_leases_lost_total",
        "leases",
        "Leases that this process lost or could not get, by peer.",
        "lease-flapping",
        "peer",
    ),
    _session("ydhub_sessions", "sessions", "Adapter sessions attached now.", "adapter-away"),
    _session(
        "ydhub_backlog_packets",
        "packets",
        "Packets that this process has yet to hand to their destination, by lane.",
        "backlog-growing",
        "lane",
    ),
    _session(
        "ydhub_session_queue_frames",
        "frames",
        "Frames that wait for their verdict.",
        "flood",
        "peer",
    ),
    _session(
        "ydhub_session_unanswered_items",
        "items",
        "Items whose verdict has not left; the adapter's credits less these are free.",
        "flood",
        "peer",
    ),
    _session(
        "ydhub_session_item_credits",
        "items",
        "Items that the adapter may have unanswered.",
        "flood",
        "peer",
    ),
    _session(
        "ydhub_session_executions",
        "executions",
        "Executions that the adapter works on.",
        "deliveries-failing",
        "peer",
    ),
    _session(
        "ydhub_session_execution_credits",
        "executions",
        "Executions that the adapter takes at once.",
        "deliveries-failing",
        "peer",
    ),
)

TABLE: Final = (*_PROCESS, *_VITALS, *_CALLS, *_INVARIANTS, *_CENSUS, *_RELAYER)
"""Every metric."""

BY_NAME: Final = {metric.name: metric for metric in TABLE}


def exposed_by(program: Program) -> tuple[Metric, ...]:
    """The metrics of *program*, in the order of the table."""
    return tuple([metric for metric in TABLE if program in metric.programs])
