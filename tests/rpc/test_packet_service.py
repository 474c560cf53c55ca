from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.protobuf.duration_pb2 import Duration
from ydhub.packet.v1 import packet_pb2
from ydhub.packet.v1 import packet_service_pb2 as pb

from hub.core.commitment import commit_packet
from hub.core.errors import Reason
from hub.core.record import ExceptionKind, PacketException
from hub.wire.packet import encode_packet
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.hub_server import failure
from tests.harness.registry import SEQUENCES

if TYPE_CHECKING:
    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Stubs


KIND: Final[Any] = packet_pb2.PacketException.Kind
HOUR: Final = Duration(seconds=3600)


async def test_a_record_shows_the_packet_and_its_end(admin: Stubs, exchange: Exchange) -> None:
    (packet,) = exchange.send()
    await exchange.accept([packet])
    request = pb.GetPacketRequest(name=f"{exchange.key.name}/packets/1")
    record = (await admin.packets.GetPacket(request, timeout=10)).packet
    assert record.packet.SerializeToString(deterministic=True) == encode_packet(packet)
    assert record.commitment == commit_packet(packet)
    assert record.state == packet_pb2.PACKET_STATE_ACCEPTED
    assert not record.HasField("acknowledgement")
    await exchange.deliver([packet])
    await exchange.acknowledge([packet])
    record = (await admin.packets.GetPacket(request, timeout=10)).packet
    assert record.state == packet_pb2.PACKET_STATE_ACKNOWLEDGED
    assert record.acknowledgement.app_acknowledgements
    assert record.outcome_height == exchange.path.right.height


async def test_a_story_says_what_the_packet_waits_for(admin: Stubs, exchange: Exchange) -> None:
    await exchange.accept(exchange.send(), denied="route a~b is not listed")
    request = pb.ExplainPacketRequest(name=f"{exchange.key.name}/packets/1")
    story = await admin.packets.ExplainPacket(request, timeout=10)
    assert [event.event for event in story.events] == ["ACCEPT", "DENY"]
    assert story.packet.exception.kind == packet_pb2.PacketException.KIND_DENIED
    assert story.packet.exception.reason == "POLICY_DENIES_ROUTE"
    assert story.waiting_for


async def test_packets_are_listed_by_sequence_and_state(admin: Stubs, exchange: Exchange) -> None:
    packets = exchange.send(3)
    await exchange.accept(packets)
    await exchange.deliver(packets[1:])
    parent = exchange.key.name
    first = await admin.packets.ListPackets(
        pb.ListPacketsRequest(parent=parent, page_size=2), timeout=10
    )
    rest = await admin.packets.ListPackets(
        pb.ListPacketsRequest(parent=parent, page_size=2, page_token=first.next_page_token),
        timeout=10,
    )
    sequences = [record.packet.sequence for page in (first, rest) for record in page.packets]
    assert (sequences, rest.next_page_token) == ([1, 2, 3], "")
    delivered = pb.ListPacketsRequest(parent=parent, state=packet_pb2.PACKET_STATE_DELIVERED)
    found = await admin.packets.ListPackets(delivered, timeout=10)
    assert [record.packet.sequence for record in found.packets] == [2, 3]
    mixed = pb.ListPacketsRequest(
        parent=parent, page_token=first.next_page_token, state=packet_pb2.PACKET_STATE_DENIED
    )
    error = await failure(admin.packets.ListPackets(mixed, timeout=10))
    assert error.reason is Reason.PAGE_TOKEN_INVALID
    odd = pb.ListPacketsRequest(parent=parent, state=77)  # type: ignore[arg-type]
    error = await failure(admin.packets.ListPackets(odd, timeout=10))
    assert error.reason is Reason.FIELD_INVALID


@pytest.fixture
async def troubled(exchange: Exchange) -> Exchange:
    """Packet 1 is parked, 2 waits for its next attempt, 3 goes on, 4 is denied."""
    await exchange.accept(exchange.send(3))
    await exchange.accept(exchange.send(), denied="route a~b is not listed")
    lane = await exchange.lane_id()
    kinds = (ExceptionKind.PARKED, ExceptionKind.RETRY)
    found = [
        PacketException(
            sequence=sequence,
            kind=kind,
            reason=Reason.PACKET_INVALID,
            detail="odd",
            attempts=1,
            next_attempt_at=None,
        )
        for sequence, kind in enumerate(kinds, 1)
    ]
    await exchange.registry.exceptions.put(exchange.fences[SUZHOU], lane, found)
    return exchange


def listed(answer: pb.ListPacketsResponse) -> list[int]:
    return [int(record.name.rpartition("/")[2]) for record in answer.packets]


