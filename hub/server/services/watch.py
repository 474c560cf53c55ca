"""WatchService: see protos/ydhub/hub/v1.

A watch holds nothing of what it has told but a digest for each name, and of packets not even that.
Answers wait for the caller: what changes meanwhile is told as it stands then.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from ydhub.client.v1 import client_service_pb2
from ydhub.hub.v1 import watch_service_pb2 as pb
from ydhub.hub.v1.watch_service_pb2_grpc import WatchServiceServicer
from ydhub.lane.v1 import lane_service_pb2
from ydhub.peer.v1 import peer_service_pb2

from hub.core.errors import FieldInvalid, RateLimited
from hub.core.lane import LaneKey
from hub.core.record import ExceptionKind
from hub.exchange import listing, story, watches
from hub.exchange.excepted import Excepted
from hub.ports.packets import ExceptionFilter
from hub.server.call import IDENTITY
from hub.server.services.client import ClientService
from hub.server.services.lane import LaneService
from hub.server.services.peer import PeerService
from hub.wire.names import parse_lane_name, parse_peer_name
from hub.wire.packets import kind_from_proto, listed_to_proto
from hub.wire.page import Page
from hub.wire.resume import position_from_text, seen_from_text, seen_to_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from google.protobuf.message import Message
    from grpc.aio import ServicerContext

    from hub.ports.watching import Seen
    from hub.server.hub import Hub

    Context = ServicerContext[Any, Any]

MAX_WATCHES: Final = 8
"""Watches of one caller at once."""
MAX_EXCEPTIONS: Final = 10_000
"""Packets that one watch of exceptions holds digests of."""
BOOKMARK_EVERY: Final = 15
"""Rounds without a change; then a bookmark shows that the watch lives. Clients are read again:
their trust ends without anybody writing it."""
_PACKETS_AT_ONCE: Final = 100
_RETRY_MS: Final = 60_000

_CURRENT, _MODIFIED = pb.CHANGE_CURRENT, pb.CHANGE_MODIFIED
_REMOVED, _BOOKMARK = pb.CHANGE_REMOVED, pb.CHANGE_BOOKMARK


class WatchService(WatchServiceServicer):
    """Tells of changes as they come."""

    def __init__(self, hub: Hub) -> None:
        """Over *hub*."""
        self._hub = hub
        self._counts: Counter[str] = Counter()
        self._peers = PeerService(hub)
        self._clients = ClientService(hub)
        self._lanes = LaneService(hub)

    async def WatchPeers(
        self, request: pb.WatchPeersRequest, context: Context
    ) -> AsyncIterator[pb.WatchPeersResponse]:
        """As the contract says."""

        async def get(name: str) -> Message:
            asked = peer_service_pb2.GetPeerRequest(name=name)
            return (await self._peers.GetPeer(asked, context)).peer

        follow = self._follow("peers", request.resume_token, self._hub.registry.watching.peers, get)
        async for change, peer, token in follow:
            yield pb.WatchPeersResponse(change=change, peer=peer, resume_token=token)

    async def WatchClients(
        self, request: pb.WatchClientsRequest, context: Context
    ) -> AsyncIterator[pb.WatchClientsResponse]:
        """As the contract says."""
        parent = request.parent
        if parent:
            await self._hub.registry.peers.get(parse_peer_name(parent))
        count = 0

        async def changed(since: int) -> Sequence[str]:
            nonlocal count
            count += 1
            names = await self._hub.registry.watching.clients(
                0 if count % BOOKMARK_EVERY == 0 else since
            )
            return [name for name in names if not parent or name.startswith(f"{parent}/")]

        async def get(name: str) -> Message:
            asked = client_service_pb2.GetClientRequest(name=name)
            return (await self._clients.GetClient(asked, context)).client

        follow = self._follow(f"clients {parent}", request.resume_token, changed, get)
        async for change, client, token in follow:
            yield pb.WatchClientsResponse(change=change, client=client, resume_token=token)

    async def WatchLanes(
        self, request: pb.WatchLanesRequest, context: Context
    ) -> AsyncIterator[pb.WatchLanesResponse]:
        """As the contract says."""
        peer = parse_peer_name(request.peer) if request.peer else None

        async def changed(since: int) -> Sequence[str]:
            names = await self._hub.registry.watching.lanes(since)
            return [name for name in names if peer is None or _has_end(name, peer)]

        async def get(name: str) -> Message:
            asked = lane_service_pb2.GetLaneRequest(name=name)
            return (await self._lanes.GetLane(asked, context)).lane

        follow = self._follow(f"lanes {request.peer}", request.resume_token, changed, get)
        async for change, lane, token in follow:
            yield pb.WatchLanesResponse(change=change, lane=lane, resume_token=token)

    async def WatchPackets(
        self, request: pb.WatchPacketsRequest, context: Context
    ) -> AsyncIterator[pb.WatchPacketsResponse]:
        """As the contract says."""
        key = parse_lane_name(request.parent) if request.parent else None
        kind = kind_from_proto(request.exception)
        page = Page.parse(f"watch {request.parent} {request.exception}", 0, request.resume_token)
        with self._counted():
            if kind is ExceptionKind.HELD:
                raise FieldInvalid(field="exception", problem="is HELD, which nobody writes down")
            if kind is not None:
                wanted = ExceptionFilter(kind=kind, lane=key)
                async for answer in self._exceptions(wanted, page):
                    yield answer
            elif key is not None:
                async for answer in self._packets(key, page):
                    yield answer
            else:
                raise FieldInvalid(field="parent", problem="is empty, and so is exception")

    async def _follow(
        self,
        what: str,
        token: str,
        changed: Callable[[int], Awaitable[Sequence[str]]],
        get: Callable[[str], Awaitable[Message]],
    ) -> AsyncIterator[tuple[pb.Change.ValueType, Any, str]]:
        """(change, thing, resume token) of what changes, for ever."""
        page = Page.parse(f"watch {what}", 0, token)
        since = position_from_text(page.after)
        change, told, quiet = (_MODIFIED if since else _CURRENT), _Told(), 0
        registry, clock = self._hub.registry, self._hub.clock
        with self._counted():
            async for found in watches.rounds(registry, clock, changed, since):
                count = 0
                for name in found.names:
                    thing = await get(name)
                    if told.is_news(name, thing):
                        count += 1
                        yield change, thing, ""
                quiet = 0 if count else quiet + 1
                if count or change == _CURRENT or quiet % BOOKMARK_EVERY == 0:
                    yield _BOOKMARK, None, page.token_after(str(found.position))
                change = _MODIFIED

    async def _packets(self, key: LaneKey, page: Page) -> AsyncIterator[pb.WatchPacketsResponse]:
        """Packets of one lane, by what its rows say."""
        registry, clock = self._hub.registry, self._hub.clock
        seen: Seen | None = seen_from_text(page.after) if page.after else None
        change, quiet = (_MODIFIED if seen is not None else _CURRENT), 0
        lane = await registry.lanes.get(key)
        async for found in watches.packet_rounds(registry, clock, lane.lane_id, seen):
            left = found.sequences
            while left:
                some = left.take(_PACKETS_AT_ONCE)
                async for _, standings in story.in_parts(registry, key, some):
                    for sequence, standing in standings.items():
                        record = listed_to_proto(key, sequence, standing, standing.exception)
                        yield pb.WatchPacketsResponse(change=change, packet=record)
                left -= some
            quiet = 0 if found.sequences else quiet + 1
            if found.sequences or change == _CURRENT or quiet % BOOKMARK_EVERY == 0:
                token = page.token_after(seen_to_text(found.seen))
                yield pb.WatchPacketsResponse(change=_BOOKMARK, resume_token=token)
            change = _MODIFIED

    async def _exceptions(
        self, wanted: ExceptionFilter, page: Page
    ) -> AsyncIterator[pb.WatchPacketsResponse]:
        """Packets with an exception of one kind; everything that stands at first."""
        registry = self._hub.registry
        if wanted.lane is not None:
            await registry.lanes.get(wanted.lane)
        change, told, quiet = _CURRENT, _Told(), 0
        excepted = Excepted(registry, wanted, MAX_EXCEPTIONS)
        while True:
            look, count = await excepted.look(), 0
            async for part in listing.with_standings(registry, wanted.kind, look.changed):
                excepted.learn(part)
                for one in part:
                    record = listed_to_proto(one.lane, one.sequence, one.standing, one.exception)
                    if told.is_news(record.name, record):
                        count += 1
                        yield pb.WatchPacketsResponse(change=change, packet=record)
            for key, sequence in look.gone:
                record = listed_to_proto(key, sequence, None, None)
                told.forget(record.name)
                count += 1
                yield pb.WatchPacketsResponse(change=_REMOVED, packet=record)
            quiet = 0 if count else quiet + 1
            if count or change == _CURRENT or quiet % BOOKMARK_EVERY == 0:
                token = page.token_after("all")
                yield pb.WatchPacketsResponse(change=_BOOKMARK, resume_token=token)
            change = _MODIFIED
            await self._hub.clock.sleep(watches.EVERY)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """One watch more of the caller. Raises ``RateLimited``."""
        caller = str(IDENTITY.get())
        if self._counts[caller] >= MAX_WATCHES:
            what = f"{caller} has {MAX_WATCHES} watches"
            raise RateLimited(what=what, wait_ms=_RETRY_MS)
        self._counts[caller] += 1
        try:
            yield
        finally:
            self._counts[caller] -= 1
            if not self._counts[caller]:
                del self._counts[caller]


class _Told:
    """What was told of each name, by digest."""

    def __init__(self) -> None:
        self._digests: dict[str, bytes] = {}

    def is_news(self, name: str, thing: Message) -> bool:
        """Whether *thing* is not what was told of *name* last."""
        content = thing.SerializeToString(deterministic=True)
        digest = sha256(content).digest()[:16]
        if self._digests.get(name) == digest:
            return False
        self._digests[name] = digest
        return True

    def forget(self, name: str) -> None:
        """What is told of *name* next is news."""
        self._digests.pop(name, None)


def _has_end(lane: str, peer: str) -> bool:
    key = LaneKey.parse(lane)
    return peer in {key.source_peer, key.destination_peer}
