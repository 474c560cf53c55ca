from __future__ import annotations

from typing import Any

import pytest

from adapters.cosmos.batches import Batch
from adapters.cosmos.packet_messages import PacketMessage
from adapters.cosmos.progress import Progress
from adapters.cosmos.tx.codes import Subject
from adapters.cosmos.tx.messages import BankSend, UpdateClient
from hub.core.errors import HubError, Reason, TimeoutElapsed
from tests.harness.comet_node import unreachable
from tests.harness.cosmos_executions import CLIENT

UPDATE = UpdateClient(client=CLIENT, message=b"")
FAILURE = unreachable()
LATE = TimeoutElapsed(timeout=1, time=2)


def progress(*sequences: int, **changed: Any) -> Progress:
    waiting = [PacketMessage(n, BankSend("cosmos1x", ()), 100) for n in sequences]
    fields = {"updates": (), "waiting": waiting, "about": Subject(), "most": 256, **changed}
    return Progress(**fields)


def told(found: Progress) -> list[tuple[int, Reason]]:
    return [(entry.sequence, entry.error.reason) for entry in found.refused]


def waits(found: Progress) -> list[int]:
    return [packet.sequence for packet in found.waiting]


def test_what_has_its_end_waits_no_longer() -> None:
    found = progress(1, 2, 3)
    found.end({2, 9})
    assert (waits(found), found.left) == ([1, 3], 2)


def test_what_is_refused_waits_no_longer_and_is_told_once() -> None:
    found = progress(1, 2)
    for sequence in (2, 2, 7):
        found.refuse(sequence, FAILURE)
    assert (waits(found), told(found)) == ([1], [(2, Reason.CHAIN_UNREACHABLE)])


def test_zero_refuses_all() -> None:
    found = progress(1, 2)
    found.refuse(0, FAILURE)
    assert (found.is_over, found.left) == (True, 0)
    assert told(found) == [(0, Reason.CHAIN_UNREACHABLE)]


@pytest.mark.parametrize(("error", "rest"), [(FAILURE, []), (LATE, [3, 4])])
def test_in_order_nothing_overtakes_what_is_refused_but_what_timed_out(
    error: HubError, rest: list[int]
) -> None:
    found = progress(1, 2, 3, 4, in_order=True)
    found.refuse(2, error)
    assert waits(found) == [1, *rest]
    passed = [
        entry for entry in found.refused if entry.error.reason is Reason.SEQUENCE_OUT_OF_ORDER
    ]
    assert [entry.sequence for entry in passed] == [n for n in (3, 4) if n not in rest]
    assert all(entry.error.metadata["expected"] == "2" for entry in passed)


def test_updates_are_made_each_once_even_if_they_are_equal() -> None:
    again = UpdateClient(client=CLIENT, message=b"")
    assert again == UPDATE
    found = progress(updates=(UPDATE, again))
    found.updated(Batch((UPDATE,), ()))
    assert len(found.updates) == 1
    assert found.updates[0] is again
    assert found.left == 1


def test_what_is_stopped_still_waits_and_says_why() -> None:
    found = progress(1)
    found.stop(FAILURE)
    assert (found.is_stopped, found.last, waits(found)) == (True, FAILURE, [1])
