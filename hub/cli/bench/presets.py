"""Runs that have a name, so that everybody measures the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hub.cli.bench.options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

STANDARD: Final = Options()
ONE, TWO = "one relayer", "two relayers"
CAPACITY, SOAK = "capacity", "soak"
ONE_LANE, MANY_LANES, LONG_PAST = "one lane", "many lanes", "long past"
MANY_PEERS, EVERY_LANE = "many peers", "every lane"
"""Names of runs; targets.py finds them by these."""

_QUICK: Final = replace(
    STANDARD, rates=(1000,), seconds=5, packets=30_000, rounds=1, idle=50, keys=100_000
)
_COST: Final = replace(STANDARD, rates=(), idle=0, rest=10, packets=204_800, rounds=3)
"""Rounds of eight full frames on each of 100 lanes, so that they are seldom alone or half full."""
_GROWTH: Final = (
    (ONE_LANE, replace(_COST, lanes=1, active=1)),
    (MANY_LANES, replace(_COST, lanes=10_000, active=100, window=512)),
    (LONG_PAST, replace(_COST, lanes=1, active=1, behind=10_000_000)),
)
_REACH: Final = (
    (MANY_PEERS, replace(_COST, peers=100, lanes=100, window=512)),
    # Frames of six packets: what a frame costs, not what a lane does.
    (EVERY_LANE, replace(_COST, lanes=10_000, packets=60_000, rounds=1, window=256)),
)

PRESETS: Final[dict[str, tuple[str, tuple[tuple[str, Options], ...]]]] = {
    "quick": ("half a minute, to see that all works", (("quick", _QUICK),)),
    "standard": ("idle, 1,000/s, 5,000/s and saturation, one relayer", ((ONE, STANDARD),)),
    "committed": (
        "every number that is committed and that a bench can measure",
        (
            (ONE, STANDARD),
            (TWO, replace(STANDARD, relayers=2, rates=(), idle=0)),
            *_GROWTH,
        ),
    ),
    "growth": (
        "10,000 lanes, 10^7 packets behind, 100 peers, against one lane and none",
        (*_GROWTH, *_REACH),
    ),
    "soak": (
        "--minutes at half of what a short run reaches, or at --rate",
        (
            (CAPACITY, replace(STANDARD, rates=(), idle=0, rounds=2)),
            (SOAK, replace(STANDARD, rates=(5000,), idle=0, rounds=0, minutes=10)),
        ),
    ),
}
"""By name: what it is for, and its runs by name."""


def runs(preset: str, changes: dict[str, object]) -> Sequence[tuple[str, Options]]:
    """The runs of *preset*, each with those *changes* that were asked for.

    A soak whose rate is given needs no look for the capacity. ``minutes`` changes a soak alone.
    """
    found = []
    for name, options in PRESETS[preset][1]:
        if name == CAPACITY and changes.get("rates"):
            continue
        own = dict(changes)
        if not options.minutes and preset == "soak":
            own.pop("minutes", None)
        found.append((name, replace(options, **own)))  # type: ignore[arg-type]  # by name
    return found


def at_half(options: Options, per_second: float) -> Options:
    """The soak of *options*, at half of *per_second*, in whole hundreds."""
    return replace(options, rates=(max(100, round(per_second / 2 / 100) * 100),))
