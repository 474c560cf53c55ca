"""One lane's facts: packets and outcomes some at a time, so that none is held for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from hub.core.budget import is_full
from hub.core.ranges import RangeSet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from hub.core.record import ExceptionKind, StoredOutcome, StoredPacket
    from hub.ports.packets import Exceptions

AT_ONCE: Final = 1 << 20
"""Bytes of what is read at once, and a single one more."""

F = TypeVar("F", "StoredPacket", "StoredOutcome")
F_co = TypeVar("F_co", "StoredPacket", "StoredOutcome", covariant=True)


class Read(Protocol[F_co]):
    """``Packets.read``, ``Outcomes.read`` or ``Outcomes.find``."""

    async def __call__(
        self, lane_id: int, numbers: RangeSet, max_bytes: int | None, /
    ) -> Sequence[F_co]:
        """The first facts of *numbers*, as the port says."""
        ...


async def in_parts(
    read: Read[F], lane_id: int, numbers: RangeSet, of: str = "sequence"
) -> AsyncIterator[Sequence[F]]:
    """What *read* finds of *numbers*, in order and not all at once; *of* names what they are."""
    while numbers:
        found = await read(lane_id, numbers, AT_ONCE)
        yield found
        if not is_full(found, AT_ONCE):
            return
        numbers -= RangeSet.span(0, getattr(found[-1], of) + 1)


async def exceptions_of(exceptions: Exceptions, lane_id: int) -> Mapping[ExceptionKind, RangeSet]:
    """The sequences of one lane that are exceptions, by kind. Raises ``HubError``."""
    return (await exceptions.ranges([lane_id])).get(lane_id, {})
