"""Which things have changed since a position that outlives every process.

A position is taken before what it stands for is read. Whatever is committed after it was taken is
told from it on, also what was under way meanwhile; some of what was committed before may be told
again. So whoever reads names by a position, and then the things, misses no change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ids import PeerId
    from hub.core.lane import LaneSide


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a watcher of a lane's packets knows of them: what the lane's two rows said."""

    position: int = 0
    accepted: RangeSet = EMPTY
    delivered: RangeSet = EMPTY
    outcome_count: int = 0
    executed: RangeSet = EMPTY
    """Outcome indexes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLane:
    """A lane something of which was written, and what its two rows say.

    Sequences that a row counts as done although they are missing are in its sets.
    """

    lane_id: int
    source_peer: PeerId
    destination_peer: PeerId
    is_changed: bool
    """Whether the lane itself, a route or an exception of it was written."""
    source: LaneSide
    destination: LaneSide


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written since a position."""

    position: int
    """Taken before anything of this was read."""
    peers: Sequence[PeerId]
    """Those that changed, or whose hub client did; headers do not count."""
    lanes: Sequence[WrittenLane]
    """By lane id."""


class Watching(Protocol):
    """Names of what has changed; everything that stands since position 0."""

    async def position(self) -> int:
        """Where the registry is now. Raises ``RegistryUnreachable``."""
        ...

    async def peers(self, since: int) -> Sequence[str]:
        """Names of peers that changed since then, or whose leases did, sorted."""
        ...

    async def clients(self, since: int) -> Sequence[str]:
        """Names of clients, hub's and chains', that changed since then, sorted."""
        ...

    async def lanes(self, since: int) -> Sequence[str]:
        """Names of lanes that changed since then, or what they carried did, sorted."""
        ...

    async def written(self, since: int) -> Written:
        """What relayers act upon that was written since then. Raises ``RegistryUnreachable``."""
        ...

    async def exceptions(self, lane_id: int, since: int) -> RangeSet:
        """Sequences of the lane whose exception is new since then, or changed."""
        ...
