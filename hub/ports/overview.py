"""What the registry holds and how its database is, in numbers that are cheap to ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.report import DatabaseReport, LaneActivity


class Overview(Protocol):
    """Numbers for operators; nothing decides by them."""

    async def lanes(self) -> Sequence[LaneActivity]:
        """Every lane in numbers, by name. Raises ``RegistryUnreachable``."""
        ...

    async def database(self) -> DatabaseReport:
        """How the database is. Raises ``RegistryUnreachable``."""
        ...
