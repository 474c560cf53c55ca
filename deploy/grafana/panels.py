"""What each dashboard shows; dashboards.py writes it for Grafana, picture.py draws it.

Expressions use metrics of hub/core/metrics.py and their labels alone; tests/docs holds that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """Grafana's name of a unit."""

    NUMBER = "short"
    PER_SECOND = "cps"
    SECONDS = "s"
    BYTES = "bytes"
    SHARE = "percentunit"
    YES = "bool_yes_no"


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and the legend of each of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Some series over time."""

    title: str
    unit: Unit
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Panels that answer one question."""

    name: str
    title: str
    question: str
    panels: tuple[Panel, ...]


def _panel(title: str, unit: Unit, *queries: tuple[str, str]) -> Panel:
    return Panel(title, unit, tuple([Query(expr, legend) for expr, legend in queries]))


def _percentile(label: str, histogram: str) -> str:
    """What 99 of 100 were not over, by *label*."""
    rate = f"rate({histogram}_bucket[5m])"
    return f"histogram_quantile(0.99, sum by ({label}, le) ({rate}))"


def _since(moment: str) -> str:
    """How long ago *moment* was when the registry was read."""
    return f"ydhub_census_timestamp_seconds - on (instance) group_right () {moment}"


_ACCEPTED: Final = _panel(
    "Packets accepted a second",
    Unit.PER_SECOND,
    ("rate(ydhub_lane_accepted_packets_total[1m])", "{{lane}}"),
)
_ENDED: Final = _panel(
    "Packets ended a second",
    Unit.PER_SECOND,
    ("rate(ydhub_lane_ended_packets_total[1m])", "{{lane}}"),
)
_BACKLOG: Final = _panel("Backlog", Unit.NUMBER, ("ydhub_lane_backlog_packets", "{{lane}}"))
_AGE: Final = _panel(
    "Age of the oldest packet without outcome",
    Unit.SECONDS,
    (_since("ydhub_lane_oldest_timestamp_seconds"), "{{lane}}"),
)
_LAG: Final = _panel(
    "Header lag", Unit.SECONDS, (_since("ydhub_header_timestamp_seconds"), "{{peer}}")
)
_ATTACHED: Final = _panel("Adapters attached", Unit.YES, ("ydhub_peer_attached", "{{peer}}"))
_EXPIRY: Final = _panel(
    "Clients expire in",
    Unit.SECONDS,
    ("ydhub_client_expires_timestamp_seconds - time()", "{{peer}}"),
)
_FAILURES: Final = _panel(
    "Attempts that failed, a second",
    Unit.PER_SECOND,
    (
        'sum by (way, reason) (rate(ydhub_attempts_total{reason!~"OK|GIVEN_UP"}[5m]))',
        "{{way}} {{reason}}",
    ),
)
_CPU: Final = _panel(
    "CPU by process", Unit.SHARE, ("rate(process_cpu_seconds_total[1m])", "{{job}}")
)
_MEMORY: Final = _panel("Memory", Unit.BYTES, ("process_resident_memory_bytes", "{{job}}"))
_LATENCY: Final = _panel(
    "Database round trip", Unit.SECONDS, ("ydhub_database_latency_seconds", "{{job}}")
)
_LOOP: Final = _panel("Event loop lag", Unit.SECONDS, ("ydhub_event_loop_lag_seconds", "{{job}}"))
_PROOFS: Final = _panel(
    "Proof failures a second, by peer and reason",
    Unit.PER_SECOND,
    ("sum by (peer, reason) (rate(ydhub_proof_failures_total[5m]))", "{{peer}} {{reason}}"),
)
_VERIFICATION: Final = _panel(
    "Verification CPU by peer",
    Unit.SHARE,
    ("sum by (peer) (rate(ydhub_verification_cpu_seconds_total[1m]))", "{{peer}}"),
)
_EXCEPTIONS: Final = _panel(
    "Packets that do not move by themselves",
    Unit.NUMBER,
    ("ydhub_lane_exceptions", "{{lane}} {{kind}}"),
)

