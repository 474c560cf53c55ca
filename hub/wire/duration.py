"""Durations as operators write them: ``336h``, ``1h30m``, ``10s``, ``250ms``."""

from __future__ import annotations

import re

from hub.core.errors import FieldInvalid
from hub.core.time import MILLISECOND, SECOND, Duration

_UNITS = {
    "d": 86_400 * SECOND,
    "h": 3_600 * SECOND,
    "m": 60 * SECOND,
    "s": SECOND,
    "ms": MILLISECOND,
    "us": 1_000,
    "ns": 1,
}
_WHOLE = re.compile(r"(?:[0-9]{1,18}(?:d|h|ms|m|s|us|ns))+")
_PART = re.compile(r"([0-9]+)(d|h|ms|m|s|us|ns)")
MAX_DURATION = 2**63 - 1
"""Nanoseconds; 292 years."""


def parse_duration(text: str, field: str) -> Duration:
    """*text* in nanoseconds; *field* names it in the error. Raises ``FieldInvalid``."""
    if _WHOLE.fullmatch(text) is None:
        problem = f"{text[:40]!r} is not a duration such as 336h, 1h30m or 10s"
        raise FieldInvalid(field=field, problem=problem)
    total = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if total > MAX_DURATION:
        raise FieldInvalid(field=field, problem=f"{text[:40]} is over 292 years")
    return Duration(total)


def format_duration(duration: Duration) -> str:
    """*duration* in the fewest units that say it exactly, hours the largest; ``0s`` for none."""
    parts: list[str] = []
    left = int(duration)
    for unit, size in _UNITS.items():
        count, left = divmod(left, size) if unit != "d" else (0, left)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
