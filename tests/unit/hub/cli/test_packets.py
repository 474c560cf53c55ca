from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as pb
from ydhub.simchain.v1 import simchain_service_pb2_grpc as service

from hub.cli import packets
from hub.core.errors import Reason
from hub.core.record import ExceptionKind, PacketException
from tests.harness.command_line import Desk
from tests.harness.exchange import SUZHOU
from tests.harness.hub_server import ADMIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Served

BETWEEN = "hangzhou~suzhou"
TRANSFER = (
    "packet", "send", "--from", "hangzhou", "--to", "suzhou", "--sender", "alice", "--receiver",
    "bob", "--amount", 5, "--token", "hangzhoucoin",
)  # fmt: skip


class City(service.SimchainServiceServicer):
    """An embedded chain that notes what it is asked to send."""

    def __init__(self) -> None:
        self.asked: list[pb.SendTransferRequest] = []

    async def SendTransfer(  # noqa: N802
        self, request: pb.SendTransferRequest, context: Any
    ) -> pb.SendTransferResponse:
        self.asked.append(request)
        return pb.SendTransferResponse(first_sequence=1, last_sequence=request.count, height=7)

    GetLedger: Any = None
    GetAnchor: Any = None
    Misbehave: Any = None
    FollowBlocks: Any = None
    SubmitTransaction: Any = None


@pytest.fixture
async def city(served: Served) -> AsyncIterator[tuple[City, str]]:
    server, found = grpc.aio.server(), City()
    service.add_SimchainServiceServicer_to_server(found, server)
    credentials = served.certificates.server("/chains/hangzhou")
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield found, f"127.0.0.1:{port}"
    await server.stop(None)


async def test_packets_are_sent_over_the_lanes_own_client(
    served: Served, exchange: Exchange, city: tuple[City, str], tmp_path: Path
) -> None:
    chain, address = city
    ydhub = Desk.at(tmp_path / "dev", served, ADMIN, hangzhou=address)
    found = await ydhub(*TRANSFER, "--count", 3, "--expires-in", "2m", "--memo", "rent")
    assert found.code == 0
    assert ["sequences", "1", "to", "3"] in found.rows
    assert f"next: ydhub packet explain {exchange.key}/packets/3" in found.error
    (request,) = chain.asked
    assert request.client == exchange.key.source_client
    assert (request.timeout_seconds, request.amount, request.memo) == (120, 5, "rent")


