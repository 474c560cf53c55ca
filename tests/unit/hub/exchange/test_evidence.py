from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.misbehave import equivocate
from hub.core.errors import (
    AnchorMismatch,
    EvidenceNotFound,
    FieldInvalid,
    HeaderNotFound,
    HubError,
    LimitExceeded,
    MisbehaviourNotProven,
    Reason,
    TrustExpired,
    ValidatorSetMismatch,
)
from hub.core.time import SECOND, Timestamp
from hub.exchange import evidence
from hub.wire.headers import decode_header, header_to_proto
from tests.harness.exchange import ADMIN, ANCHOR_HEIGHT, HANGZHOU, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.accusation import AccusedSide
    from hub.core.client import Header

    Sides = tuple[AccusedSide, AccusedSide]

HEIGHT = 20


def encoded(header: Header) -> bytes:
    return header_to_proto(header).SerializeToString(deterministic=True)


@pytest.fixture
async def exchange() -> Exchange:
    """Hangzhou's validators have signed two blocks of height 20, and the hub has both."""
    found = await Exchange.make()
    found.grow(30)
    await found.show_all()
    chain = found.chain(HANGZHOU)
    truths = [chain.light_block(HEIGHT).header, equivocate(chain, HEIGHT).header]
    kept = (Reason.CONSENSUS_STATE_DIFFERS, encoded(truths[0]), encoded(truths[1]))
    await found.registry.clients.freeze(HANGZHOU, "two truths", kept, ADMIN)
    return found


async def sides_of(exchange: Exchange, start: int = 0) -> Sides:
    found, sides = await evidence.fetch(exchange.registry, HANGZHOU, 1, start, decode_header)
    assert found.reason is Reason.CONSENSUS_STATE_DIFFERS
    return sides[0], sides[1]


def verified(exchange: Exchange, sides: Sides, anchor_height: int = ANCHOR_HEIGHT) -> None:
    found = evidence.verify(
        exchange.anchor(HANGZHOU, anchor_height), *sides, as_of=exchange.path.now
    )
    assert found.first.height == found.second.height
    assert found.first.header_hash != found.second.header_hash


async def test_exported_evidence_convinces_who_trusts_his_own_anchor_alone(
    exchange: Exchange,
) -> None:
    verified(exchange, await sides_of(exchange))


async def test_headers_may_begin_at_a_later_anchor(exchange: Exchange) -> None:
    sides = await sides_of(exchange, 12)
    first = exchange.chain(HANGZHOU).light_block(12).header
    assert [side.chain[0] for side in sides] == [first, first]
    verified(exchange, sides, 12)


async def test_evidence_of_what_was_verified_before_a_recovery_begins_before_it(
    exchange: Exchange,
) -> None:
    exchange.grow(5)
    later = exchange.anchor(HANGZHOU, exchange.chain(HANGZHOU).height)
    await exchange.registry.clients.recover(HANGZHOU, later, exchange.path.now, "mended", ADMIN)
    verified(exchange, await sides_of(exchange))


async def test_evidence_of_two_outcomes_has_no_headers(exchange: Exchange) -> None:
    other = (Reason.OUTCOME_DIFFERS, b"one", b"other")
    await exchange.registry.clients.freeze(HANGZHOU, "two outcomes", other, ADMIN)
    found, sides = await evidence.fetch(exchange.registry, HANGZHOU, 2, 0, decode_header)
    assert (found.first, found.second, sides) == (b"one", b"other", ())


@pytest.mark.parametrize(
    ("number", "start", "kind"),
    [
        (2, 0, EvidenceNotFound),
        (0, 0, EvidenceNotFound),
        (1, HEIGHT, FieldInvalid),
        (1, 1, HeaderNotFound),
    ],
)
async def test_what_is_not_there_is_not_exported(
    exchange: Exchange, number: int, start: int, kind: type[HubError]
) -> None:
    with pytest.raises(kind):
        await evidence.fetch(exchange.registry, HANGZHOU, number, start, decode_header)


def without_chain(sides: Sides) -> Sides:
    return replace(sides[0], chain=()), sides[1]


def same_header_twice(sides: Sides) -> Sides:
    return sides[0], sides[0]


def broken_chain(sides: Sides) -> Sides:
    return sides[0], replace(sides[1], chain=sides[1].chain[1:])


def other_set(sides: Sides) -> Sides:
    return replace(sides[0], next_validators=sides[0].chain[0].validators), sides[1]


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (without_chain, LimitExceeded),
        (same_header_twice, MisbehaviourNotProven),
        (broken_chain, AnchorMismatch),
        (other_set, ValidatorSetMismatch),
    ],
)
async def test_what_was_tampered_with_convinces_nobody(
    exchange: Exchange, tamper: Callable[[Sides], Sides], kind: type[HubError]
) -> None:
    sides = await sides_of(exchange)
    assert sides[0].next_validators != sides[0].chain[0].validators
    with pytest.raises(kind):
        verified(exchange, tamper(sides))


async def test_old_evidence_is_judged_as_of_its_time(exchange: Exchange) -> None:
    sides = await sides_of(exchange)
    late = Timestamp(exchange.path.now + 30 * 24 * 3600 * SECOND)
    with pytest.raises(TrustExpired):
        evidence.verify(exchange.anchor(HANGZHOU), *sides, as_of=late)
