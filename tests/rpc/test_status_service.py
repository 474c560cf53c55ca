from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.hub.v1 import status_service_pb2 as pb

from tests.harness.exchange import RELAYER
from tests.harness.hub_server import VERSION

if TYPE_CHECKING:
    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Stubs


async def test_the_status_says_who_asks_what_runs_and_what_holds(
    admin: Stubs, exchange: Exchange
) -> None:
    await exchange.accept(exchange.send(2))
    found = await admin.status.GetStatus(pb.GetStatusRequest(), timeout=10)
    assert (found.version, found.caller) == (VERSION, "spiffe://ydhub.local/admins/li")
    assert (found.peer_count, found.open_lane_count, found.accepted_count) == (2, 2, 2)
    (relayer,) = found.relayers
    assert (relayer.name, list(relayer.peers)) == (RELAYER, ["peers/hangzhou", "peers/suzhou"])
    assert relayer.lease_expire_time.seconds > 0
    assert found.invariants
    assert all(invariant.violation_count == 0 for invariant in found.invariants)
