"""The metrics' page, the alert rules and the dashboards say what the table and each other say."""

from __future__ import annotations

import re
import subprocess
from itertools import chain

import pytest
import yaml

from deploy.generate import HERE, made
from deploy.grafana.dashboards import names_in
from deploy.grafana.panels import DASHBOARDS
from hub.core.metrics import TABLE

RULES = HERE / "prometheus" / "rules.yaml"
RULES_TEST = HERE / "prometheus" / "rules_test.yaml"
RUNBOOKS = {path.stem for path in (HERE / "runbooks").glob("*.md")}
SERIES = {series: metric for metric in TABLE for series in metric.series}
OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that a scrape, or a histogram, adds."""

alerts = [
    rule
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
expressions = [
    *[rule["expr"] for rule in alerts],
    *[query.expr for board in DASHBOARDS for panel in board.panels for query in panel.queries],
]


def promtool(*arguments: object) -> None:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def labels_in(expr: str) -> set[str]:
    """Labels that an expression selects or groups by."""
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", expr)
    selected = re.findall(r"\{([^}]*)\}", expr)
    names = [re.findall(r"\w+", group) for group in grouped]
    names += [re.findall(r"(\w+)\s*[=!]", selector) for selector in selected]
    return set(chain.from_iterable(names))


@pytest.mark.parametrize("path", made(), ids=lambda path: path.name)
def test_what_is_made_from_tables_is_fresh(path: object) -> None:
    files = {str(file): content for file, content in made().items()}
    found = HERE / str(path)
    assert found.read_text(encoding="utf-8") == files[str(path)], "run: make metrics"


def test_no_dashboard_is_left_over() -> None:
    folder = HERE / "grafana" / "dashboards"
    assert {path for path in folder.glob("*") if path not in made()} == set()


@pytest.mark.parametrize("expr", expressions)
def test_an_expression_uses_known_metrics_and_labels(expr: str) -> None:
    names = names_in(expr)
    assert names or re.match(r"up\{job=\"ydhub-(hub|relayer)\"\} == 0", expr)
    assert names - SERIES.keys() == set()
    labels = set().union(*[SERIES[name].labels for name in names])
    assert labels_in(expr) - labels <= OF_PROMETHEUS


def test_every_metric_is_on_a_dashboard_or_in_a_rule() -> None:
    used = set().union(*[names_in(expr) for expr in expressions])
    whole = {"ydhub_build_info", "process_virtual_memory_bytes"}
    assert {m.name for m in TABLE if not used & set(m.series)} == whole


def test_every_page_that_a_metric_or_an_alert_names_exists() -> None:
    named = {metric.runbook for metric in TABLE if metric.runbook}
    for alert in alerts:
        page = alert["annotations"]["runbook"]
        match = re.fullmatch(r"deploy/runbooks/([a-z-]+)\.md", page)
        assert match, page
        named.add(match[1])
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert alert["annotations"]["summary"]
    assert named - RUNBOOKS == set()


def test_every_page_is_in_the_index() -> None:
    index = (HERE / "runbooks" / "README.md").read_text(encoding="utf-8")
    assert {name for name in RUNBOOKS - {"README"} if f"({name}.md)" not in index} == set()


def test_the_rules_are_well_formed() -> None:
    promtool("check", "rules", RULES)
    promtool("check", "config", HERE / "prometheus" / "prometheus.yaml")


def test_every_alert_fires_when_it_should_and_not_before() -> None:
    tests = yaml.safe_load(RULES_TEST.read_text(encoding="utf-8"))["tests"]
    asked = [case for test in tests for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in asked if case.get("exp_alerts")}
    rests = {case["alertname"] for case in asked if not case.get("exp_alerts")}
    assert fires == rests == {alert["alert"] for alert in alerts}
    promtool("test", "rules", RULES_TEST)
