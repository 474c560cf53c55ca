"""What holds for every call: ids, deadlines, failures, limits, health, reflection, the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from ydhub.peer.v1 import peer_service_pb2 as pb

from hub.core.errors import Reason, RecordCorrupt, RegistryUnreachable
from hub.wire.identity.shown import serial_of
from tests.harness.exchange import ADMIN
from tests.harness.hub_server import Served, Stubs, failure, serve

if TYPE_CHECKING:
    from pathlib import Path

    import grpc
    import pytest

    from tests.harness.exchange import Exchange

GET = pb.GetPeerRequest(name="peers/hangzhou")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def break_peers(exchange: Exchange, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(peer: str) -> None:
        raise error

    monkeypatch.setattr(exchange.registry.peers, "get", get)


async def test_a_call_keeps_the_id_that_it_came_with(admin: Stubs) -> None:
    named = admin.peers.GetPeer(
        pb.GetPeerRequest(name="peers/nowhere"), timeout=10, metadata=(("x-request-id", "r-7"),)
    )
    assert (await failure(named)).request_id == "r-7"


async def test_an_id_that_would_spoil_the_log_is_replaced(admin: Stubs) -> None:
    for bad in ("a b", "x" * 65, 'a"b'):
        call = admin.peers.GetPeer(
            pb.GetPeerRequest(name="peers/nowhere"), timeout=10, metadata=(("x-request-id", bad),)
        )
        request_id = (await failure(call)).request_id
        assert request_id not in {"", bad}


async def test_a_single_request_must_have_a_deadline(admin: Stubs) -> None:
    assert (await failure(admin.peers.GetPeer(GET))).metadata["field"] == "deadline"
    assert (await failure(admin.peers.GetPeer(GET, timeout=600))).reason is Reason.FIELD_INVALID
    assert (await admin.peers.GetPeer(GET, timeout=290)).peer.name == "peers/hangzhou"


async def test_of_a_bug_nothing_leaves_but_the_request_id(
    admin: Stubs, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_peers(exchange, KeyError("password=1234"), monkeypatch)
    with structlog.testing.capture_logs() as logs:
        found = await failure(admin.peers.GetPeer(GET, timeout=10))
    assert (found.code, found.reason) == ("INTERNAL", Reason.INTERNAL)
    assert "1234" not in found.message
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["call_failed"]


async def test_damage_and_absence_of_the_registry_are_told(
    admin: Stubs, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_peers(exchange, RecordCorrupt(what="w", stored="a", computed="b"), monkeypatch)
    with structlog.testing.capture_logs() as logs:
        found = await failure(admin.peers.GetPeer(GET, timeout=10))
    assert found.code == "DATA_LOSS"
    assert any(entry["event"] == "record_corrupt" for entry in logs)
    break_peers(exchange, RegistryUnreachable(problem="refused"), monkeypatch)
    found = await failure(admin.peers.GetPeer(GET, timeout=10))
    assert (found.code, found.retry_after is not None) == ("UNAVAILABLE", True)


async def test_every_call_leaves_one_line(admin: Stubs) -> None:
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as logs:
        await admin.peers.GetPeer(GET, timeout=10, metadata=(("x-request-id", "r-8"),))
    (line,) = [entry for entry in logs if entry["event"] == "call_ended"]
    assert (line["code"], line["request_id"]) == ("OK", "r-8")
    assert line["method"] == "/ydhub.peer.v1.PeerService/GetPeer"


async def test_a_message_over_the_limit_is_refused(admin: Stubs) -> None:
    request = pb.ListPeersRequest(page_token="x" * (1024 * 1024))
    found = await failure(admin.peers.ListPeers(request, timeout=10))
    assert found.code == "RESOURCE_EXHAUSTED"


async def test_metadata_over_the_limit_is_refused(admin: Stubs) -> None:
    many = tuple((f"x-key-{number}", "x" * 40) for number in range(400))
    for metadata in ((("x-long", "x" * 9000),), many):
        found = await failure(admin.peers.GetPeer(GET, timeout=10, metadata=metadata))
        assert found.code == "RESOURCE_EXHAUSTED"


async def test_health_tells_of_the_process_and_of_each_service(served: Served) -> None:
    async with served.channel("/relayers/east-1") as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", "ydhub.peer.v1.PeerService"):
            request = health_pb2.HealthCheckRequest(service=name)
            assert (await health.Check(request, timeout=10)).status == SERVING
        listed = await health.List(health_pb2.HealthListRequest(), timeout=10)  # type: ignore[attr-defined]
        assert {status.status for status in listed.statuses.values()} == {SERVING}
        assert "ydhub.lane.v1.LaneService" in listed.statuses
        unknown = health_pb2.HealthCheckRequest(service="other")
        assert (await failure(health.Check(unknown, timeout=10))).code == "NOT_FOUND"


async def test_health_follows_the_registry(
    served: Served, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ready() -> None:
        raise RegistryUnreachable(problem="refused")

    async with served.channel() as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=""))
        seen = [(await watch.read()).status]
        with monkeypatch.context() as patch:
            patch.setattr(exchange.registry.audit, "ready", ready)
            await served.server.health.ask_registry()
            seen.append((await watch.read()).status)
        await served.server.health.ask_registry()
        seen.append((await watch.read()).status)
        assert seen == [SERVING, NOT_SERVING, SERVING]
        watch.cancel()


def reflection(channel: grpc.aio.Channel, version: str) -> Any:
    """A call of that version's reflection, begun."""
    return channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()


