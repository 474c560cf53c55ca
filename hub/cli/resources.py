"""Names as people write them: short forms to resource names.

``hangzhou`` is a peer; ``hangzhou~suzhou`` the one lane from the first to the second; a packet is a
lane, a slash and a sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ydhub.lane.v1 import lane_service_pb2

from hub.core.errors import IdentifierInvalid, LaneNotFound
from hub.core.ids import parse_client_id, parse_peer_id
from hub.core.lane import LaneKey
from hub.wire.names import parse_relayer_name

if TYPE_CHECKING:
    from ydhub.lane.v1 import lane_pb2

    from hub.cli.connection import Connection

_LANE_RULE: Final = "PEER~PEER, or peer~client~peer~client"
_PACKET_RULE: Final = "LANE/SEQUENCE"


def peer_name(text: str) -> str:
    """``peers/{peer}`` of *text*. Raises ``IdentifierInvalid``."""
    return f"peers/{parse_peer_id(text.removeprefix('peers/'))}"


def relayer_name(text: str) -> str:
    """``relayers/{relayer}`` of *text*. Raises ``IdentifierInvalid``."""
    return f"relayers/{parse_relayer_name('relayers/' + text.removeprefix('relayers/'))}"


def client_name(text: str) -> str:
    """A client's name: of ``hangzhou`` or of ``hangzhou/07-tendermint-0``.

    Raises ``IdentifierInvalid``.
    """
    peer, _, rest = text.removeprefix("peers/").partition("/")
    native = rest.removeprefix("clients/")
    if native in {"", "client"}:
        return f"{peer_name(peer)}/client"
    return f"{peer_name(peer)}/clients/{parse_client_id(native)}"


async def lane_name(hub: Connection, text: str) -> str:
    """``lanes/{lane}`` of *text*. Raises ``IdentifierInvalid`` or ``LaneNotFound``."""
    source, tilde, destination = text.removeprefix("lanes/").partition("~")
    if not tilde:
        raise IdentifierInvalid(kind="lane", value=text[:80], rule=_LANE_RULE)
    if "~" in destination:
        return LaneKey.parse(text).name
    return (await lane_between(hub, source, destination)).name


async def lane_between(hub: Connection, source: str, destination: str) -> lane_pb2.Lane:
    """The one lane from a peer to another. Raises ``IdentifierInvalid`` or ``LaneNotFound``."""
    first, second = peer_name(source), peer_name(destination)
    request = lane_service_pb2.ListLanesRequest(peer=first)
    found = [
        lane
        async for page in hub.all(hub.lanes.ListLanes, request)
        for lane in page.lanes
        if (lane.source_peer, lane.destination_peer) == (first, second)
    ]
    if not found:
        raise LaneNotFound(name=f"a lane from {first} to {second}")
    if len(found) > 1:
        rule = f"one of {', '.join(lane.name for lane in found)}"
        raise IdentifierInvalid(kind="single lane", value=f"{source}~{destination}", rule=rule)
    return found[0]


async def packet_name(hub: Connection, text: str) -> str:
    """``lanes/{lane}/packets/{sequence}`` of *text*. Raises as ``lane_name``."""
    lane, slash, sequence = text.removeprefix("lanes/").partition("/")
    number = sequence.removeprefix("packets/")
    if not slash or not number.isascii() or not number.isdigit():
        raise IdentifierInvalid(kind="packet", value=text[:80], rule=_PACKET_RULE)
    return f"{await lane_name(hub, lane)}/packets/{int(number)}"


async def route_name(hub: Connection, lane: str, ports: str) -> str:
    """The name of the route of *ports* (source~destination) in a lane. Raises as ``lane_name``."""
    return f"{await lane_name(hub, lane)}/routes/{ports}"
