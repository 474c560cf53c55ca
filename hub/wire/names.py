"""Resource names of requests, read once at the edge. Source: AIP-122."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hub.core.errors import IdentifierInvalid
from hub.core.ids import parse_client_id, parse_peer_id
from hub.core.lane import LaneKey, RouteKey
from hub.core.packet import MAX_SEQUENCE

if TYPE_CHECKING:
    from hub.core.ids import ClientId, PeerId

_RELAYER = re.compile(r"[a-zA-Z0-9._-]{1,40}")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")


def parse_peer_name(name: str) -> PeerId:
    """The peer of ``peers/{peer}``. Raises ``IdentifierInvalid``."""
    return parse_peer_id(_after("peers/", name, "peer name", "peers/{peer}"))


def parse_relayer_name(name: str) -> str:
    """The relayer of ``relayers/{relayer}``. Raises ``IdentifierInvalid``."""
    rule = "relayers/{relayer}, of 1 to 40 letters, digits, dots, dashes and underscores"
    found = _after("relayers/", name, "relayer name", rule)
    if _RELAYER.fullmatch(found) is None:
        raise _bad("relayer name", name, rule)
    return found


def parse_client_name(name: str) -> tuple[PeerId, ClientId | None]:
    """The peer of ``peers/{peer}/client``; with the native id of ``.../clients/{native id}``.

    Raises ``IdentifierInvalid``.
    """
    rule = "peers/{peer}/client or peers/{peer}/clients/{native id}"
    peer, _, rest = _after("peers/", name, "client name", rule).partition("/")
    if rest == "client":
        return parse_peer_id(peer), None
    native = _after("clients/", rest, "client name", rule)
    return parse_peer_id(peer), parse_client_id(native)


def parse_hub_client_name(name: str) -> PeerId:
    """The peer of ``peers/{peer}/client``. Raises ``IdentifierInvalid``."""
    peer, native = parse_client_name(name)
    if native is not None:
        raise _bad("hub client name", name, "peers/{peer}/client")
    return peer


def parse_evidence_name(name: str) -> tuple[PeerId, int]:
    """The two of ``peers/{peer}/client/evidence/{number}``. Raises ``IdentifierInvalid``."""
    rule = "peers/{peer}/client/evidence/{number}"
    client, mark, number = name.partition("/evidence/")
    if not mark:
        raise _bad("evidence name", name, rule)
    return parse_hub_client_name(client), _number(number, "evidence name", name, rule)


def parse_lane_name(name: str) -> LaneKey:
    """The lane of ``lanes/{lane}``. Raises ``IdentifierInvalid``."""
    _after("lanes/", name, "lane name", "lanes/{lane}")
    return LaneKey.parse(name)


def parse_route_name(name: str) -> RouteKey:
    """The route of ``lanes/{lane}/routes/{port}~{port}``. Raises ``IdentifierInvalid``."""
    _after("lanes/", name, "route name", "lanes/{lane}/routes/{route}")
    return RouteKey.parse(name)


def parse_packet_name(name: str) -> tuple[LaneKey, int]:
    """Lane and sequence of ``lanes/{lane}/packets/{sequence}``. Raises ``IdentifierInvalid``."""
    rule = "lanes/{lane}/packets/{sequence}"
    lane, mark, sequence = name.partition("/packets/")
    if not mark:
        raise _bad("packet name", name, rule)
    return parse_lane_name(lane), _number(sequence, "packet name", name, rule)


def parse_opening_name(name: str) -> int:
    """The number of ``laneOpenings/{number}``. Raises ``IdentifierInvalid``."""
    rule = "laneOpenings/{number}"
    text = _after("laneOpenings/", name, "opening name", rule)
    return _number(text, "opening name", name, rule)


def _after(prefix: str, name: str, kind: str, rule: str) -> str:
    if not name.startswith(prefix):
        raise _bad(kind, name, rule)
    return name.removeprefix(prefix)


def _number(text: str, kind: str, name: str, rule: str) -> int:
    if _NUMBER.fullmatch(text) is None or int(text) > MAX_SEQUENCE:
        raise _bad(kind, name, rule)
    return int(text)


def _bad(kind: str, name: str, rule: str) -> IdentifierInvalid:
    return IdentifierInvalid(kind=kind, value=name[:80], rule=rule)
