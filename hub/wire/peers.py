"""Peers, to protobuf and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ydhub.peer.v1 import peer_pb2 as pb

from hub.core.errors import FieldInvalid
from hub.core.peer import PeerState
from hub.wire.anchor_file import MAX_DISPLAY_NAME
from hub.wire.anchors import anchor_from_proto, anchor_to_proto
from hub.wire.identity.spiffe import peer_identity
from hub.wire.names import parse_peer_name
from hub.wire.times import timestamp_to_proto

if TYPE_CHECKING:
    from hub.core.client import Anchor
    from hub.core.ids import PeerId
    from hub.core.peer import Peer
    from hub.ports.leases import Lease

_STATES = {
    PeerState.PROPOSED: pb.PEER_STATE_PROPOSED,
    PeerState.ACTIVE: pb.PEER_STATE_ACTIVE,
    PeerState.SUSPENDED: pb.PEER_STATE_SUSPENDED,
    PeerState.RETIRED: pb.PEER_STATE_RETIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What is read of a peer that shall be registered."""

    peer: PeerId
    display_name: str
    anchor: Anchor


def registration_from_proto(peer: pb.Peer) -> Registration:
    """The peer that a request asks to register.

    Raises ``FieldInvalid``, ``IdentifierInvalid``, ``HeightInvalid`` or ``AnchorInvalid``.
    """
    if len(peer.display_name) > MAX_DISPLAY_NAME or not peer.display_name.isprintable():
        problem = f"is not at most {MAX_DISPLAY_NAME} printable characters"
        raise FieldInvalid(field="peer.display_name", problem=problem)
    if not peer.HasField("anchor"):
        raise FieldInvalid(field="peer.anchor", problem="is missing")
    return Registration(
        peer=parse_peer_name(peer.name),
        display_name=peer.display_name,
        anchor=anchor_from_proto(peer.anchor, "peer.anchor"),
    )


def peer_to_proto(peer: Peer, lease: Lease | None, trust_domain: str) -> pb.Peer:
    """*peer*, with who holds its lease, if anyone does."""
    return pb.Peer(
        name=peer.name,
        display_name=peer.display_name,
        state=_STATES[peer.state],
        anchor=anchor_to_proto(peer.anchor),
        identity=str(peer_identity(trust_domain, peer.peer)),
        attached=lease is not None and lease.attached,
        relayer=lease.owner if lease is not None else "",
        create_time=timestamp_to_proto(peer.created_at),
        etag=str(peer.revision),
        suspend_cause=peer.suspend_cause,
    )
