"""What goes into one transaction: as much as bytes and gas allow, client updates before packets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.cosmos.packet_messages import ENVELOPE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.cosmos.packet_messages import PacketMessage
    from adapters.cosmos.tx.messages import Message, UpdateClient

    Most = Callable[[Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into one transaction: client updates first, then packets."""

    updates: tuple[UpdateClient, ...]
    packets: tuple[PacketMessage, ...]

    @property
    def messages(self) -> list[Message]:
        """All of it, in order."""
        return [*self.updates, *[packet.message for packet in self.packets]]


def fill(
    updates: Sequence[UpdateClient],
    packets: Sequence[PacketMessage],
    *,
    max_bytes: int,
    most: Most,
    are_apart: bool = False,
) -> list[Batch]:
    """*updates*, then *packets*, in as few batches as hold at most *max_bytes* each.

    *most* tells how many packets fit behind updates of these kinds, at least 1. *are_apart*: no
    packet stands with an update. What is too large by itself stands alone.
    """
    batches: list[Batch] = []
    ahead: list[UpdateClient] = []
    now: list[PacketMessage] = []
    size = 0

    def close() -> None:
        nonlocal size
        if ahead or now:
            batches.append(Batch(tuple(ahead), tuple(now)))
        ahead.clear()
        now.clear()
        size = 0

    for update in updates:
        needed = len(update.message) + ENVELOPE_BYTES
        if size + needed > max_bytes:
            close()
        ahead.append(update)
        size += needed
    if are_apart:
        close()
    limit = most([update.type_url for update in ahead])
    for packet in packets:
        if size + packet.size > max_bytes or len(now) >= limit:
            close()
            limit = most(())
        now.append(packet)
        size += packet.size
    close()
    return batches
