"""Fields of the field's JSON files as values; each raises ``ValueError`` or ``TypeError``."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any, Final

from hub.core.time import SECOND, Duration, Timestamp

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:\d\d)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)")
_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 86400 * SECOND,
}
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def integer(value: object) -> int:
    """A whole number, written as one or as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,40}", value):
        return int(value)
    raise ValueError(f"{value!r:.40} is no whole number")


def text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


def from_hex(value: object) -> bytes:
    """Bytes in hex; nothing is no bytes."""
    if value is None:
        return b""
    return bytes.fromhex(text(value).removeprefix("0x"))


def from_base64(value: object) -> bytes:
    """Bytes in base 64; nothing is no bytes."""
    return b"" if value is None else base64.b64decode(text(value), validate=True)


def moment(value: object) -> Timestamp:
    """A time of RFC 3339, or nanoseconds."""
    if isinstance(value, int):
        return Timestamp(integer(value))
    match = _MOMENT.fullmatch(text(value))
    if match is None:
        raise ValueError(f"{value!r:.40} is no time")
    whole = datetime.fromisoformat(match[1] + match[3].upper())
    since = whole - _EPOCH
    seconds = since.days * 86400 + since.seconds
    return Timestamp(seconds * SECOND + int((match[2] or "").ljust(9, "0")))


def duration(value: Any) -> Duration:
    """Nanoseconds, a text with a unit, or ``{secs, nanos}`` as Rust writes it."""
    if isinstance(value, dict):
        seconds = integer(value.get("secs", value.get("seconds", 0)))
        return Duration(seconds * SECOND + integer(value.get("nanos", 0)))
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return Duration(integer(value))
    whole, _, rest = match[1].partition(".")
    unit = _UNITS[match[2]]
    return Duration(int(whole) * unit + (int(rest) * unit // 10 ** len(rest) if rest else 0))


def fraction(value: Any) -> tuple[int, int]:
    """A share as text, as a pair, or as ``{numerator, denominator}``."""
    if isinstance(value, dict):
        return integer(value["numerator"]), integer(value["denominator"])
    numerator, denominator = value.split("/") if isinstance(value, str) else value
    return integer(numerator), integer(denominator)
