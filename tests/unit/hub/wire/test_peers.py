from __future__ import annotations

import pytest
from ydhub.peer.v1 import peer_pb2 as pb

from hub.core.errors import FieldInvalid, IdentifierInvalid
from hub.core.ids import PeerId
from hub.core.peer import Peer, PeerState
from hub.core.time import SECOND, Timestamp
from hub.ports.leases import Lease
from hub.wire.anchors import anchor_to_proto
from hub.wire.peers import peer_to_proto, registration_from_proto
from tests.harness.anchors import make_anchor

ANCHOR = make_anchor()
PEER = Peer(
    peer=PeerId("hangzhou"),
    display_name="杭州",
    state=PeerState.ACTIVE,
    anchor=ANCHOR,
    created_at=Timestamp(1_800_000_000 * SECOND),
    revision=4,
)


def message() -> pb.Peer:
    return pb.Peer(
        name="peers/hangzhou", display_name="杭州", anchor=anchor_to_proto(ANCHOR), etag="ignored"
    )


def test_a_registration_reads_name_display_name_and_anchor() -> None:
    found = registration_from_proto(message())
    assert (found.peer, found.display_name, found.anchor) == ("hangzhou", "杭州", ANCHOR)


def test_a_registration_needs_a_name_and_an_anchor() -> None:
    nameless = message()
    nameless.name = "hangzhou"
    with pytest.raises(IdentifierInvalid):
        registration_from_proto(nameless)
    for change in ("x" * 129, "a\x00b"):
        odd = message()
        odd.display_name = change
        with pytest.raises(FieldInvalid) as raised:
            registration_from_proto(odd)
        assert raised.value.field == "peer.display_name"
    bare = message()
    bare.ClearField("anchor")
    with pytest.raises(FieldInvalid) as missing:
        registration_from_proto(bare)
    assert missing.value.field == "peer.anchor"


@pytest.mark.parametrize("state", PeerState)
def test_every_state_has_its_word(state: PeerState) -> None:
    from dataclasses import replace

    found = peer_to_proto(replace(PEER, state=state), None, "ydhub.local")
    assert pb.PeerState.Name(found.state) == f"PEER_STATE_{state}"


def test_a_peer_shows_its_identity_and_who_serves_it() -> None:
    alone = peer_to_proto(PEER, None, "ydhub.local")
    assert (alone.identity, alone.attached, alone.relayer) == (
        "spiffe://ydhub.local/peers/hangzhou", False, "",
    )  # fmt: skip
    assert alone.etag == "4"
    lease = Lease(peer=PEER.peer, owner="east-1", epoch=1, attached=True, expires_at=Timestamp(0))
    served = peer_to_proto(PEER, lease, "ydhub.local")
    assert (served.attached, served.relayer) == (True, "east-1")
