"""Which reported executions are audited, and what waits for it: pure.

One in a thousand is chosen by a keyed hash of its lane and sequence, so that an adapter cannot know
which. An outcome is due once a header of its chain is later than its completion, by as much as
clocks may differ: that header shows what the execution left.

Source: design section 3, "The audit of ``completed`` is sampled (1 in 1,000, and every retry)".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from hub.core.time import Timestamp

ONE_IN: Final = 1000
MOST: Final = 4096
"""Outcomes of one lane that may wait: of four million packets. Retries take half of it at most, so
that an adapter cannot drive out by them what was chosen by chance."""
MAX_ENTRIES: Final = 64
_DIGEST: Final = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """Outcomes, by index, that were recorded as executed by a time."""

    items: RangeSet
    since: Timestamp
    """Wall clock, ns."""
    count: int
    """Of its outcomes: who adds to a long queue must not count all that waits."""


@dataclass(frozen=True, slots=True)
class AuditQueue:
    """What one lane's source reported executed, and has yet to show; oldest first."""

    entries: tuple[Entry, ...] = ()

    def __len__(self) -> int:
        return sum([entry.count for entry in self.entries])


def is_chosen(key: bytes, lane: str, sequence: int) -> bool:
    """Whether the packet is one in a thousand; the same for one *key*, and unknown without it."""
    keyed = _keyed(key, lane).copy()
    keyed.update(b"/%d" % sequence)
    return int.from_bytes(keyed.digest(), "big") % ONE_IN == 0


@lru_cache(maxsize=1024)
def _keyed(key: bytes, lane: str) -> blake2b:
    """What every packet of the lane is hashed after."""
    return blake2b(lane.encode(), key=key, digest_size=_DIGEST)


def added(
    queue: AuditQueue, items: RangeSet, now: Timestamp, most: int = MOST
) -> tuple[AuditQueue, int]:
    """The queue with *items*, recorded as executed *now*, and how many of them had no room.

    One that waits already is due later: its last execution counts. Where there are many entries,
    the last ones become one, and are due together.
    """
    rest = removed(queue, items)
    taken = items.take(max(most - len(rest), 0)) if items else EMPTY
    if not taken:
        return rest, len(items)
    entries, count = rest.entries, len(taken)
    newest = Entry(taken, now, count)
    if len(entries) >= MAX_ENTRIES:
        last = entries[-1]
        newest = Entry(last.items | taken, now, last.count + count)
        entries = entries[:-1]
    return AuditQueue((*entries, newest)), len(items) - count


def due(queue: AuditQueue, until: Timestamp, count: int) -> RangeSet:
    """At most *count* of those that were executed by *until*."""
    found = EMPTY
    for entry in queue.entries:
        if entry.since <= until:
            found |= entry.items.take(count - len(found))
    return found


def removed(queue: AuditQueue, items: RangeSet) -> AuditQueue:
    """The queue without *items*."""
    if not items:
        return queue
    cut = [_without(entry, items) for entry in queue.entries]
    return AuditQueue(tuple([entry for entry in cut if entry.count]))


def _without(entry: Entry, items: RangeSet) -> Entry:
    left = entry.items - items
    return entry if left is entry.items else Entry(left, entry.since, len(left))
