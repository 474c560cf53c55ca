"""Who calls is read from the certificate, and never from a request."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

from hub.server.call import IDENTITY
from hub.server.interceptors.around import Around
from hub.wire.identity.spiffe import caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from hub.server.interceptors.around import Context


class Authentication(Around):
    """Lets in whoever shows an identity of the trust domain."""

    def __init__(self, trust_domain: str) -> None:
        """Believes *trust_domain* alone."""
        self._trust_domain = trust_domain

    @asynccontextmanager
    async def around(
        self, method: str, request: Message | None, context: Context[Any, Any]
    ) -> AsyncIterator[None]:
        """As said above. Raises ``CredentialsMissing``."""
        del method, request
        identity = caller(context, self._trust_domain)
        IDENTITY.set(identity)
        with structlog.contextvars.bound_contextvars(caller=str(identity)):
            yield