async def test_reflection_answers_under_both_names(served: Served) -> None:
    async with served.channel() as channel:
        for version in ("v1alpha", "v1"):
            call = reflection(channel, version)
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            listed = (await call.read()).list_services_response.service
            assert "ydhub.peer.v1.PeerService" in [service.name for service in listed]
            call.cancel()


async def test_reflection_is_off_unless_asked_for(exchange: Exchange, tmp_path: Path) -> None:
    async with serve(exchange.registry, tmp_path) as served, served.channel() as channel:
        for version in ("v1alpha", "v1"):
            # Nothing is written: the answer is to the call alone.
            assert (await reflection(channel, version).code()).name == "UNIMPLEMENTED"


async def test_a_call_under_way_ends_before_the_server_does(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    genuine = exchange.registry.peers.get

    async def slow(peer: Any) -> Any:
        entered.set()
        await leave.wait()
        return await genuine(peer)

    monkeypatch.setattr(exchange.registry.peers, "get", slow)
    async with serve(exchange.registry, tmp_path) as served, Stubs(served) as admin:
        call = asyncio.ensure_future(admin.peers.GetPeer(GET, timeout=10))
        await entered.wait()
        stop = asyncio.ensure_future(served.server.stop(notice_s=0, drain_s=10))
        await asyncio.sleep(0)
        leave.set()
        assert (await call).peer.name == "peers/hangzhou"
        await stop


async def test_a_call_that_its_caller_gives_up_is_ended(
    admin: Stubs, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()

    async def slow(peer: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(exchange.registry.peers, "get", slow)
    found = await failure(admin.peers.GetPeer(GET, timeout=0.3))
    assert found.code == "DEADLINE_EXCEEDED"
    await asyncio.wait_for(ended.wait(), 10)


async def test_a_revoked_certificate_calls_nothing_and_its_streams_end_at_once(
    served: Served, exchange: Exchange
) -> None:
    file, _, _ = served.certificates.files("/relayers/east-1")
    serial = serial_of(x509.load_pem_x509_certificate(file.read_bytes()))
    async with Stubs(served, "/relayers/east-1") as relayer, Stubs(served) as admin:
        await relayer.peers.GetPeer(GET, timeout=10)
        watch = _health(relayer.channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
        other = _health(admin.channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
        assert (await watch.read()).status == SERVING
        assert (await other.read()).status == SERVING
        await exchange.registry.certificates.revoke_serial(serial, "lost", ADMIN)
        assert (await failure(watch.read())).reason is Reason.CERTIFICATE_REVOKED
        refused = await failure(relayer.peers.GetPeer(GET, timeout=10))
        assert refused.reason is Reason.CERTIFICATE_REVOKED
        await admin.peers.GetPeer(GET, timeout=10)
        assert not other.done()


def _health(channel: grpc.aio.Channel) -> Any:
    """The health service; its published types lack one of its methods."""
    return health_pb2_grpc.HealthStub(channel)
