"""What the twin in memory holds, and the rules that every part of it needs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub.core.errors import ClientNotFound, LaneNotFound, LeaseLost, PeerNotFound, RequestIdReused
from hub.core.lane import LaneSide, LaneState, Side
from hub.core.peer import PeerState
from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp
from hub.ports.registry import Change, Topic
from hub.registry.allowed import words_of_route
from hub.registry.narrow import NarrowSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.client import Anchor, ChainClient, VerifiedHeader
    from hub.core.ids import ClientId, PeerId
    from hub.core.lane import Lane, LaneKey, Route, RouteKey
    from hub.core.peer import Peer
    from hub.core.ranges import RangeSet
    from hub.core.record import (
        Attempt,
        Disproof,
        PacketException,
        StoredOutcome,
        StoredPacket,
        StoredProof,
        TimeoutBatch,
    )
    from hub.core.relayer import Relayer
    from hub.ports.caller import Caller
    from hub.ports.clients import Evidence
    from hub.ports.forwarding import ForwardedAnswer, ForwardKind
    from hub.ports.lanes import Opening
    from hub.ports.leases import Fence
    from hub.registry.mailboxes import LocalChanges

REQUESTS_KEPT = Duration(24 * 3600 * SECOND)
"""How long a request id is remembered."""
FIRST_GATE = 1
_START = Timestamp(1_800_000_000 * SECOND)


@dataclass(slots=True)
class ClientRow:
    """A hub client."""

    anchor: Anchor
    frozen_cause: str = ""
    frozen_at: Timestamp | None = None
    recovered_at: Timestamp | None = None


@dataclass(slots=True)
class LeaseRow:
    """A peer's lease; it stays when it is over, for its epoch."""

    epoch: int = 0
    owner: str | None = None
    attached: bool = False
    expires_at: Timestamp = Timestamp(0)


@dataclass(slots=True)
class ForwardedRow:
    """A request to a session that another process owns."""

    peer: PeerId
    kind: ForwardKind
    content: bytes
    asked_by: str
    expires_at: Timestamp
    epoch: int = 0
    """Of the lease under which it was taken; 0 before."""
    answer: ForwardedAnswer | None = None


@dataclass(slots=True)
class SideRow:
    """One of a lane's two narrow rows."""

    peer: PeerId
    epoch: int
    gate: int = FIRST_GATE
    stopped: bool = False
    """Whether nothing may be recorded here by proof: frozen, or at the source paused."""
    done: NarrowSet = field(default_factory=NarrowSet)
    progress: NarrowSet = field(default_factory=NarrowSet)
    outcome_count: int = 0
    reopened_count: int = 0

    def as_side(self) -> LaneSide:
        """The row as the upper floors see it."""
        return LaneSide(
            epoch=self.epoch,
            gate=self.gate,
            done=self.done.truth,
            progress=self.progress.truth,
            outcome_count=self.outcome_count,
            reopened_count=self.reopened_count,
        )