async def test_a_sent_packet_is_followed_to_its_end(
    ydhub: Desk, exchange: Exchange, city: tuple[City, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "ASK_EVERY_S", 0.01)
    sent = exchange.send()
    command = asyncio.ensure_future(ydhub(*TRANSFER, "--chain", city[1], "--wait"))
    await asyncio.sleep(0.3)
    await exchange.accept(sent)
    await asyncio.sleep(0.2)
    await exchange.deliver(sent)
    await exchange.acknowledge(sent)
    await exchange.complete(sent)
    found = await command
    assert found.code == 0
    states = [line.rpartition(": ")[2] for line in found.error.splitlines()[:-1]]
    assert states[0] == "not accepted yet"
    assert states[1:2] == ["ACCEPTED"]
    assert states[-1] == "COMPLETED"


async def test_patience_with_a_packet_ends(ydhub: Desk, city: tuple[City, str]) -> None:
    found = await ydhub(*TRANSFER, "--chain", city[1], "--wait", "--wait-for", "200ms")
    assert found.code == 9
    assert "goes on by itself" in found.error


async def test_sending_needs_a_chain_and_a_lane(ydhub: Desk, city: tuple[City, str]) -> None:
    found = await ydhub(*TRANSFER)
    assert (found.code, "--chain is not given" in found.error) == (3, True)
    elsewhere = [*TRANSFER]
    elsewhere[elsewhere.index("suzhou")] = "shanghai"
    assert (await ydhub(*elsewhere, "--chain", city[1])).code == 6
    assert (await ydhub(*TRANSFER, "--chain", city[1], "--expires-in", "soon")).code == 3


async def test_packets_are_listed_by_state_and_limit(ydhub: Desk, exchange: Exchange) -> None:
    sent = exchange.send(4)
    await exchange.accept(sent)
    await exchange.deliver(sent[:1])
    found = await ydhub("packet", "list", BETWEEN, "--limit", 3)
    assert [row[:2] for row in found.rows[1:]] == [
        ["1", "DELIVERED"],
        ["2", "ACCEPTED"],
        ["3", "ACCEPTED"],
    ]
    narrowed = await ydhub("packet", "list", BETWEEN, "--state", "delivered", "-o", "json")
    assert [record["packet"]["sequence"] for record in narrowed.json["packets"]] == ["1"]
    assert (await ydhub("packet", "list", BETWEEN, "--state", "lost")).code == 2


@pytest.mark.parametrize("name", ["{between}/1", "{lane}/1", "lanes/{lane}/packets/1"])
async def test_a_packet_is_found_by_lane_and_sequence(
    ydhub: Desk, exchange: Exchange, name: str
) -> None:
    await exchange.accept(exchange.send())
    found = await ydhub("packet", "get", name.format(between=BETWEEN, lane=exchange.key))
    assert found.rows[0] == ["name", f"{exchange.key.name}/packets/1"]
    assert ["state", "ACCEPTED"] in found.rows


async def test_a_packet_that_is_none_is_told(ydhub: Desk) -> None:
    assert (await ydhub("packet", "get", f"{BETWEEN}/9")).code == 6
    for odd in (BETWEEN, f"{BETWEEN}/x", f"{BETWEEN}/-1", f"{BETWEEN}/0"):
        assert (await ydhub("packet", "get", odd)).code == 3


async def test_a_story_is_told_line_by_line(ydhub: Desk, exchange: Exchange) -> None:
    await exchange.accept(exchange.send(), denied="route a~b is not listed")
    found = await ydhub("packet", "explain", f"{BETWEEN}/1")
    titles = [row[0] for row in found.rows]
    assert titles == ["name", "state", "ACCEPT", "DENY", "waits"]
    record = await ydhub("packet", "get", f"{BETWEEN}/1")
    assert "exception   DENIED: POLICY_DENIES_ROUTE: route a~b is not listed" in record.out


async def test_a_story_that_has_ended_says_so(ydhub: Desk, exchange: Exchange) -> None:
    sent = exchange.send()
    await exchange.accept(sent)
    await exchange.deliver(sent)
    await exchange.acknowledge(sent)
    await exchange.complete(sent)
    found = await ydhub("packet", "explain", f"{BETWEEN}/1")
    assert "waits for    nothing: it has ended" in found.out
    record = await ydhub("packet", "get", f"{BETWEEN}/1", "-o", "json")
    assert record.json["acknowledgement"]["appAcknowledgements"]


@pytest.fixture
async def troubled(exchange: Exchange) -> Exchange:
    """Packets 1 and 2 are parked, 3 goes on."""
    await exchange.accept(exchange.send(3))
    found = [
        PacketException(
            sequence=sequence,
            kind=ExceptionKind.PARKED,
            reason=Reason.PACKET_INVALID,
            detail="odd",
            attempts=1,
            next_attempt_at=None,
        )
        for sequence in (1, 2)
    ]
    lane = await exchange.lane_id()
    await exchange.registry.exceptions.put(exchange.fences[SUZHOU], lane, found)
    return exchange


async def test_parked_packets_of_all_lanes_are_found(ydhub: Desk, troubled: Exchange) -> None:
    found = await ydhub("packet", "list", "--state", "parked")
    assert [row[:3] for row in found.rows[1:]] == [
        [str(troubled.key), "1", "ACCEPTED"],
        [str(troubled.key), "2", "ACCEPTED"],
    ]
    assert "PARKED: PACKET_INVALID" in found.out
    old = await ydhub("packet", "list", "--state", "parked", "--older-than", "1h", "-o", "json")
    assert old.json == {"packets": []}
    assert (await ydhub("packet", "list", "--older-than", "long")).code == 3
    record = await ydhub("packet", "get", f"{BETWEEN}/1")
    assert "since" in [row[0] for row in record.rows]


async def test_held_packets_are_found(ydhub: Desk, troubled: Exchange) -> None:
    assert (await ydhub("lane", "pause", BETWEEN, "--cause", "works")).code == 0
    found = await ydhub("packet", "list", BETWEEN, "--state", "held")
    assert [row[:1] for row in found.rows[1:]] == [["3"]]
    assert "HELD: LANE_PAUSED" in found.out


async def test_a_parked_packet_is_retried_by_name(ydhub: Desk, troubled: Exchange) -> None:
    names = [f"{BETWEEN}/{sequence}" for sequence in (2, 3)]
    dry = await ydhub("packet", "retry", *names, "--dry-run")
    assert (dry.code, "1 would be retried" in dry.error) == (0, True)
    found = await ydhub("packet", "retry", *names)
    assert [row[2] for row in found.rows] == [f"{troubled.key.name}/packets/2"]
    assert found.error.splitlines() == [
        "1 retried",
        f"{troubled.key.name}/packets/3 has nothing to retry",
    ]
    story = await ydhub("packet", "explain", f"{BETWEEN}/2")
    titles = [row[0] for row in story.rows]
    assert titles == ["name", "state", "ACCEPT", "ATTEMPT", "RETRY", "waits"]


async def test_parked_packets_are_retried_in_bulk(ydhub: Desk, troubled: Exchange) -> None:
    found = await ydhub("packet", "retry", "--state", "parked", "--lane", BETWEEN, "--max", 1)
    assert found.error.splitlines() == ["1 retried", "there are more; call again, or raise --max"]
    rest = await ydhub("packet", "retry", "--state", "parked", "-o", "json")
    assert rest.json["retried"] == [f"{troubled.key.name}/packets/2"]
    assert (await ydhub("packet", "list", "--state", "parked")).rows[1:] == []


@pytest.mark.parametrize(
    "words",
    [
        (),
        (f"{BETWEEN}/1", "--state", "parked"),
        (f"{BETWEEN}/1", "--older-than", "1h"),
        ("--state", "denied"),
        ("--state", "parked", "--max", 1001),
    ],
)
async def test_a_retry_says_which_packets(ydhub: Desk, words: tuple[object, ...]) -> None:
    assert (await ydhub("packet", "retry", *words)).code == 2
