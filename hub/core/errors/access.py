"""Names, conflicts, races, rights, limits, absences: everything around the packet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hub.core.errors.base import (
    Conflict,
    Corrupt,
    Exhausted,
    LostRace,
    NotAllowed,
    NotFound,
    Unavailable,
    Unsupported,
)
from hub.core.errors.reasons import Reason


@dataclass(kw_only=True, eq=False)
class PeerNotFound(NotFound):
    """No peer has this name."""

    reason: ClassVar[Reason] = Reason.PEER_NOT_FOUND
    template: ClassVar[str] = "{name} is not registered"

    name: str


@dataclass(kw_only=True, eq=False)
class RelayerNotFound(NotFound):
    """No relayer has ever run under this name."""

    reason: ClassVar[Reason] = Reason.RELAYER_NOT_FOUND
    template: ClassVar[str] = "{name} never ran"

    name: str


@dataclass(kw_only=True, eq=False)
class ClientNotFound(NotFound):
    """No client has this name."""

    reason: ClassVar[Reason] = Reason.CLIENT_NOT_FOUND
    template: ClassVar[str] = "{name} does not exist"

    name: str


@dataclass(kw_only=True, eq=False)
class LaneNotFound(NotFound):
    """No lane has this name."""

    reason: ClassVar[Reason] = Reason.LANE_NOT_FOUND
    template: ClassVar[str] = "{name} is not open here"

    name: str


@dataclass(kw_only=True, eq=False)
class RouteNotFound(NotFound):
    """No route has this name."""

    reason: ClassVar[Reason] = Reason.ROUTE_NOT_FOUND
    template: ClassVar[str] = "{name} does not exist"

    name: str


@dataclass(kw_only=True, eq=False)
class PacketNotFound(NotFound):
    """No packet with this sequence was accepted."""

    reason: ClassVar[Reason] = Reason.PACKET_NOT_FOUND
    template: ClassVar[str] = "{name} was not accepted"

    name: str


@dataclass(kw_only=True, eq=False)
class HeaderNotFound(NotFound):
    """No header of this height is stored."""

    reason: ClassVar[Reason] = Reason.HEADER_NOT_FOUND
    template: ClassVar[str] = "{client} has no header at height {height}"

    client: str
    height: int


@dataclass(kw_only=True, eq=False)
class ProofNotFound(NotFound):
    """No proof of this kind is stored for the packet."""

    reason: ClassVar[Reason] = Reason.PROOF_NOT_FOUND
    template: ClassVar[str] = "{name} has no {kind} proof"

    name: str
    kind: str


@dataclass(kw_only=True, eq=False)
class EvidenceNotFound(NotFound):
    """No evidence has this name."""

    reason: ClassVar[Reason] = Reason.EVIDENCE_NOT_FOUND
    template: ClassVar[str] = "{name} does not exist"

    name: str


@dataclass(kw_only=True, eq=False)
class PeerExists(Conflict):
    """A peer of this name exists with other contents."""

    reason: ClassVar[Reason] = Reason.PEER_EXISTS
    template: ClassVar[str] = "{name} exists with other contents"

    name: str


@dataclass(kw_only=True, eq=False)
class LaneExists(Conflict):
    """The pair of clients already has a lane with other contents."""

    reason: ClassVar[Reason] = Reason.LANE_EXISTS
    template: ClassVar[str] = "{name} exists with other contents"

    name: str


@dataclass(kw_only=True, eq=False)
class PacketDiffers(Conflict):
    """Another packet was accepted under this sequence; both are kept."""

    reason: ClassVar[Reason] = Reason.PACKET_DIFFERS
    template: ClassVar[str] = "{lane} sequence {sequence}: got {got}, stored {stored}"

    lane: str
    sequence: int
    got: str
    stored: str


@dataclass(kw_only=True, eq=False)
class OutcomeDiffers(Conflict):
    """Another outcome was proven for this packet; both are kept and the client freezes."""

    reason: ClassVar[Reason] = Reason.OUTCOME_DIFFERS
    template: ClassVar[str] = "{lane} sequence {sequence}: got {got}, stored {stored}"

    lane: str
    sequence: int
    got: str
    stored: str


@dataclass(kw_only=True, eq=False)
class ConsensusStateDiffers(Conflict):
    """Another header was verified at this height: misbehaviour."""

    reason: ClassVar[Reason] = Reason.CONSENSUS_STATE_DIFFERS
    template: ClassVar[str] = "{client} height {height}: got {got}, stored {stored}"

    client: str
    height: int
    got: str
    stored: str


@dataclass(kw_only=True, eq=False)
class ExecutionDisproven(Conflict):
    """An adapter reported an outcome executed; its chain proves that it was not."""

    reason: ClassVar[Reason] = Reason.EXECUTION_DISPROVEN
    template: ClassVar[str] = (
        "{packet} was reported executed, and its commitment stands at height {height}"
    )

    packet: str
    height: int


@dataclass(kw_only=True, eq=False)
class RequestIdReused(Conflict):
    """A request id was used before for another request."""

    reason: ClassVar[Reason] = Reason.REQUEST_ID_REUSED
    template: ClassVar[str] = "request id {request_id} was used for another request"

    request_id: str


@dataclass(kw_only=True, eq=False)
class EtagMismatch(LostRace):
    """The resource changed since it was read."""

    reason: ClassVar[Reason] = Reason.ETAG_MISMATCH
    template: ClassVar[str] = "{name} is at etag {current}, got {got}"

    name: str
    current: str
    got: str


@dataclass(kw_only=True, eq=False)
class LeaseLost(LostRace):
    """Another relayer holds this peer's lease under a higher epoch."""

    reason: ClassVar[Reason] = Reason.LEASE_LOST
    template: ClassVar[str] = "{peer}: epoch {epoch} is over"

    peer: str
    epoch: int


