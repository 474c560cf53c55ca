"""Which certificates count no more, as a running process knows it: revoked ones, and expired ones.

Everything is read at the start, again on every hint, and again now and then: hints may be lost. A
process whose registry is away goes on with what it read last. TLS looks at a certificate's time
once; streams and connections last longer, so it is looked at here as time goes on.

Source: design section 6, "revocation works by rows that running processes notice at once".
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hub.core.certificate import Revoked
from hub.core.errors import HubError
from hub.core.time import SECOND, Duration
from hub.ports.registry import Topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.certificate import ShownCertificate
    from hub.ports.clock import Clock
    from hub.ports.registry import Registry

POLL_EVERY: Final = Duration(2 * SECOND)
"""The slow poll behind the hints."""


class Revocations:
    """Judges certificates, and tells when it is time to judge them again."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        """Nothing is known to be revoked before ``refresh``; expiry is judged by *clock*."""
        self._registry = registry
        self._clock = clock
        self._revoked = Revoked()
        self._listeners: list[Callable[[], None]] = []

    def check(self, shown: ShownCertificate) -> None:
        """*shown* counts still. Raises ``CertificateRevoked`` or ``CertificateExpired``."""
        self._revoked.check(shown)
        shown.check(self._clock.now())

    def on_change(self, listener: Callable[[], None]) -> None:
        """*listener* is called when something else is revoked than before, and as time passes."""
        self._listeners.append(listener)

    async def refresh(self) -> None:
        """What the registry holds now counts. Raises ``RegistryUnreachable``."""
        found = await self._registry.certificates.revoked()
        if found != self._revoked:
            self._revoked = found
            self._tell()

    async def run(self) -> None:
        """Follows the registry and the time until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._poll())

    async def _listen(self) -> None:
        async for change in self._registry.changes.listen():
            if change.topic is Topic.CERTIFICATES:
                with suppress(HubError):  # the poll finds it
                    await self.refresh()

    async def _poll(self) -> None:
        while True:
            with suppress(HubError):
                await self.refresh()
            self._tell()
            await self._clock.sleep(POLL_EVERY)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
