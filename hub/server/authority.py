"""Who may call what: one row for every method that the server answers.

Administrators act on everything. Relayers read. A peer's adapter reads what is of its own peer
(itself, its clients, lanes with it at an end and their packets), and may pause such a lane, or
drain one that is not paused: to stop takes one person, to go on is the administrators' to decide.

Source: design section 6; reliability notes section 4 ("authn bypass", "identity confusion").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import IdentityNotAllowed
from hub.wire.identity.spiffe import Role
from hub.wire.names import (
    parse_client_name,
    parse_evidence_name,
    parse_hub_client_name,
    parse_lane_name,
    parse_packet_name,
    parse_peer_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from google.protobuf.descriptor import ServiceDescriptor
    from google.protobuf.message import Message

    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from hub.wire.identity.spiffe import SpiffeId

    Scope = Callable[[Any], Collection[PeerId]]


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call a method."""

    roles: frozenset[Role]
    scope: Scope | None = None
    """Whose things a request is about: a peer must be one of them. None: nobody's in particular."""
    is_own: bool = False
    """Whether it is about nothing but the caller's own certificate."""


_ANYONE: Final = frozenset({Role.ADMIN, Role.RELAYER, Role.PEER, Role.HUB})
_READERS: Final = frozenset({Role.ADMIN, Role.RELAYER})
_ADMINS: Final = frozenset({Role.ADMIN})
_PEERS_TOO: Final = frozenset({Role.ADMIN, Role.RELAYER, Role.PEER})
_STOPPERS: Final = frozenset({Role.ADMIN, Role.PEER})


def _ends(lane: LaneKey) -> tuple[PeerId, PeerId]:
    return lane.source_peer, lane.destination_peer


def _parent_lane(request: Any) -> tuple[PeerId, ...]:
    return _ends(parse_lane_name(request.parent)) if request.parent else ()


