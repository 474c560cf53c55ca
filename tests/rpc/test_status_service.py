from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.hub.v1 import status_service_pb2 as pb
from ydhub.packet.v1 import packet_pb2

from tests.harness.exchange import ADMIN, RELAYER
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


async def test_activity_is_every_lane_in_numbers(admin: Stubs, exchange: Exchange) -> None:
    packets = exchange.send(3)
    await exchange.accept(packets)
    await exchange.deliver(packets[:2])
    await exchange.acknowledge(packets[:1])
    await exchange.accept(exchange.send(), denied="no")
    await exchange.registry.lanes.pause(exchange.key.reverse, "works", ADMIN)
    found = await admin.status.GetActivity(pb.GetActivityRequest(), timeout=10)
    here, back = found.lanes
    assert (here.lane, back.pause_cause) == (exchange.key.name, "works")
    counts = (here.accepted_count, here.delivered_count, here.outcome_count, here.completed_count)
    assert counts == (4, 2, 1, 0)
    assert here.oldest_open_time.seconds > 0
    assert here.oldest_owed_time.seconds > 0
    assert not back.HasField("oldest_open_time")
    (denied,) = here.exceptions
    assert (denied.kind, denied.count) == (packet_pb2.PacketException.KIND_DENIED, 1)
    assert denied.oldest_time.seconds > 0
    assert found.time.seconds > 0


async def test_the_database_is_shown_beside_the_hubs_clock(
    admin: Stubs, exchange: Exchange
) -> None:
    found = await admin.status.GetDatabase(pb.GetDatabaseRequest(), timeout=10)
    assert found.schema_revision == found.needed_revision == "memory"
    assert [setting.name for setting in found.settings if setting.is_durable]
    assert [lease.peer for lease in found.leases] == ["peers/hangzhou", "peers/suzhou"]
    assert found.hub_time.seconds > 0
    assert found.database_time.seconds > 0
    assert not found.invariants
    request = pb.GetDatabaseRequest(ask_invariants=True)
    found = await admin.status.GetDatabase(request, timeout=10)
    assert found.invariants
    assert found.version == VERSION
