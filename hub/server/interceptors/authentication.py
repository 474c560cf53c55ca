"""Who calls is read from the certificate, and never from a request.

A certificate that is revoked or expires while its call is under way ends the call.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from hub.core.errors import CertificateExpired, CertificateRevoked
from hub.server.call import IDENTITY
from hub.server.interceptors.around import Around
from hub.wire.identity.shown import shown_certificate
from hub.wire.identity.spiffe import caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from hub.core.certificate import ShownCertificate
    from hub.exchange.revocations import Revocations
    from hub.server.interceptors.around import Context


@dataclass(slots=True, eq=False)
class _Call:
    """A call under way."""

    shown: ShownCertificate
    task: asyncio.Task[Any] | None
    ended_by: CertificateRevoked | CertificateExpired | None = None


class Authentication(Around):
    """Lets in whoever shows an identity of the trust domain, as long as its certificate counts."""

    def __init__(self, trust_domain: str, revocations: Revocations) -> None:
        """Believes *trust_domain* alone."""
        self._trust_domain = trust_domain
        self._revocations = revocations
        self._calls: set[_Call] = set()
        revocations.on_change(self._look)

    @asynccontextmanager
    async def around(
        self, method: str, request: Message | None, context: Context[Any, Any]
    ) -> AsyncIterator[None]:
        """As said above.

        Raises ``CredentialsMissing``, ``CertificateRevoked`` or ``CertificateExpired``.
        """
        del method, request
        identity = caller(context, self._trust_domain)
        shown = shown_certificate(context, identity)
        self._revocations.check(shown)
        IDENTITY.set(identity)
        call = _Call(shown, asyncio.current_task())
        self._calls.add(call)
        try:
            with structlog.contextvars.bound_contextvars(caller=str(identity)):
                yield
        except asyncio.CancelledError:
            if call.ended_by is None:
                raise
            if call.task is not None:
                call.task.uncancel()
            raise call.ended_by from None
        finally:
            self._calls.discard(call)

    def _look(self) -> None:
        for call in list(self._calls):
            try:
                self._revocations.check(call.shown)
            except (CertificateRevoked, CertificateExpired) as error:
                call.ended_by = error
                if call.task is not None:
                    call.task.cancel()
