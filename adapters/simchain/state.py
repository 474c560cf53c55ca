"""The chain's state while a block is made: the stores, changes over them, and a way back.

Changes reach the stores once, when the block commits, so a key that changes often within a block
costs its store one write. What was done since a mark can be undone: a message that fails, or an
application that refuses a packet, leaves nothing behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.simchain.events import Event
    from adapters.simchain.store.stores import Stores

_UNCHANGED = object()

Changes = dict[bytes, bytes | None]
"""New values by key; None where a key is removed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in the making of a block."""

    changes: int
    events: int


class State:
    """What stands in the stores once the block commits, and the events of the block."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.events: list[Event] = []
        self._changes: dict[str, Changes] = {}
        self._journal: list[tuple[Changes, bytes, object]] = []

    def get(self, store: str, key: bytes) -> bytes | None:
        """The value at *key* of the store named *store*, changes included."""
        changes = self._changes.get(store)
        if changes is not None and key in changes:
            return changes[key]
        return self.stores[store].get(key)

    def set(self, store: str, key: bytes, value: bytes) -> None:
        """*value*, not empty, stands at *key*."""
        self._change(store, key, value)

    def remove(self, store: str, key: bytes) -> None:
        """Nothing stands at *key*."""
        self._change(store, key, None)

    def mark(self) -> Mark:
        """Now, for ``undo``."""
        return Mark(len(self._journal), len(self.events))

    def undo(self, mark: Mark) -> None:
        """All is as it was at *mark*, of the same block."""
        journal = self._journal
        while len(journal) > mark.changes:
            changes, key, before = journal.pop()
            if before is _UNCHANGED:
                del changes[key]
            else:
                changes[key] = before  # type: ignore[assignment]  # what _change found there
        del self.events[mark.events :]

    def commit(self) -> tuple[bytes, list[Event]]:
        """The root over all stores after the block, and the block's events."""
        for name, changes in self._changes.items():
            store = self.stores[name]
            for key in sorted(changes):
                value = changes[key]
                if value is None:
                    store.remove(key)
                else:
                    store.set(key, value)
        self._changes = {}
        self._journal.clear()
        events, self.events = self.events, []
        return self.stores.commit(), events

    def _change(self, store: str, key: bytes, value: bytes | None) -> None:
        changes = self._changes.setdefault(store, {})
        self._journal.append((changes, key, changes.get(key, _UNCHANGED)))
        changes[key] = value
