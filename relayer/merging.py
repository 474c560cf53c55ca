"""Few proofs instead of many: what came in many small frames goes on under fresh ones.

Each proof of an attempt is an execution by itself: it brings the client updates that its height
needs, and takes one of the chain's credits. So where there are many, they are proven anew together.

Source: design section 5, "Several heights waiting for one destination are re-proven at one".
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import structlog

from hub.core.errors import HubError
from hub.wire.frames import MAX_FRAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from relayer.parts import Part

_log = structlog.get_logger()

MAX_PROOFS: Final = 32
"""Of one attempt; of so many each goes on as it came."""


class _Item(Protocol):
    """A packet or an outcome."""

    @property
    def sequence(self) -> int: ...
    @property
    def proof_id(self) -> int: ...


T = TypeVar("T", bound=_Item)


async def merged(
    items: Sequence[T], size: Callable[[T], int], prove: Callable[[list[T]], Awaitable[Part]]
) -> list[Part]:
    """Parts of *items*, planned by *prove*, each of at most a frame's bytes by their *size*.

    None where their proofs are few, or nothing can be proven anew; where only some can, theirs.
    """
    parts: list[Part] = []
    rest = sorted(items, key=attrgetter("sequence"))
    if len({item.proof_id for item in items}) <= MAX_PROOFS:
        return parts
    try:
        while rest:
            some = within(MAX_FRAME_BYTES, rest, size)
            parts.append(await prove(some))
            rest = rest[len(some) :]
    except HubError as error:
        _log.info("not_proven_together", reason=error.reason, detail=str(error))
    return parts


def whole_frames(items: Sequence[T]) -> Sequence[T]:
    """*items*, which are cut off anywhere, without those at their end that may be half a frame.

    A frame's proof goes on as it came only if all of it goes.
    """
    if not items:
        return items
    last = items[-1].proof_id
    end = next((at for at in range(len(items), 0, -1) if items[at - 1].proof_id != last), 0)
    return items[:end] if end else items


def within(limit: int, items: Iterable[T], size: Callable[[T], int]) -> list[T]:
    """The first of *items* whose *size* is not more than *limit* in all; at least one."""
    found: list[T] = []
    for item in items:
        limit -= size(item)
        if found and limit < 0:
            break
        found.append(item)
    return found
