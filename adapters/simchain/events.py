"""What happened on the chain, in the order in which it happened: for its ledger and its adapter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.core.client import Header
    from hub.core.errors import HubError
    from hub.core.height import Height
    from hub.core.ids import ClientId
    from hub.core.packet import Acknowledgement, Packet


@dataclass(frozen=True, slots=True)
class ClientCreated:
    """A light client of another chain exists."""

    client: ClientId
    opening: str


@dataclass(frozen=True, slots=True)
class ClientUpdated:
    """A light client has a consensus state at *height*."""

    client: ClientId
    height: Height


@dataclass(frozen=True, slots=True)
class MisbehaviourFound:
    """A light client saw two truths and is frozen; the headers that showed it are kept."""

    client: ClientId
    cause: str
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class PacketSent:
    """A packet that this chain committed to."""

    packet: Packet


@dataclass(frozen=True, slots=True)
class PacketReceived:
    """A packet that this chain received and answered."""

    packet: Packet
    acknowledgement: Acknowledgement
    failure: HubError | None
    """Why the application refused it; None if it was executed."""


@dataclass(frozen=True, slots=True)
class PacketExpired:
    """A proven packet that came too late and was passed over; only an ordered gateway does so."""

    packet: Packet


@dataclass(frozen=True, slots=True)
class SequencePassedOver:
    """A sequence that is gone from its source; only an ordered gateway passes over it."""

    client: ClientId
    """The destination client."""
    sequence: int


@dataclass(frozen=True, slots=True)
class PacketAcknowledged:
    """A packet of this chain whose acknowledgement it executed."""

    packet: Packet
    acknowledgement: Acknowledgement


@dataclass(frozen=True, slots=True)
class PacketTimedOut:
    """A packet of this chain whose timeout it executed."""

    packet: Packet


@dataclass(frozen=True, slots=True)
class TokensRefunded:
    """The sender of a packet's tokens has them again."""

    client: ClientId
    """The source client."""
    sequence: int


Event = (
    ClientCreated
    | ClientUpdated
    | MisbehaviourFound
    | PacketSent
    | PacketReceived
    | PacketExpired
    | SequencePassedOver
    | PacketAcknowledged
    | PacketTimedOut
    | TokensRefunded
)
