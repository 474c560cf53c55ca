"""Which certificates count no more, as a running process knows it.

Everything is read at the start, again on every hint, and again now and then: hints may be lost. A
process whose registry is away goes on with what it read last.

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
    """Judges certificates, and tells when others have been revoked."""

    def __init__(self, registry: Registry) -> None:
        """Nothing is known to be revoked before ``refresh``."""
        self._registry = registry
        self._revoked = Revoked()
        self._listeners: list[Callable[[], None]] = []

    def check(self, shown: ShownCertificate) -> None:
        """*shown* counts still. Raises ``CertificateRevoked``."""
        self._revoked.check(shown)

    def on_change(self, listener: Callable[[], None]) -> None:
        """*listener* is called whenever something else is revoked than before."""
        self._listeners.append(listener)

    async def refresh(self) -> None:
        """What the registry holds now counts. Raises ``RegistryUnreachable``."""
        found = await self._registry.certificates.revoked()
        if found != self._revoked:
            self._revoked = found
            for listener in self._listeners:
                listener()

    async def run(self, clock: Clock) -> None:
        """Follows the registry until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._poll(clock))

    async def _listen(self) -> None:
        async for change in self._registry.changes.listen():
            if change.topic is Topic.CERTIFICATES:
                with suppress(HubError):  # the poll finds it
                    await self.refresh()

    async def _poll(self, clock: Clock) -> None:
        while True:
            with suppress(HubError):
                await self.refresh()
            await clock.sleep(POLL_EVERY)
