from __future__ import annotations

import pytest
from ydhub.lane.v1 import lane_service_pb2
from ydhub.peer.v1 import peer_service_pb2
from ydhub.relay.v1 import relay_service_pb2
from ydhub.simchain.v1 import simchain_service_pb2

from hub.core.errors import IdentifierInvalid, IdentityNotAllowed
from hub.server.authority import RULES, check_allowed, check_table
from hub.server.server import SERVICES
from hub.wire.identity.spiffe import SpiffeId

ADMIN = SpiffeId("ydhub.local", "/admins/li")
HANGZHOU = SpiffeId("ydhub.local", "/peers/hangzhou")
RELAYER = SpiffeId("ydhub.local", "/relayers/east-1")
GET_PEER = "/ydhub.peer.v1.PeerService/GetPeer"
RESUME = "/ydhub.lane.v1.LaneService/ResumeLane"
LANE = "lanes/hangzhou~07-tendermint-0~suzhou~07-tendermint-1"


def test_every_method_of_every_service_has_its_row_and_no_other() -> None:
    check_table(SERVICES)
    served = {
        f"/{service.full_name}/{method.name}" for service in SERVICES for method in service.methods
    }
    reflection = {name for name in RULES if name.startswith("/grpc.reflection.")}
    assert set(RULES) == served | reflection


@pytest.mark.parametrize("module", [relay_service_pb2, simchain_service_pb2])
def test_a_service_without_rows_does_not_start(module: object) -> None:
    services = module.DESCRIPTOR.services_by_name.values()  # type: ignore[attr-defined]
    with pytest.raises(LookupError):
        check_table(services)


def test_what_is_not_listed_is_refused_to_everybody() -> None:
    with pytest.raises(IdentityNotAllowed) as raised:
        check_allowed("/ydhub.peer.v1.PeerService/DropPeer", ADMIN, None)
    assert raised.value.identity == str(ADMIN)


def test_a_peer_is_held_to_what_its_request_names() -> None:
    own = peer_service_pb2.GetPeerRequest(name="peers/hangzhou")
    check_allowed(GET_PEER, HANGZHOU, own)
    for name in ("peers/suzhou", "peers/hangzhou2"):
        with pytest.raises(IdentityNotAllowed):
            check_allowed(GET_PEER, HANGZHOU, peer_service_pb2.GetPeerRequest(name=name))
    with pytest.raises(IdentifierInvalid):
        check_allowed(GET_PEER, HANGZHOU, peer_service_pb2.GetPeerRequest(name="hangzhou"))
    with pytest.raises(IdentityNotAllowed):
        check_allowed(GET_PEER, HANGZHOU, None)


def test_a_peer_may_stop_its_lane_but_not_let_it_go_on() -> None:
    pause = lane_service_pb2.PauseLaneRequest(name=LANE)
    check_allowed("/ydhub.lane.v1.LaneService/PauseLane", HANGZHOU, pause)
    other = SpiffeId("ydhub.local", "/peers/shanghai")
    with pytest.raises(IdentityNotAllowed):
        check_allowed("/ydhub.lane.v1.LaneService/PauseLane", other, pause)
    with pytest.raises(IdentityNotAllowed):
        check_allowed(RESUME, HANGZHOU, lane_service_pb2.ResumeLaneRequest(name=LANE))
    check_allowed(RESUME, ADMIN, lane_service_pb2.ResumeLaneRequest(name=LANE))


def test_relayers_read_and_change_nothing() -> None:
    verbs = {
        name.rpartition("/")[2]
        for name, rule in RULES.items()
        if RELAYER.role in rule.roles and name.startswith("/ydhub.") and not rule.is_own
    }
    assert all(verb.startswith(("Get", "List", "Explain", "Watch")) for verb in verbs)
