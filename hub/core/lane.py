"""Lanes: one direction of a pair of chain clients, and the routes of policy within it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from hub.core.errors import IdentifierInvalid
from hub.core.ids import (
    MAX_CLIENT_ID,
    MAX_PEER_ID,
    ClientId,
    PeerId,
    PortId,
    parse_client_id,
    parse_peer_id,
    parse_port_id,
)
from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from hub.core.time import Duration, Timestamp

_SEPARATOR = "~"
_ENDS = 4

MAX_LANE_NAME = len("lanes/") + 2 * (MAX_PEER_ID + MAX_CLIENT_ID) + _ENDS - 1
"""Characters of the longest resource name of a lane."""


class Order(StrEnum):
    """What a lane promises about the order of execution."""

    UNORDERED = "UNORDERED"
    BEST_EFFORT = "BEST_EFFORT"
    """One transaction in flight towards a gateway that keeps no order itself."""
    ENFORCED = "ENFORCED"
    """The destination's gateway refuses every sequence but the next."""


class LaneState(StrEnum):
    """Whether a lane carries packets."""

    OPENING = "OPENING"
    OPEN = "OPEN"
    PAUSED = "PAUSED"
    """Accepts and delivers nothing; outcomes go on."""
    DRAINING = "DRAINING"
    """Accepts nothing; what it has is delivered and settled."""
    CLOSED = "CLOSED"
    """Carries nothing any more: drained."""


@dataclass(frozen=True, slots=True, order=True)
class LaneKey:
    """The two ends of a lane: its identity and its sequence space."""

    source_peer: PeerId
    source_client: ClientId
    destination_peer: PeerId
    destination_client: ClientId

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key named ``[lanes/]peer~client~peer~client``. Raises ``IdentifierInvalid``."""
        parts = text.removeprefix("lanes/").split(_SEPARATOR)
        if len(parts) != _ENDS:
            rule = "source peer ~ source client ~ destination peer ~ destination client"
            raise IdentifierInvalid(kind="lane", value=text[:80], rule=rule)
        return cls(
            parse_peer_id(parts[0]),
            parse_client_id(parts[1]),
            parse_peer_id(parts[2]),
            parse_client_id(parts[3]),
        )

    def __str__(self) -> str:
        ends = (
            self.source_peer,
            self.source_client,
            self.destination_peer,
            self.destination_client,
        )
        return _SEPARATOR.join(ends)

    @property
    def name(self) -> str:
        """The resource name, ``lanes/{lane}``."""
        return f"lanes/{self}"

    @property
    def peers(self) -> tuple[PeerId, PeerId]:
        """Its source, and its destination."""
        return self.source_peer, self.destination_peer

    @property
    def reverse(self) -> LaneKey:
        """The lane of the other direction over the same pair of clients."""
        return LaneKey(
            self.destination_peer, self.destination_client, self.source_peer, self.source_client
        )


@dataclass(frozen=True, slots=True, order=True)
class RouteKey:
    """One pair of ports within a lane: the unit of policy."""

    lane: LaneKey
    source_port: PortId
    destination_port: PortId

    @property
    def name(self) -> str:
        """The resource name, ``lanes/{lane}/routes/{source port}~{destination port}``."""
        return f"{self.lane.name}/routes/{self.source_port}{_SEPARATOR}{self.destination_port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The route named ``[lanes/]{lane}/routes/{port}~{port}``. Raises ``IdentifierInvalid``."""
        lane, mark, ports = text.partition("/routes/")
        source, tilde, destination = ports.partition(_SEPARATOR)
        if not mark or not tilde:
            rule = "lanes/{lane}/routes/{source port}~{destination port}"
            raise IdentifierInvalid(kind="route", value=text[:80], rule=rule)
        return cls(LaneKey.parse(lane), parse_port_id(source), parse_port_id(destination))


class RouteAction(StrEnum):
    """What policy does with the packets of a route."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    """Accepted, never delivered, refunded by proven timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A token bucket: how many packets a route takes."""

    packets: int
    """That many in each *period*, evenly."""
    period: Duration
    burst: int
    """That many at once, after a rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The policy of one pair of ports; a pair without one is denied."""

    key: RouteKey
    action: RouteAction
    data_class: str = ""
    """Class of the data that it carries, as the source's steward states it."""
    purpose: str = ""
    max_payload_bytes: int = 0
    """Of all payloads of a packet; 0 means the packet's own limit."""
    max_timeout: Duration | None = None
    """Longest timeout after the proven header's time (ns); None means no limit."""
    limit: RateLimit | None = None
    """Packets over it are not accepted yet; None takes them as they come."""


class Side(StrEnum):
    """An end of a lane: its peer's lease owner writes that side's row."""

    SOURCE = "SOURCE"
    DESTINATION = "DESTINATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane as it is registered."""

    lane_id: int
    key: LaneKey
    state: LaneState
    order: Order
    first_sequence: int
    """The first sequence that it carries."""
    pause_cause: str
    created_at: Timestamp
    revision: int
    """Rises with every change of the lane's state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSide:
    """One of a lane's two narrow rows: what its writer has done, fenced by epoch and gate."""

    epoch: int
    """The lease under which it is written."""
    gate: int
    """Rises when a freeze or pause, or the end of one, concerns this side."""
    done: RangeSet = EMPTY
    """Source: sequences accepted. Destination: sequences whose outcome is recorded."""
    progress: RangeSet = EMPTY
    """Source: outcome indexes executed there. Destination: sequences reported delivered."""
    outcome_count: int = 0
    """Destination: outcomes recorded so far, so the next outcome index; 0 at the source."""
    reopened_count: int = 0
    """Source: how often an index has left *progress* again, by proof; 0 at the destination."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """Everything that decides what may happen on a lane now."""

    lane: Lane
    source: LaneSide
    destination: LaneSide
    source_stopped: str
    """Why nothing that the source's chain proves counts (frozen, suspended); empty if it counts."""
    destination_stopped: str
    """Why nothing that the destination's chain proves counts; empty if it counts."""
    source_anchor: int
    """Height at which the source's client was started last; what it verified below counts no more.
    Gates rise when it does."""
    destination_anchor: int
    """Likewise of the destination's client."""
    suspended: tuple[PeerId, ...] = ()
    """Those of its two ends that take no part now."""
    has_exceptions: bool = True
    """Whether any of its packets may be an exception."""

    @property
    def gates(self) -> tuple[int, int]:
        """The gates of both sides, the source's first."""
        return self.source.gate, self.destination.gate

    @property
    def accepts(self) -> bool:
        """Whether packets may enter it now."""
        return self.lane.state is LaneState.OPEN and not self.source_stopped and not self.suspended

    @property
    def delivers(self) -> bool:
        """Whether packets that it has may be handed to the destination now."""
        is_moving = self.lane.state in {LaneState.OPEN, LaneState.DRAINING}
        return is_moving and not (self.source_stopped or self.destination_stopped)

    @property
    def is_settled(self) -> bool:
        """Whether everything that it accepted has ended, its outcome executed at the source."""
        outcomes = RangeSet.span(0, self.destination.outcome_count)
        return not self.source.done - self.destination.done and outcomes == self.source.progress

    @property
    def state(self) -> LaneState:
        """The lane's state, CLOSED once it is drained."""
        is_drained = self.lane.state is LaneState.DRAINING and self.is_settled
        return LaneState.CLOSED if is_drained else self.lane.state
