"""Lanes: one direction of a pair of chain clients, and the routes of policy within it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from hub.core.errors import IdentifierInvalid
from hub.core.ids import ClientId, PeerId, PortId, parse_client_id, parse_peer_id

_SEPARATOR = "~"
_ENDS = 4


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
    CLOSED = "CLOSED"


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
