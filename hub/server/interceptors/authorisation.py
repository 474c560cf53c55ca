"""Who may call what is read from one table; a method that is not in it is refused."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from hub.server.authority import check_allowed
from hub.server.call import IDENTITY
from hub.server.interceptors.around import Around

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from hub.server.interceptors.around import Context


class Authorisation(Around):
    """Lets through what the table of authority allows."""

    @asynccontextmanager
    async def around(
        self, method: str, request: Message | None, context: Context[Any, Any]
    ) -> AsyncIterator[None]:
        """As said above. Raises ``IdentityNotAllowed``."""
        del context
        check_allowed(method, IDENTITY.get(), request)
        yield