@dataclass(slots=True)
class LaneFacts:
    """What was recorded of a lane's packets."""

    packets: dict[int, StoredPacket] = field(default_factory=dict)
    outcomes: list[StoredOutcome] = field(default_factory=list)
    outcome_of: dict[int, int] = field(default_factory=dict)
    """Outcome index by sequence."""
    timeouts: dict[int, TimeoutBatch] = field(default_factory=dict)
    """By first sequence."""
    exceptions: dict[int, PacketException] = field(default_factory=dict)
    attempts: list[tuple[RangeSet, Attempt]] = field(default_factory=list)
    reopenings: list[tuple[Disproof, Timestamp]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class LaneRow(LaneFacts):
    """A lane and everything under it."""

    lane: Lane
    sides: dict[Side, SideRow]


@dataclass(frozen=True, slots=True)
class ProofRow:
    """A stored proof, whose it is and under which lease it was recorded."""

    stored: StoredProof
    lane_id: int
    side: Side
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One change, and who made it."""

    at: Timestamp
    identity: str
    action: str
    subject: str
    revision: int
    detail: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was carried out."""

    digest: bytes
    at: Timestamp
    result: str


@dataclass(slots=True)
class State:
    """Everything, and the database's clock."""

    now: Callable[[], Timestamp]
    changes: LocalChanges
    peers: dict[PeerId, Peer] = field(default_factory=dict)
    clients: dict[PeerId, ClientRow] = field(default_factory=dict)
    headers: dict[PeerId, dict[int, VerifiedHeader]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    header_times: dict[tuple[PeerId, int], Timestamp] = field(default_factory=dict)
    validator_sets: dict[bytes, bytes] = field(default_factory=dict)
    chain_clients: dict[tuple[PeerId, ClientId], ChainClient] = field(default_factory=dict)
    evidence: dict[PeerId, list[Evidence]] = field(default_factory=lambda: defaultdict(list))
    leases: dict[PeerId, LeaseRow] = field(default_factory=dict)
    lanes: dict[int, LaneRow] = field(default_factory=dict)
    lane_ids: dict[LaneKey, int] = field(default_factory=dict)
    routes: dict[RouteKey, Route] = field(default_factory=dict)
    route_revisions: dict[RouteKey, int] = field(default_factory=lambda: defaultdict(int))
    openings: dict[int, tuple[Opening, str]] = field(default_factory=dict)
    """Each with its author."""
    proofs: dict[int, ProofRow] = field(default_factory=dict)
    relayers: dict[str, Relayer] = field(default_factory=dict)
    forwarded: dict[int, ForwardedRow] = field(default_factory=dict)
    requests: dict[tuple[str, str], Request] = field(default_factory=dict)
    audit_events: list[AuditEvent] = field(default_factory=list)

    def peer(self, peer: PeerId) -> Peer:
        """The peer. Raises ``PeerNotFound``."""
        found = self.peers.get(peer)
        if found is None:
            raise PeerNotFound(name=f"peers/{peer}")
        return found

    def client(self, peer: PeerId) -> ClientRow:
        """The hub client. Raises ``ClientNotFound``."""
        found = self.clients.get(peer)
        if found is None:
            raise ClientNotFound(name=f"peers/{peer}/client")
        return found

    def lane(self, lane_id: int) -> LaneRow:
        """The lane. Raises ``LaneNotFound``."""
        found = self.lanes.get(lane_id)
        if found is None:
            raise LaneNotFound(name=f"lane {lane_id}")
        return found

    def known(self, lane_id: int) -> LaneFacts:
        """What was recorded of the lane; nothing of one that does not exist."""
        return self.lanes.get(lane_id) or LaneFacts()

    def lane_by_key(self, key: LaneKey) -> LaneRow:
        """The lane. Raises ``LaneNotFound``."""
        lane_id = self.lane_ids.get(key)
        if lane_id is None:
            raise LaneNotFound(name=key.name)
        return self.lanes[lane_id]

    def fenced_side(self, fence: Fence, lane_id: int, side: Side) -> SideRow:
        """The row of the lane that *fence* may write. Raises ``LaneNotFound``, ``LeaseLost``."""
        row = self.lane(lane_id).sides[side]
        if (row.peer, row.epoch) != (fence.peer, fence.epoch):
            raise LeaseLost(peer=fence.peer, epoch=fence.epoch)
        return row

    def check_lease(self, fence: Fence) -> LeaseRow:
        """*fence* is its peer's newest. Raises ``LeaseLost``."""
        row = self.leases.get(fence.peer)
        if row is None or row.epoch != fence.epoch:
            raise LeaseLost(peer=fence.peer, epoch=fence.epoch)
        return row

    def stopped_cause(self, peer: PeerId) -> str:
        """Why nothing that the peer's chain proves counts; empty if it counts."""
        row, peer_row = self.client(peer), self.peer(peer)
        if row.frozen_at is not None:
            return row.frozen_cause or "frozen"
        if peer_row.state is PeerState.ACTIVE:
            return ""
        what = f"the peer is {peer_row.state.lower()}"
        return f"{what}: {peer_row.suspend_cause}" if peer_row.suspend_cause else what

    def is_stopped(self, lane: Lane, side: Side, peer: PeerId) -> bool:
        """Whether nothing may be recorded by proof at that side, which *peer* proves."""
        if self.client(peer).frozen_at is not None or self.is_away(peer):
            return True
        is_source = side is Side.SOURCE
        return is_source and (
            lane.state is not LaneState.OPEN or self.is_away(lane.key.destination_peer)
        )

    def is_away(self, peer: PeerId) -> bool:
        """Whether the peer takes no part now."""
        return self.peer(peer).state is not PeerState.ACTIVE

    def raise_gates(self, which: Callable[[LaneRow, Side], bool]) -> None:
        """The gates of the sides *which* are raised, and each is stopped as it must be now."""
        for lane_id, row in self.lanes.items():
            raised = [side for side in row.sides if which(row, side)]
            for side in raised:
                found = row.sides[side]
                found.gate += 1
                found.stopped = self.is_stopped(row.lane, side, found.peer)
            if raised:
                self.announce(Topic.LANES, lane_id)

    def repeated(self, by: Caller) -> Request | None:
        """The same request, if it was carried out before. Raises ``RequestIdReused``."""
        known = self.requests.get((by.identity, by.request_id)) if by.request_id else None
        if known is None or known.at + REQUESTS_KEPT <= self.now():
            return None
        if known.digest != by.digest:
            raise RequestIdReused(request_id=by.request_id)
        return known

    def carried_out(self, by: Caller, result: str = "") -> None:
        """The request of *by* is remembered with its *result*."""
        if by.request_id:
            self.requests[by.identity, by.request_id] = Request(by.digest, self.now(), result)

    def audit(self, identity: str, action: str, subject: str, revision: int, detail: str) -> None:
        """The change is in the audit trail."""
        event = AuditEvent(
            at=self.now(),
            identity=identity,
            action=action,
            subject=subject,
            revision=revision,
            detail=detail,
        )
        self.audit_events.append(event)

    def put_route(
        self, route: Route, identity: str, action: str = "route.set", detail: str = ""
    ) -> None:
        """The route is as given, and the change is in the audit trail."""
        self.routes[route.key] = route
        self.route_revisions[route.key] += 1
        revision = self.route_revisions[route.key]
        self.audit(identity, action, route.key.name, revision, detail or words_of_route(route))

    def announce(self, topic: Topic, key: object) -> None:
        """Everyone who listens is told."""
        self.changes.announce(Change(topic, str(key)))


def stepping_clock() -> Callable[[], Timestamp]:
    """A clock that stands still but for a millisecond each time it is read."""
    at = _START

    def now() -> Timestamp:
        nonlocal at
        at = Timestamp(at + MILLISECOND)
        return at

    return now
