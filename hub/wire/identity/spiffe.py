"""The identity that a certificate shows: one SPIFFE URI, read from the connection itself.

No field of a request is ever believed about who sends it.

Source: SPIFFE-ID specification, sections 2.1 (trust domain), 2.2 (path), 2.3 (length);
X509-SVID section 2 (exactly one URI SAN, held by gRPC, which else shows none).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from hub.core.errors import CredentialsMissing, IdentifierInvalid, IdentityNotAllowed
from hub.core.ids import parse_peer_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hub.core.ids import PeerId

MAX_BYTES = 2048

_TRUST_DOMAIN = r"[a-z0-9._-]{1,255}"
_SEGMENT = r"(?!\.{1,2}(?:/|$))[a-zA-Z0-9._-]+"
_ID = re.compile(rf"spiffe://({_TRUST_DOMAIN})((?:/{_SEGMENT})+)")
_TLS_VERSION = b"TLSv1.3"


class Role(StrEnum):
    """What an identity is at the hub: the first segment of its path."""

    HUB = "hub"
    RELAYER = "relayers"
    PEER = "peers"
    """A peer's adapter."""
    ADMIN = "admins"


_ROLES = {role.value: role for role in Role}
_NAMED = frozenset({Role.RELAYER, Role.PEER, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """An identity: who vouches for it, and its path there."""

    trust_domain: str
    path: str
    """Begins with a slash, as ``/peers/hangzhou``."""

    @classmethod
    def parse(cls, text: str) -> SpiffeId:
        """The identity *text* spells. Raises ``IdentifierInvalid``."""
        match = _ID.fullmatch(text) if len(text) <= MAX_BYTES else None
        if match is None:
            rule = "spiffe://{trust domain}/{path}"
            raise IdentifierInvalid(kind="SPIFFE id", value=text[:80], rule=rule)
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"spiffe://{self.trust_domain}{self.path}"

    @property
    def role(self) -> Role | None:
        """What the identity is; None where its path is not one that the hub knows."""
        kind, _, name = self.path[1:].partition("/")
        role = _ROLES.get(kind)
        return role if bool(name) == (role in _NAMED) and "/" not in name else None

    @property
    def name(self) -> str:
        """The last segment of the path."""
        return self.path.rpartition("/")[2]

    def peer(self) -> PeerId:
        """The peer whose adapter this is. Raises ``IdentityNotAllowed``."""
        if self.role is not Role.PEER:
            raise IdentityNotAllowed(identity=str(self), action="act as a peer's adapter")
        return parse_peer_id(self.name)


def peer_identity(trust_domain: str, peer: PeerId) -> SpiffeId:
    """The identity that the adapter of *peer* must show."""
    return SpiffeId(trust_domain, f"/{Role.PEER}/{peer}")


class Connection(Protocol):
    """What is read of a call: ``grpc.ServicerContext``, sync or aio."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """What the handshake established, by property."""
        ...


def caller(context: Connection, trust_domain: str) -> SpiffeId:
    """The identity in the certificate of the caller, over TLS 1.3, of *trust_domain*.

    Raises ``CredentialsMissing``.
    """
    properties = context.auth_context()
    found = list(properties.get("peer_spiffe_id", ()))
    if len(found) != 1 or list(properties.get("ssl_tls_version", ())) != [_TLS_VERSION]:
        raise CredentialsMissing(trust_domain=trust_domain)
    try:
        identity = SpiffeId.parse(found[0].decode("ascii"))
    except (IdentifierInvalid, UnicodeDecodeError) as error:
        raise CredentialsMissing(trust_domain=trust_domain) from error
    if identity.trust_domain != trust_domain:
        raise CredentialsMissing(trust_domain=trust_domain)
    return identity
