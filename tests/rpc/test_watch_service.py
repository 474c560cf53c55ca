"""Watches over the wire: they begin with everything, miss nothing, and go on where they stopped."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from ydhub.hub.v1 import watch_service_pb2 as pb
from ydhub.packet.v1 import packet_pb2

from hub.core.errors import Reason
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, PacketException
from hub.core.time import MILLISECOND, Duration
from hub.exchange import watches
from hub.server.services import watch
from hub.wire.page import Page
from hub.wire.status import from_rpc_error
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.hub_server import Stubs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Served

CURRENT, MODIFIED = pb.CHANGE_CURRENT, pb.CHANGE_MODIFIED
REMOVED, BOOKMARK = pb.CHANGE_REMOVED, pb.CHANGE_BOOKMARK
PARKED: Any = packet_pb2.PacketException.KIND_PARKED


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "EVERY", Duration(20 * MILLISECOND))


class Watcher:
    """One watch, and what it has heard."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.token = ""

    async def round(self) -> list[tuple[int, str]]:
        """(change, last part of the name) until the next bookmark that ends a change."""
        heard: list[tuple[int, str]] = []
        async with asyncio.timeout(10):
            while True:
                answer = await self.call.read()
                if answer.change == BOOKMARK:
                    assert answer.resume_token
                    self.token = answer.resume_token
                    return heard
                assert not answer.resume_token
                thing = next(value for _, value in answer.ListFields() if hasattr(value, "name"))
                heard.append((answer.change, thing.name.rpartition("/")[2]))

    async def until(self, *wanted: tuple[int, str]) -> None:
        """Returns once all of *wanted* were heard."""
        left = set(wanted)
        while left:
            left -= set(await self.round())


@asynccontextmanager
async def watching(method: Any, request: Any) -> AsyncIterator[Watcher]:
    call = method(request)
    try:
        yield Watcher(call)
    finally:
        call.cancel()


async def refusal(method: Any, request: Any) -> Reason | None:
    call = method(request)
    try:
        async with asyncio.timeout(10):
            await call.read()
            await call.read()
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).reason
    finally:
        call.cancel()
    return None


async def test_peers_are_told_as_they_stand_and_as_they_change(
    admin: Stubs, exchange: Exchange
) -> None:
    async with watching(admin.watches.WatchPeers, pb.WatchPeersRequest()) as watcher:
        assert await watcher.round() == [(CURRENT, "hangzhou"), (CURRENT, "suzhou")]
        await exchange.attach(SUZHOU, attached=False)
        await watcher.until((MODIFIED, "suzhou"))


async def test_a_renewed_lease_is_no_news(admin: Stubs, exchange: Exchange) -> None:
    async with watching(admin.watches.WatchPeers, pb.WatchPeersRequest()) as watcher:
        await watcher.round()
        await exchange.attach(HANGZHOU, attached=False)
        await watcher.until((MODIFIED, "hangzhou"))
        await exchange.attach(HANGZHOU, attached=False)
        await exchange.attach(SUZHOU, attached=False)
        assert (MODIFIED, "hangzhou") not in await watcher.round()


async def test_clients_and_lanes_are_told(admin: Stubs, exchange: Exchange) -> None:
    clients = watching(admin.watches.WatchClients, pb.WatchClientsRequest(parent="peers/suzhou"))
    lanes = watching(admin.watches.WatchLanes, pb.WatchLanesRequest(peer="peers/suzhou"))
    async with clients as client, lanes as lane:
        assert await client.round() == [(CURRENT, "client")]
        here, back = str(exchange.key), str(exchange.key.reverse)
        assert await lane.round() == [(CURRENT, here), (CURRENT, back)]
        await exchange.registry.clients.freeze(HANGZHOU, "not of this watch", None, ADMIN)
        await exchange.registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
        assert await client.round() == [(MODIFIED, "client")]
        await exchange.registry.lanes.pause(exchange.key, "works", ADMIN)
        await lane.until((MODIFIED, here))


async def test_what_happened_while_nobody_watched_is_told_to_who_resumes(
    admin: Stubs, exchange: Exchange
) -> None:
    async with watching(admin.watches.WatchLanes, pb.WatchLanesRequest()) as watcher:
        await watcher.round()
    await exchange.accept(exchange.send(2))
    resumed = pb.WatchLanesRequest(resume_token=watcher.token)
    async with watching(admin.watches.WatchLanes, resumed) as again:
        assert await again.round() == [(MODIFIED, str(exchange.key))]


