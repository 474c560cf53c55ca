"""The reference page of the metrics, from their table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.metrics import TABLE

if TYPE_CHECKING:
    from hub.core.metrics import Metric

_TOP: Final = """\
# Metrics

Written by `make metrics` from [hub/core/metrics.py](../../hub/core/metrics.py); do not edit.

The hub server and each relayer serve theirs at `http://127.0.0.1:{metrics_port}/metrics`, on the
loopback alone. What the hub tells of peers and lanes is read from the registry every 5 seconds, or
less often where reading takes long, so it is right after any restart. Counters of a process begin
with it.

| metric | kind | unit | labels | of | meaning | when it looks wrong |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return _TOP + "".join([f"{_row(metric)}\n" for metric in TABLE])


def _row(metric: Metric) -> str:
    meaning = metric.meaning
    if metric.bounds_ms:
        bounds = ", ".join([f"{bound:,}" for bound in metric.bounds_ms])
        meaning += f" Buckets end at {bounds} ms."
    page = f"[{metric.runbook}](../runbooks/{metric.runbook}.md)" if metric.runbook else ""
    cells = (
        f"`{metric.name}`",
        str(metric.kind),
        metric.unit,
        ", ".join(metric.labels),
        ", ".join(metric.programs),
        meaning,
        page,
    )
    return f"| {' | '.join(cells)} |".replace("  ", " ")
