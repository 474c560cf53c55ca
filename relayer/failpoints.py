"""Places where a relayer can be made to die; how one is armed is in ``hub/wire/failpoints.py``.

Source: reliability notes section 6, crash points C1 to C18.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.wire.failpoints import of_environment


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


hit: Final = of_environment(Failpoint).hit
