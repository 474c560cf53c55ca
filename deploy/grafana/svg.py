"""A dashboard as an SVG picture: the same panels, titles, units and legends, drawn from samples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from deploy.grafana.panels import Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.grafana.panels import Dashboard, Panel

WIDTH: Final = 580
HEIGHT: Final = 210
_GAP: Final = 8
_LEFT: Final = 58
_TOP: Final = 30
_BOTTOM: Final = 56
_RIGHT: Final = 12
_TICKS: Final = 4
_FONT: Final = "DejaVu Sans, Arial, sans-serif"
_COLOURS: Final = ("#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#b877d9", "#f2495c", "#8ab8ff")
_MAX_LEGENDS: Final = 6
_LETTER: Final = 6
"""Width of a letter of the legend."""
_STEPS: Final = (1, 2, 5, 10)
_LANE: Final = re.compile(r"([a-z]+)~[a-z0-9-]+~([a-z]+)~[a-z0-9-]+")

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_KILO: Final = 1000
_MEBI: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one line: (time, value), unix seconds."""

    legend: str
    points: tuple[tuple[float, float], ...]


def draw(dashboard: Dashboard, found: Mapping[str, Sequence[Series]]) -> str:
    """The picture of *dashboard*; *found* has the series of each panel, by title."""
    rows = (len(dashboard.panels) + 1) // 2
    width, height = 2 * WIDTH + 3 * _GAP, 40 + rows * (HEIGHT + _GAP) + _GAP
    times = [time for lines in found.values() for line in lines for time, _ in line.points]
    span = (min(times), max(times)) if times else (0.0, 1.0)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    question = f'<tspan dx="14" fill="#8e8e8e" font-size="12">{escape(dashboard.question)}</tspan>'
    title = f'<text x="{_GAP + 4}" y="26" fill="#d8d9da" font-size="16">{escape(dashboard.title)}'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FONT}">',
        f'<rect width="{width}" height="{height}" fill="#111217"/>',
        f"{title}{question}</text>",
    ]
    for at, panel in enumerate(dashboard.panels):
        x, y = _GAP + at % 2 * (WIDTH + _GAP), 40 + at // 2 * (HEIGHT + _GAP)
        parts.append(f'<g transform="translate({x} {y})">')
        parts += _panel(panel, found.get(panel.title, ()), span)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def shortened(legend: str) -> str:
    """*legend*, with a lane's name as its two ends."""
    return _LANE.sub(r"\1 → \2", legend)


def told(value: float, unit: Unit) -> str:
    """*value* as a person reads it."""
    match unit:
        case Unit.SHARE:
            return f"{value * 100:.3g} %"
        case Unit.BYTES:
            return f"{value / _MEBI:.3g} MiB"
        case Unit.SECONDS:
            return _duration(value)
        case Unit.YES:
            return "yes" if value else "no"
        case Unit.NUMBER | Unit.PER_SECOND:
            text = f"{value / _KILO:.3g}k" if abs(value) >= _KILO else f"{value:.3g}"
            return f"{text}/s" if unit is Unit.PER_SECOND else text


def scale(high: float) -> float:
    """The top of an axis that shows *high*: 1, 2 or 5 times a power of ten."""
    if high <= 0:
        return 1.0
    power = 1.0
    while power > high:
        power /= 10
    while power * 10 < high:
        power *= 10
    return next(step * power for step in _STEPS if step * power >= high)


def _duration(value: float) -> str:
    if abs(value) >= 2 * _DAY:
        return f"{value / _DAY:.3g} d"
    if abs(value) >= 2 * _HOUR:
        return f"{value / _HOUR:.3g} h"
    return f"{value:.3g} s" if abs(value) >= 1 else f"{value * _KILO:.3g} ms"


def _panel(panel: Panel, lines: Sequence[Series], span: tuple[float, float]) -> list[str]:
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="3" fill="#181b1f" stroke="#2c3235"/>',
        f'<text x="10" y="19" fill="#d8d9da" font-size="12">{escape(panel.title)}</text>',
    ]
    values = [value for line in lines for _, value in line.points]
    if not values:
        middle = f'x="{WIDTH // 2}" y="{HEIGHT // 2}" text-anchor="middle"'
        return [*parts, f'<text {middle} fill="#8e8e8e" font-size="12">none</text>']
    high = max(values)
    size = _DAY if panel.unit is Unit.SECONDS and high >= _DAY else 1
    top = scale(high / size) * size
    parts += _axis(panel.unit, top) + _times(span)
    for line, colour in zip(lines, _COLOURS, strict=False):
        for run in _runs(line):
            points = " ".join([_at(time, value, span, top) for time, value in run])
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
            )
    return parts + _legends(panel.unit, lines)


def _axis(unit: Unit, top: float) -> list[str]:
    parts = []
    for tick in range(_TICKS + 1):
        y = _y(top * tick / _TICKS, top)
        label = escape(told(top * tick / _TICKS, unit))
        place = f'x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end"'
        parts += [
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#2c3235"/>',
            f'<text {place} fill="#8e8e8e" font-size="10">{label}</text>',
        ]
    return parts


def _times(span: tuple[float, float]) -> list[str]:
    y, minutes = HEIGHT - _BOTTOM + 14, (span[1] - span[0]) / _MINUTE
    shown = 'fill="#8e8e8e" font-size="10"'
    return [
        f'<text x="{_LEFT}" y="{y}" {shown}>0 min</text>',
        f'<text x="{WIDTH - _RIGHT}" y="{y}" {shown} text-anchor="end">{minutes:.0f} min</text>',
    ]


def _runs(line: Series) -> list[list[tuple[float, float]]]:
    """The points of *line*, apart where samples are missing."""
    steps = [after[0] - before[0] for before, after in pairwise(line.points)]
    runs = [list(line.points[:1])]
    for point, step in zip(line.points[1:], steps, strict=True):
        if step > 2 * min(steps):
            runs.append([])
        runs[-1].append(point)
    return runs


def _legends(unit: Unit, lines: Sequence[Series]) -> list[str]:
    parts, x, y = [], _LEFT, HEIGHT - 24
    for line, colour in zip(lines[:_MAX_LEGENDS], _COLOURS, strict=False):
        label = f"{shortened(line.legend)}: {told(line.points[-1][1], unit)}"
        length = 18 + _LETTER * len(label)
        if x > _LEFT and x + length > WIDTH - _RIGHT:
            x, y = _LEFT, y + 15
        parts += [
            f'<rect x="{x}" y="{y - 5}" width="10" height="3" fill="{colour}"/>',
            f'<text x="{x + 14}" y="{y}" fill="#c7d0d9" font-size="10">{escape(label)}</text>',
        ]
        x += length + 8
    return parts


def _at(time: float, value: float, span: tuple[float, float], top: float) -> str:
    whole = max(span[1] - span[0], 1)
    x = _LEFT + (time - span[0]) / whole * (WIDTH - _LEFT - _RIGHT)
    return f"{x:.1f},{_y(max(value, 0), top)}"


def _y(value: float, top: float) -> float:
    return round(HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM), 1)
