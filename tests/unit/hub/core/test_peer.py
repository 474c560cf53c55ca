from __future__ import annotations

from hub.core.ids import PeerId
from hub.core.peer import Peer, PeerState
from hub.core.time import Timestamp
from tests.harness.anchors import make_anchor


def test_a_peer_is_named_by_its_id() -> None:
    peer = Peer(
        peer=PeerId("hangzhou"),
        display_name="Hangzhou",
        state=PeerState.ACTIVE,
        anchor=make_anchor(),
        created_at=Timestamp(0),
        revision=1,
    )
    assert peer.name == "peers/hangzhou"
