"""Who asks for a change, and how to recognise that they asked before."""

from __future__ import annotations

from dataclasses import dataclass

MAX_REQUEST_ID = 64
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The author of a change; written to the audit trail in the change's own transaction."""

    identity: str
    """SPIFFE identity, as the certificate shows it."""
    request_id: str = ""
    """Makes a repeated request one (AIP-155); empty for none."""
    digest: bytes = b""
    """SHA-256 of the request's contents; the same id with another digest is refused."""
