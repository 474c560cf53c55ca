"""Places where an adapter can be made to die; how one is armed is in ``hub/wire/failpoints.py``.

Source: reliability notes section 6.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.wire.failpoints import of_environment


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


hit: Final = of_environment(Failpoint).hit
