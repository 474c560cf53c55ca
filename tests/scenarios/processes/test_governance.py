"""What administrators do to a peer, its client and its certificate, over real processes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration as ProtoDuration
from ydhub.certificate.v1 import certificate_service_pb2, enrolment_service_pb2
from ydhub.certificate.v1.enrolment_service_pb2_grpc import EnrolmentServiceStub
from ydhub.client.v1 import client_pb2, client_service_pb2
from ydhub.peer.v1 import peer_pb2, peer_service_pb2
from ydhub.simchain.v1 import simchain_service_pb2

from hub.cli.connection import connect
from hub.cli.dev.addresses import read
from hub.cli.dev.ca import issue, open_authority
from hub.cli.keys import make_key, request_for, write_pair
from hub.core.errors import CertificateExpired, Reason
from hub.core.time import SECOND, Timestamp
from hub.wire.identity.certificate_file import read_certificate
from hub.wire.identity.credentials import server_trust
from hub.wire.identity.spiffe import SpiffeId
from hub.wire.status import RemoteError
from tests.harness.certificates import real_now
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU
from tests.harness.traffic import a_packet_passes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hub.cli.connection import Connection
    from tests.harness.network import LiveNetwork

LASTS_S = 15


@asynccontextmanager
async def as_peer(live: LiveNetwork, cert: Path, key: Path) -> AsyncIterator[Connection]:
    async with connect(replace(live.settings, cert_file=cert, key_file=key)) as hub:
        yield hub


async def told(live: LiveNetwork, peer: str, text: str) -> None:
    """Returns once the process of *peer* has said so in its log."""
    log = live.network.layout.log(peer)
    size = log.stat().st_size

    async def it_has() -> bool:
        return text.encode() in log.read_bytes()[max(0, size - 4096) :]

    await live.until(it_has, f"{peer} to say {text}")


async def test_a_revoked_certificates_stream_ends_and_a_renewed_one_attaches_without_a_restart(
    live: LiveNetwork,
) -> None:
    lane = live.lane(HANGZHOU, SUZHOU)
    process = live.network.number(SUZHOU)
    cert, key, _ = live.network.layout.certificate(f"peer-{SUZHOU}")
    before, fresh = read_certificate(cert), make_key()
    renewal = certificate_service_pb2.RenewCertificateRequest(
        certificate_request=request_for(fresh)
    )
    async with as_peer(live, cert, key) as own:
        issued = (await own.call(own.certificates.RenewCertificate, renewal)).certificate
    revoke = certificate_service_pb2.RevokeCertificateRequest(serial=before.serial, cause="a drill")
    async with live.hub() as hub:
        await hub.call(hub.certificates.RevokeCertificate, revoke)
    await live.detached(SUZHOU)
    await told(live, SUZHOU, Reason.CERTIFICATE_REVOKED)
    first = (await live.send(lane, 5)).first_sequence
    # Others are undisturbed.
    await a_packet_passes(live, HANGZHOU, SHANGHAI)
    async with as_peer(live, cert, key) as own:
        request = peer_service_pb2.GetPeerRequest(name=f"peers/{SUZHOU}")
        with pytest.raises(RemoteError) as refused:
            await own.call(own.peers.GetPeer, request)
    assert refused.value.reason is Reason.CERTIFICATE_REVOKED

    write_pair(cert, key, fresh, issued.chain)
    await live.attached(SUZHOU)
    assert live.network.number(SUZHOU) == process
    await live.reached(lane, first, "COMPLETED")
    # The chain's own listener shows the renewed certificate too, without a restart.
    await live.ledger(SUZHOU, totals_only=True)
    assert read_certificate(cert).serial == issued.serial
    await live.judged()


async def test_a_session_ends_with_its_certificates_time_and_a_new_one_attaches(
    live: LiveNetwork,
) -> None:
    lane, layout = live.lane(HANGZHOU, SUZHOU), live.network.layout
    cert, key, _ = layout.certificate(f"peer-{SUZHOU}")
    kept = cert.read_bytes(), key.read_bytes()
    identity = SpiffeId.parse(read_certificate(cert).identity)
    authority, now = open_authority(layout.ca, now=real_now()), real_now()
    issue(authority, identity, cert.parent, cert.stem, serves=True, now=now)
    life = read_certificate(cert).not_after - now
    # Issued so long ago that it counts for seconds alone.
    begin = Timestamp(now - life + LASTS_S * SECOND)
    issue(authority, identity, cert.parent, cert.stem, serves=True, now=begin)
    await live.kill(SUZHOU)
    live.network.launch(SUZHOU)
    await live.attached(SUZHOU)
    await told(live, SUZHOU, Reason.CERTIFICATE_EXPIRED)
    await live.detached(SUZHOU)
    first = (await live.send(lane, 5)).first_sequence
    # Others are undisturbed.
    await a_packet_passes(live, HANGZHOU, SHANGHAI)
    with pytest.raises(CertificateExpired):
        async with as_peer(live, cert, key):
            pass

    key.write_bytes(kept[1])
    cert.write_bytes(kept[0])
    await live.attached(SUZHOU)
    await live.reached(lane, first, "COMPLETED")
    await live.judged()


async def test_a_city_enrols_with_a_token(live: LiveNetwork, tmp_path: Path) -> None:
    invite = certificate_service_pb2.InvitePeerRequest(
        name=f"peers/{HANGZHOU}", ttl=ProtoDuration(seconds=600)
    )
    async with live.hub() as hub:
        token = (await hub.call(hub.certificates.InvitePeer, invite)).token
    address = read(live.network.layout.dev_file)["enrolment"]
    key, trust = make_key(), server_trust(live.settings.ca_file)
    request = enrolment_service_pb2.EnrolRequest(token=token, certificate_request=request_for(key))
    async with grpc.aio.secure_channel(address, trust) as channel:
        answer = await EnrolmentServiceStub(channel).Enrol(request, timeout=20)
    files = tmp_path / "city.crt", tmp_path / "city.key"
    write_pair(*files, key, answer.certificate.chain)
    async with as_peer(live, *files) as own:
        name = f"peers/{HANGZHOU}"
        shown = await own.call(own.peers.GetPeer, peer_service_pb2.GetPeerRequest(name=name))
    assert shown.peer.name == name


async def test_a_suspended_peer_is_away_and_what_it_sent_completes_after_its_return(
    live: LiveNetwork,
) -> None:
    lane, name = live.lane(HANGZHOU, SUZHOU), f"peers/{SUZHOU}"
    suspend = peer_service_pb2.SuspendPeerRequest(name=name, cause="inspection")
    resume = peer_service_pb2.ResumePeerRequest(name=name, cause="passed")
    async with live.hub() as hub:
        await hub.call(hub.peers.SuspendPeer, suspend)
        try:
            await live.detached(SUZHOU)
            await told(live, SUZHOU, Reason.PEER_SUSPENDED)
            there = (await live.send(lane, 5)).first_sequence
            back = (await live.send(lane.reverse, 5)).first_sequence
            await a_packet_passes(live, HANGZHOU, SHANGHAI)
            assert await live.state(lane, there) == ""
            shown = await hub.call(hub.peers.GetPeer, peer_service_pb2.GetPeerRequest(name=name))
            assert shown.peer.state == peer_pb2.PEER_STATE_SUSPENDED
        finally:
            await hub.call(hub.peers.ResumePeer, resume)
    await live.reached(lane, there, "COMPLETED")
    await live.reached(lane.reverse, back, "COMPLETED")
    await live.judged()


async def test_a_client_that_starts_again_carries_what_was_held(live: LiveNetwork) -> None:
    lane, name = live.lane(HANGZHOU, SUZHOU), f"peers/{HANGZHOU}/client"
    freeze = client_service_pb2.FreezeClientRequest(name=name, cause="a drill")
    async with live.hub() as hub:
        await hub.call(hub.clients.FreezeClient, freeze)
        first = (await live.send(lane, 10)).first_sequence
        async with live.chain(HANGZHOU) as chain:
            anchor = (
                await chain.call(chain.simchain.GetAnchor, simchain_service_pb2.GetAnchorRequest())
            ).anchor
        assert await live.state(lane, first) == ""
        recover = client_service_pb2.RecoverClientRequest(name=name, anchor=anchor, cause="over")
        answer = await hub.call(hub.clients.RecoverClient, recover)
        assert answer.client.status == client_pb2.CLIENT_STATUS_PENDING
    await live.reached(lane, first, "COMPLETED")
    async with live.hub() as hub:
        request = client_service_pb2.GetClientRequest(name=name)
        found = (await hub.call(hub.clients.GetClient, request)).client
    assert found.status == client_pb2.CLIENT_STATUS_ACTIVE
    assert found.latest.height.number >= anchor.height.number
    await live.judged()