async def test_a_lanes_packets_are_told_at_every_change(admin: Stubs, exchange: Exchange) -> None:
    sent = exchange.send(3)
    await exchange.accept(sent[:1])
    request = pb.WatchPacketsRequest(parent=exchange.key.name)
    async with watching(admin.watches.WatchPackets, request) as watcher:
        assert await watcher.round() == [(CURRENT, "1")]
        await exchange.accept(sent[1:])
        await watcher.until((MODIFIED, "2"), (MODIFIED, "3"))
        await exchange.deliver(sent[:2])
        await watcher.until((MODIFIED, "1"), (MODIFIED, "2"))
    await exchange.acknowledge(sent[:2])
    await park(exchange, 3)
    request.resume_token = watcher.token
    async with watching(admin.watches.WatchPackets, request) as watcher:
        assert await watcher.round() == [(MODIFIED, "1"), (MODIFIED, "2"), (MODIFIED, "3")]
        await exchange.complete(sent[:1])
        assert await watcher.round() == [(MODIFIED, "1")]
        await exchange.settle_elsewhere(9)
        assert await watcher.round() == [(MODIFIED, "9")]
    request.resume_token = ""
    async with watching(admin.watches.WatchPackets, request) as watcher:
        assert await watcher.round() == [(CURRENT, "2"), (CURRENT, "3"), (CURRENT, "9")]


async def park(exchange: Exchange, *sequences: int) -> None:
    found = [
        PacketException(
            sequence=sequence,
            kind=ExceptionKind.PARKED,
            reason=Reason.PACKET_INVALID,
            detail="odd",
            attempts=1,
            next_attempt_at=None,
        )
        for sequence in sequences
    ]
    fence = exchange.fences[SUZHOU]
    await exchange.registry.exceptions.put(fence, await exchange.lane_id(), found)


async def test_parked_packets_of_all_lanes_come_and_go(admin: Stubs, exchange: Exchange) -> None:
    await exchange.accept(exchange.send(3))
    await park(exchange, 1)
    request = pb.WatchPacketsRequest(exception=PARKED)
    async with watching(admin.watches.WatchPackets, request) as watcher:
        assert await watcher.round() == [(CURRENT, "1")]
        await park(exchange, 2)
        assert await watcher.round() == [(MODIFIED, "2")]
        await exchange.registry.exceptions.retry([(exchange.key, 1)], ADMIN)
        assert await watcher.round() == [(REMOVED, "1")]
    request.resume_token = watcher.token
    async with watching(admin.watches.WatchPackets, request) as watcher:
        assert await watcher.round() == [(CURRENT, "2")]


