from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.cosmos.batches import Batch, fill
from adapters.cosmos.packet_messages import ENVELOPE_BYTES, PacketMessage
from adapters.cosmos.tx.messages import BankSend, UpdateClient
from tests.harness.cosmos_executions import CLIENT

if TYPE_CHECKING:
    from collections.abc import Sequence


def packet(sequence: int, size: int = 100) -> PacketMessage:
    return PacketMessage(sequence, BankSend("cosmos1x", ()), size)


def update(size: int = 100) -> UpdateClient:
    return UpdateClient(client=CLIENT, message=b"u" * (size - ENVELOPE_BYTES))


def filled(
    updates: Sequence[UpdateClient], packets: Sequence[PacketMessage], **changed: Any
) -> list[tuple[int, list[int]]]:
    """Of each batch, how many updates and which packets it has."""
    how: dict[str, Any] = {"max_bytes": 10_000, "most": lambda _: 256, **changed}
    batches = fill(updates, packets, **how)
    assert [one for batch in batches for one in batch.updates] == list(updates)
    assert [one for batch in batches for one in batch.packets] == list(packets)
    return [(len(one.updates), [each.sequence for each in one.packets]) for one in batches]


def test_everything_goes_into_one_where_it_fits() -> None:
    assert filled([update(1_000)], [packet(1), packet(2)]) == [(1, [1, 2])]


def test_nothing_makes_no_batch() -> None:
    assert filled([], []) == []


def test_updates_alone_make_one() -> None:
    assert filled([update(1_000)], []) == [(1, [])]


@pytest.mark.parametrize(("size", "expected"), [(500, [(0, [1, 2])]), (501, [(0, [1]), (0, [2])])])
def test_bytes_bound_a_batch(size: int, expected: object) -> None:
    assert filled([], [packet(1, 500), packet(2, size)], max_bytes=1_000) == expected


def test_gas_bounds_a_batch_and_updates_leave_less_of_it() -> None:
    def most(before: Sequence[str]) -> int:
        return 1 if before else 2

    packets = [packet(n) for n in range(1, 6)]
    assert filled([update(1_000)], packets, most=most) == [(1, [1]), (0, [2, 3]), (0, [4, 5])]


def test_updates_too_large_for_one_are_split_in_order() -> None:
    updates = [update(4_000), update(4_000), update(4_000)]
    assert filled(updates, [packet(1)]) == [(2, []), (1, [1])]


def test_what_is_too_large_by_itself_stands_alone() -> None:
    packets = [packet(1), packet(2, 20_000), packet(3)]
    assert filled([], packets) == [(0, [1]), (0, [2]), (0, [3])]
    assert filled([update(20_000)], [packet(1)]) == [(1, []), (0, [1])]


def test_updates_stand_apart_where_they_must() -> None:
    assert filled([update(1_000)], [packet(1)], are_apart=True) == [(1, []), (0, [1])]


def test_messages_have_updates_first() -> None:
    first, second = update(1_000), packet(1)
    assert Batch((first,), (second,)).messages == [first, second.message]
