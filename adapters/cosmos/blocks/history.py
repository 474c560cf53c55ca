"""Packets and acknowledgements as a session asks for them, from the blocks seen and from before.

What stands below the blocks seen is listed once for each client, in pages. Its blocks are searched
for when they are wanted. A long search goes on behind: what it finds makes the client active in the
next block, so that the session asks again. A sequence whose block cannot be had is told in the log,
and stands in no other's way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from adapters.cosmos import queries
from adapters.cosmos.blocks.events import read_facts
from adapters.cosmos.blocks.index import BlockCache, Track
from adapters.cosmos.blocks.search import BlockSearch
from adapters.sdk.backoff import CHANCES, delay
from adapters.sdk.chain import Item
from hub.core.errors import HeaderNotFound, HubError, LimitExceeded, RecordCorrupt
from hub.core.lane import Side
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import SECOND, Duration, Timestamp

if TYPE_CHECKING:
    from adapters.cosmos.blocks.events import BlockFacts
    from adapters.cosmos.rpc.node import CometNode
    from adapters.sdk.clock import Clock
    from hub.core.errors import Reason
    from hub.core.ids import ClientId

PAGE: Final = 1_000
"""Sequences of one page of a list."""
SOUGHT: Final = 256
"""Sequences that are searched for at once."""
PATIENCE: Final = Duration(SECOND)
"""How long a call waits for a search."""
BELIEVED: Final = Duration(300 * SECOND)
"""How long a list is believed to be whole, and what could not be had to be missing: a node may lag,
or leave something out, and the next one may do better."""
DOUBTED: Final = Duration(30 * SECOND)
"""The same where a node contradicted itself, at most: it may be a lie that is over soon."""
_UNSHOWN: Final = (HeaderNotFound, RecordCorrupt, LimitExceeded)
"""Whatever a node says for a block that it has not, hides, or has larger than is ever read: what
came in that block is missing, and nothing else is."""

_log = structlog.get_logger()


class _Tracked:
    """One client on one side, and the search for what it did before."""

    def __init__(self, client: ClientId, side: Side, search: BlockSearch) -> None:
        self.client = client
        self.side = side
        self.search = search
        self.track = Track()
        self.task: asyncio.Task[None] | None = None
        self.believed_until = Timestamp(0)
        self._contradictions = 0
        self._is_contradicted = False

    def begin(self, now: Timestamp) -> None:
        """The chain is asked anew for what stands, and where, at *now* (monotonic ns)."""
        self._contradictions = self._contradictions + 1 if self._is_contradicted else 0
        self._is_contradicted = False
        self.believed_until = Timestamp(now + BELIEVED)
        self.track.listed = self.track.missing = EMPTY

    def contradicted(self, now: Timestamp) -> None:
        """The node contradicts itself: it is believed for less, more at each time in a row."""
        if not self._is_contradicted:
            self._is_contradicted = True
            wait = delay(self._contradictions + 1, CHANCES - 1, longest=DOUBTED)
            self.believed_until = min(self.believed_until, Timestamp(now + wait))


class History:
    """What one chain did to packets."""

    def __init__(self, node: CometNode, clock: Clock) -> None:
        """Nothing is known before blocks are seen, or the chain is asked."""
        self._node = node
        self._clock = clock
        self._cache = BlockCache()
        self._seen = 0
        """The newest block whose doings are known, or lie before what is followed."""
        self._all: dict[tuple[ClientId, Side], _Tracked] = {}
        self._found: set[ClientId] = set()
        self._again: dict[tuple[ClientId, Side], _Tracked] = {}
        """Those of whom something is missing: they are active again once it may be had."""

    def start(self, before: int) -> None:
        """The next block that is seen is the one after *before*."""
        self._seen = before

    def see(self, facts: BlockFacts) -> frozenset[ClientId]:
        """The next block did *facts*; clients that have something new since the last one."""
        self._seen = facts.height
        if facts.sent or facts.written:
            self._cache.put(facts)
        for client in facts.sent.keys() | facts.settled.keys():
            one = self._all.get((client, Side.SOURCE))
            if one is not None:
                came, gone = facts.sent.get(client, ()), facts.settled.get(client, ())
                skipped = one.track.see_sent(facts.height, came, gone)
                if skipped:
                    first, count = skipped.first, len(skipped)
                    _log.error("events_missing", client=client, first=first, count=count)
        for client, written in facts.written.items():
            one = self._all.get((client, Side.DESTINATION))
            if one is not None:
                one.track.see_written(facts.height, written)
        active = facts.active | self._found | self._due()
        self._found.clear()
        return active

    def leave_out(self, client: ClientId, side: Side, sequence: int, error: HubError) -> None:
        """The content of *sequence* cannot be used: it is missing until the chain is asked anew."""
        self._miss(self._tracked(client, side), RangeSet.of((sequence,)), error)

    def forget(self, client: ClientId | None = None) -> None:
        """What stands for *client*, or for every one, is asked of the chain again."""
        for key in [key for key in self._all if client in (None, key[0])]:
            one = self._all.pop(key)
            self._again.pop(key, None)
            if one.task is not None:
                one.task.cancel()

    def forget_contents(self) -> None:
        """What blocks did is read of the chain again."""
        self._cache = BlockCache()

    async def items(
        self, client: ClientId, side: Side, wanted: RangeSet, limit: int, at: int
    ) -> tuple[Item, ...]:
        """The first *limit* contents of *wanted* that stand under the header *at*.

        Raises ``ChainUnreachable``, or ``HeaderNotFound`` where every node is behind what was seen.
        """
        one = self._tracked(client, side)
        now = self._clock.monotonic()
        if now >= one.believed_until:
            self._again.pop((client, side), None)
            one.begin(now)
        await self._list(one, wanted)
        sought = one.track.sought(wanted, SOUGHT)
        found = await self._contents(one, wanted, limit, at)
        if sought and (len(found) < limit or sought.first < found[-1].sequence):
            await self._seek(one, sought, at - 1)
            found = await self._contents(one, wanted, limit, at)
        return found

    async def stop(self) -> None:
        """Every search has ended."""
        tasks = [one.task for one in self._all.values() if one.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _due(self) -> set[ClientId]:
        """Clients of whom something was missing long enough."""
        now = self._clock.monotonic()
        return {one.client for one in self._again.values() if now >= one.believed_until}

    def _tracked(self, client: ClientId, side: Side) -> _Tracked:
        one = self._all.get((client, side))
        if one is None:
            search = BlockSearch(self._node, client, side, self._note)
            one = self._all[client, side] = _Tracked(client, side, search)
        return one

    async def _list(self, one: _Tracked, wanted: RangeSet) -> None:
        """The chain has told what stands of *wanted*, as far as no block can tell any more.

        It is asked at the newest block seen: a node that is behind would leave out what came since.
        """
        at_source = one.side is Side.SOURCE
        ask = queries.standing_commitments if at_source else queries.written_acknowledgements
        track = one.track
        unlisted = wanted - track.listed
        if unlisted:
            # Blocks walked through before may hold what was not known to stand then.
            one.search = BlockSearch(self._node, one.client, one.side, self._note)
        for low, high in unlisted.ranges:
            at = low
            while at < high:
                count = min(PAGE, high - at)
                page = RangeSet.of(await ask(self._node, one.client, at, count, self._seen))
                page &= RangeSet.span(at, high)
                track.add_listed(page)
                if len(page) < count:
                    break
                at = page.end
            track.listed |= RangeSet.span(low, high)

    async def _contents(
        self, one: _Tracked, wanted: RangeSet, limit: int, at: int
    ) -> tuple[Item, ...]:
        found: dict[int, bytes] = {}
        for height, sequences in one.track.ready(wanted, at, limit):
            try:
                found.update(await self._contents_at(one, height, sequences))
            except _UNSHOWN as error:
                self._miss(one, sequences, error)
        return tuple([Item(number, found[number]) for number in sorted(found)])

    async def _contents_at(
        self, one: _Tracked, height: int, sequences: RangeSet
    ) -> dict[int, bytes]:
        """Contents of *sequences*, which came in the block at *height*."""
        facts = self._cache.get(height)
        contents = _contents_of(facts, one) if facts else {}
        if any(number not in contents for number in sequences):
            contents = _contents_of(await self._note(height), one)
            if any(number not in contents for number in sequences):
                self._node.doubt()
                raise RecordCorrupt(
                    what=f"results of block {height} of {self._node.chain_id}",
                    stored=f"without some of {len(sequences)} events of {one.client}",
                    computed="with them, when they were read before",
                )
        return {number: contents[number] for number in sequences}

    async def _note(self, height: int) -> BlockFacts:
        """What the block at *height* did; what stands of it is located there."""
        facts = read_facts(await self._node.results(height))
        if facts.sent or facts.written:
            self._cache.put(facts)
        for side, contents in ((Side.SOURCE, facts.sent), (Side.DESTINATION, facts.written)):
            for client, sequences in contents.items():
                one = self._all.get((client, side))
                if one is not None:
                    one.track.locate(height, sequences)
        return facts

    async def _seek(self, one: _Tracked, sought: RangeSet, high: int) -> None:
        """A search for *sought* goes on; it is waited for once, as long as patience lasts."""
        if one.task is not None and not one.task.done():
            return
        one.task = asyncio.create_task(self._locate(one, sought, high))
        timer = asyncio.ensure_future(self._clock.sleep(PATIENCE))
        try:
            await asyncio.wait((one.task, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()

    async def _locate(self, one: _Tracked, sought: RangeSet, high: int) -> None:
        """Each of *sought* is located, or known to be missing."""
        track = one.track
        missed: dict[Reason, tuple[HubError, list[int]]] = {}
        try:
            for sequence in sought:
                if not track.is_sought(sequence):
                    continue
                try:
                    is_there = await self._find(one, sequence, high)
                except _UNSHOWN as error:
                    missed.setdefault(error.reason, (error, []))[1].append(sequence)
                    continue
                # Sequences are sent in order, but acknowledged in any.
                if not is_there and one.side is Side.SOURCE:
                    break
        except HubError as error:
            _log.warning("search_failed", reason=error.reason, detail=str(error))
        for why, sequences in missed.values():
            self._miss(one, RangeSet.of(sequences), why)
        self._found.add(one.client)

    async def _find(self, one: _Tracked, sequence: int, high: int) -> bool:
        """Whether *sequence* stands and is located; another node is asked after a contradiction.

        Raises ``HeaderNotFound``, ``RecordCorrupt`` or ``LimitExceeded``.
        """
        try:
            return await one.search.find(sequence, high)
        except RecordCorrupt:
            self._node.doubt()
            return await one.search.find(sequence, high)

    def _miss(self, one: _Tracked, sequences: RangeSet, error: HubError) -> None:
        """*sequences* stand, and nobody can be shown what they are."""
        _log.error(
            "contents_missing",
            client=one.client,
            side=one.side,
            first=sequences.first,
            count=len(sequences),
            reason=error.reason,
            detail=str(error),
        )
        one.track.missing |= sequences
        if isinstance(error, RecordCorrupt):
            one.contradicted(self._clock.monotonic())
        self._again[one.client, one.side] = one


def _contents_of(facts: BlockFacts, one: _Tracked) -> dict[int, bytes]:
    contents = facts.sent if one.side is Side.SOURCE else facts.written
    return contents.get(one.client, {})
