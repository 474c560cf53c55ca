"""JSON-RPC 2.0 over HTTP with one CometBFT node.

An answer that cannot be read is no answer: ``ChainUnreachable``, as if none had come. A JSON-RPC
error is a value, since only the caller can tell what it means; its text is for people.

A node takes arrays of calls and works through them in their order. It takes no more than 10 in one
(or fewer, where its operator set so: the array is halved then), in at most 1,000,000 bytes.

Source: JSON-RPC 2.0; CometBFT 0.38 rpc/jsonrpc/server/{http_server,http_json_handler}.go and
config/config.go (max_request_batch_size, max_body_bytes).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import aiohttp
import msgspec
from yarl import URL

from adapters.sdk.waiting import within
from hub.core.errors import ChainUnreachable, FieldInvalid, LimitExceeded
from hub.core.time import MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

    from adapters.sdk.clock import Clock
    from hub.core.ids import ChainId
    from hub.core.time import Duration

T = TypeVar("T")

MAX_REQUEST_BYTES: Final = 950_000
"""Of one POST; a node's own limit is 1,000,000 unless its operator set another."""
CALLS_PER_POST: Final = 10
POSTS_AT_ONCE: Final = 4
"""Of calls that may be answered in any order."""
_INVALID_REQUEST: Final = -32600
_HEADERS: Final = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
_WEBSOCKET_BYTES: Final = 1024 * 1024
_HEARTBEAT_S: Final = 10
_CLOSE_S: Final = 1
_MAX_TEXT: Final = 300


class RpcError(msgspec.Struct, frozen=True, gc=False):
    """The ``error`` of an answer."""

    code: int = 0
    message: str = ""
    data: Any = ""


class Envelope(msgspec.Struct, Generic[T], frozen=True):
    """One answer."""

    id: int | str | None = None
    result: T | None = None
    error: RpcError | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """That a node answered a call with a JSON-RPC error, or with nothing."""

    code: int
    text: str
    """For people only."""


class Method(Generic[T]):
    """A call by name, what it answers, and how large an answer is read."""

    def __init__(self, name: str, answer: type[T], max_bytes: int) -> None:
        self.name = name
        self.max_bytes = max_bytes
        """Of one answer; those of an array may have that many each."""
        # Numbers of 64 bits are texts in these answers.
        self.one = msgspec.json.Decoder(Envelope[answer], strict=False)  # type: ignore[valid-type]
        self.many = msgspec.json.Decoder(
            list[Envelope[answer]] | Envelope[answer],  # type: ignore[valid-type]
            strict=False,
        )


