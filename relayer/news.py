"""What others have written of peers and lanes: asked once for all sessions, behind the hints.

The registry tells what was written since the last question, whoever wrote it. So a process asks one
question every few seconds, and lanes at rest are in no answer.

Source: design section 5 ("a slow poll stands behind the hints").
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hub.core.time import SECOND, Duration
from relayer.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hub.core.ids import PeerId
    from hub.ports.clock import Clock
    from hub.ports.registry import Registry
    from hub.ports.watching import WrittenLane

POLL_EVERY: Final = Duration(5 * SECOND)


class Inbox:
    """What was written of one peer and its lanes, until its owner has read it."""

    def __init__(self, is_news: Callable[[WrittenLane], bool]) -> None:
        """Nothing; lanes come in that are not known as they were written, as *is_news* tells."""
        self.is_news = is_news
        self.is_governed = True
        """Whether the peer or its client was written, or may have been just before this began."""
        self._lanes: dict[int, WrittenLane] = {}

    def put(self, lanes: Iterable[WrittenLane]) -> None:
        """*lanes* were written, after those before or together with them."""
        for lane in lanes:
            before = self._lanes.get(lane.lane_id)
            is_changed = lane.is_changed or (before is not None and before.is_changed)
            self._lanes[lane.lane_id] = replace(lane, is_changed=is_changed)

    def take(self) -> list[WrittenLane]:
        """Lanes that were written; they are in here no more."""
        found = [self._lanes[lane_id] for lane_id in sorted(self._lanes)]
        self._lanes.clear()
        return found


class News:
    """One process's question, and the inboxes of its sessions."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        """Nobody reads."""
        self._registry = registry
        self._rounds = Rounds(clock, POLL_EVERY)
        self._inboxes: dict[PeerId, Inbox] = {}
        self._since = 0

    async def subscribe(self, peer: PeerId, is_news: Callable[[WrittenLane], bool]) -> Inbox:
        """What is written of *peer* from now on comes into this, if it *is_news* when it is heard.

        Raises ``HubError``.
        """
        if not self._since:
            self._since = await self._registry.watching.position()
        inbox = self._inboxes[peer] = Inbox(is_news)
        return inbox

    def unsubscribe(self, peer: PeerId, inbox: Inbox) -> None:
        """Nobody reads *inbox* any more."""
        if self._inboxes.get(peer) is inbox:
            del self._inboxes[peer]

    async def ask(self) -> None:
        """Every inbox holds what was written, asked once in each round. Raises ``HubError``."""
        await self._rounds.once(self._read)

    async def _read(self) -> None:
        found = await self._registry.watching.written(self._since)
        for peer in found.peers:
            if peer in self._inboxes:
                self._inboxes[peer].is_governed = True
        for lane in found.lanes:
            for peer in (lane.source_peer, lane.destination_peer):
                inbox = self._inboxes.get(peer)
                if inbox is not None and inbox.is_news(lane):
                    inbox.put([lane])
        self._since = found.position