RULES: Final[dict[str, Rule]] = {
    "/ydhub.peer.v1.PeerService/RegisterPeer": Rule(_ADMINS),
    "/ydhub.peer.v1.PeerService/ListPeers": Rule(_READERS),
    "/ydhub.peer.v1.PeerService/GetPeer": Rule(
        _PEERS_TOO, lambda request: (parse_peer_name(request.name),)
    ),
    "/ydhub.client.v1.ClientService/ListClients": Rule(
        _PEERS_TOO, lambda request: (parse_peer_name(request.parent),) if request.parent else ()
    ),
    "/ydhub.client.v1.ClientService/GetClient": Rule(
        _PEERS_TOO, lambda request: parse_client_name(request.name)[:1]
    ),
    "/ydhub.peer.v1.PeerService/SuspendPeer": Rule(_ADMINS),
    "/ydhub.peer.v1.PeerService/ResumePeer": Rule(_ADMINS),
    "/ydhub.client.v1.ClientService/FreezeClient": Rule(_ADMINS),
    "/ydhub.client.v1.ClientService/RecoverClient": Rule(_ADMINS),
    "/ydhub.client.v1.ClientService/GetEvidence": Rule(
        _PEERS_TOO, lambda request: (parse_evidence_name(request.name)[0],)
    ),
    "/ydhub.client.v1.ClientService/ListEvidence": Rule(
        _PEERS_TOO, lambda request: (parse_hub_client_name(request.parent),)
    ),
    "/ydhub.lane.v1.LaneService/OpenLane": Rule(_ADMINS),
    "/ydhub.lane.v1.LaneService/GetLaneOpening": Rule(_READERS),
    "/ydhub.lane.v1.LaneService/ListLanes": Rule(
        _PEERS_TOO, lambda request: (parse_peer_name(request.peer),) if request.peer else ()
    ),
    "/ydhub.lane.v1.LaneService/GetLane": Rule(
        _PEERS_TOO, lambda request: _ends(parse_lane_name(request.name))
    ),
    "/ydhub.lane.v1.LaneService/PauseLane": Rule(
        _STOPPERS, lambda request: _ends(parse_lane_name(request.name))
    ),
    "/ydhub.lane.v1.LaneService/DrainLane": Rule(
        _STOPPERS, lambda request: _ends(parse_lane_name(request.name))
    ),
    "/ydhub.lane.v1.LaneService/ResumeLane": Rule(_ADMINS),
    "/ydhub.lane.v1.LaneService/SetRoute": Rule(_ADMINS),
    "/ydhub.lane.v1.LaneService/LimitRoute": Rule(_ADMINS),
    "/ydhub.lane.v1.LaneService/ListRoutes": Rule(_PEERS_TOO, _parent_lane),
    "/ydhub.packet.v1.PacketService/ListPackets": Rule(_PEERS_TOO, _parent_lane),
    "/ydhub.packet.v1.PacketService/GetPacket": Rule(
        _PEERS_TOO, lambda request: _ends(parse_packet_name(request.name)[0])
    ),
    "/ydhub.packet.v1.PacketService/ExplainPacket": Rule(
        _PEERS_TOO, lambda request: _ends(parse_packet_name(request.name)[0])
    ),
    "/ydhub.packet.v1.PacketService/GetPacketProof": Rule(
        _PEERS_TOO, lambda request: _ends(parse_packet_name(request.name)[0])
    ),
    "/ydhub.packet.v1.PacketService/RetryPackets": Rule(_ADMINS),
    "/ydhub.relayer.v1.RelayerService/ListRelayers": Rule(_READERS),
    "/ydhub.relayer.v1.RelayerService/GetRelayer": Rule(_READERS),
    "/ydhub.relayer.v1.RelayerService/DrainRelayer": Rule(_ADMINS),
    "/ydhub.relayer.v1.RelayerService/UndrainRelayer": Rule(_ADMINS),
    "/ydhub.hub.v1.StatusService/GetStatus": Rule(_READERS),
    "/ydhub.hub.v1.StatusService/GetActivity": Rule(_READERS),
    "/ydhub.hub.v1.StatusService/GetDatabase": Rule(_READERS),
    "/ydhub.certificate.v1.CertificateService/InvitePeer": Rule(_ADMINS),
    "/ydhub.certificate.v1.CertificateService/RenewCertificate": Rule(_ANYONE, is_own=True),
    "/ydhub.certificate.v1.CertificateService/RevokeCertificate": Rule(_ADMINS),
    "/ydhub.certificate.v1.CertificateService/ListRevocations": Rule(_READERS),
    "/ydhub.hub.v1.WatchService/WatchPeers": Rule(_READERS),
    "/ydhub.hub.v1.WatchService/WatchClients": Rule(
        _PEERS_TOO, lambda request: (parse_peer_name(request.parent),) if request.parent else ()
    ),
    "/ydhub.hub.v1.WatchService/WatchLanes": Rule(
        _PEERS_TOO, lambda request: (parse_peer_name(request.peer),) if request.peer else ()
    ),
    "/ydhub.hub.v1.WatchService/WatchPackets": Rule(_PEERS_TOO, _parent_lane),
    "/grpc.health.v1.Health/Check": Rule(_ANYONE),
    "/grpc.health.v1.Health/List": Rule(_ANYONE),
    "/grpc.health.v1.Health/Watch": Rule(_ANYONE),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Rule(_ANYONE),
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": Rule(_ANYONE),
}
"""By full method name."""


def check_allowed(method: str, identity: SpiffeId, request: Message | None) -> None:
    """*identity* may call *method* with *request*; deny by default.

    Raises ``IdentityNotAllowed``, or ``IdentifierInvalid`` for a request that names nothing.
    """
    rule = RULES.get(method)
    if rule is None or identity.role not in rule.roles:
        raise _not_allowed(identity, method)
    if identity.role is not Role.PEER or rule.scope is None:
        return
    # A streaming caller has named nothing yet, and so nothing of its own.
    if request is None or identity.peer() not in rule.scope(request):
        raise _not_allowed(identity, f"{method} for another peer")


def check_table(services: Iterable[ServiceDescriptor]) -> None:
    """Every method of *services* has its row; else the server does not start.

    Raises ``LookupError``.
    """
    for service in services:
        for method in service.methods:
            name = f"/{service.full_name}/{method.name}"
            if name not in RULES:
                raise LookupError(f"{name} has no row in the table of authority")


def _not_allowed(identity: SpiffeId, action: str) -> IdentityNotAllowed:
    return IdentityNotAllowed(identity=str(identity), action=f"call {action}")
