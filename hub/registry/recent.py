"""Facts that this process has just written, so that it need not read them back.

Facts are appended once and never change, so what is kept here is what is stored; one whose day has
been dropped may still be known. A promotion may lose what no standby had, so it ends all of it.
Nearly every fact is read within the second by the process that wrote it: packets are delivered,
outcomes settled. What is not here is read from the database.

Source: design section 5, "append-only facts and cursors".
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.ranges import RangeSet
    from hub.core.record import StoredOutcome, StoredPacket, StoredProof

V = TypeVar("V")

MAX_BYTES: Final = 2 * 1024 * 1024
"""Of packets; outcomes and proofs may take half as much each. So it holds a quarter of a second of
15,000 packets of 300 bytes a second, as long as they are under way then. Measured: with five
MiB a packet costs as much CPU, with one MiB a tenth more."""
PROOFS: Final = 0
"""The one group of proofs."""
OVERHEAD: Final = 256
"""Bytes that a fact takes here besides its content."""


class Newest(Generic[V]):
    """The facts of one kind that were written last, by group and number."""

    def __init__(self, max_bytes: int) -> None:
        """Nothing is kept yet, and never more than *max_bytes*."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._facts: dict[int, dict[int, V]] = {}
        self._frames: deque[tuple[int, tuple[int, ...], int]] = deque()
        """Group, numbers and bytes of what was kept together, the oldest first."""

    def keep(self, group: int, facts: Mapping[int, V], content_bytes: int) -> None:
        """*facts*, by number, are durable; the oldest ones go where all take too much."""
        size = content_bytes + OVERHEAD * len(facts)
        self._facts.setdefault(group, {}).update(facts)
        self._frames.append((group, tuple(facts), size))
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop_oldest()

    def among(self, group: int, numbers: RangeSet) -> list[V] | None:
        """The facts of all *numbers*, in order; None where one is not known here."""
        known = self._facts.get(group, {})
        if len(numbers) > len(known):
            return None
        try:
            return [known[number] for number in numbers]
        except KeyError:
            return None

    def _drop_oldest(self) -> None:
        group, numbers, size = self._frames.popleft()
        known = self._facts[group]
        for number in numbers:
            known.pop(number, None)
        if not known:
            del self._facts[group]
        self._bytes -= size


class Facts:
    """What one registry has written last to one primary."""

    def __init__(self, max_bytes: int) -> None:
        """Nothing yet, and never more than twice *max_bytes*."""
        self.packets: Newest[StoredPacket] = Newest(max_bytes)
        """By lane and sequence."""
        self.outcomes: Newest[StoredOutcome] = Newest(max_bytes // 2)
        """By lane and outcome index."""
        self.proofs: Newest[StoredProof] = Newest(max_bytes // 2)
        """In the group ``PROOFS``, by proof id."""


class RecentFacts:
    """What one registry has written last, until another server is the primary."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Nothing yet, and never more than twice *max_bytes*."""
        self._max_bytes = max_bytes
        self.facts = Facts(max_bytes)
        """Whoever writes takes them before: what goes into those of before is forgotten with it."""

    def forget(self) -> None:
        """Nothing is known: the new primary may not have what the old one did."""
        self.facts = Facts(self._max_bytes)