async def test_packets_are_listed_over_all_lanes_by_their_exception(
    admin: Stubs, troubled: Exchange
) -> None:
    async def found(kind: str, **narrowed: Any) -> list[int]:
        request = pb.ListPacketsRequest(exception=KIND.Value(f"KIND_{kind}"), **narrowed)
        return listed(await admin.packets.ListPackets(request, timeout=10))

    assert await found("PARKED") == [1]
    assert await found("RETRY", parent=troubled.key.name) == [2]
    assert await found("DENIED") == [4]
    assert await found("HELD") == await found("HOLE") == []
    assert await found("PARKED", parent=troubled.key.reverse.name) == []
    assert await found("PARKED", older_than={"seconds": 3600}) == []
    await troubled.registry.lanes.pause(troubled.key, "works", ADMIN)
    assert await found("HELD") == [3]
    request = pb.ListPacketsRequest(exception=packet_pb2.PacketException.KIND_HELD)
    (record,) = (await admin.packets.ListPackets(request, timeout=10)).packets
    assert (record.exception.reason, record.exception.detail) == ("LANE_PAUSED", "works")
    assert record.exception.since_time == record.accept_time


async def test_packets_of_all_lanes_are_listed_page_by_page(
    admin: Stubs, troubled: Exchange
) -> None:
    request = pb.ListPacketsRequest(page_size=3)
    first = await admin.packets.ListPackets(request, timeout=10)
    request.page_token = first.next_page_token
    rest = await admin.packets.ListPackets(request, timeout=10)
    assert (listed(first), listed(rest), rest.next_page_token) == ([1, 2, 3], [4], "")
    old = pb.ListPacketsRequest(older_than=HOUR)
    assert listed(await admin.packets.ListPackets(old, timeout=10)) == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"exception": 99}, Reason.FIELD_INVALID),
        ({"exception": 4, "state": 1}, Reason.FIELD_INVALID),
        ({"older_than": {"seconds": -1}}, Reason.FIELD_INVALID),
        ({"parent": "lanes/a~b-1~c~d-1", "exception": 4}, Reason.LANE_NOT_FOUND),
        ({"page_token": "odd"}, Reason.PAGE_TOKEN_INVALID),
    ],
)
async def test_an_odd_list_is_refused(
    admin: Stubs, exchange: Exchange, fields: dict[str, Any], reason: Reason
) -> None:
    request = pb.ListPacketsRequest(**fields)
    assert (await failure(admin.packets.ListPackets(request, timeout=10))).reason is reason


async def test_named_packets_are_retried_and_the_rest_is_told(
    admin: Stubs, troubled: Exchange
) -> None:
    names = [f"{troubled.key.name}/packets/{sequence}" for sequence in (1, 3, 4, 1)]
    request = pb.RetryPacketsRequest(names=names, validate_only=True, request_id="r")
    dry = await admin.packets.RetryPackets(request, timeout=10)
    assert (list(dry.retried), list(dry.skipped)) == (names[:1], names[1:3])
    parked = pb.ListPacketsRequest(exception=packet_pb2.PacketException.KIND_PARKED)
    assert listed(await admin.packets.ListPackets(parked, timeout=10)) == [1]
    request = pb.RetryPacketsRequest(names=names, request_id="r-1")
    for _ in range(2):
        done = await admin.packets.RetryPackets(request, timeout=10)
        assert (list(done.retried), list(done.skipped)) == (names[:1], names[1:3])
    assert listed(await admin.packets.ListPackets(parked, timeout=10)) == []
    story = pb.ExplainPacketRequest(name=names[0])
    events = (await admin.packets.ExplainPacket(story, timeout=10)).events
    assert [event.event for event in events] == ["ACCEPT", "ATTEMPT", "RETRY"]
    assert "PACKET_INVALID: odd; parked" in events[1].detail
    assert "/admins/li asked to try it again" in events[2].detail
    assert all(event.HasField("time") for event in events)


async def test_packets_are_retried_by_their_exception_and_not_more_than_asked(
    admin: Stubs, troubled: Exchange
) -> None:
    lane = await troubled.lane_id()
    rest = [
        replace(one, sequence=3)
        for one in await troubled.registry.exceptions.among(lane, SEQUENCES)
    ]
    await troubled.registry.exceptions.put(troubled.fences[SUZHOU], lane, rest[:1])
    parked = KIND.Value("KIND_PARKED")
    old = pb.RetryPacketsRequest(exception=parked, older_than=HOUR)
    assert not (await admin.packets.RetryPackets(old, timeout=10)).retried
    request = pb.RetryPacketsRequest(exception=parked, max_count=1, validate_only=True)
    dry = await admin.packets.RetryPackets(request, timeout=10)
    request.validate_only = False
    done = await admin.packets.RetryPackets(request, timeout=10)
    assert dry == done
    assert (list(done.retried), done.has_more) == ([f"{troubled.key.name}/packets/1"], True)
    last = await admin.packets.RetryPackets(request, timeout=10)
    assert (list(last.retried), last.has_more) == ([f"{troubled.key.name}/packets/3"], False)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, Reason.FIELD_INVALID),
        ({"exception": 5}, Reason.FIELD_INVALID),
        ({"exception": 1}, Reason.FIELD_INVALID),
        ({"exception": 4, "max_count": -1}, Reason.FIELD_INVALID),
        ({"exception": 4, "max_count": 1001}, Reason.FIELD_INVALID),
        ({"exception": 4, "parent": "lanes/a~b-1~c~d-1"}, Reason.LANE_NOT_FOUND),
        ({"names": ["lanes/a~b-1~c~d-1/packets/1"]}, Reason.LANE_NOT_FOUND),
        ({"names": ["lanes/a~b-1~c~d-1/packets/1"], "exception": 4}, Reason.FIELD_INVALID),
        ({"names": ["lanes/a~b-1~c~d-1/packets/1"] * 1001}, Reason.FIELD_INVALID),
        ({"names": ["x"]}, Reason.IDENTIFIER_INVALID),
    ],
)
async def test_an_odd_retry_is_refused(
    admin: Stubs, exchange: Exchange, fields: dict[str, Any], reason: Reason
) -> None:
    request = pb.RetryPacketsRequest(**fields)
    assert (await failure(admin.packets.RetryPackets(request, timeout=10))).reason is reason


