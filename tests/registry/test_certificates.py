from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from hub.core.certificate import IssuedCertificate, ShownCertificate
from hub.core.errors import (
    CertificateRevoked,
    InvitationInvalid,
    PeerNotFound,
    RequestIdReused,
)
from hub.core.time import SECOND, Duration, Timestamp
from hub.ports.caller import Caller
from tests.harness.registry import ADMIN, SUZHOU, broken, register

if TYPE_CHECKING:
    from hub.ports.registry import Registry

IDENTITY = "spiffe://ydhub.local/peers/suzhou"
HOUR = Duration(3600 * SECOND)
TOKEN = sha256(b"token").digest()


def issued(serial: str, identity: str = IDENTITY) -> IssuedCertificate:
    later = Timestamp(2_000_000_000 * SECOND)
    return IssuedCertificate(serial=serial, identity=identity, expires_at=later, chain=(b"der",))


def shown(serial: str, not_before: int = 0) -> ShownCertificate:
    return ShownCertificate(
        serial=serial,
        identity=IDENTITY,
        not_before=Timestamp(not_before),
        not_after=Timestamp(2**62),
    )


async def test_a_token_enrols_its_peer_once(registry: Registry) -> None:
    await register(registry, SUZHOU)
    now = await registry.audit.clock()
    until = await registry.certificates.invite(SUZHOU, TOKEN, HOUR, ADMIN)
    assert now < until - HOUR < now + 60 * SECOND
    assert await registry.certificates.invited(TOKEN) == SUZHOU
    await registry.certificates.enrol(TOKEN, issued("1f"))
    with pytest.raises(InvitationInvalid):
        await registry.certificates.invited(TOKEN)
    with pytest.raises(InvitationInvalid):
        await registry.certificates.enrol(TOKEN, issued("2f"))
    assert await broken(registry) == {}


async def test_an_unknown_or_expired_token_enrols_nobody(registry: Registry) -> None:
    await register(registry, SUZHOU)
    with pytest.raises(InvitationInvalid):
        await registry.certificates.invited(TOKEN)
    await registry.certificates.invite(SUZHOU, TOKEN, Duration(1), ADMIN)
    with pytest.raises(InvitationInvalid):
        await registry.certificates.invited(TOKEN)
    with pytest.raises(InvitationInvalid):
        await registry.certificates.enrol(TOKEN, issued("1f"))
    with pytest.raises(PeerNotFound):
        await registry.certificates.invite(SUZHOU[:-1], sha256(b"x").digest(), HOUR, ADMIN)  # type: ignore[arg-type]


async def test_a_revoked_serial_counts_no_more_and_others_do(registry: Registry) -> None:
    made, before = await registry.certificates.revoke_serial("1f", "lost", ADMIN)
    assert (made.serial, made.identity, made.cause, before) == ("1f", "", "lost", False)
    again, before = await registry.certificates.revoke_serial("1f", "again", ADMIN)
    assert (again, before) == (made, True)
    revoked = await registry.certificates.revoked()
    revoked.check(shown("2f"))
    with pytest.raises(CertificateRevoked) as caught:
        revoked.check(shown("1f", not_before=2**62))
    assert caught.value.cause == "lost"


async def test_a_revoked_identity_keeps_nothing_but_what_it_is_given_afterwards(
    registry: Registry,
) -> None:
    await register(registry, SUZHOU)
    await registry.certificates.renewed(issued("1f"), shown("5"), ADMIN)
    made, before = await registry.certificates.revoke_identity(IDENTITY, "left", ADMIN)
    assert not before
    revoked = await registry.certificates.revoked()
    for serial in ("1f", "99"):
        with pytest.raises(CertificateRevoked):
            revoked.check(shown(serial, made.revoked_at))
    revoked.check(replace(shown("99"), identity="spiffe://ydhub.local/peers/hangzhou"))
    revoked.check(shown("99", made.revoked_at + 1))
    await registry.certificates.invite(SUZHOU, TOKEN, HOUR, ADMIN)
    await registry.certificates.enrol(TOKEN, issued("2f"))
    revoked = await registry.certificates.revoked()
    revoked.check(shown("2f", made.revoked_at))
    await registry.certificates.renewed(issued("3f"), shown("2f"), ADMIN)
    (await registry.certificates.revoked()).check(shown("3f"))
    await registry.certificates.revoke_identity(IDENTITY, "again", ADMIN)
    revoked = await registry.certificates.revoked()
    with pytest.raises(CertificateRevoked):
        revoked.check(shown("2f"))


