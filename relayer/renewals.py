"""Leases of one process, renewed together: those whose second it is in one statement.

A lease that could not be renewed for so long that it is over is kept all the same where nobody else
would take its session: when the registry answers again, it goes on. Where another relayer would,
the session is given up, for that one may reach the registry.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.core.errors import HubError, LeaseLost
from relayer.deadline import within

if TYPE_CHECKING:
    from hub.core.ids import PeerId
    from hub.core.time import Duration, Timestamp
    from hub.ports.clock import Clock
    from hub.ports.leases import Fence, Leases

    Asked = tuple[Fence, "asyncio.Future[None]"]


class Renewals:
    """The renewals that sessions ask for."""

    def __init__(self, leases: Leases, lease: Duration, clock: Clock) -> None:
        """Leases live *lease* (ns) after each renewal."""
        self.has_others = False
        """Whether another relayer would take sessions, as far as it was last known."""
        self._leases = leases
        self._lease = lease
        self._clock = clock
        self._renewed: dict[PeerId, tuple[int, Timestamp]] = {}
        """Each peer's epoch, and when it was renewed last, or asked for first."""
        self._asked: list[Asked] = []
        self._task: asyncio.Task[None] | None = None

    async def renew(self, fence: Fence) -> None:
        """The lease of an attached peer lives on.

        Raises ``LeaseLost``, also where it is over and others would take the session;
        ``RegistryUnreachable`` or ``AnswerOverdue``.
        """
        epoch, at = self._renewed.get(fence.peer, (0, self._clock.monotonic()))
        if epoch != fence.epoch:
            at = self._clock.monotonic()
        self._renewed[fence.peer] = (fence.epoch, at)
        try:
            await self._ask(fence)
        except LeaseLost:
            raise
        except HubError as error:
            if self.has_others and self._clock.monotonic() - at >= 2 * self._lease:
                raise LeaseLost(peer=fence.peer, epoch=fence.epoch) from error
            raise
        self._renewed[fence.peer] = (fence.epoch, self._clock.monotonic())

    async def _ask(self, fence: Fence) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append((fence, future))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._renew())
        await future

    async def _renew(self) -> None:
        await asyncio.sleep(0)  # whoever woke with the first has asked by then
        asked, self._asked, self._task = self._asked, [], None
        try:
            # An answer that comes when the lease is over says nothing.
            renewed = self._leases.renew_all([fence for fence, _ in asked], self._lease)
            lost = await within(self._clock, self._lease, "renewal", renewed)
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
