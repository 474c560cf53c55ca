from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import FieldInvalid, LaneNotFound, Reason
from hub.core.record import ExceptionKind, PacketException
from hub.exchange.retries import MAX_AT_ONCE, retry_matching, retry_named
from hub.ports.packets import ExceptionFilter
from tests.harness.exchange import ADMIN, SUZHOU, Exchange
from tests.harness.registry import SEQUENCES, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.lane import LaneKey

PARKED = ExceptionFilter(kind=ExceptionKind.PARKED)


@pytest.fixture
async def exchange() -> Exchange:
    """Packets 1 and 2 are parked, 3 goes on."""
    made = await Exchange.opened()
    await made.accept(made.send(3))
    found = [
        PacketException(
            sequence=sequence,
            kind=ExceptionKind.PARKED,
            reason=Reason.PACKET_INVALID,
            detail="odd",
            attempts=1,
            next_attempt_at=None,
        )
        for sequence in (1, 2)
    ]
    await made.registry.exceptions.put(made.fences[SUZHOU], await made.lane_id(), found)
    return made


def of(places: Sequence[tuple[LaneKey, int]]) -> list[int]:
    return [sequence for _, sequence in places]


async def test_named_packets_are_due_once_and_the_others_are_told(exchange: Exchange) -> None:
    names = [(exchange.key, sequence) for sequence in (2, 3, 2, 9)]
    for validate_only in (True, False):
        done = await retry_named(exchange.registry, names, ADMIN, validate_only=validate_only)
        assert (of(done.due), of(done.skipped), done.has_more) == ([2], [3, 9], False)
    found = await exchange.registry.exceptions.among(await exchange.lane_id(), SEQUENCES)
    assert [one.kind for one in found] == [ExceptionKind.PARKED, ExceptionKind.RETRY]


async def test_names_are_of_lanes_that_are_and_bounded(exchange: Exchange) -> None:
    with pytest.raises(LaneNotFound):
        await retry_named(exchange.registry, [(key_of(number=7), 1)], ADMIN, validate_only=False)
    many = [(exchange.key, 1)] * (MAX_AT_ONCE + 1)
    with pytest.raises(FieldInvalid):
        await retry_named(exchange.registry, many, ADMIN, validate_only=True)


async def test_matching_packets_are_due_and_not_more_than_asked(exchange: Exchange) -> None:
    for validate_only in (True, False):
        done = await retry_matching(
            exchange.registry, PARKED, 1, ADMIN, validate_only=validate_only
        )
        assert (of(done.due), done.has_more) == ([1], True)
    done = await retry_matching(exchange.registry, PARKED, 5, ADMIN, validate_only=False)
    assert (of(done.due), done.has_more) == ([2], False)


@pytest.mark.parametrize("kind", [ExceptionKind.DENIED, ExceptionKind.HOLE, ExceptionKind.HELD])
async def test_only_parked_and_waiting_packets_are_retried(
    exchange: Exchange, kind: ExceptionKind
) -> None:
    wanted = ExceptionFilter(kind=kind)
    with pytest.raises(FieldInvalid):
        await retry_matching(exchange.registry, wanted, 1, ADMIN, validate_only=False)


async def test_a_lane_that_is_none_has_nothing_to_retry(exchange: Exchange) -> None:
    wanted = ExceptionFilter(kind=ExceptionKind.PARKED, lane=key_of(number=7))
    with pytest.raises(LaneNotFound):
        await retry_matching(exchange.registry, wanted, 1, ADMIN, validate_only=False)
