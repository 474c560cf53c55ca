"""What the exam needs of the users of the adapter's chain: that they send, and what they hold.

Everything else is examined over the adapter's own stream. Tokens travel by ICS-20 over the port
``transfer``; amounts are whole units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hub.core.ids import ClientId
    from hub.core.ranges import RangeSet


class SenderFailed(Exception):
    """The users could not do it; that says nothing of the adapter."""


class Sender(Protocol):
    """Users of one chain."""

    @property
    def receiver(self) -> str:
        """The account there that the examiner sends its own tokens to."""
        ...

    async def send(
        self, client: ClientId, receiver: str, *, count: int, amount: int, lives_s: int
    ) -> RangeSet:
        """The sequences of *count* packets, committed: *amount* each to *receiver* over *client*.

        They time out *lives_s* seconds from now. Raises ``SenderFailed``.
        """
        ...

    async def locked(self, client: ClientId) -> int:
        """Units that left over *client* and have neither come back nor been refunded.

        Raises ``SenderFailed``.
        """
        ...

    async def received(self, client: ClientId, denomination: str) -> int:
        """Units that ``receiver`` holds of the other chain's *denomination*, come over *client*.

        Raises ``SenderFailed``.
        """
        ...

    async def close(self) -> None:
        """Its connections are closed."""
        ...
