"""The drawing of a dashboard: every panel is there, and numbers are told as people read them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from deploy.generate import HERE
from deploy.grafana.panels import DASHBOARDS, Unit
from deploy.grafana.svg import Series, draw, scale, shortened, told

OVERVIEW = DASHBOARDS[0]
SVG = "{http://www.w3.org/2000/svg}"
MOST_BYTES = 300_000


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314


def lines(picture: str) -> list[str]:
    found = ET.fromstring(picture).iter(f"{SVG}polyline")  # noqa: S314 - our own
    return [element.attrib["points"] for element in found]


def test_every_panel_has_its_title_and_one_without_samples_says_so() -> None:
    shown = texts(draw(OVERVIEW, {}))
    assert {panel.title for panel in OVERVIEW.panels} <= set(shown)
    assert shown.count("none") == len(OVERVIEW.panels)


def test_a_series_is_a_line_with_its_last_value_and_a_gap_breaks_it() -> None:
    points = ((0.0, 0.0), (2.0, 10.0), (4.0, 20.0), (20.0, 40.0), (22.0, 50.0))
    lane = "hangzhou~07-tendermint-0~suzhou~07-tendermint-1"
    picture = draw(OVERVIEW, {"Backlog": [Series(lane, points)]})
    assert [len(line.split()) for line in lines(picture)] == [3, 2]
    assert "hangzhou → suzhou: 50" in texts(picture)


def test_what_a_legend_says_is_text_and_no_markup() -> None:
    picture = draw(OVERVIEW, {"Backlog": [Series("<a & b>", ((0.0, 1.0), (1.0, 1.0)))]})
    assert "<a & b>: 1" in texts(picture)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234.0, Unit.NUMBER, "1.23k"),
        (12.3, Unit.PER_SECOND, "12.3/s"),
        (0.005, Unit.SECONDS, "5 ms"),
        (90.0, Unit.SECONDS, "90 s"),
        (3 * 86400.0, Unit.SECONDS, "3 d"),
        (7200.0, Unit.SECONDS, "2 h"),
        (0.25, Unit.SHARE, "25 %"),
        (64 * 1024 * 1024.0, Unit.BYTES, "64 MiB"),
        (1.0, Unit.YES, "yes"),
    ],
)
def test_numbers_are_told_as_people_read_them(value: float, unit: Unit, text: str) -> None:
    assert told(value, unit) == text


@pytest.mark.parametrize(("high", "top"), [(0, 1), (0.3, 0.5), (1, 1), (7, 10), (130, 200)])
def test_an_axis_ends_at_a_round_number(high: float, top: float) -> None:
    assert scale(high) == pytest.approx(top)


def test_a_lane_is_told_by_its_ends() -> None:
    assert shortened("a~07-tendermint-0~b~07-tendermint-3 PARKED") == "a → b PARKED"


def test_the_picture_that_the_readme_shows_is_of_these_panels() -> None:
    content = (HERE / "grafana" / "overview.svg").read_text(encoding="utf-8")
    assert len(content.encode()) < MOST_BYTES
    assert {panel.title for panel in OVERVIEW.panels} <= set(texts(content))
