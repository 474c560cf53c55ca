"""The invariants over what is in memory; each by the name that invariants.py gives its query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.invariants import MAX_SAMPLES, WITHIN, InvariantViolation
from hub.ports.registry import Sweep
from hub.registry.memory.invariants import CHECKS
from hub.registry.partitions import DAYS_AHEAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.time import Duration, Timestamp
    from hub.registry.memory.state import State

REVISION = "memory"


class MemoryAudit:
    """``hub.ports.registry.Audit`` in memory."""

    def __init__(self, state: State) -> None:
        """The audit of *state*."""
        self._state = state

    async def violations(self, within: Duration = WITHIN) -> Sequence[InvariantViolation]:
        """As the port says; memory is read at once."""
        del within
        found = [(name, list(check(self._state))) for name, check in sorted(CHECKS.items())]
        return [
            InvariantViolation(name, len(broken), tuple(broken[:MAX_SAMPLES]))
            for name, broken in found
        ]

    async def recent(self, sweep: Sweep) -> tuple[Sequence[InvariantViolation], Sweep]:
        """As the port says: of everything."""
        return await self.violations(), Sweep(sweep.number + 1)

    async def schema_revision(self) -> str:
        """As the port says."""
        return REVISION

    async def clock(self) -> Timestamp:
        """As the port says."""
        return self._state.now()

    async def ready(self) -> None:
        """As the port says: memory always is."""

    async def partition_days(self) -> int:
        """As the port says: memory has room for any day."""
        return DAYS_AHEAD
