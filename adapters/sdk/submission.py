"""What an adapter shows the relayer, and what the relayer makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import Duration

if TYPE_CHECKING:
    from adapters.sdk.chain import Item
    from hub.core.client import Header
    from hub.core.height import Height
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey, Side


NOTHING: Final = Duration(0)


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers of the adapter's chain, heights rising."""

    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Packets (at the lane's source) or acknowledgements (at its destination), with proof."""

    lane: LaneKey
    side: Side
    """The lane's end that the adapter's chain is."""
    proof_height: Height
    items: tuple[Item, ...]
    """Sequences rising, 1 to 256."""
    proof_batch: bytes

    @property
    def sequences(self) -> RangeSet:
        """The sequences that it shows."""
        return RangeSet.of([item.sequence for item in self.items])


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """Two headers of one chain that contradict each other: the adapter's own, or another."""

    first: Header
    second: Header
    first_trusted_height: Height | None = None
    """A height below the first that the hub's client trusts; None leaves it to the hub."""
    second_trusted_height: Height | None = None
    peer: PeerId | None = None
    """Whose chain; None for the adapter's own."""


Submission = Headers | Items | Misbehaviour
"""What a verdict answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An item that the relayer refused, in its own words."""

    sequence: int
    """0 where the whole frame is meant."""
    reason: str
    """A ``Reason``, or one that is newer than this build."""
    detail: str
    retryable: bool
    """Whether the same item may be accepted later."""
    wait: Duration = NOTHING
    """How long not to show it again (ns); 0 where the relayer does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a submission."""

    frame_id: int
    accepted: RangeSet = EMPTY
    """Durable now."""
    already_done: RangeSet = EMPTY
    """Accepted before with the same contents."""
    refused: tuple[Refusal, ...] = ()

    @property
    def whole(self) -> Refusal | None:
        """Why all of it was refused, if it was."""
        return next((refusal for refusal in self.refused if not refusal.sequence), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCursor:
    """Where a lane stands in the registry."""

    lane: LaneKey
    side: Side
    """The lane's end that the adapter's chain is."""
    first_sequence: int
    done: RangeSet
    """At the source: sequences accepted. At the destination: sequences with a recorded outcome."""
