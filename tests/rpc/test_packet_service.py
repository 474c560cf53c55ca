from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ydhub.packet.v1 import packet_pb2
from ydhub.packet.v1 import packet_service_pb2 as pb

from hub.core.commitment import commit_packet
from hub.core.errors import Reason
from hub.wire.packet import encode_packet
from tests.harness.exchange import HANGZHOU
from tests.harness.hub_server import failure

if TYPE_CHECKING:
    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Stubs


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