@dataclass(kw_only=True, eq=False)
class GateChanged(LostRace):
    """A freeze or pause came between reading and writing; judge again."""

    reason: ClassVar[Reason] = Reason.GATE_CHANGED
    template: ClassVar[str] = "{lane}: gate {gate} is over"

    lane: str
    gate: int


@dataclass(kw_only=True, eq=False)
class CredentialsMissing(NotAllowed):
    """The caller showed no certificate with a SPIFFE identity of this hub."""

    reason: ClassVar[Reason] = Reason.CREDENTIALS_MISSING
    template: ClassVar[str] = (
        "the certificate has no SPIFFE identity of trust domain {trust_domain}"
    )

    trust_domain: str


@dataclass(kw_only=True, eq=False)
class IdentityNotAllowed(NotAllowed):
    """An identity may not act here."""

    reason: ClassVar[Reason] = Reason.IDENTITY_NOT_ALLOWED
    template: ClassVar[str] = "{identity} may not {action}"

    identity: str
    action: str


@dataclass(kw_only=True, eq=False)
class PolicyDeniesRoute(NotAllowed):
    """Policy forbids this route; the packet keeps its place and ends by timeout."""

    reason: ClassVar[Reason] = Reason.POLICY_DENIES_ROUTE
    template: ClassVar[str] = "{route} is denied: {cause}"

    route: str
    cause: str


@dataclass(kw_only=True, eq=False)
class CertificateRevoked(NotAllowed):
    """A certificate counts no more, although it has not expired."""

    reason: ClassVar[Reason] = Reason.CERTIFICATE_REVOKED
    template: ClassVar[str] = "certificate {serial} of {identity} is revoked: {cause}"

    serial: str
    identity: str
    cause: str


@dataclass(kw_only=True, eq=False)
class CertificateExpired(NotAllowed):
    """A certificate counts no more: its time is over."""

    reason: ClassVar[Reason] = Reason.CERTIFICATE_EXPIRED
    template: ClassVar[str] = "certificate {serial} of {identity} expired at {expired_at} ns"

    serial: str
    identity: str
    expired_at: int


@dataclass(kw_only=True, eq=False)
class InvitationInvalid(NotAllowed):
    """A one-time token is unknown, spent or expired; which of them is not told."""

    reason: ClassVar[Reason] = Reason.INVITATION_INVALID
    template: ClassVar[str] = "the invitation is unknown, spent or expired"


@dataclass(kw_only=True, eq=False)
class CreditsSpent(Exhausted):
    """A session sent more items than its credits."""

    reason: ClassVar[Reason] = Reason.CREDITS_SPENT
    template: ClassVar[str] = "{sent} items sent with {credits} credits"

    sent: int
    credits: int


@dataclass(kw_only=True, eq=False)
class BacklogFull(Exhausted):
    """A chain's mempool holds as many transactions as it may; they are tried again."""

    reason: ClassVar[Reason] = Reason.BACKLOG_FULL
    template: ClassVar[str] = "{lane} holds {count} packets, the limit is {limit}"

    lane: str
    count: int
    limit: int


@dataclass(kw_only=True, eq=False)
class RateLimited(Exhausted):
    """A limit of rate is reached; wait as told (ms)."""

    reason: ClassVar[Reason] = Reason.RATE_LIMITED
    template: ClassVar[str] = "{what}: wait {wait_ms} ms"

    what: str
    wait_ms: int