async def test_a_watch_reads_no_packet_that_stands_as_before(
    admin: Stubs, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BOOKMARK_EVERY", 2)
    await exchange.accept(exchange.send(3))
    await park(exchange, 1, 2)
    request = pb.WatchPacketsRequest(exception=PARKED)
    async with watching(admin.watches.WatchPackets, request) as watcher:
        assert await watcher.round() == [(CURRENT, "1"), (CURRENT, "2")]
        asked: list[RangeSet] = []
        read = exchange.registry.packets.read

        async def counted(lane: int, numbers: RangeSet, most: int | None = None) -> Any:
            asked.append(numbers)
            return await read(lane, numbers, most)

        monkeypatch.setattr(exchange.registry.packets, "read", counted)
        assert await watcher.round() == []
        assert asked == []
        await park(exchange, 3)
        assert await watcher.round() == [(MODIFIED, "3")]
        assert asked == [RangeSet.of([3])]


async def test_a_bookmark_shows_that_a_quiet_watch_lives(
    admin: Stubs, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BOOKMARK_EVERY", 2)
    for method, request in (
        (admin.watches.WatchLanes, pb.WatchLanesRequest()),
        (admin.watches.WatchPackets, pb.WatchPacketsRequest(parent=exchange.key.name)),
        (admin.watches.WatchPackets, pb.WatchPacketsRequest(exception=PARKED)),
    ):
        async with watching(method, request) as watcher:
            await watcher.round()
            assert await watcher.round() == []


async def test_one_caller_has_a_bounded_number_of_watches(admin: Stubs, served: Served) -> None:
    calls = [admin.watches.WatchPeers(pb.WatchPeersRequest()) for _ in range(watch.MAX_WATCHES)]
    for call in calls:
        await call.read()
    lanes = pb.WatchLanesRequest()
    assert await refusal(admin.watches.WatchLanes, lanes) is Reason.RATE_LIMITED
    async with Stubs(served, "/relayers/east-1") as other:
        assert await refusal(other.watches.WatchLanes, lanes) is None
    for call in calls:
        call.cancel()
    async with asyncio.timeout(10):
        while await refusal(admin.watches.WatchLanes, lanes) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_more_exceptions_than_a_watch_may_hold_are_refused(
    admin: Stubs, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MAX_EXCEPTIONS", 1)
    await exchange.accept(exchange.send(2))
    await park(exchange, 1, 2)
    request = pb.WatchPacketsRequest(exception=PARKED)
    assert await refusal(admin.watches.WatchPackets, request) is Reason.LIMIT_EXCEEDED


def token(scope: str, entry: str) -> str:
    return Page.parse(f"watch {scope}", 0, "").token_after(entry)


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        ("WatchPeers", {"resume_token": "odd"}, Reason.PAGE_TOKEN_INVALID),
        ("WatchPeers", {"resume_token": token("peers", "x")}, Reason.PAGE_TOKEN_INVALID),
        ("WatchPeers", {"resume_token": token("peers", "9" * 18)}, Reason.PAGE_TOKEN_INVALID),
        ("WatchLanes", {"resume_token": token("peers", "1")}, Reason.PAGE_TOKEN_INVALID),
        ("WatchLanes", {"peer": "odd/name"}, Reason.IDENTIFIER_INVALID),
        ("WatchClients", {"parent": "peers/wuxi"}, Reason.PEER_NOT_FOUND),
        ("WatchPackets", {}, Reason.FIELD_INVALID),
        ("WatchPackets", {"exception": 3}, Reason.FIELD_INVALID),
        ("WatchPackets", {"exception": 99}, Reason.FIELD_INVALID),
        ("WatchPackets", {"parent": "lanes/a~b-1~c~d-1"}, Reason.LANE_NOT_FOUND),
        ("WatchPackets", {"parent": "lanes/a~b-1~c~d-1", "exception": 2}, Reason.LANE_NOT_FOUND),
    ],
)
async def test_an_odd_watch_is_refused(
    admin: Stubs, method: str, request_: dict[str, Any], reason: Reason
) -> None:
    request = getattr(pb, f"{method}Request")(**request_)
    assert await refusal(getattr(admin.watches, method), request) is reason


async def test_a_token_of_more_than_was_ever_recorded_is_refused(
    admin: Stubs, exchange: Exchange
) -> None:
    lane = exchange.key.name
    for entry in ("1;99;;;", "999999999999;0;;;", "1;0;5-3;;", "1;0;x;;"):
        request = pb.WatchPacketsRequest(parent=lane, resume_token=token(f"{lane} 0", entry))
        found = await refusal(admin.watches.WatchPackets, request)
        assert found is Reason.PAGE_TOKEN_INVALID


async def test_a_peer_watches_its_own_and_no_other(served: Served, exchange: Exchange) -> None:
    lane = exchange.key.name
    own = [
        ("WatchClients", pb.WatchClientsRequest(parent="peers/hangzhou")),
        ("WatchLanes", pb.WatchLanesRequest(peer="peers/hangzhou")),
        ("WatchPackets", pb.WatchPacketsRequest(parent=lane, exception=PARKED)),
    ]
    others = [
        ("WatchPeers", pb.WatchPeersRequest()),
        ("WatchClients", pb.WatchClientsRequest()),
        ("WatchLanes", pb.WatchLanesRequest()),
        ("WatchPackets", pb.WatchPacketsRequest(exception=PARKED)),
    ]
    async with Stubs(served, "/peers/hangzhou") as city, Stubs(served, "/peers/wuxi") as stranger:
        for method, request in own:
            assert await refusal(getattr(city.watches, method), request) is None
            found = await refusal(getattr(stranger.watches, method), request)
            assert found is Reason.IDENTITY_NOT_ALLOWED
        for method, request in others:
            found = await refusal(getattr(city.watches, method), request)
            assert found is Reason.IDENTITY_NOT_ALLOWED
