"""Right input that the present state forbids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hub.core.errors.base import StateForbids
from hub.core.errors.reasons import Reason


@dataclass(kw_only=True, eq=False)
class ClientPending(StateForbids):
    """A client waits for the header that its anchor names."""

    reason: ClassVar[Reason] = Reason.CLIENT_PENDING
    template: ClassVar[str] = "{client} waits for the header of its anchor at height {height}"

    client: str
    height: int


@dataclass(kw_only=True, eq=False)
class ClientFrozen(StateForbids):
    """A client is frozen by misbehaviour or by an administrator."""

    reason: ClassVar[Reason] = Reason.CLIENT_FROZEN
    template: ClassVar[str] = "{client} is frozen: {cause}"

    client: str
    cause: str


@dataclass(kw_only=True, eq=False)
class TrustExpired(StateForbids):
    """The trusting period of the trusted state is over (ns)."""

    reason: ClassVar[Reason] = Reason.CLIENT_EXPIRED
    template: ClassVar[str] = "trust ended at {expires_at} ns, now is {now} ns"

    expires_at: int
    now: int


@dataclass(kw_only=True, eq=False)
class ClientActive(StateForbids):
    """A client is neither frozen nor expired, so nothing is to be recovered."""

    reason: ClassVar[Reason] = Reason.CLIENT_ACTIVE
    template: ClassVar[str] = "{client} is neither frozen nor expired"

    client: str


@dataclass(kw_only=True, eq=False)
class ConsensusStateMissing(StateForbids):
    """No header of this height is verified yet; update the client first."""

    reason: ClassVar[Reason] = Reason.CONSENSUS_STATE_MISSING
    template: ClassVar[str] = "{client} has no verified header at height {height}"

    client: str
    height: int


@dataclass(kw_only=True, eq=False)
class PeerSuspended(StateForbids):
    """A peer is suspended."""

    reason: ClassVar[Reason] = Reason.PEER_SUSPENDED
    template: ClassVar[str] = "{peer} is suspended"

    peer: str


@dataclass(kw_only=True, eq=False)
class LaneNotOpen(StateForbids):
    """A lane is not open yet, or closed."""

    reason: ClassVar[Reason] = Reason.LANE_NOT_OPEN
    template: ClassVar[str] = "{lane} is {state}"

    lane: str
    state: str


@dataclass(kw_only=True, eq=False)
class LanePaused(StateForbids):
    """A lane accepts and delivers nothing until it is resumed."""

    reason: ClassVar[Reason] = Reason.LANE_PAUSED
    template: ClassVar[str] = "{lane} is paused: {cause}"

    lane: str
    cause: str


@dataclass(kw_only=True, eq=False)
class TimeoutElapsed(StateForbids):
    """A packet's timeout (s) has passed at the destination."""

    reason: ClassVar[Reason] = Reason.TIMEOUT_ELAPSED
    template: ClassVar[str] = "timeout {timeout} s has passed at the destination's time {time} s"

    timeout: int
    time: int


@dataclass(kw_only=True, eq=False)
class TimeoutNotReached(StateForbids):
    """A packet's timeout (s) has not passed at the proven height."""

    reason: ClassVar[Reason] = Reason.TIMEOUT_NOT_REACHED
    template: ClassVar[str] = "timeout {timeout} s is after the destination's time {time} s"

    timeout: int
    time: int


@dataclass(kw_only=True, eq=False)
class IllegalMove(StateForbids):
    """A packet cannot make this move from its state."""

    reason: ClassVar[Reason] = Reason.ILLEGAL_MOVE
    template: ClassVar[str] = "{event} is no move from {state}"

    state: str
    event: str


@dataclass(kw_only=True, eq=False)
class SequenceOutOfOrder(StateForbids):
    """An ordered lane or gateway was offered another sequence than the next."""

    reason: ClassVar[Reason] = Reason.SEQUENCE_OUT_OF_ORDER
    template: ClassVar[str] = "sequence {got}, next is {expected}"

    got: int
    expected: int


@dataclass(kw_only=True, eq=False)
class SequenceRetired(StateForbids):
    """A sequence's records are dropped; it ended long ago."""

    reason: ClassVar[Reason] = Reason.SEQUENCE_RETIRED
    template: ClassVar[str] = "{lane} sequence {sequence} is retired"

    lane: str
    sequence: int


@dataclass(kw_only=True, eq=False)
class GapTooWide(StateForbids):
    """Accepting would leave more open ranges than a lane may have."""

    reason: ClassVar[Reason] = Reason.GAP_TOO_WIDE
    template: ClassVar[str] = "{lane} would have {ranges} ranges, the limit is {limit}"

    lane: str
    ranges: int
    limit: int


@dataclass(kw_only=True, eq=False)
class BelowFirstSequence(StateForbids):
    """A sequence lies before the first one that the lane carries."""

    reason: ClassVar[Reason] = Reason.BELOW_FIRST_SEQUENCE
    template: ClassVar[str] = "{lane} begins at {first}, got {sequence}"

    lane: str
    first: int
    sequence: int


@dataclass(kw_only=True, eq=False)
class SchemaVersionMismatch(StateForbids):
    """The database is not at the schema this program needs."""

    reason: ClassVar[Reason] = Reason.SCHEMA_VERSION_MISMATCH
    template: ClassVar[str] = "database is at {got}, this program needs {expected}"

    got: str
    expected: str


@dataclass(kw_only=True, eq=False)
class DatabaseUnfit(StateForbids):
    """The database cannot be the registry's: it could lose commits, or is none that we may use."""

    reason: ClassVar[Reason] = Reason.DATABASE_UNFIT
    template: ClassVar[str] = "the database has {got}, this program needs {expected}"

    got: str
    expected: str


@dataclass(kw_only=True, eq=False)
class IssuerMissing(StateForbids):
    """The hub has no CA of its own to sign certificates with."""

    reason: ClassVar[Reason] = Reason.ISSUER_MISSING
    template: ClassVar[str] = "the hub at {trust_domain} has no issuing CA"

    trust_domain: str


@dataclass(kw_only=True, eq=False)
class TransactionRefused(StateForbids):
    """A chain refused a transaction by its own rule."""

    reason: ClassVar[Reason] = Reason.TRANSACTION_REFUSED
    template: ClassVar[str] = "{chain} refuses it by rule {codespace}/{code}: {log}"

    chain: str
    codespace: str
    code: int
    log: str