@dataclass(kw_only=True, eq=False)
class GasExhausted(Exhausted):
    """A transaction needs more gas than it was given, or than a transaction may have."""

    reason: ClassVar[Reason] = Reason.GAS_EXHAUSTED
    template: ClassVar[str] = "{used} gas needed, the limit is {limit}"

    used: int
    limit: int


@dataclass(kw_only=True, eq=False)
class AdapterOffline(Unavailable):
    """No adapter of this peer is attached."""

    reason: ClassVar[Reason] = Reason.ADAPTER_OFFLINE
    template: ClassVar[str] = "{peer} has no adapter attached"

    peer: str


@dataclass(kw_only=True, eq=False)
class RegistryUnreachable(Unavailable):
    """The registry's database does not answer; what was asked last was not done."""

    reason: ClassVar[Reason] = Reason.REGISTRY_UNREACHABLE
    template: ClassVar[str] = "the registry does not answer: {problem}"

    problem: str


@dataclass(kw_only=True, eq=False)
class CommitUnknown(Unavailable):
    """The registry's answer was lost: what was asked may have been done."""

    reason: ClassVar[Reason] = Reason.COMMIT_UNKNOWN
    template: ClassVar[str] = "the registry's answer was lost, it may have done it: {problem}"

    problem: str


@dataclass(kw_only=True, eq=False)
class StandbyMissing(Unavailable):
    """No standby has what is committed, and the operator demands one: nothing is accepted."""

    reason: ClassVar[Reason] = Reason.STANDBY_MISSING
    template: ClassVar[str] = "no synchronous standby, and one is required: {problem}"

    problem: str


@dataclass(kw_only=True, eq=False)
class TimelineOutdated(Unavailable):
    """A database server is not the newest primary: what it has was superseded by a promotion."""

    reason: ClassVar[Reason] = Reason.TIMELINE_OUTDATED
    template: ClassVar[str] = "{server} has {got}, and {expected} was seen"

    server: str
    got: str
    expected: str


@dataclass(kw_only=True, eq=False)
class ChainUnreachable(Unavailable):
    """A city's chain does not answer its adapter."""

    reason: ClassVar[Reason] = Reason.CHAIN_UNREACHABLE
    template: ClassVar[str] = "{chain} does not answer: {problem}"

    chain: str
    problem: str


@dataclass(kw_only=True, eq=False)
class AnswerOverdue(Unavailable):
    """A request was not answered within its time (ms)."""

    reason: ClassVar[Reason] = Reason.ANSWER_OVERDUE
    template: ClassVar[str] = "{what} not answered within {waited_ms} ms"

    what: str
    waited_ms: int


@dataclass(kw_only=True, eq=False)
class ShuttingDown(Unavailable):
    """The process drains; redial."""

    reason: ClassVar[Reason] = Reason.SHUTTING_DOWN
    template: ClassVar[str] = "the process drains"


@dataclass(kw_only=True, eq=False)
class TransactionLost(Unavailable):
    """A transaction left the chain's mempool without having been in a block."""

    reason: ClassVar[Reason] = Reason.TRANSACTION_LOST
    template: ClassVar[str] = "{chain}: transaction {transaction} is in no block up to {height}"

    chain: str
    transaction: str
    height: int


@dataclass(kw_only=True, eq=False)
class RecordCorrupt(Corrupt):
    """A stored record contradicts its own commitment."""

    reason: ClassVar[Reason] = Reason.RECORD_CORRUPT
    template: ClassVar[str] = "{what}: stored {stored}, computed {computed}"

    what: str
    stored: str
    computed: str


@dataclass(kw_only=True, eq=False)
class ClientTypeUnknown(Unsupported):
    """No light client of this type is built in."""

    reason: ClassVar[Reason] = Reason.CLIENT_TYPE_UNKNOWN
    template: ClassVar[str] = "client type {client_type!r} is not one of {known}"

    client_type: str
    known: str


@dataclass(kw_only=True, eq=False)
class ProtocolUnsupported(Unsupported):
    """No common version of the session protocol."""

    reason: ClassVar[Reason] = Reason.PROTOCOL_UNSUPPORTED
    template: ClassVar[str] = "versions {offered} offered, {supported} supported"

    offered: str
    supported: str


@dataclass(kw_only=True, eq=False)
class PacketUnsupported(Unsupported):
    """The destination's chain takes no packet of this kind."""

    reason: ClassVar[Reason] = Reason.PACKET_UNSUPPORTED
    template: ClassVar[str] = "{chain} takes no such packet: {problem}"

    chain: str
    problem: str
