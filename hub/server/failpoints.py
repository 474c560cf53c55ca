"""Places where the hub server can be made to die, to prove that no change is lost or made twice.

``YDHUB_FAILPOINT=name:nth`` ends the process with status 137, as kill -9 would, the *nth* time it
comes to *name*. Unset, a failpoint costs one comparison.

Source: reliability notes section 6, crash points C1, C2 and C17.
"""

from __future__ import annotations

import os
from collections import Counter
from enum import StrEnum
from typing import Final

from hub.core.errors import FieldInvalid


class Failpoint(StrEnum):
    """Every place, named after what has just been done."""

    CHANGE_ASKED = "change_asked"
    """It is read, and allowed; nothing of it is durable."""
    CHANGE_COMMITTED = "change_committed"
    """It is durable; whoever asked was not told."""
    MIGRATION_STEPPED = "migration_stepped"
    """A revision of the schema is applied, and not committed."""
    MIGRATION_COMMITTED = "migration_committed"


KILLED: Final = 137

_counts: Counter[Failpoint] = Counter()


def armed(text: str) -> tuple[str, int]:
    """The failpoint that *text* asks for, and at which pass; none if it is empty.

    Raises ``FieldInvalid``.
    """
    name, _, nth = text.partition(":")
    nth = nth or "1"
    if text and (name not in set(Failpoint) or not nth.isdecimal() or nth == "0"):
        raise FieldInvalid(field="YDHUB_FAILPOINT", problem=f"{text!r} is not name:nth")
    return name, int(nth)


_NAME, _NTH = armed(os.environ.get("YDHUB_FAILPOINT", ""))


def hit(point: Failpoint) -> None:
    """The process has come to *point*; it dies here if this is what was asked for."""
    if point != _NAME:
        return
    _counts[point] += 1
    if _counts[point] == _NTH:
        os._exit(KILLED)