async def test_a_token_from_before_a_revocation_enrols_nobody(registry: Registry) -> None:
    await register(registry, SUZHOU)
    await registry.certificates.invite(SUZHOU, TOKEN, HOUR, ADMIN)
    await registry.certificates.revoke_identity(IDENTITY, "a thief may have all of it", ADMIN)
    with pytest.raises(InvitationInvalid):
        await registry.certificates.enrol(TOKEN, issued("2f"))
    later = sha256(b"a token made afterwards").digest()
    await registry.certificates.invite(SUZHOU, later, HOUR, ADMIN)
    await registry.certificates.enrol(later, issued("2f"))
    (await registry.certificates.revoked()).check(shown("2f"))
    assert await broken(registry) == {}


async def test_nobody_renews_from_a_certificate_that_is_revoked(registry: Registry) -> None:
    await registry.certificates.revoke_serial("1f", "lost", ADMIN)
    with pytest.raises(CertificateRevoked):
        await registry.certificates.renewed(issued("2f"), shown("1f"), ADMIN)
    await registry.certificates.renewed(issued("3f"), shown("9"), ADMIN)
    await registry.certificates.revoke_identity(IDENTITY, "left", ADMIN)
    for serial in ("9", "3f"):
        with pytest.raises(CertificateRevoked):
            await registry.certificates.renewed(issued("4f"), shown(serial), ADMIN)
    revoked = await registry.certificates.revoked()
    for serial in ("2f", "4f"):
        with pytest.raises(CertificateRevoked):
            revoked.check(shown(serial))
    assert await broken(registry) == {}


async def test_a_renewal_that_races_with_a_revocation_is_refused_or_revoked(
    registry: Registry,
) -> None:
    """A thief renews again and again while the identity is revoked."""

    async def renew(number: int) -> bool:
        try:
            new = issued(f"{number:x}")
            await registry.certificates.renewed(new, shown("f00"), ADMIN)
        except CertificateRevoked:
            return False
        return True

    async with asyncio.TaskGroup() as tasks:
        early = [tasks.create_task(renew(number)) for number in range(1, 9)]
        revoking = tasks.create_task(
            registry.certificates.revoke_identity(IDENTITY, "stolen", ADMIN)
        )
        late = [tasks.create_task(renew(number)) for number in range(9, 17)]
    assert not revoking.result()[1]
    revoked = await registry.certificates.revoked()
    for number, renewal in enumerate(early + late, start=1):
        if renewal.result():
            with pytest.raises(CertificateRevoked):
                revoked.check(shown(f"{number:x}"))


async def test_one_request_revokes_once(registry: Registry) -> None:
    by = Caller(identity=ADMIN.identity, request_id="r1", digest=b"revoke")
    made, _ = await registry.certificates.revoke_identity(IDENTITY, "left", by)
    assert await registry.certificates.revoke_identity(IDENTITY, "left", by) == (made, True)
    with pytest.raises(RequestIdReused):
        await registry.certificates.revoke_serial("1f", "x", replace(by, digest=b"other"))


async def test_revocations_are_paged_in_order(registry: Registry) -> None:
    for serial in ("1f", "2f", "3f"):
        await registry.certificates.revoke_serial(serial, "lost", ADMIN)
    first = await registry.certificates.page(0, 2)
    assert [one.serial for one in first] == ["1f", "2f"]
    rest = await registry.certificates.page(first[-1].number, 2)
    assert [one.serial for one in rest] == ["3f"]
