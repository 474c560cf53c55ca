from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.certificate import ShownCertificate
from hub.core.errors import (
    CertificateRevoked,
    FieldInvalid,
    InvitationInvalid,
    IssuerMissing,
    PeerNotFound,
)
from hub.core.ids import PeerId
from hub.core.time import SECOND, Duration, Timestamp
from hub.exchange import enrolment
from hub.exchange.enrolment import LONGEST, SHORTEST, Enrolment
from hub.ports.caller import Caller
from hub.registry.memory import MemoryRegistry
from tests.harness.certificates import Certificates, real_now
from tests.harness.exchange import ADMIN
from tests.harness.issuer import a_request, issuer_of
from tests.harness.registry import SUZHOU, register

if TYPE_CHECKING:
    from pathlib import Path

HOUR = Duration(3600 * SECOND)
IDENTITY = "spiffe://ydhub.local/peers/suzhou"
SHOWN = ShownCertificate(
    serial="1f", identity=IDENTITY, not_before=Timestamp(0), not_after=Timestamp(2**62)
)


@pytest.fixture
async def hub(tmp_path: Path) -> Enrolment:
    registry = MemoryRegistry()
    await register(registry, SUZHOU)
    issuer = issuer_of(Certificates.make(tmp_path))
    return Enrolment(registry=registry, issuer=issuer, trust_domain="ydhub.local")


def identity_of(peer: PeerId) -> str:
    return f"spiffe://ydhub.local/peers/{peer}"


async def test_a_token_gets_its_peer_one_certificate(hub: Enrolment) -> None:
    await hub.invite(SUZHOU, "token", HOUR, ADMIN)
    issued = await hub.enrol("token", a_request(), real_now(), identity_of)
    assert issued.identity == IDENTITY
    with pytest.raises(InvitationInvalid):
        await hub.enrol("token", a_request(), real_now(), identity_of)


async def test_a_bad_request_does_not_spend_the_token(hub: Enrolment) -> None:
    await hub.invite(SUZHOU, "token", HOUR, ADMIN)
    with pytest.raises(FieldInvalid):
        await hub.enrol("token", b"no request", real_now(), identity_of)
    assert (await hub.enrol("token", a_request(), real_now(), identity_of)).serial


async def test_a_guess_gets_nothing(hub: Enrolment) -> None:
    await hub.invite(SUZHOU, "token", HOUR, ADMIN)
    for guess in ("", "Token", "token ", "t" * 1000):
        with pytest.raises(InvitationInvalid):
            await hub.enrol(guess, a_request(), real_now(), identity_of)


async def test_a_token_is_for_a_peer_and_a_while(hub: Enrolment) -> None:
    for ttl in (SHORTEST - 1, LONGEST + 1):
        with pytest.raises(FieldInvalid):
            await hub.invite(SUZHOU, "token", Duration(ttl), ADMIN)
    with pytest.raises(PeerNotFound):
        await hub.invite(PeerId("wuxi"), "token", HOUR, ADMIN)


async def test_without_a_ca_nothing_is_issued() -> None:
    hub = Enrolment(registry=MemoryRegistry(), issuer=None, trust_domain="ydhub.local")
    with pytest.raises(IssuerMissing):
        await hub.invite(SUZHOU, "token", HOUR, ADMIN)
    with pytest.raises(IssuerMissing):
        await hub.enrol("token", a_request(), real_now(), identity_of)
    with pytest.raises(IssuerMissing):
        await hub.renew(SHOWN, b"", a_request(), real_now(), ADMIN)


async def test_a_renewal_is_for_whoever_asks(hub: Enrolment) -> None:
    issued = await hub.renew(SHOWN, b"", a_request(), real_now(), Caller(identity=IDENTITY))
    assert issued.identity == IDENTITY
    found = [event.action for event in hub.registry.state.audit_events]  # type: ignore[attr-defined]
    assert found[-1] == "certificate.renew"


async def test_whoever_is_revoked_meanwhile_gets_nothing(hub: Enrolment) -> None:
    await enrolment.revoke(hub.registry, "", IDENTITY, "lost", ADMIN)
    with pytest.raises(CertificateRevoked):
        await hub.renew(SHOWN, b"", a_request(), real_now(), Caller(identity=IDENTITY))


async def test_revocations_are_made_and_paged(hub: Enrolment) -> None:
    first, _ = await enrolment.revoke(hub.registry, "1f", "", "lost", ADMIN)
    second, _ = await enrolment.revoke(hub.registry, "", IDENTITY, "left", ADMIN)
    assert (first.serial, second.identity) == ("1f", IDENTITY)
    found, more = await enrolment.page(hub.registry, 0, 1)
    assert (list(found), more) == ([first], True)
    found, more = await enrolment.page(hub.registry, first.number, 1)
    assert (list(found), more) == ([second], False)
