"""Places where a process can be made to die, to prove that nothing is lost there.

``YDHUB_FAILPOINT=name:nth`` ends the process with status 137, as kill -9 would, the *nth* time it
comes to *name*. Unset, a failpoint costs one comparison.

Source: reliability notes section 6, crash points C1 to C18.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Final

from hub.core.errors import FieldInvalid


class Failpoint(StrEnum):
    """Every place, named after what has just been done."""

    FRAME_RECEIVED = "frame_received"
    HEADER_VERIFIED = "header_verified"
    VERIFICATION_BEGUN = "verification_begun"
    PACKETS_VERIFIED = "packets_verified"
    PACKETS_COMMITTED = "packets_committed"
    VERDICT_SENT = "verdict_sent"
    DELIVERY_PLANNED = "delivery_planned"
    DELIVERY_SENT = "delivery_sent"
    DELIVERY_REPORTED = "delivery_reported"
    DELIVERY_RECORDED = "delivery_recorded"
    OUTCOMES_VERIFIED = "outcomes_verified"
    OUTCOMES_COMMITTED = "outcomes_committed"
    SETTLEMENT_SENT = "settlement_sent"
    SETTLEMENT_REPORTED = "settlement_reported"
    COMPLETION_RECORDED = "completion_recorded"
    REFUND_SENT = "refund_sent"
    TIMEOUT_DUE = "timeout_due"
    """By a verified header of the destination; nobody was asked for a proof yet."""
    ABSENCE_PROVEN = "absence_proven"
    ABSENCE_COMMITTED = "absence_committed"
    """The refund is durable, and on its way to nobody."""
    LEASE_TAKEN = "lease_taken"
    LEASE_RENEWED = "lease_renewed"
    OPENING_STEPPED = "opening_stepped"


KILLED: Final = 137

_counts: dict[str, int] = {}


def _armed() -> tuple[str, int]:
    text = os.environ.get("YDHUB_FAILPOINT", "")
    if not text:
        return "", 0
    name, _, nth = text.partition(":")
    if name not in set(Failpoint) or not (nth or "1").isdecimal() or nth == "0":
        raise FieldInvalid(field="YDHUB_FAILPOINT", problem=f"{text!r} is not name:nth")
    return name, int(nth or "1")


_NAME, _NTH = _armed()


def hit(point: Failpoint) -> None:
    """The process has come to *point*; it dies here if this is what was asked for."""
    if point != _NAME:
        return
    _counts[point] = _counts.get(point, 0) + 1
    if _counts[point] == _NTH:
        os._exit(KILLED)
