from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import CertificateExpired, CertificateRevoked, IdentityNotAllowed, Reason
from hub.exchange.revocations import POLL_EVERY, Revocations
from hub.registry.memory import MemoryRegistry
from hub.wire.identity.certificate_file import read_certificate
from hub.wire.identity.shown import serial_of
from relayer.callers import Callers
from relayer.session import Session
from tests.harness.certificates import TRUST_DOMAIN, Certificates, real_now
from tests.harness.clock import ManualClock, settle
from tests.harness.dialler import Dialled, dialled
from tests.harness.exchange import ADMIN, HANGZHOU

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.station import Station


class Call:
    def __init__(self, certificates: Certificates, path: str) -> None:
        file, _, _ = certificates.files(path)
        self.pem = file.read_bytes()
        self.identity = f"spiffe://{TRUST_DOMAIN}{path}".encode()

    @property
    def serial(self) -> str:
        return serial_of(x509.load_pem_x509_certificate(self.pem))

    def auth_context(self) -> dict[str, list[bytes]]:
        return {
            "peer_spiffe_id": [self.identity],
            "ssl_tls_version": [b"TLSv1.3"],
            "x509_pem_cert": [self.pem],
        }


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path / "certs")


@pytest.fixture
async def gate(board: Station, tmp_path: Path) -> AsyncIterator[Dialled]:
    await board.registry.leases.release(board.exchange.fences[HANGZHOU])
    async with dialled(board, tmp_path / "gate") as found:
        yield found


async def test_a_revoked_caller_is_not_admitted_and_its_session_ends(
    certificates: Certificates,
) -> None:
    registry, clock = MemoryRegistry(), ManualClock(real_now())
    revocations = Revocations(registry, clock)
    callers, call = Callers(revocations, TRUST_DOMAIN), Call(certificates, "/peers/hangzhou")
    assert callers.admit(call) == HANGZHOU
    hello = pb.AdapterFrame(frame_id=1, hello=pb.Hello())
    session, other, over = [Session(HANGZHOU, hello, ManualClock()) for _ in range(3)]
    callers.attend(session, call)
    callers.attend(other, Call(certificates, "/peers/suzhou"))
    callers.attend(over, call)
    callers.leave(over)
    await registry.certificates.revoke_serial(call.serial, "lost", ADMIN)
    await revocations.refresh()
    assert session.end_cause.reason is Reason.CERTIFICATE_REVOKED
    assert not other.ended.is_set()
    assert not over.ended.is_set()
    with pytest.raises(CertificateRevoked):
        callers.admit(call)
    late = Session(HANGZHOU, hello, ManualClock())
    callers.attend(late, call)
    assert late.end_cause.reason is Reason.CERTIFICATE_REVOKED


async def test_a_session_ends_when_its_certificates_time_is_over(
    certificates: Certificates,
) -> None:
    last = read_certificate(certificates.files("/peers/hangzhou")[0]).not_after
    clock = ManualClock(last)
    revocations = Revocations(MemoryRegistry(), clock)
    callers, call = Callers(revocations, TRUST_DOMAIN), Call(certificates, "/peers/hangzhou")
    session = Session(HANGZHOU, pb.AdapterFrame(frame_id=1, hello=pb.Hello()), clock)
    callers.attend(session, call)
    running = asyncio.ensure_future(revocations.run())
    await settle()
    assert not session.ended.is_set()
    await clock.advance(POLL_EVERY)
    assert session.end_cause.reason is Reason.CERTIFICATE_EXPIRED
    with pytest.raises(CertificateExpired):
        callers.admit(call)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_who_is_no_peer_is_not_admitted(certificates: Certificates) -> None:
    callers = Callers(Revocations(MemoryRegistry(), ManualClock()), TRUST_DOMAIN)
    with pytest.raises(IdentityNotAllowed):
        callers.admit(Call(certificates, "/admins/li"))


async def test_a_live_stream_of_a_revoked_certificate_ends_with_its_reason(gate: Dialled) -> None:
    dialler = gate.dial()
    await dialler.hello()
    await dialler.next("welcome")
    file, _, _ = gate.certificates.files("/peers/hangzhou")
    serial = serial_of(x509.load_pem_x509_certificate(file.read_bytes()))
    await gate.station.registry.certificates.revoke_serial(serial, "lost", ADMIN)
    await gate.gateway.revocations.refresh()
    assert (await dialler.end()).reason is Reason.CERTIFICATE_REVOKED
    again = gate.dial()
    assert (await again.end()).reason is Reason.CERTIFICATE_REVOKED
