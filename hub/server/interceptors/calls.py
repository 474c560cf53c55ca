"""Every call that ended is heard of: its method, why it failed if it did, how long it took."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import HubError, Reason
from hub.core.time import Duration
from hub.server.call import CHANGES
from hub.server.failpoints import Failpoint, hit
from hub.server.interceptors.around import Around

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from hub.server.hub import Hub
    from hub.server.interceptors.around import Context

OK: Final = "OK"
CANCELLED: Final = "CANCELLED"
"""The caller went, or its deadline passed."""


class Calls(Around):
    """Tells the hub's own listener of each call."""

    def __init__(self, hub: Hub) -> None:
        """By *hub*'s clock."""
        self._hub = hub

    @asynccontextmanager
    async def around(
        self, method: str, request: Message | None, context: Context[Any, Any]
    ) -> AsyncIterator[None]:
        """As said above."""
        del request, context
        clock, reason = self._hub.clock, OK
        began = clock.monotonic()
        try:
            yield
            if CHANGES.get():
                hit(Failpoint.CHANGE_COMMITTED)
        except HubError as error:
            reason = str(error.reason)
            raise
        except asyncio.CancelledError:
            reason = CANCELLED
            raise
        except BaseException:
            reason = str(Reason.INTERNAL)
            raise
        finally:
            self._hub.heard(method, reason, Duration(clock.monotonic() - began))
