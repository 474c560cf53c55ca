"""The nodes of one chain, tried in turn.

A node is asked for its chain's id before anything else is believed, and again after it failed. One
that does not answer, or says what cannot be, is left for the next; one that only lacks a height is
not, since it may be right about all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import aiohttp

from adapters.cosmos.rpc.endpoint import Endpoint
from adapters.cosmos.rpc.status import read_status
from hub.core.errors import (
    ChainUnreachable,
    Corrupt,
    FieldInvalid,
    HeaderNotFound,
    HubError,
    LimitExceeded,
    Malformed,
    Unavailable,
    VerificationFailed,
)
from hub.core.time import MILLISECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from adapters.sdk.clock import Clock
    from hub.core.ids import ChainId

T = TypeVar("T")

_KEEPALIVE_S: Final = 5
"""A node closes what was idle for 10 s. Source: rpc/jsonrpc/server/http_server.go, ReadTimeout."""
_CONNECTIONS: Final = 32
_READ_BYTES: Final = 1024 * 1024


class Rpc:
    """One chain's nodes."""

    def __init__(
        self,
        chain_id: ChainId,
        urls: Sequence[str],
        clock: Clock,
        *,
        timeout_ms: int = 10_000,
    ) -> None:
        """The nodes of *chain_id* at *urls*, the first one preferred.

        A node that does not answer within *timeout_ms*, dialling included, does not answer at all.
        Raises ``FieldInvalid``.
        """
        if not urls:
            raise FieldInvalid(field="rpc urls", problem="name no node")
        self._chain_id = chain_id
        timeout = Duration(timeout_ms * MILLISECOND)
        self._endpoints = [Endpoint(chain_id, url, self._use, clock, timeout) for url in urls]
        self._preferred = 0
        self._session: aiohttp.ClientSession | None = None

    @property
    def preferred(self) -> Endpoint:
        """The node that is asked first."""
        return self._endpoints[self._preferred]

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All nodes."""
        return tuple(self._endpoints)

    def prefer(self, endpoint: Endpoint) -> None:
        """*endpoint* is asked first from now on."""
        self._preferred = self._endpoints.index(endpoint)

    def doubt(self) -> None:
        """Another node is asked first from now on, and the present one for its chain again."""
        self.preferred.is_admitted = False
        self._preferred = (self._preferred + 1) % len(self._endpoints)

    async def first(self, ask: Callable[[Endpoint], Awaitable[T]]) -> T:
        """What *ask* makes of the first node that answers it well.

        Raises ``ChainUnreachable`` where any gave no answer, else what went wrong at the first;
        ``LimitExceeded`` only where every node's answer was too large.
        """
        errors: list[HubError] = []
        start = self._preferred
        for turn in range(len(self._endpoints)):
            endpoint = self._endpoints[(start + turn) % len(self._endpoints)]
            try:
                await self.admit(endpoint)
                answer = await ask(endpoint)
            except HeaderNotFound as error:
                errors.append(error)
                continue
            except (Unavailable, Corrupt, Malformed, VerificationFailed) as error:
                endpoint.is_admitted = False
                errors.append(error)
                continue
            if errors and not all(isinstance(error, HeaderNotFound) for error in errors):
                self.prefer(endpoint)
            return answer
        raise self._worst(errors)

    async def every(self, ask: Callable[[Endpoint], Awaitable[T]]) -> list[T]:
        """What *ask* makes of each node that answers it well. Raises as ``first`` if none does."""
        found: list[T] = []
        errors: list[HubError] = []
        for endpoint in self._endpoints:
            try:
                found.append(await ask(endpoint))
            except HubError as error:
                errors.append(error)
        if not found:
            raise self._worst(errors)
        return found

    async def admit(self, endpoint: Endpoint) -> None:
        """*endpoint* serves the chain. Raises ``ChainIdMismatch`` or ``ChainUnreachable``."""
        if endpoint.is_admitted:
            return
        await read_status(endpoint, self._chain_id)
        endpoint.is_admitted = True

    async def close(self) -> None:
        """Every connection is closed; the next question opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _worst(self, errors: list[HubError]) -> HubError:
        if len(errors) == 1 or not any(isinstance(error, Unavailable) for error in errors):
            return next((one for one in errors if not isinstance(one, LimitExceeded)), errors[0])
        problem = "; ".join([str(error) for error in errors])
        return ChainUnreachable(chain=self._chain_id, problem=problem)

    def _use(self) -> aiohttp.ClientSession:
        # A session belongs to the loop that it is made in, so it is made when it is used.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                read_bufsize=_READ_BYTES,
                auto_decompress=False,
            )
        return self._session
