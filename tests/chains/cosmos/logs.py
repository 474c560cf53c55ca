"""What the processes of cities wrote into their logs since a moment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.chains.cosmos.cities import Cities


class LogWatch:
    """The lines of the processes *names* of *cities*, from now on."""

    def __init__(self, cities: Cities, *names: str) -> None:
        self._cities = cities
        self._starts = {name: _size(cities.network.layout.log(name)) for name in names}

    async def tells(self, *reasons: str) -> None:
        """Returns once one of the processes has told each of *reasons*."""

        async def are_told() -> bool:
            return self.reasons >= set(reasons)

        await self._cities.until(are_told, f"{reasons} in the logs, which tell {self.reasons}")

    async def tells_any(self, *reasons: str) -> None:
        """Returns once one of the processes has told one of *reasons*."""

        async def is_told() -> bool:
            return bool(self.reasons & set(reasons))

        await self._cities.until(is_told, f"any of {reasons} in the logs")

    async def tells_kind(self, kind: str) -> None:
        """Returns once an adapter has put off a transaction for *kind*."""

        async def is_told() -> bool:
            return any(line.get("kind") == kind for line in self.lines())

        await self._cities.until(is_told, f"{kind} in the logs")

    async def tells_event(self, event: str) -> None:
        """Returns once a process has told of *event*."""

        async def is_told() -> bool:
            return any(line.get("event") == event for line in self.lines())

        await self._cities.until(is_told, f"{event} in the logs")

    @property
    def reasons(self) -> set[str]:
        """Reasons of errors that were told."""
        return {str(line["reason"]) for line in self.lines() if "reason" in line}

    @property
    def broken(self) -> list[dict[str, Any]]:
        """Lines about errors that have no type of ours, and what is no line of a log."""
        return [
            line
            for line in self.lines()
            if "exception" in line or line.get("reason") == "INTERNAL" or not line.get("event")
        ]

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every line, with the process that wrote it."""
        for name, start in self._starts.items():
            data = self._cities.network.layout.log(name).read_bytes()[start:]
            for line in data.splitlines():
                yield {"process": name, **_read(line)}


def _read(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"text": line.decode(errors="replace")}


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0
