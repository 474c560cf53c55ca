"""What the lanes do, and how the registry's database is: numbers for operators, cheap to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.time import Timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.invariants import InvariantViolation
    from hub.core.report import DatabaseReport, LaneActivity
    from hub.ports.clock import Clock
    from hub.ports.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Every lane in numbers."""

    at: Timestamp
    """By the database's clock."""
    lanes: Sequence[LaneActivity]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """The database, its schema and its clock beside the hub's."""

    report: DatabaseReport
    schema_revision: str
    partition_days: int
    hub_time: Timestamp
    """Midway between asking for the database's time and hearing it."""
    database_time: Timestamp
    violations: Sequence[InvariantViolation]
    """None where they were not asked."""


async def activity(registry: Registry) -> Activity:
    """What the lanes do, here and now. Raises ``RegistryUnreachable``."""
    at = await registry.audit.clock()
    return Activity(at=at, lanes=await registry.overview.lanes())


async def database(registry: Registry, clock: Clock, *, ask_invariants: bool) -> DatabaseHealth:
    """How the database is. Raises ``RegistryUnreachable``."""
    report = await registry.overview.database()
    before = clock.now()
    at = await registry.audit.clock()
    middle = Timestamp((before + clock.now()) // 2)
    return DatabaseHealth(
        report=report,
        schema_revision=await registry.audit.schema_revision(),
        partition_days=await registry.audit.partition_days(),
        hub_time=middle,
        database_time=at,
        violations=await registry.audit.violations() if ask_invariants else (),
    )
