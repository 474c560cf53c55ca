"""What is known of the call under way; set by the interceptors, read by the services."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from hub.server.failpoints import Failpoint, hit
from hub.wire.requests import caller_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from hub.ports.caller import Caller
    from hub.wire.identity.spiffe import SpiffeId

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Names the call in logs, and in the status of a failure."""

IDENTITY: ContextVar[SpiffeId] = ContextVar("identity")
"""Who calls, by the certificate."""

CHANGES: ContextVar[bool] = ContextVar("changes", default=False)
"""Whether it asks for a change."""


def author(request: Message, request_id: str) -> Caller:
    """Who asks for the change *request*. Raises ``FieldInvalid``."""
    by = caller_of(str(IDENTITY.get()), request, request_id)
    CHANGES.set(True)
    hit(Failpoint.CHANGE_ASKED)
    return by