class Endpoint:
    """One node."""

    def __init__(
        self,
        chain_id: ChainId,
        url: str,
        session: Callable[[], aiohttp.ClientSession],
        clock: Clock,
        timeout: Duration,
    ) -> None:
        """The node of *chain_id* at *url*, each POST within *timeout* (ns).

        Raises ``FieldInvalid``.
        """
        self.name = _origin(url)
        """Without what a path or a password would give away."""
        self.is_admitted = False
        """Whether it is known to serve the chain."""
        self._chain_id = chain_id
        self._url = url
        self._session = session
        self._clock = clock
        self._timeout = timeout
        self._calls_per_post = CALLS_PER_POST

    def unreachable(self, problem: str) -> ChainUnreachable:
        """What is raised where the node gave no answer, for *problem*."""
        return ChainUnreachable(chain=self._chain_id, problem=f"{self.name} {problem[:_MAX_TEXT]}")

    async def call(self, method: Method[T], params: Mapping[str, object]) -> T | Refusal:
        """What the node answers. Raises ``ChainUnreachable`` or ``LimitExceeded``."""
        body = await self._post(_request(0, method, params), method.max_bytes, method.name)
        return self._answer(self._decoded(method.one, body, method.name), method.name)

    async def calls(
        self, method: Method[T], many: Sequence[Mapping[str, object]], *, in_order: bool = False
    ) -> tuple[T | Refusal, ...]:
        """What the node answers to each of *many*, as they stand.

        *in_order*: a call reaches the node after those before it were answered. Raises as ``call``.
        """
        requests = [_request(at, method, params) for at, params in enumerate(many)]
        parts = list(_parts(requests, self._calls_per_post))
        gate = asyncio.Semaphore(POSTS_AT_ONCE)

        async def ask(first: int, last: int) -> list[T | Refusal]:
            async with gate:
                return await self._some(method, requests, first, last)

        if in_order:
            # Not through the gate: a part that fails would let the next one in.
            found = [await self._some(method, requests, first, last) for first, last in parts]
        else:
            found = await _all([ask(first, last) for first, last in parts])
        return tuple([answer for part in found for answer in part])

    async def websocket(self) -> aiohttp.ClientWebSocketResponse:
        """A connection to the node's events. Raises ``aiohttp.ClientError`` or ``OSError``."""
        url = URL(self._url)
        return await self._session().ws_connect(
            (url / "websocket").with_query(url.query),
            heartbeat=_HEARTBEAT_S,
            max_msg_size=_WEBSOCKET_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
        )

    async def _some(
        self, method: Method[T], requests: Sequence[bytes], first: int, last: int
    ) -> list[T | Refusal]:
        """The answers to *requests* from *first* up to, not including, *last*."""
        if last - first == 1:
            body = await self._post(requests[first], method.max_bytes, method.name)
            return [self._answer(self._decoded(method.one, body, method.name), method.name)]
        body = await self._post(
            b"[" + b",".join(requests[first:last]) + b"]",
            method.max_bytes * (last - first),
            method.name,
        )
        answers = self._decoded(method.many, body, method.name)
        if isinstance(answers, list):
            by_id = {answer.id: answer for answer in answers}
            asked = range(first, last)
            if len(answers) != len(asked) or any(at not in by_id for at in asked):
                raise self.unreachable(f"answers {method.name}: other calls than were asked")
            return [self._answer(by_id[at], method.name) for at in asked]
        if answers.error is None or answers.error.code != _INVALID_REQUEST:
            raise self.unreachable(f"answers {method.name}: one answer to {last - first} calls")
        # The node takes fewer calls at once.
        half = (last - first) // 2
        self._calls_per_post = max(1, min(self._calls_per_post, half))
        return [
            *await self._some(method, requests, first, first + half),
            *await self._some(method, requests, first + half, last),
        ]

    def _answer(self, envelope: Envelope[T], what: str) -> T | Refusal:
        if envelope.error is not None:
            error = envelope.error
            return Refusal(error.code, f"{what}: {error.message} {error.data}"[:_MAX_TEXT])
        if envelope.result is None:
            return Refusal(0, f"{what}: nothing")
        return envelope.result

    def _decoded(self, decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
        try:
            return decoder.decode(body)
        except (ValueError, RecursionError) as error:
            raise self.unreachable(f"answers {what}: {error}") from error

    async def _post(self, body: bytes, max_bytes: int, what: str) -> bytes:
        try:
            return await within(self._exchange(body, max_bytes, what), self._clock, self._timeout)
        except TimeoutError as error:
            waited = f"{self._timeout // MILLISECOND} ms"
            raise self.unreachable(f"does not answer {what} within {waited}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self.unreachable(f"fails at {what}: {problem_of(error)}") from error

    async def _exchange(self, body: bytes, max_bytes: int, what: str) -> bytes:
        """The body of the answer to *body*."""
        async with self._session().post(
            self._url, data=body, headers=_HEADERS, allow_redirects=False
        ) as response:
            if response.status != 200:  # noqa: PLR2004 - OK
                raise self.unreachable(f"answers {what} with HTTP status {response.status}")
            chunks: list[bytes] = []
            size = response.content_length or 0
            _at_most(size, max_bytes, what)
            size = 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                _at_most(size, max_bytes, what)
                chunks.append(chunk)
            return b"".join(chunks)


def problem_of(error: Exception) -> str:
    """What went wrong, without the URL that some errors carry: a part of it may be secret."""
    cause = f" {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}{cause}"


def _request(at: int, method: Method[T], params: Mapping[str, object]) -> bytes:
    request = {"jsonrpc": "2.0", "id": at, "method": method.name, "params": params}
    encoded = msgspec.json.encode(request)
    if len(encoded) > MAX_REQUEST_BYTES:
        what = f"request bytes of {method.name}"
        raise LimitExceeded(what=what, count=len(encoded), limit=MAX_REQUEST_BYTES)
    return encoded


def _parts(requests: Sequence[bytes], most: int) -> Iterator[tuple[int, int]]:
    """Where *requests* are cut, so that each part is within the limits of one POST."""
    first = size = 0
    for at, request in enumerate(requests):
        if at > first and (at - first == most or size + len(request) + 2 > MAX_REQUEST_BYTES):
            yield first, at
            first, size = at, 0
        size += len(request) + 1
    if first < len(requests):
        yield first, len(requests)


async def _all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What each of *work* returns; when one fails, the rest is cancelled and its error raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _at_most(size: int, max_bytes: int, what: str) -> None:
    if size > max_bytes:
        raise LimitExceeded(what=f"answer bytes of {what}", count=size, limit=max_bytes)


def _origin(url: str) -> str:
    problem = "is no http or https URL"
    try:
        parsed = URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise FieldInvalid(field="rpc url", problem=problem)
        return str(parsed.origin())
    except ValueError as error:
        raise FieldInvalid(field="rpc url", problem=problem) from error
