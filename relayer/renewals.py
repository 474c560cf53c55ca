"""Leases of one process, renewed together: those whose second it is in one statement."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.core.errors import LeaseLost

if TYPE_CHECKING:
    from hub.core.time import Duration
    from hub.ports.leases import Fence, Leases

    Asked = tuple[Fence, "asyncio.Future[None]"]


class Renewals:
    """The renewals that sessions ask for."""

    def __init__(self, leases: Leases, lease: Duration) -> None:
        """Leases live *lease* (ns) after each renewal."""
        self._leases = leases
        self._lease = lease
        self._asked: list[Asked] = []
        self._task: asyncio.Task[None] | None = None

    async def renew(self, fence: Fence) -> None:
        """The lease of an attached peer lives on. Raises ``LeaseLost``, ``RegistryUnreachable``."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append((fence, future))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._renew())
        await future

    async def _renew(self) -> None:
        await asyncio.sleep(0)  # whoever woke with the first has asked by then
        asked, self._asked, self._task = self._asked, [], None
        try:
            lost = await self._leases.renew_all([fence for fence, _ in asked], self._lease)
        except BaseException as error:
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for fence, future in asked:
            if future.done():
                continue
            if fence in lost:
                future.set_exception(LeaseLost(peer=fence.peer, epoch=fence.epoch))
            else:
                future.set_result(None)
