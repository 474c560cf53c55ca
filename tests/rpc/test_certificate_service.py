from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from cryptography import x509
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ydhub.certificate.v1 import certificate_service_pb2 as pb
from ydhub.certificate.v1 import enrolment_service_pb2
from ydhub.certificate.v1.enrolment_service_pb2_grpc import EnrolmentServiceStub
from ydhub.peer.v1 import peer_service_pb2
from ydhub.peer.v1.peer_service_pb2_grpc import PeerServiceStub

from hub.cli.keys import make_key, request_for, write_pair
from hub.core.errors import Reason
from hub.server.interceptors.rates import BURST
from hub.wire.identity.credentials import channel_credentials, server_trust
from hub.wire.identity.shown import serial_of
from tests.harness.hub_server import Served, Stubs, failure, serve
from tests.harness.issuer import a_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.exchange import Exchange

INVITE = pb.InvitePeerRequest(name="peers/hangzhou", ttl=Duration(seconds=3600))
GET = peer_service_pb2.GetPeerRequest(name="peers/hangzhou")


@pytest.fixture
async def issuing(exchange: Exchange, tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(exchange.registry, tmp_path / "issuing", issues=True) as found:
        yield found


def stranger(served: Served) -> grpc.aio.Channel:
    """A channel that shows no certificate."""
    trust = server_trust(served.certificates.directory / "ca.crt")
    return grpc.aio.secure_channel(served.enrolment, trust)


def health_stub(channel: grpc.aio.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


async def test_a_city_enrols_with_its_token_and_calls_as_its_peer(
    issuing: Served, tmp_path: Path
) -> None:
    async with Stubs(issuing) as admin:
        token = (await admin.certificates.InvitePeer(INVITE, timeout=10)).token
    key = make_key()
    request = enrolment_service_pb2.EnrolRequest(token=token, certificate_request=request_for(key))
    async with stranger(issuing) as channel:
        stub = EnrolmentServiceStub(channel)
        issued = (await stub.Enrol(request, timeout=10)).certificate
        again = await failure(stub.Enrol(request, timeout=10))
    assert again.reason is Reason.INVITATION_INVALID
    assert issued.identity == "spiffe://ydhub.local/peers/hangzhou"
    cert_file, key_file = tmp_path / "own.crt", tmp_path / "own.key"
    write_pair(cert_file, key_file, key, issued.chain)
    ca = issuing.certificates.directory / "ca.crt"
    credentials = channel_credentials(cert_file, key_file, ca)
    async with grpc.aio.secure_channel(issuing.address, credentials) as channel:
        assert (await PeerServiceStub(channel).GetPeer(GET, timeout=10)).peer.name == GET.name


async def test_where_cities_enrol_nothing_else_answers(issuing: Served) -> None:
    async with stranger(issuing) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health_stub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_without_a_certificate_nothing_but_enrolment_is_reached(issuing: Served) -> None:
    trust = server_trust(issuing.certificates.directory / "ca.crt")
    async with grpc.aio.secure_channel(issuing.address, trust) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await EnrolmentServiceStub(channel).Enrol(
                enrolment_service_pb2.EnrolRequest(), timeout=10
            )
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_guesses_are_limited_in_rate(issuing: Served) -> None:
    async with stranger(issuing) as channel:
        stub = EnrolmentServiceStub(channel)
        request = enrolment_service_pb2.EnrolRequest(token="guess")
        reasons = [
            (await failure(stub.Enrol(request, timeout=10))).reason for _ in range(BURST + 1)
        ]
    assert reasons == [Reason.INVITATION_INVALID] * BURST + [Reason.RATE_LIMITED]


async def test_a_hub_without_a_ca_says_so(served: Served) -> None:
    async with Stubs(served) as admin, stranger(served) as channel:
        invite = admin.certificates.InvitePeer(INVITE, timeout=10)
        assert (await failure(invite)).reason is Reason.ISSUER_MISSING
        enrol = EnrolmentServiceStub(channel).Enrol(
            enrolment_service_pb2.EnrolRequest(token="x"), timeout=10
        )
        assert (await failure(enrol)).reason is Reason.ISSUER_MISSING


async def test_everyone_renews_his_own_certificate(issuing: Served) -> None:
    for identity in ("/peers/suzhou", "/relayers/east-1", "/admins/li"):
        async with Stubs(issuing, identity) as own:
            request = pb.RenewCertificateRequest(certificate_request=a_request())
            issued = (await own.certificates.RenewCertificate(request, timeout=10)).certificate
            assert issued.identity == f"spiffe://ydhub.local{identity}"
            bad = pb.RenewCertificateRequest(certificate_request=b"no request")
            refused = await failure(own.certificates.RenewCertificate(bad, timeout=10))
            assert refused.reason is Reason.FIELD_INVALID


async def test_a_revoked_identity_is_refused_and_its_reissued_certificate_is_not(
    issuing: Served, exchange: Exchange, tmp_path: Path
) -> None:
    revoke = pb.RevokeCertificateRequest(
        identity="spiffe://ydhub.local/peers/hangzhou", cause="its key was lost"
    )
    async with Stubs(issuing) as admin, Stubs(issuing, "/peers/hangzhou") as city:
        await city.peers.GetPeer(GET, timeout=10)
        made = await admin.certificates.RevokeCertificate(revoke, timeout=10)
        assert made.revocation.cause == "its key was lost"
        refused = await failure(city.peers.GetPeer(GET, timeout=10))
        assert refused.reason is Reason.CERTIFICATE_REVOKED
        token = (await admin.certificates.InvitePeer(INVITE, timeout=10)).token
    key = make_key()
    async with stranger(issuing) as channel:
        issued = await EnrolmentServiceStub(channel).Enrol(
            enrolment_service_pb2.EnrolRequest(token=token, certificate_request=request_for(key)),
            timeout=10,
        )
    files = tmp_path / "new.crt", tmp_path / "new.key"
    write_pair(*files, key, issued.certificate.chain)
    issuing.certificates.files("/peers/hangzhou")[0].write_bytes(files[0].read_bytes())
    issuing.certificates.files("/peers/hangzhou")[1].write_bytes(files[1].read_bytes())
    async with Stubs(issuing, "/peers/hangzhou") as city:
        assert (await city.peers.GetPeer(GET, timeout=10)).peer.name == GET.name
    assert exchange.registry.state.audit_events[-1].action == "peer.enrol"


async def test_a_serial_is_revoked_once_and_revocations_are_listed(issuing: Served) -> None:
    file, _, _ = issuing.certificates.files("/relayers/east-1")
    serial = serial_of(x509.load_pem_x509_certificate(file.read_bytes()))
    request = pb.RevokeCertificateRequest(serial=serial.upper(), cause="lost")
    async with Stubs(issuing) as admin:
        first = await admin.certificates.RevokeCertificate(request, timeout=10)
        again = await admin.certificates.RevokeCertificate(request, timeout=10)
        assert (first.already_done, again.already_done) == (False, True)
        await admin.certificates.RevokeCertificate(
            pb.RevokeCertificateRequest(serial="1f", cause="lost"), timeout=10
        )
        page = await admin.certificates.ListRevocations(
            pb.ListRevocationsRequest(page_size=1), timeout=10
        )
        assert [one.serial for one in page.revocations] == [serial]
        rest = await admin.certificates.ListRevocations(
            pb.ListRevocationsRequest(page_token=page.next_page_token), timeout=10
        )
        assert [one.serial for one in rest.revocations] == ["1f"]
        for bad in (
            pb.RevokeCertificateRequest(cause="x"),
            pb.RevokeCertificateRequest(serial="1"),
        ):
            refused = await failure(admin.certificates.RevokeCertificate(bad, timeout=10))
            assert refused.reason is Reason.FIELD_INVALID
