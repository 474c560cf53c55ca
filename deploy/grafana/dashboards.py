"""Dashboards as Grafana reads them: JSON files that a provisioned Grafana loads as they are."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from deploy.grafana.panels import DASHBOARDS
from hub.core.metrics import TABLE

if TYPE_CHECKING:
    from deploy.grafana.panels import Dashboard, Panel

WIDTH: Final = 12
"""Of a panel, of 24 columns."""
HEIGHT: Final = 8
SCHEMA: Final = 38
"""Of the files; Grafana 9 and later read it."""
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_NAME: Final = re.compile(r"\b(?:ydhub|process)_[a-z_]+\b")


def names_in(expr: str) -> set[str]:
    """Names of metrics of ours in a PromQL expression, as they are scraped."""
    return set(_NAME.findall(expr))


def files() -> dict[str, str]:
    """By name: the content of each file."""
    return {f"{one.name}.json": _render(one) for one in DASHBOARDS}


def _render(dashboard: Dashboard) -> str:
    made = {
        "title": dashboard.title,
        "uid": f"ydhub-{dashboard.name}",
        "description": dashboard.question,
        "tags": ["ydhub"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source()]},
        "panels": [_panel(at, panel) for at, panel in enumerate(dashboard.panels)],
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _panel(at: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": at + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": _description(panel),
        "datasource": _SOURCE,
        "gridPos": {"x": at % 2 * WIDTH, "y": at // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
            }
            for number, query in enumerate(panel.queries)
        ],
    }


def _description(panel: Panel) -> str:
    """What its metrics mean, and the page to read, once each."""
    series = set().union(*[names_in(query.expr) for query in panel.queries])
    rows = [metric for metric in TABLE if series & set(metric.series)]
    pages = sorted({f"deploy/runbooks/{row.runbook}.md" for row in rows if row.runbook})
    return " ".join([*[row.meaning for row in rows], *pages])
