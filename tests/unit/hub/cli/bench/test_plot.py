from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from hub.cli.bench.plot import Panel, Series, draw, panels, top_of
from tests.harness.bench import RESULT, RUN, soak_of

SVG = "{http://www.w3.org/2000/svg}"


def test_a_result_is_drawn_as_well_formed_svg_that_reads_on_light_and_dark() -> None:
    picture = draw(RESULT)
    tree = ET.fromstring(picture)  # noqa: S314 - ours
    assert tree.tag == f"{SVG}svg"
    assert "prefers-color-scheme: dark" in picture
    shown = [element.text for element in tree.iter(f"{SVG}text")]
    assert "one relayer: latency over offered rate" in shown
    assert {"idle", "1,000/s", "5,000/s", "p50", "p99", "p99.9", "Postgres"} <= set(shown)
    assert len(list(tree.iter(f"{SVG}polyline"))) == 3


def test_panels_are_of_what_was_measured() -> None:
    titles = [panel.title for panel in panels(RESULT)]
    assert titles == [
        "one relayer: latency over offered rate",
        "one relayer: packets a second at saturation",
        "one relayer: CPU a packet, by process",
    ]
    soak = replace(RESULT, runs=(soak_of([80.0] * 10, [10.0] * 10),))
    assert [panel.title for panel in panels(soak)] == [
        "soak: CPU a packet, by process",
        "soak: latency by slice",
        "soak: memory by slice",
    ]
    assert panels(replace(RESULT, runs=(replace(RUN, phases=()),))) == []


def test_rates_stand_in_their_order_with_the_idle_hub_first() -> None:
    phases = tuple(reversed(RUN.phases))
    panel = panels(replace(RESULT, runs=(replace(RUN, phases=phases),)))[0]
    assert panel.places == ("idle", "1,000/s", "5,000/s")
    assert panel.series[0] == Series("p50", (7.0, 10.0, 11.0))


def test_nothing_at_all_is_drawn_too() -> None:
    ET.fromstring(draw(replace(RESULT, runs=())))  # noqa: S314 - ours


def test_names_are_escaped() -> None:
    picture = draw(replace(RESULT, preset="<script>", machine="a & b"))
    ET.fromstring(picture)  # noqa: S314 - ours
    assert "<script>" not in picture


@pytest.mark.parametrize(
    ("high", "top"), [(0, 1.0), (1, 1.0), (1.1, 2.0), (4.9, 5.0), (51, 100.0), (0.03, 0.05)]
)
def test_axes_end_at_round_numbers(high: float, top: float) -> None:
    assert top_of(high) == pytest.approx(top)


def test_points_lie_within_their_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    values = (0.0, 0.5, 3.0, 4000.0)
    panel = Panel(
        title="x",
        unit="ms",
        places=("a", "b", "c", "d"),
        series=(Series("s", values), Series("t", (None, None, None, 1.0))),
        logarithmic=True,
    )
    monkeypatch.setattr("hub.cli.bench.plot.panels", lambda _: [panel])
    tree = ET.fromstring(draw(RESULT))  # noqa: S314 - ours
    heights = [float(dot.get("cy", "")) for dot in tree.iter(f"{SVG}circle")]
    assert len(heights) == 5
    assert all(44 <= height <= 236 for height in heights)
    assert heights[:4] == sorted(heights[:4], reverse=True)
