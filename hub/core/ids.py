"""Identifiers: parsed once at the edge, then trusted.

Each ``parse_*`` returns the typed identifier of untrusted text, or raises ``IdentifierInvalid``.
"""

from __future__ import annotations

import re
from typing import NewType

from hub.core.errors import IdentifierInvalid

PeerId = NewType("PeerId", str)
"""A city chain's name at the hub, as in ``peers/{peer}``."""

ClientId = NewType("ClientId", str)
"""The native id of a light client on a chain, of the form ``{type}-{n}``."""

PortId = NewType("PortId", str)
"""An application endpoint on a chain."""

ChainId = NewType("ChainId", str)
"""The id that a chain's own headers carry."""

_PEER = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CLIENT = re.compile(r"[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?-(0|[1-9][0-9]{0,19})")
_PORT = re.compile(r"[a-zA-Z0-9._+\-#\[\]<>]{2,128}")
_CHAIN = re.compile(r"[\x21-\x7e]{1,50}")

MAX_PEER_ID = 63
"""Characters, as ``parse_peer_id`` takes them."""

MAX_CLIENT_ID = 64
"""Characters. Source: ICS-24, identifiers."""

_MAX_CLIENT_NUMBER = 2**64 - 1


def parse_peer_id(text: str) -> PeerId:
    """*text* as a peer id: 1 to 63 of a-z, 0-9 and inner hyphens, beginning with a letter."""
    return PeerId(_matched(_PEER, "peer id", text, "a-z, 0-9, inner hyphens, 1 to 63 long"))


def parse_client_id(text: str) -> ClientId:
    """*text* as a native client id ``{type}-{n}``, at most 64 characters; n is 64 bits, minimal.

    Source: ICS-24; ibc-go 02-client/types/keys.go, ParseClientIdentifier.
    """
    match = _CLIENT.fullmatch(text) if len(text) <= MAX_CLIENT_ID else None
    if match is None or int(match[1]) > _MAX_CLIENT_NUMBER:
        rule = "{type}-{n}, at most 64 of a-z A-Z 0-9 _ and inner hyphens, n of 64 bits"
        raise _invalid("client id", text, rule)
    return ClientId(text)


def parse_port_id(text: str) -> PortId:
    """*text* as a port id of 2 to 128 characters. Source: ICS-24, identifiers."""
    return PortId(_matched(_PORT, "port id", text, "2 to 128 of a-z A-Z 0-9 . _ + - # [ ] < >"))


def parse_chain_id(text: str) -> ChainId:
    """*text* as a chain id of 1 to 50 printable characters. Source: CometBFT MaxChainIDLen."""
    return ChainId(_matched(_CHAIN, "chain id", text, "1 to 50 printable ASCII characters"))


def _matched(pattern: re.Pattern[str], kind: str, text: str, rule: str) -> str:
    if pattern.fullmatch(text) is None:
        raise _invalid(kind, text, rule)
    return text


def _invalid(kind: str, text: str, rule: str) -> IdentifierInvalid:
    return IdentifierInvalid(kind=kind, value=text[:80], rule=rule)
