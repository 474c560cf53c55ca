"""Requests of one relayer process to a peer's session that another process owns.

The asker writes what it needs, the owner of the peer's lease does it and writes the answer, the
asker reads it once. Nothing here is believed: the asker verifies an answer as if it came from an
adapter of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from hub.core.errors import Reason
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hub.core.ids import PeerId
    from hub.ports.leases import Fence

MAX_WAITING: Final = 64
"""Requests to one peer that wait; the next one is refused."""
MAX_BYTES: Final = 2 * 1024 * 1024
"""Of a request, and of an answer."""
EXPIRES_AFTER: Final = Duration(30 * SECOND)


class ForwardKind(StrEnum):
    """What is asked for."""

    REQUEST = "REQUEST"
    """The adapter's answer to a request."""
    EXECUTION = "EXECUTION"
    """The adapter's report of an execution."""
    HEADER = "HEADER"
    """That a header be verified and stored; the answer is empty."""
    HELLO = "HELLO"
    """What the adapter said of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedRequest:
    """One request, as its taker sees it."""

    number: int
    peer: PeerId
    kind: ForwardKind
    content: bytes


@dataclass(frozen=True, slots=True)
class ForwardedAnswer:
    """What became of a request: an answer, or the reason why there is none."""

    content: bytes
    reason: str = ""
    """Of a refusal; empty where there is an answer."""
    detail: str = ""

    @property
    def bounded(self) -> ForwardedAnswer:
        """The answer, or that it is too large to be kept."""
        if len(self.content) <= MAX_BYTES:
            return self
        detail = f"the answer has {len(self.content)} bytes of at most {MAX_BYTES}"
        return ForwardedAnswer(b"", Reason.LIMIT_EXCEEDED, detail)


class Forwarding(Protocol):
    """Requests that wait for an answer."""

    async def ask(self, peer: PeerId, kind: ForwardKind, content: bytes, asked_by: str) -> int:
        """The request's number; it is gone ``EXPIRES_AFTER`` (ns) later.

        Raises ``AdapterOffline`` where nobody else holds the peer's lease, ``LimitExceeded`` where
        it is too large, ``RateLimited`` where too many wait.
        """
        ...

    async def take(self, fence: Fence, limit: int) -> Sequence[ForwardedRequest]:
        """At most *limit* requests that nobody has taken under this lease, oldest first.

        What an earlier owner took and did not answer is taken again. Raises ``LeaseLost``.
        """
        ...

    async def asked(self, peers: Collection[PeerId]) -> Sequence[PeerId]:
        """Those of *peers* of whom something is asked that has no answer yet, by id."""
        ...

    async def answer(self, fence: Fence, number: int, answer: ForwardedAnswer) -> None:
        """The request, if it still waits and was taken under *fence*, has its answer.

        One that is too large is a refusal. Raises ``LeaseLost``.
        """
        ...

    async def read(self, number: int) -> ForwardedAnswer | None:
        """The answer, which is gone thereafter; None while it waits.

        Raises ``AdapterOffline`` where nobody else holds the peer's lease, ``AnswerOverdue`` where
        the request has expired.
        """
        ...

    async def withdraw(self, number: int) -> None:
        """Nobody waits for the request any more."""
        ...
