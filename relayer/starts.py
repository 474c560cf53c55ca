"""Where frames begin among items that another process recorded.

They are found by their numbers alone, as one set. An attempt that ends between two items that were
proven together would need a proof made afresh, and so would the next one: with the frames' first
items known, each attempt takes whole frames under the proofs that they came with.

Source: design section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from relayer.steps.flow import BATCH, known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ranges import RangeSet
    from relayer.runner import FlowRunner

LOOKED_AT: Final = 256 * BATCH
"""Items whose frames are looked up; the rest of a very long backlog is cut anywhere."""


class Facts(Protocol):
    """Packets or outcomes."""

    async def frame_starts(self, lane_id: int, numbers: RangeSet, /) -> Sequence[int]:
        """The first of *numbers* under each of their proofs."""
        ...


async def frame_starts(
    facts: Facts, lane_id: int, items: RangeSet, runner: FlowRunner
) -> tuple[int, ...]:
    """The first ones under each proof of those of *items* that the flow does not hold yet.

    None where one attempt takes all of these. Raises ``HubError``.
    """
    if len(items) <= BATCH:
        return ()
    new = items - known(runner.flow)
    if len(new) <= BATCH:
        return ()
    return tuple(await facts.frame_starts(lane_id, new.take(LOOKED_AT)))
