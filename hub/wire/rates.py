"""Rates as operators write them: ``100/s``, ``10/m``, ``5/250ms``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import FieldInvalid
from hub.wire.duration import format_duration, parse_duration

if TYPE_CHECKING:
    from hub.core.time import Duration

_DIGITS = 18


def parse_rate(text: str, field: str) -> tuple[int, Duration]:
    """How many in which time (ns); *field* names it in the error. Raises ``FieldInvalid``."""
    count, mark, period = text.partition("/")
    is_number = count.isascii() and count.isdigit() and len(count) <= _DIGITS
    if not mark or not is_number or not int(count):
        problem = f"{text[:40]!r} is not a rate such as 100/s, 10/m or 5/250ms"
        raise FieldInvalid(field=field, problem=problem)
    is_unit = period[:1].isalpha()
    return int(count), parse_duration(f"1{period}" if is_unit else period, field)


def format_rate(count: int, period: Duration) -> str:
    """*count* in each *period* (ns), as ``parse_rate`` reads it."""
    text = format_duration(period)
    is_one = text[0] == "1" and text[1:].isalpha()
    return f"{count}/{text[1:] if is_one else text}"
