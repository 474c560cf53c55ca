"""An ordered gateway passes over what is gone from its source, and over nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.events import PacketExpired, SequencePassedOver
from adapters.simchain.messages import Effect, Gone
from adapters.simchain.order import next_receive
from adapters.simchain.queries import prove
from hub.core.errors import (
    FieldInvalid,
    HubError,
    LimitExceeded,
    MembershipNotProven,
    NonMembershipNotProven,
    ProofSpecViolated,
    ProofUnparseable,
    SequenceOutOfOrder,
)
from hub.core.packet import MAX_SEQUENCE
from hub.core.paths import next_sequence_receive_key, next_sequence_send_key
from tests.harness.simchain import Path, effects, path_of

if TYPE_CHECKING:
    from adapters.simchain.events import Event
    from hub.core.packet import Packet

LIVES = 4
"""Seconds until a packet that is to be late times out."""


@pytest.fixture
def path() -> Path:
    return path_of().open(ordered=True)


def refunded(path: Path, count: int = 1, *, before: int = 0) -> list[Packet]:
    """Packets of the left that were refunded, after *before* others that still stand."""
    for _ in range(before):
        path.send(path.left)
    packets = [path.send(path.left, timeout=LIVES + count) for _ in range(count)]
    path.advance(LIVES + count)
    path.advance()
    for packet in packets:
        assert effects(path.deliver(path.left, path.time_out(path.left, packet))) == "E"
    path.advance()
    return packets


def expected(path: Path) -> int:
    return next_receive(path.right.state, path.client(path.right))


def passed(events: tuple[Event, ...]) -> list[int]:
    return [event.sequence for event in events if isinstance(event, SequencePassedOver)]


def test_a_refunded_sequence_is_passed_over_and_the_next_one_is_received(path: Path) -> None:
    refunded(path)
    packet = path.send(path.left)
    path.advance()
    result = path.deliver(path.right, path.pass_over(path.left, 1))
    assert (effects(result), passed(result.events), expected(path)) == ("E", [1], 2)
    assert effects(path.deliver(path.right, path.receive(path.left, [packet]))) == "E"


def test_what_is_gone_is_passed_over_once(path: Path) -> None:
    refunded(path)
    message = path.pass_over(path.left, 1)
    assert effects(path.deliver(path.right, message)) == "E"
    # It is not even verified again.
    again = replace(message, gone=(Gone(1, b"nothing"),), next_sequence_proof=b"")
    assert effects(path.deliver(path.right, again)) == "A"
    assert expected(path) == 2


def test_what_is_gone_before_its_turn_is_passed_over_when_that_comes(path: Path) -> None:
    refunded(path, 2, before=2)
    first = [one.packet for one in path.left.ledger.pending(path.client(path.left))]
    result = path.deliver(path.right, path.pass_over(path.left, 3, 4))
    assert (effects(result), passed(result.events), expected(path)) == ("EE", [], 1)
    assert effects(path.deliver(path.right, path.pass_over(path.left, 3, 4))) == "AA"
    result = path.deliver(path.right, path.receive(path.left, first))
    assert (effects(result), passed(result.events), expected(path)) == ("EE", [3, 4], 5)
    assert list(path.right.ledger.violations()) == []


def test_a_late_packet_takes_with_it_what_is_gone_after_it(path: Path) -> None:
    late = path.send(path.left, timeout=LIVES + 6)
    refunded(path, 1)
    path.deliver(path.right, path.pass_over(path.left, 2))
    path.advance(10)
    result = path.deliver(path.right, path.receive(path.left, [late]))
    assert PacketExpired(late) in result.events
    assert (passed(result.events), expected(path)) == ([2], 3)


def test_what_stands_is_not_passed_over(path: Path) -> None:
    refunded(path, before=1)
    message = path.pass_over(path.left, 1, 2)
    result = path.deliver(path.right, message)
    assert type(result.error) is NonMembershipNotProven
    assert expected(path) == 1


def test_what_was_never_given_out_is_not_passed_over(path: Path) -> None:
    refunded(path)
    message = path.pass_over(path.left, 1, 2)
    assert type(path.deliver(path.right, message).error) is FieldInvalid
    forged = replace(message, next_sequence=3)
    assert type(path.deliver(path.right, forged).error) is MembershipNotProven


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"gone": ()}, LimitExceeded),
        ({"gone": tuple([Gone(number, b"") for number in range(1, 258)])}, LimitExceeded),
        ({"gone": (Gone(0, b""),)}, FieldInvalid),
        ({"gone": (Gone(1, b""), Gone(1, b""))}, FieldInvalid),
        ({"gone": (Gone(MAX_SEQUENCE + 1, b""),)}, FieldInvalid),
        ({"next_sequence": 1}, FieldInvalid),
        ({"next_sequence": MAX_SEQUENCE + 1}, FieldInvalid),
        ({"next_sequence_proof": b""}, ProofSpecViolated),
        ({"gone": (Gone(1, b"\xff"),)}, ProofUnparseable),
    ],
)
def test_a_message_that_breaks_a_rule_changes_nothing(
    path: Path, changes: dict[str, object], error: type[HubError]
) -> None:
    refunded(path)
    message = replace(path.pass_over(path.left, 1), **changes)  # type: ignore[arg-type]
    assert type(path.deliver(path.right, message).error) is error
    assert expected(path) == 1


def test_a_pair_without_order_passes_over_nothing() -> None:
    path = path_of().open()
    refunded(path)
    assert type(path.deliver(path.right, path.pass_over(path.left, 1)).error) is FieldInvalid


def test_a_packet_that_was_passed_over_is_not_received_later_whatever_its_timeout(
    path: Path,
) -> None:
    """A source that forgets a packet and shows it again breaks its own promise, not the order."""
    packet = path.send(path.left)
    path.advance()
    message = path.receive(path.left, [packet])
    state = path.right.state
    key = next_sequence_receive_key(path.client(path.right))
    state.set("ibc", key, (2).to_bytes(8, "big"))
    [outcome] = path.deliver(path.right, message).outcomes
    assert outcome.effect is Effect.REFUSED
    assert type(outcome.error) is SequenceOutOfOrder


def test_the_next_sequence_can_be_proven(path: Path) -> None:
    key = next_sequence_receive_key(path.client(path.right))
    assert prove(path.right, key, path.right.height).value is None
    path.received(2)
    assert prove(path.right, key, path.right.height).value == (3).to_bytes(8, "big")
    assert key != next_sequence_send_key(path.client(path.right))
