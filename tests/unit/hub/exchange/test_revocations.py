from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.certificate import ShownCertificate
from hub.core.errors import CertificateExpired, CertificateRevoked, RegistryUnreachable
from hub.core.time import SECOND, Timestamp
from hub.exchange.revocations import POLL_EVERY, Revocations
from hub.registry.memory import MemoryRegistry
from tests.harness.clock import ManualClock, settle
from tests.harness.exchange import ADMIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.core.certificate import Revoked

NEVER = Timestamp(2**62)
SHOWN = ShownCertificate(
    serial="1f",
    identity="spiffe://ydhub.local/peers/suzhou",
    not_before=Timestamp(0),
    not_after=NEVER,
)


@pytest.fixture
async def following() -> AsyncIterator[tuple[MemoryRegistry, ManualClock, Revocations]]:
    registry, clock = MemoryRegistry(), ManualClock()
    revocations = Revocations(registry, clock)
    running = asyncio.ensure_future(revocations.run())
    await settle()
    yield registry, clock, revocations
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


Following = tuple[MemoryRegistry, ManualClock, Revocations]


async def test_what_is_revoked_counts_no_more_at_once_and_listeners_are_told(
    following: Following,
) -> None:
    registry, _, revocations = following
    told: list[str] = []
    revocations.on_change(lambda: told.append("changed"))
    revocations.check(SHOWN)
    await registry.certificates.revoke_serial("1f", "lost", ADMIN)
    await settle()
    assert told == ["changed"]
    with pytest.raises(CertificateRevoked):
        revocations.check(SHOWN)
    await revocations.refresh()
    assert told == ["changed"]


async def test_a_hint_that_is_lost_is_made_up_for(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, clock, revocations = following
    monkeypatch.setattr(registry.changes, "announce", lambda change: None)
    await registry.certificates.revoke_serial("1f", "lost", ADMIN)
    await settle()
    revocations.check(SHOWN)
    await clock.advance(POLL_EVERY)
    with pytest.raises(CertificateRevoked):
        revocations.check(SHOWN)


async def test_while_the_registry_is_away_what_was_read_last_counts(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, clock, revocations = following
    await registry.certificates.revoke_serial("1f", "lost", ADMIN)
    await settle()
    genuine = registry.certificates.revoked

    async def away() -> Revoked:
        raise RegistryUnreachable(problem="away")

    monkeypatch.setattr(registry.certificates, "revoked", away)
    await registry.certificates.revoke_serial("2f", "lost", ADMIN)
    await clock.advance(POLL_EVERY)
    with pytest.raises(CertificateRevoked):
        revocations.check(SHOWN)
    monkeypatch.setattr(registry.certificates, "revoked", genuine)
    await clock.advance(POLL_EVERY)
    with pytest.raises(CertificateRevoked):
        revocations.check(replace(SHOWN, serial="2f"))


async def test_as_time_passes_listeners_look_again_and_what_is_over_counts_no_more(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, clock, revocations = following
    shown = replace(SHOWN, not_after=Timestamp(clock.now() + SECOND))
    told: list[str] = []
    revocations.on_change(lambda: told.append("look"))
    revocations.check(shown)

    async def away() -> Revoked:
        raise RegistryUnreachable(problem="away")

    monkeypatch.setattr(registry.certificates, "revoked", away)
    await clock.advance(POLL_EVERY)
    assert told == ["look"]
    with pytest.raises(CertificateExpired):
        revocations.check(shown)
