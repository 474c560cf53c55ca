"""What an attempt leaves for the next one, because it has only the first items under a proof.

What other processes wrote is found by its numbers, and nobody said which of them one proof shows.
So a full attempt may end between items that were proven together. Each of the two halves would
need a proof made afresh; left to the next attempt, they all go on under the one that they have.

Source: design section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from hub.core.ranges import EMPTY, RangeSet
from relayer.merging import MAX_PROOFS
from relayer.proofs import stored_proof
from relayer.steps.flow import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub.ports.registry import Registry
    from relayer.steps.events import Send


class _Proven(Protocol):
    """A packet or an outcome."""

    @property
    def proof_id(self) -> int: ...


T = TypeVar("T", bound=_Proven)


async def left_over(
    registry: Registry, send: Send, items: Sequence[T], number: Callable[[T], int]
) -> RangeSet:
    """The last of the *items* of *send*, whose *number* rises: others under one proof follow them.

    None where the attempt was not cut at its limit, would have nothing else, or has so many proofs
    that all are made afresh. Raises ``HubError``.
    """
    if len(send.items) < BATCH or not items or items[0].proof_id == items[-1].proof_id:
        return EMPTY
    if len({item.proof_id for item in items}) > MAX_PROOFS:
        return EMPTY
    last = items[-1].proof_id
    tail = [number(item) for item in items if item.proof_id == last]
    proof = (await stored_proof(registry, last)).proof
    return RangeSet.of(tail) if len(tail) + len(proof.skipped) < proof.leaf_count else EMPTY
