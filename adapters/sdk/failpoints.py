"""Places where an adapter can be made to die, to prove that nothing is lost there.

``YDHUB_FAILPOINT=name:nth`` ends the process with status 137, as kill -9 would, the *nth* time it
comes to *name*. Unset, a failpoint costs one comparison.

Source: reliability notes section 6.
"""

from __future__ import annotations

import os
from collections import Counter
from enum import StrEnum
from typing import Final

from hub.core.errors import FieldInvalid


class Failpoint(StrEnum):
    """Every place, named after what has just been done."""

    HEADER_SHOWN = "header_shown"
    ITEMS_SHOWN = "items_shown"
    VERDICT_TAKEN = "verdict_taken"
    """Nothing of it is in the accepted log yet."""
    EXECUTION_RECEIVED = "execution_received"
    EXECUTION_DONE = "execution_done"
    """The chain has executed; nobody was told."""
    ACKNOWLEDGEMENT_EXECUTED = "acknowledgement_executed"
    """Likewise, of an acknowledgement alone."""
    REFUND_EXECUTED = "refund_executed"
    """Likewise, of a refund alone."""
    EXECUTION_REPORTED = "execution_reported"
    CLIENT_CREATED = "client_created"
    """The chain has the client; nobody was told."""
    BLOCK_BUILT = "block_built"
    """An embedded chain's, of transactions that are only in memory."""
    BLOCK_STORED = "block_stored"
    """It is durable; nobody was told of its results."""


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
