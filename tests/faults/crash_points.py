"""The crash points of the packet's life, and the failpoints of ours that stand for each.

Source: reliability notes section 6, C1 to C18.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.sdk.failpoints import Failpoint as City
from hub.server.failpoints import Failpoint as Server
from relayer.failpoints import Failpoint as Hub

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """One row of the notes' table."""

    what: str
    failpoints: tuple[str, ...] = ()
    elsewhere: str = ""
    """How it is shown where no failpoint can, or why there is none."""


_NO_LOG: Final = "the transparency log is not built, so nothing is between it and the database"

CRASH_POINTS: Final[Mapping[str, CrashPoint]] = {
    "C1": CrashPoint(
        "before acceptance is committed",
        (
            Hub.FRAME_RECEIVED,
            Hub.PACKETS_VERIFIED,
            City.HEADER_SHOWN,
            City.ITEMS_SHOWN,
            Server.CHANGE_ASKED,
        ),
    ),
    "C2": CrashPoint(
        "committed, and nobody told",
        (Hub.PACKETS_COMMITTED, City.VERDICT_TAKEN, Server.CHANGE_COMMITTED),
    ),
    "C3": CrashPoint("during verification", (Hub.VERIFICATION_BEGUN, Hub.HEADER_VERIFIED)),
    "C4": CrashPoint("verified, and not on its way", (Hub.VERDICT_SENT, Hub.DELIVERY_PLANNED)),
    "C5": CrashPoint(
        "the owner of a lease dies",
        (Hub.LEASE_TAKEN, Hub.LEASE_RENEWED, Hub.OPENING_STEPPED, City.CLIENT_CREATED),
    ),
    "C6": CrashPoint("a zombie goes on", elsewhere="fencing trials: SIGSTOP past the lease"),
    "C7": CrashPoint(
        "submitted, and not recorded",
        (
            Hub.DELIVERY_SENT,
            Hub.DELIVERY_REPORTED,
            City.EXECUTION_RECEIVED,
            City.EXECUTION_DONE,
            City.EXECUTION_REPORTED,
            City.BLOCK_STORED,
        ),
    ),
    "C8": CrashPoint("the chain drops a transaction", (City.BLOCK_BUILT,)),
    "C9": CrashPoint(
        "delivered, and not final: only a proof under a verified header counts",
        (Hub.DELIVERY_RECORDED, Hub.OUTCOMES_VERIFIED),
    ),
    "C10": CrashPoint("the outcome is committed, and not carried back", (Hub.OUTCOMES_COMMITTED,)),
    "C11": CrashPoint(
        "the acknowledgement is submitted, its end unknown",
        (
            Hub.SETTLEMENT_SENT,
            Hub.SETTLEMENT_REPORTED,
            Hub.COMPLETION_RECORDED,
            City.ACKNOWLEDGEMENT_EXECUTED,
        ),
    ),
    "C12": CrashPoint("the timeout passes meanwhile", (Hub.TIMEOUT_DUE, Hub.ABSENCE_PROVEN)),
    "C13": CrashPoint(
        "absence is proven, the refund's end unknown",
        (Hub.ABSENCE_COMMITTED, Hub.REFUND_SENT, City.REFUND_EXECUTED),
    ),
    "C14": CrashPoint("between commit and log", elsewhere=_NO_LOG),
    "C15": CrashPoint("between log and signature", elsewhere=_NO_LOG),
    "C16": CrashPoint("between signature and witness", elsewhere=_NO_LOG),
    "C17": CrashPoint("during a migration", (Server.MIGRATION_STEPPED, Server.MIGRATION_COMMITTED)),
    "C18": CrashPoint(
        "failover: committed, and not replicated", elsewhere="promotions of a synchronous standby"
    ),
}


def number_of(failpoint: str) -> str:
    """Which row the failpoint stands for."""
    return next(name for name, row in CRASH_POINTS.items() if failpoint in row.failpoints)