DASHBOARDS: Final = (
    Dashboard(
        "overview",
        "ydhub: overview",
        "Is traffic flowing, and is anything about to stop it?",
        (
            _ACCEPTED,
            _ENDED,
            _BACKLOG,
            _AGE,
            _LAG,
            _EXPIRY,
            _VERIFICATION,
            _FAILURES,
            _CPU,
            _LATENCY,
        ),
    ),
    Dashboard(
        "lanes",
        "ydhub: lanes",
        "Where do packets wait, and what for?",
        (
            _ACCEPTED,
            _ENDED,
            _BACKLOG,
            _AGE,
            _panel("Outcomes owed", Unit.NUMBER, ("ydhub_lane_owed_outcomes", "{{lane}}")),
            _EXCEPTIONS,
            _panel("Lane accepts packets", Unit.YES, ("ydhub_lane_open", "{{lane}}")),
            _panel(
                "Denied by policy, a second",
                Unit.PER_SECOND,
                ("rate(ydhub_packets_denied_total[5m])", "{{lane}}"),
            ),
            _panel(
                "Yet to be handed over",
                Unit.NUMBER,
                ("ydhub_backlog_packets", "{{lane}}"),
            ),
            _panel(
                "Items executed a second",
                Unit.PER_SECOND,
                ("sum by (lane, way) (rate(ydhub_executed_items_total[1m]))", "{{lane}} {{way}}"),
            ),
        ),
    ),
    Dashboard(
        "peers",
        "ydhub: peers",
        "Is each city there, and does its chain move?",
        (
            _ATTACHED,
            _LAG,
            _panel("Newest verified header", Unit.NUMBER, ("ydhub_header_height", "{{peer}}")),
            _EXPIRY,
            _panel(
                "Client frozen; evidence kept",
                Unit.NUMBER,
                ("ydhub_client_frozen", "{{peer}} frozen"),
                ("ydhub_evidence", "{{peer}} evidence"),
            ),
            _panel("Lease epoch", Unit.NUMBER, ("ydhub_lease_epoch", "{{peer}} {{relayer}}")),
            _panel(
                "Leases lost",
                Unit.NUMBER,
                ("increase(ydhub_leases_lost_total[10m])", "{{peer}}"),
            ),
            _panel(
                "Reports audited",
                Unit.NUMBER,
                ("increase(ydhub_audits_total[10m])", "{{peer}} {{result}}"),
                ("ydhub_audits_waiting", "{{peer}} waiting"),
            ),
            _panel("Sessions", Unit.NUMBER, ("ydhub_sessions", "{{instance}}")),
            _panel(
                "Item credits in use",
                Unit.SHARE,
                ("ydhub_session_unanswered_items / ydhub_session_item_credits", "{{peer}}"),
            ),
            _panel(
                "Execution credits in use",
                Unit.SHARE,
                ("ydhub_session_executions / ydhub_session_execution_credits", "{{peer}}"),
            ),
            _panel(
                "Frames that wait for a verdict",
                Unit.NUMBER,
                ("ydhub_session_queue_frames", "{{peer}}"),
            ),
            _panel(
                "Frames answered a second",
                Unit.PER_SECOND,
                ("sum by (peer, kind) (rate(ydhub_frames_total[1m]))", "{{peer}} {{kind}}"),
            ),
        ),
    ),
    Dashboard(
        "verification",
        "ydhub: verification and delivery",
        "What is refused, what fails, and what does it cost?",
        (
            _VERIFICATION,
            _PROOFS,
            _panel(
                "Refusals a second, by reason",
                Unit.PER_SECOND,
                ("sum by (reason) (rate(ydhub_refusals_total[5m]))", "{{reason}}"),
            ),
            _FAILURES,
            _panel(
                "Packets accepted and outcomes recorded a second, by relayer",
                Unit.PER_SECOND,
                ("sum by (instance) (rate(ydhub_packets_accepted_total[1m]))", "{{instance}} in"),
                ("sum by (instance) (rate(ydhub_outcomes_total[1m]))", "{{instance}} out"),
            ),
            _panel(
                "Attempts: 99th percentile",
                Unit.SECONDS,
                (_percentile("way", "ydhub_attempt_seconds"), "{{way}}"),
            ),
        ),
    ),
    Dashboard(
        "processes",
        "ydhub: processes and database",
        "Are the processes and their database well?",
        (
            _CPU,
            _MEMORY,
            _LOOP,
            _LATENCY,
            _panel("Database answers", Unit.YES, ("ydhub_database_up", "{{job}}")),
            _panel(
                "Connections in use",
                Unit.SHARE,
                ("ydhub_database_connections / ydhub_database_connections_limit", "{{job}}"),
            ),
            _panel("Clock skew", Unit.SECONDS, ("ydhub_clock_skew_seconds", "{{job}}")),
            _panel(
                "Certificates end in",
                Unit.SECONDS,
                ("ydhub_certificate_expires_timestamp_seconds - time()", "{{job}}"),
            ),
            _panel("Days with partitions", Unit.NUMBER, ("ydhub_partitions_ahead_days", "ahead")),
            _panel(
                "Calls a second, by reason",
                Unit.PER_SECOND,
                ("sum by (reason) (rate(ydhub_calls_total[5m]))", "{{reason}}"),
            ),
            _panel(
                "Calls: 99th percentile",
                Unit.SECONDS,
                (_percentile("method", "ydhub_call_seconds"), "{{method}}"),
            ),
            _panel(
                "Age of the census",
                Unit.SECONDS,
                ("time() - ydhub_census_timestamp_seconds", "{{instance}}"),
            ),
            _panel(
                "Files open",
                Unit.SHARE,
                ("process_open_fds / process_max_fds", "{{job}}"),
            ),
            _panel(
                "Up since",
                Unit.SECONDS,
                ("time() - process_start_time_seconds", "{{job}}"),
            ),
        ),
    ),
)
"""Every dashboard."""
