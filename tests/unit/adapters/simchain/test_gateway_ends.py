"""Packets that were not received in time, and ordered pairs of clients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.events import PacketExpired
from adapters.simchain.messages import Effect
from adapters.simchain.misbehave import forge_packet
from adapters.simchain.order import next_receive
from adapters.simchain.queries import height_at, prove
from hub.core.commitment import commit_acknowledgement
from hub.core.errors import (
    NonMembershipNotProven,
    PacketDiffers,
    RootMismatch,
    SequenceOutOfOrder,
    TimeoutElapsed,
    TimeoutNotReached,
)
from hub.core.packet import Acknowledgement
from hub.core.paths import (
    acknowledgement_key,
    receipt_key,
)
from tests.harness.simchain import Path, effects, holds, path_of

if TYPE_CHECKING:
    from hub.core.packet import Packet


@pytest.fixture
def path() -> Path:
    return path_of().open()


@pytest.fixture
def ordered() -> Path:
    return path_of().open(ordered=True)


# Timing out


def late(path: Path, timeout: int = 3) -> Packet:
    """A packet of the left chain whose timeout has passed, provably."""
    packet = path.send(path.left, timeout=timeout)
    for _ in range(timeout + 2):
        path.advance()
    return packet


def test_packet_that_was_not_received_in_time_is_refunded_once(path: Path) -> None:
    packet = late(path)
    message = path.time_out(path.left, packet)
    assert effects(path.deliver(path.left, message)) == "E"
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000
    assert effects(path.deliver(path.left, message)) == "A"
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000
    assert path.left.ledger.outgoing[path.client(path.left)].effects[1].refunded == 1


def test_timeout_before_its_time_is_refused(path: Path) -> None:
    packet = path.send(path.left)
    path.advance()
    result = path.deliver(path.left, path.time_out(path.left, packet))
    assert isinstance(result.error, TimeoutNotReached)


def test_timeout_is_judged_by_the_time_of_the_header_that_proves_the_absence(path: Path) -> None:
    packet = path.send(path.left, timeout=6)
    path.advance()
    early = path.time_out(path.left, packet)
    for _ in range(10):
        path.advance()
    # Long past here, but the header shown is from before.
    result = path.deliver(path.left, early)
    assert isinstance(result.error, TimeoutNotReached)


def test_received_packet_cannot_be_timed_out(path: Path) -> None:
    packet = path.send(path.left, timeout=8)
    path.advance()
    assert effects(path.deliver(path.right, path.receive(path.left, [packet]))) == "E"
    for _ in range(10):
        path.advance()
    key = receipt_key(path.client(path.right), packet.sequence)
    present = prove(path.right, key, path.right.height)
    other = prove(path.right, receipt_key(path.client(path.right), 99), path.right.height)
    for proof in (present.proof, other.proof):
        message = replace(
            path.time_out(path.left, late(path)),
            packet=packet,
            proof=proof,
            proof_height=height_at(path.right, path.right.height),
        )
        result = path.deliver(path.left, message)
        assert isinstance(result.error, NonMembershipNotProven | RootMismatch)
    path.advance()
    assert effects(path.deliver(path.left, path.acknowledge(path.left, [packet]))) == "E"


def test_timeout_of_another_packet_under_the_sequence_is_refused(path: Path) -> None:
    packet = late(path)
    message = replace(path.time_out(path.left, packet), packet=forge_packet(packet))
    assert isinstance(path.deliver(path.left, message).error, PacketDiffers)


def test_packet_that_was_timed_out_cannot_be_acknowledged(path: Path) -> None:
    packet = late(path)
    path.deliver(path.left, path.time_out(path.left, packet))
    client = path.client(path.right)
    answer = Acknowledgement((b'{"result":"AQ=="}',))
    path.right.state.set("ibc", acknowledgement_key(client, 1), commit_acknowledgement(answer))
    path.advance()
    path.advance()
    message = replace(path.acknowledge(path.left, [packet]), acknowledgements=(answer,))
    assert effects(path.deliver(path.left, message)) == "A"


# Order


def test_ordered_gateway_takes_the_next_sequence_only(ordered: Path) -> None:
    packets = ordered.sent(3)
    result = ordered.deliver(ordered.right, ordered.receive(ordered.left, packets[1:]))
    assert effects(result) == "RR"
    assert isinstance(result.outcomes[0].error, SequenceOutOfOrder)
    assert effects(ordered.deliver(ordered.right, ordered.receive(ordered.left, packets))) == "EEE"
    assert next_receive(ordered.right.state, ordered.client(ordered.right)) == 4


def test_ordered_gateway_passes_over_a_proven_packet_that_came_too_late(ordered: Path) -> None:
    packets = [ordered.send(ordered.left, timeout=4), ordered.send(ordered.left)]
    for _ in range(6):
        ordered.advance()
    result = ordered.deliver(ordered.right, ordered.receive(ordered.left, packets))
    assert effects(result) == "RE"
    assert isinstance(result.outcomes[0].error, TimeoutElapsed)
    assert PacketExpired(packets[0]) in result.events
    ordered.advance()
    again = ordered.deliver(ordered.right, ordered.receive(ordered.left, packets))
    assert effects(again) == "RA"
    refund = ordered.deliver(ordered.left, ordered.time_out(ordered.left, packets[0]))
    assert effects(refund) == "E"


def test_late_packet_out_of_order_passes_over_nothing(ordered: Path) -> None:
    packets = [ordered.send(ordered.left), ordered.send(ordered.left, timeout=4)]
    for _ in range(6):
        ordered.advance()
    ordered.deliver(ordered.right, ordered.receive(ordered.left, packets[1:]))
    assert next_receive(ordered.right.state, ordered.client(ordered.right)) == 1


def test_unproven_late_packet_passes_over_nothing(ordered: Path) -> None:
    packet = ordered.send(ordered.left, timeout=4)
    for _ in range(6):
        ordered.advance()
    message = ordered.receive(ordered.left, [packet])
    forged = replace(message, packets=(replace(packet, timeout_timestamp=1),))
    assert ordered.deliver(ordered.right, forged).error is not None
    assert next_receive(ordered.right.state, ordered.client(ordered.right)) == 1


def test_effect_names_are_what_the_tests_above_read() -> None:
    assert {effect[0] for effect in Effect} == {"E", "A", "R"}
