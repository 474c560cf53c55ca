from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.peer.v1 import peer_pb2
from ydhub.peer.v1 import peer_service_pb2 as pb

from hub.core.errors import Reason
from hub.wire.anchors import anchor_to_proto
from tests.harness.anchors import make_anchor
from tests.harness.exchange import HANGZHOU, RELAYER
from tests.harness.hub_server import failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Stubs


def shanghai() -> peer_pb2.Peer:
    return peer_pb2.Peer(
        name="peers/shanghai",
        display_name="上海",
        anchor=anchor_to_proto(make_anchor("shanghai-1")),
    )


def register(peer: peer_pb2.Peer, **fields: object) -> pb.RegisterPeerRequest:
    return pb.RegisterPeerRequest(peer=peer, **fields)  # type: ignore[arg-type]


async def test_a_peer_is_registered_once(admin: Stubs) -> None:
    answer = await admin.peers.RegisterPeer(register(shanghai()), timeout=10)
    peer = answer.peer
    assert (peer.name, peer.display_name, answer.already_done) == ("peers/shanghai", "上海", False)
    assert peer.state == peer_pb2.PEER_STATE_ACTIVE
    assert peer.identity == "spiffe://ydhub.local/peers/shanghai"
    assert peer.anchor == shanghai().anchor
    assert (await admin.peers.RegisterPeer(register(shanghai()), timeout=10)).already_done


async def test_checking_changes_nothing(admin: Stubs) -> None:
    request = register(shanghai(), validate_only=True)
    assert not (await admin.peers.RegisterPeer(request, timeout=10)).already_done
    missing = await failure(
        admin.peers.GetPeer(pb.GetPeerRequest(name="peers/shanghai"), timeout=10)
    )
    assert missing.reason is Reason.PEER_NOT_FOUND


def _renamed(peer: peer_pb2.Peer) -> None:
    peer.name = "shanghai"


def _odd_name(peer: peer_pb2.Peer) -> None:
    peer.name = "peers/Shanghai"


def _no_anchor(peer: peer_pb2.Peer) -> None:
    peer.ClearField("anchor")


def _no_type(peer: peer_pb2.Peer) -> None:
    peer.anchor.client_type = ""


def _other_type(peer: peer_pb2.Peer) -> None:
    peer.anchor.client_type = "99-other"


def _short_hash(peer: peer_pb2.Peer) -> None:
    peer.anchor.header_hash = b"\x01"


def _no_height(peer: peer_pb2.Peer) -> None:
    peer.anchor.height.number = 0


def _low_trust(peer: peer_pb2.Peer) -> None:
    peer.anchor.options.trust_level_denominator = 4


def _negative_period(peer: peer_pb2.Peer) -> None:
    peer.anchor.options.trusting_period.seconds = -1


def _long_name(peer: peer_pb2.Peer) -> None:
    peer.display_name = "x" * 129


def _control_characters(peer: peer_pb2.Peer) -> None:
    peer.display_name = "\x1b[31mred"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_renamed, Reason.IDENTIFIER_INVALID),
        (_odd_name, Reason.IDENTIFIER_INVALID),
        (_no_anchor, Reason.FIELD_INVALID),
        (_no_type, Reason.FIELD_INVALID),
        (_other_type, Reason.CLIENT_TYPE_UNKNOWN),
        (_short_hash, Reason.ANCHOR_INVALID),
        (_no_height, Reason.HEIGHT_INVALID),
        (_low_trust, Reason.ANCHOR_INVALID),
        (_negative_period, Reason.FIELD_INVALID),
        (_long_name, Reason.FIELD_INVALID),
        (_control_characters, Reason.FIELD_INVALID),
    ],
)
async def test_each_wrong_field_has_its_reason(
    admin: Stubs, change: Callable[[peer_pb2.Peer], None], reason: Reason
) -> None:
    peer = shanghai()
    change(peer)
    found = await failure(admin.peers.RegisterPeer(register(peer), timeout=10))
    assert found.reason is reason


