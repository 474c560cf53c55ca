"""A result as an SVG picture: latency over offered rate, throughput, CPU a packet, and a soak.

It reads on light and on dark ground: colours follow the reader's own setting. Text is text, so that
it can be searched and read aloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import floor, log10
from typing import TYPE_CHECKING, Final

from hub.cli.bench.plan import Kind
from hub.cli.bench.report import number
from hub.cli.bench.result import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub.cli.bench.result import PhaseResult, Result, RunResult

WIDTH: Final = 640
HEIGHT: Final = 300
_GAP: Final = 16
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 44, 64
_HEAD: Final = 40
_TICKS: Final = 4
_STEPS: Final = (1, 2, 5, 10)
_LETTER: Final = 7
"""Width of a letter of the legend."""
_COLOURS: Final = 8
_STYLE: Final = """
text { font: 12px system-ui, "DejaVu Sans", Arial, sans-serif; fill: #1f2328; }
.title { font-size: 14px; font-weight: 600; } .dim { fill: #656d76; font-size: 11px; }
.ground { fill: #ffffff; } .grid { stroke: #d8dee4; } .line { fill: none; stroke-width: 2; }
.c0 { stroke: #0969da; fill: #0969da; } .c1 { stroke: #bc4c00; fill: #bc4c00; }
.c2 { stroke: #8250df; fill: #8250df; } .c3 { stroke: #1a7f37; fill: #1a7f37; }
.c4 { stroke: #bf8700; fill: #bf8700; } .c5 { stroke: #cf222e; fill: #cf222e; }
.c6 { stroke: #0a7a7a; fill: #0a7a7a; } .c7 { stroke: #6e7781; fill: #6e7781; }
.line { fill: none; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .dim { fill: #9198a1; }
.ground { fill: #0d1117; } .grid { stroke: #30363d; }
.c0 { stroke: #58a6ff; fill: #58a6ff; } .c1 { stroke: #f0883e; fill: #f0883e; }
.c2 { stroke: #bc8cff; fill: #bc8cff; } .c3 { stroke: #3fb950; fill: #3fb950; }
.c4 { stroke: #e3b341; fill: #e3b341; } .c5 { stroke: #ff7b72; fill: #ff7b72; }
.c6 { stroke: #39c5cf; fill: #39c5cf; } .c7 { stroke: #8b949e; fill: #8b949e; }
.line { fill: none; }
}
"""


@dataclass(frozen=True, slots=True)
class Series:
    """A named row of values, one for each place; None where there is none."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture of the whole."""

    title: str
    unit: str
    places: tuple[str, ...]
    """What stands below the axis, from left to right."""
    series: tuple[Series, ...]
    stacked: bool = False
    """Bars on each other instead of lines."""
    logarithmic: bool = False


def draw(result: Result) -> str:
    """The picture of *result*."""
    found = panels(result)
    rows = (len(found) + 1) // 2
    width = 2 * WIDTH + 3 * _GAP
    height = _HEAD + max(rows, 1) * (HEIGHT + _GAP) + _GAP
    title = f"ydhub bench {result.preset}, {result.made_at}, commit {result.commit or 'unknown'}"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
        f'<text class="title" x="{_GAP}" y="24">{escape(title)}</text>',
        f'<text class="dim" x="{_GAP}" y="40">{escape(result.machine)}</text>',
    ]
    for at, panel in enumerate(found):
        x, y = _GAP + at % 2 * (WIDTH + _GAP), _HEAD + _GAP + at // 2 * (HEIGHT + _GAP)
        parts += [f'<g transform="translate({x} {y})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def panels(result: Result) -> list[Panel]:
    """What there is to show."""
    found: list[Panel | None] = []
    for run in result.runs:
        found += [_latencies(run), _throughput(run), _cost(run), *_soak(run)]
    return [panel for panel in found if panel is not None]


def top_of(high: float) -> float:
    """The top of an axis that shows *high*: 1, 2 or 5 times a power of ten."""
    if high <= 0:
        return 1.0
    power = 10.0 ** floor(log10(high))
    return next((step * power for step in _STEPS if step * power >= high), 10 * power)


def _latencies(run: RunResult) -> Panel | None:
    """Percentiles over the offered rate, the idle hub first."""
    phases = [*run.of(Kind.IDLE), *sorted(run.of(Kind.OPEN), key=lambda phase: phase.rate)]
    if not phases:
        return None
    places = tuple([f"{phase.rate:,}/s" if phase.rate else "idle" for phase in phases])
    series = tuple([Series(name, _values(phases, value)) for name, value in _PERCENTILES])
    return Panel(
        title=f"{run.name}: latency over offered rate",
        unit="ms",
        places=places,
        series=series,
        logarithmic=True,
    )


def _throughput(run: RunResult) -> Panel | None:
    phases = run.of(Kind.CLOSED)
    if not phases:
        return None
    series = Series("completed", _values(phases, lambda phase: phase.per_second))
    return Panel(
        title=f"{run.name}: packets a second at saturation",
        unit="/s",
        places=tuple([phase.name for phase in phases]),
        series=(series,),
        stacked=True,
    )


def _cost(run: RunResult) -> Panel | None:
    phases = [phase for phase in run.phases if phase.kind is not Kind.IDLE]
    if not phases:
        return None
    series = [
        Series(name, tuple([phase.cpu_us.get(name) for phase in phases]))
        for name in processes(phases)
    ]
    return Panel(
        title=f"{run.name}: CPU a packet, by process",
        unit="us",
        places=tuple([phase.name for phase in phases]),
        series=tuple(series),
        stacked=True,
    )


def _soak(run: RunResult) -> list[Panel]:
    phases = run.of(Kind.SLICE)
    if not phases:
        return []
    places = tuple([phase.name.removeprefix("slice ") for phase in phases])
    names = [name for name in processes(phases) if name.startswith("relayer")]
    memory = [
        Series(name, tuple([phase.memory_mb.get(name) for phase in phases])) for name in names
    ]
    latencies = tuple([Series(name, _values(phases, value)) for name, value in _PERCENTILES])
    return [
        Panel(
            title=f"{run.name}: latency by slice",
            unit="ms",
            places=places,
            series=latencies,
            logarithmic=True,
        ),
        Panel(title=f"{run.name}: memory by slice", unit="MB", places=places, series=tuple(memory)),
    ]


_PERCENTILES: Final[tuple[tuple[str, Callable[[PhaseResult], float]], ...]] = (
    ("p50", lambda phase: phase.p50_ms),
    ("p99", lambda phase: phase.p99_ms),
    ("p99.9", lambda phase: phase.p999_ms),
)


def _values(
    phases: Sequence[PhaseResult], value: Callable[[PhaseResult], float]
) -> tuple[float | None, ...]:
    return tuple([value(phase) for phase in phases])


class _Scale:
    """From a value to its height in the panel."""

    def __init__(self, panel: Panel) -> None:
        rows = [[v or 0 for v in series.values] for series in panel.series]
        highs = [sum(column) for column in zip(*rows, strict=True)] if panel.stacked else []
        values = highs or [value for row in rows for value in row]
        self.top = top_of(max(values, default=0))
        self._low = 0.0
        if panel.logarithmic:
            positive = [value for value in values if value > 0]
            self._low = 10.0 ** floor(log10(min(positive, default=1.0)))
            self.top = max(10.0 ** -floor(-log10(self.top)), self._low * 10)

    def y(self, value: float) -> float:
        """Where *value* stands."""
        if self._low:
            share = log10(max(value, self._low) / self._low) / log10(self.top / self._low)
        else:
            share = value / self.top
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    @property
    def ticks(self) -> list[float]:
        """Where lines are drawn."""
        if not self._low:
            return [self.top * tick / _TICKS for tick in range(_TICKS + 1)]
        decades = round(log10(self.top / self._low))
        return [self._low * 10.0**tick for tick in range(decades + 1)]


def _panel(panel: Panel) -> list[str]:
    scale = _Scale(panel)
    parts = [f'<text class="title" x="0" y="16">{escape(panel.title)}</text>']
    parts += _axis(panel, scale) + _places(panel)
    parts += _bars(panel, scale) if panel.stacked else _lines(panel, scale)
    return parts + _legend(panel)


def _axis(panel: Panel, scale: _Scale) -> list[str]:
    parts = []
    for tick in scale.ticks:
        y = scale.y(tick)
        label = f"{number(tick)} {panel.unit}"
        parts += [
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>',
            f'<text class="dim" x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{label}</text>',
        ]
    return parts


def _x(panel: Panel, place: int) -> float:
    width = (WIDTH - _LEFT - _RIGHT) / len(panel.places)
    return round(_LEFT + (place + 0.5) * width, 1)


def _places(panel: Panel) -> list[str]:
    """Names below the axis, as many as there is room for."""
    longest = max([len(name) for name in panel.places], default=1)
    room = max(1, (WIDTH - _LEFT - _RIGHT) // ((longest + 1) * _LETTER))
    step = -(-len(panel.places) // room)
    y = HEIGHT - _BOTTOM + 16
    return [
        f'<text class="dim" x="{_x(panel, at)}" y="{y}" text-anchor="middle">{escape(name)}</text>'
        for at, name in enumerate(panel.places)
        if at % step == 0
    ]


def _lines(panel: Panel, scale: _Scale) -> list[str]:
    parts = []
    for at, series in enumerate(panel.series):
        points = [
            (_x(panel, place), scale.y(value), value)
            for place, value in enumerate(series.values)
            if value is not None
        ]
        shown = " ".join([f"{x},{y}" for x, y, _ in points])
        parts.append(f'<polyline class="c{at % _COLOURS} line" points="{shown}"/>')
        parts += [
            f'<circle class="c{at % _COLOURS}" cx="{x}" cy="{y}" r="3">'
            f"<title>{escape(series.name)}: {number(value)} {panel.unit}</title></circle>"
            for x, y, value in points
        ]
    return parts


def _bars(panel: Panel, scale: _Scale) -> list[str]:
    width = round(min(48.0, (WIDTH - _LEFT - _RIGHT) / len(panel.places) * 0.7), 1)
    parts = []
    for place in range(len(panel.places)):
        below = 0.0
        for at, series in enumerate(panel.series):
            value = series.values[place] or 0
            y, end = scale.y(below + value), scale.y(below)
            below += value
            if value:
                parts.append(
                    f'<rect class="c{at % _COLOURS}" x="{_x(panel, place) - width / 2:.1f}"'
                    f' y="{y}" width="{width}" height="{end - y:.1f}">'
                    f"<title>{escape(series.name)}: {number(value)} {panel.unit}</title></rect>"
                )
    return parts


def _legend(panel: Panel) -> list[str]:
    parts, x, y = [], _LEFT, HEIGHT - 26
    for at, series in enumerate(panel.series):
        length = 24 + _LETTER * len(series.name)
        if x > _LEFT and x + length > WIDTH - _RIGHT:
            x, y = _LEFT, y + 16
        parts += [
            f'<rect class="c{at % _COLOURS}" x="{x}" y="{y - 9}" width="10" height="10"/>',
            f'<text x="{x + 16}" y="{y}">{escape(series.name)}</text>',
        ]
        x += length + 8
    return parts