async def test_a_hole_that_others_settled_is_shown_without_a_packet(
    admin: Stubs, exchange: Exchange
) -> None:
    await exchange.settle_elsewhere(4)
    request = pb.GetPacketRequest(name=f"{exchange.key.name}/packets/4")
    record = (await admin.packets.GetPacket(request, timeout=10)).packet
    assert record.state == packet_pb2.PACKET_STATE_SETTLED_ELSEWHERE
    assert not record.HasField("packet")


async def test_a_bundle_has_both_claims(admin: Stubs, exchange: Exchange) -> None:
    packets = exchange.send(2)
    await exchange.accept(packets)
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    name = f"{exchange.key.name}/packets/2"
    bundle = await admin.packets.GetPacketProof(pb.GetPacketProofRequest(name=name), timeout=10)
    assert bundle.packet.name == name
    assert bundle.commitment.peer == "peers/hangzhou"
    assert bundle.commitment.value == bundle.packet.commitment
    assert bundle.outcome.peer == "peers/suzhou"
    start = pb.ChainStart(peer="peers/hangzhou", height=4)
    request = pb.GetPacketProofRequest(name=name, starts=[start])
    own = await admin.packets.GetPacketProof(request, timeout=10)
    header = exchange.chain(HANGZHOU).light_block(4).header
    assert own.commitment.headers[0].content == header.content


@pytest.mark.parametrize(
    ("starts", "reason"),
    [
        ([pb.ChainStart(peer="peers/hangzhou", height=1)], Reason.HEADER_NOT_FOUND),
        ([pb.ChainStart(peer="peers/hangzhou", height=10**6)], Reason.FIELD_INVALID),
        ([pb.ChainStart(peer="peers/hangzhou")], Reason.FIELD_INVALID),
        ([pb.ChainStart(peer="hangzhou", height=4)], Reason.IDENTIFIER_INVALID),
        ([pb.ChainStart(peer="peers/hangzhou", height=4)] * 17, Reason.FIELD_INVALID),
    ],
)
async def test_a_chain_of_headers_begins_where_the_hub_has_one(
    admin: Stubs, exchange: Exchange, starts: list[Any], reason: Reason
) -> None:
    await exchange.accept(exchange.send())
    request = pb.GetPacketProofRequest(name=f"{exchange.key.name}/packets/1", starts=starts)
    assert (await failure(admin.packets.GetPacketProof(request, timeout=10))).reason is reason


async def test_a_settled_hole_has_no_proof(admin: Stubs, exchange: Exchange) -> None:
    await exchange.settle_elsewhere(4)
    request = pb.GetPacketProofRequest(name=f"{exchange.key.name}/packets/4")
    found = await failure(admin.packets.GetPacketProof(request, timeout=10))
    assert found.reason is Reason.PROOF_NOT_FOUND


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("{lane}/packets/9", Reason.PACKET_NOT_FOUND),
        ("{lane}/packets/0", Reason.IDENTIFIER_INVALID),
        ("{lane}/packets/01", Reason.IDENTIFIER_INVALID),
        ("{lane}/packets/9223372036854775808", Reason.IDENTIFIER_INVALID),
        ("{lane}", Reason.IDENTIFIER_INVALID),
        ("lanes/a~b-1~c~d-1/packets/1", Reason.LANE_NOT_FOUND),
    ],
)
async def test_a_packet_that_is_none_is_not_found(
    admin: Stubs, exchange: Exchange, name: str, reason: Reason
) -> None:
    name = name.format(lane=exchange.key.name)
    packets = admin.packets
    calls: list[Any] = [
        packets.GetPacket(pb.GetPacketRequest(name=name), timeout=10),
        packets.ExplainPacket(pb.ExplainPacketRequest(name=name), timeout=10),
        packets.GetPacketProof(pb.GetPacketProofRequest(name=name), timeout=10),
    ]
    for call in calls:
        assert (await failure(call)).reason is reason