async def test_another_peer_of_the_name_is_a_conflict(admin: Stubs) -> None:
    await admin.peers.RegisterPeer(register(shanghai()), timeout=10)
    other = shanghai()
    other.anchor.height.number += 1
    found = await failure(admin.peers.RegisterPeer(register(other), timeout=10))
    assert (found.code, found.reason) == ("ALREADY_EXISTS", Reason.PEER_EXISTS)


async def test_a_request_id_is_good_for_one_request(admin: Stubs) -> None:
    request = register(shanghai(), request_id="r-1")
    await admin.peers.RegisterPeer(request, timeout=10)
    assert (await admin.peers.RegisterPeer(request, timeout=10)).already_done
    other = register(shanghai(), request_id="r-1")
    other.peer.name = "peers/ningbo"
    found = await failure(admin.peers.RegisterPeer(other, timeout=10))
    assert found.reason is Reason.REQUEST_ID_REUSED
    odd = register(shanghai(), request_id="r 1")
    assert (await failure(admin.peers.RegisterPeer(odd, timeout=10))).reason is Reason.FIELD_INVALID


async def test_a_peer_shows_who_serves_it(admin: Stubs, exchange: Exchange) -> None:
    request = pb.GetPeerRequest(name="peers/hangzhou")
    peer = (await admin.peers.GetPeer(request, timeout=10)).peer
    assert (peer.attached, peer.relayer) == (True, RELAYER)
    await exchange.attach(HANGZHOU, attached=False)
    assert not (await admin.peers.GetPeer(request, timeout=10)).peer.attached


async def test_peers_are_listed_page_by_page(admin: Stubs) -> None:
    first = await admin.peers.ListPeers(pb.ListPeersRequest(page_size=1), timeout=10)
    assert [peer.name for peer in first.peers] == ["peers/hangzhou"]
    rest = await admin.peers.ListPeers(
        pb.ListPeersRequest(page_size=1, page_token=first.next_page_token), timeout=10
    )
    assert [peer.name for peer in rest.peers] == ["peers/suzhou"]
    assert rest.next_page_token == ""


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"page_token": "x"}, Reason.PAGE_TOKEN_INVALID),
        ({"page_size": -1}, Reason.FIELD_INVALID),
    ],
)
async def test_a_page_that_is_none_is_refused(
    admin: Stubs, fields: dict[str, object], reason: Reason
) -> None:
    request = pb.ListPeersRequest(**fields)  # type: ignore[arg-type]
    assert (await failure(admin.peers.ListPeers(request, timeout=10))).reason is reason


async def test_a_peer_is_suspended_and_resumed(admin: Stubs) -> None:
    await admin.peers.RegisterPeer(register(shanghai()), timeout=10)
    suspend = pb.SuspendPeerRequest(name="peers/shanghai", cause="inspection")
    answer = await admin.peers.SuspendPeer(suspend, timeout=10)
    assert (answer.peer.state, answer.peer.suspend_cause, answer.already_done) == (
        peer_pb2.PEER_STATE_SUSPENDED,
        "inspection",
        False,
    )
    assert (await admin.peers.SuspendPeer(suspend, timeout=10)).already_done
    resume = pb.ResumePeerRequest(name="peers/shanghai", cause="passed")
    back = await admin.peers.ResumePeer(resume, timeout=10)
    assert (back.peer.state, back.already_done) == (peer_pb2.PEER_STATE_ACTIVE, False)
    for request in (
        admin.peers.SuspendPeer(pb.SuspendPeerRequest(name="peers/shanghai"), timeout=10),
        admin.peers.ResumePeer(pb.ResumePeerRequest(name="peers/wuxi", cause="x"), timeout=10),
    ):
        assert (await failure(request)).reason in {Reason.FIELD_INVALID, Reason.PEER_NOT_FOUND}
