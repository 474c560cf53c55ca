"""Heights of a chain: a revision, then a block number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from hub.core.errors import HeightInvalid

MAX_HEIGHT = 2**63 - 1
"""Block numbers are signed 64-bit integers in every chain family carried here."""


@dataclass(frozen=True, slots=True, order=True)
class Height:
    """A place in a chain; ordered by revision, then number. Source: ICS-02, Height."""

    revision: int
    """Counts the chain's restarts from a new genesis; 0 where a chain has none."""

    number: int
    """The block number, from 1."""

    @classmethod
    def parse(cls, revision: int, number: int) -> Self:
        """The height of untrusted integers. Raises ``HeightInvalid``."""
        if not (0 <= revision <= MAX_HEIGHT and 1 <= number <= MAX_HEIGHT):
            raise HeightInvalid(revision=revision, number=number)
        return cls(revision, number)

    def __str__(self) -> str:
        return f"{self.revision}-{self.number}"
