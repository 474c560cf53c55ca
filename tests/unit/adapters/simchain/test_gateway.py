from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.simchain.application import ERROR_ACKNOWLEDGEMENT, ERROR_ANSWER
from adapters.simchain.events import PacketReceived
from adapters.simchain.misbehave import forge_batch, forge_packet
from adapters.simchain.transfer_data import TransferData, payload_of
from hub.core.commitment import RECEIPT, commit_acknowledgement, commit_packet
from hub.core.errors import (
    ClientNotFound,
    ConsensusStateMissing,
    FieldInvalid,
    HubError,
    IdentifierInvalid,
    IdentityNotAllowed,
    LimitExceeded,
    PacketDiffers,
    PacketInvalid,
    ProofBatchInvalid,
    RootMismatch,
    TimeoutElapsed,
    TimeoutInvalid,
)
from hub.core.ids import ClientId, PortId
from hub.core.packet import Acknowledgement
from hub.core.paths import (
    acknowledgement_key,
    commitment_key,
    next_sequence_send_key,
    receipt_key,
)
from hub.core.record import SkippedLeaf
from hub.core.time import SECOND, Timestamp, whole_seconds
from tests.harness.simchain import TRANSFER, Path, effects, holds, path_of, stored

DATA = TransferData(denomination="hangzhoucoin", amount=5, sender="alice", receiver="bob")
VOUCHER = "transfer/07-tendermint-0/hangzhoucoin"


@pytest.fixture
def path() -> Path:
    return path_of().open()


# Sending


def test_sent_packet_is_committed_under_its_sequence(path: Path) -> None:
    first, second = path.send(path.left), path.send(path.left)
    assert (first.sequence, second.sequence) == (1, 2)
    client = path.client(path.left)
    assert stored(path.left, commitment_key(client, 2)) == commit_packet(second)
    assert stored(path.left, next_sequence_send_key(client)) == (3).to_bytes(8, "big")
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000 - 20


@pytest.mark.parametrize("timeout", [-5, 0, 1, 24 * 3600 + 2])
def test_timeout_that_is_past_or_over_a_day_ahead_is_refused(path: Path, timeout: int) -> None:
    message = path.transfer(path.left, DATA, timeout)
    assert isinstance(path.run(path.left, message, signer="alice").error, TimeoutInvalid)


def test_timeout_that_is_past_over_there_is_refused(path: Path) -> None:
    # The other chain's clock is five seconds ahead, within the client's drift.
    ahead = path.right.produce_block(Timestamp(path.now + 6 * SECOND))
    assert path.run(path.left, path.update(path.left, ahead.height)).error is None
    over_there = whole_seconds(ahead.time)
    for timeout, refused in ((over_there, True), (over_there + 1, False)):
        message = replace(path.transfer(path.left, DATA), timeout_timestamp=timeout)
        result = path.run(path.left, message, signer="alice")
        assert isinstance(result.error, TimeoutInvalid) == refused


@pytest.mark.parametrize("timeout", [2, 24 * 3600 + 1])
def test_timeout_within_its_bounds_is_taken(path: Path, timeout: int) -> None:
    # The block is made one second later.
    assert (
        path.run(path.left, path.transfer(path.left, DATA, timeout), signer="alice").error is None
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client": ClientId("07-tendermint-7")}, ClientNotFound),
        ({"payloads": ()}, PacketInvalid),
        ({"payloads": (replace(payload_of(TRANSFER, DATA), value=b""),)}, PacketInvalid),
        ({"payloads": (payload_of(PortId("nowhere"), DATA),)}, FieldInvalid),
        (
            {"payloads": (replace(payload_of(TRANSFER, DATA), destination_port=PortId("x")),)},
            IdentifierInvalid,
        ),
        ({"payloads": (payload_of(TRANSFER, replace(DATA, amount=10**9)),)}, FieldInvalid),
        ({"payloads": (payload_of(TRANSFER, replace(DATA, sender="bob")),)}, IdentityNotAllowed),
    ],
)
def test_send_that_is_refused_changes_nothing(
    path: Path, changes: dict[str, Any], error: type[HubError]
) -> None:
    message = replace(path.transfer(path.left, DATA), **changes)
    assert isinstance(path.run(path.left, message, signer="alice").error, error)
    client = path.client(path.left)
    assert stored(path.left, commitment_key(client, 1)) is None
    assert stored(path.left, next_sequence_send_key(client)) == (1).to_bytes(8, "big")
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000


# Receiving


def test_received_packet_leaves_receipt_and_acknowledgement(path: Path) -> None:
    (packet,) = path.received()
    client = path.client(path.right)
    answer = Acknowledgement((b'{"result":"AQ=="}',))
    assert stored(path.right, receipt_key(client, 1)) == RECEIPT
    assert stored(path.right, acknowledgement_key(client, 1)) == commit_acknowledgement(answer)
    assert holds(path.right, "bob", VOUCHER) == 10
    assert packet.sequence == 1


def test_packet_received_again_is_already_done(path: Path) -> None:
    packets = path.received(3)
    assert effects(path.deliver(path.right, path.receive(path.left, packets))) == "AAA"
    assert holds(path.right, "bob", VOUCHER) == 30


def test_packet_received_again_after_its_timeout_is_still_already_done(path: Path) -> None:
    packets = path.received()
    path.advance(700)
    assert effects(path.deliver(path.right, path.receive(path.left, packets))) == "A"


def test_batch_with_some_packets_received_before_executes_the_others(path: Path) -> None:
    packets = path.sent(4)
    path.deliver(path.right, path.receive(path.left, packets[1:3]))
    assert effects(path.deliver(path.right, path.receive(path.left, packets))) == "EAAE"


def test_forged_packet_beside_one_that_was_received_is_refused(path: Path) -> None:
    first, second = path.sent(2)
    path.deliver(path.right, path.receive(path.left, [first]))
    whole = path.receive(path.left, [first, second])
    forged = replace(whole, packets=(first, forge_packet(second)))
    assert path.deliver(path.right, forged).error is not None
    assert holds(path.right, "bob", VOUCHER) == 10


def test_skipped_leaves_are_proven_but_not_executed(path: Path) -> None:
    packets = path.sent(4)
    whole = path.receive(path.left, packets)
    skipped = tuple(SkippedLeaf(p.sequence, commit_packet(p)) for p in packets[1:3])
    message = replace(whole, packets=(packets[0], packets[3]), skipped=skipped)
    assert effects(path.deliver(path.right, message)) == "EE"
    assert holds(path.right, "bob", VOUCHER) == 20


def test_skipped_leaf_with_another_commitment_spoils_the_batch(path: Path) -> None:
    packets = path.sent(2)
    whole = path.receive(path.left, packets)
    message = replace(whole, packets=(packets[0],), skipped=(SkippedLeaf(2, b"x" * 32),))
    result = path.deliver(path.right, message)
    assert isinstance(result.error, ProofBatchInvalid)


def test_packet_at_its_timeout_is_refused_and_the_rest_executed(path: Path) -> None:
    late, fine = path.send(path.left, timeout=4), path.send(path.left)
    while whole_seconds(path.now) < late.timeout_timestamp - 1:
        path.advance()
    result = path.deliver(path.right, path.receive(path.left, [late, fine]))
    assert effects(result) == "RE"
    assert isinstance(result.outcomes[0].error, TimeoutElapsed)
    assert stored(path.right, receipt_key(path.client(path.right), 1)) is None


def test_packet_one_second_before_its_timeout_is_executed(path: Path) -> None:
    packet = path.send(path.left, timeout=6)
    while whole_seconds(path.now) < packet.timeout_timestamp - 2:
        path.advance()
    assert effects(path.deliver(path.right, path.receive(path.left, [packet]))) == "E"


def test_packet_that_its_application_refuses_is_answered_with_the_universal_error(
    path: Path,
) -> None:
    data = replace(DATA, receiver="not an account")
    packet = path.run(path.left, path.transfer(path.left, data), signer="alice").events[0].packet  # type: ignore[union-attr]
    path.advance()
    result = path.deliver(path.right, path.receive(path.left, [packet]))
    assert effects(result) == "E"
    event = result.events[-1]
    assert isinstance(event, PacketReceived)
    assert event.acknowledgement == ERROR_ACKNOWLEDGEMENT
    assert isinstance(event.failure, FieldInvalid)
    path.advance()
    assert effects(path.deliver(path.left, path.acknowledge(path.left, [packet]))) == "E"
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000


def test_packet_of_two_payloads_is_executed_whole_or_not_at_all(path: Path) -> None:
    good, bad = payload_of(TRANSFER, DATA), payload_of(TRANSFER, replace(DATA, receiver="-"))
    for payloads, gained in (((good, good), 10), ((good, bad), 0)):
        message = replace(path.transfer(path.left, DATA), payloads=payloads)
        packet = path.run(path.left, message, signer="alice").events[0].packet  # type: ignore[union-attr]
        path.advance()
        before = holds(path.right, "bob", VOUCHER)
        path.deliver(path.right, path.receive(path.left, [packet]))
        assert holds(path.right, "bob", VOUCHER) - before == gained
        path.advance()
        assert effects(path.deliver(path.left, path.acknowledge(path.left, [packet]))) == "E"
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000 - 10


def test_forged_packet_or_proof_is_refused_and_executes_nothing(path: Path) -> None:
    packets = path.sent(3)
    whole = path.receive(path.left, packets)
    forged = (
        replace(whole, packets=(*packets[:2], forge_packet(packets[2]))),
        replace(whole, proof=forge_batch(whole.proof)),
        replace(whole, packets=tuple(packets[:2])),
    )
    for message in forged:
        result = path.deliver(path.right, message)
        assert result.error is not None
        assert result.outcomes == ()
    assert holds(path.right, "bob", VOUCHER) == 0
    assert effects(path.deliver(path.right, whole)) == "EEE"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"source_client": ClientId("07-tendermint-5")}, PacketInvalid),
        ({"destination_client": ClientId("07-tendermint-5")}, PacketInvalid),
        ({"timeout_timestamp": 0}, PacketInvalid),
        ({"sequence": 0}, PacketInvalid),
        ({"sequence": 2**63}, PacketInvalid),
        ({"sequence": 7}, RootMismatch),
    ],
)
def test_packet_with_one_field_changed_is_refused(
    path: Path, changes: dict[str, Any], error: type[HubError]
) -> None:
    (packet,) = path.sent()
    message = replace(path.receive(path.left, [packet]), packets=(replace(packet, **changes),))
    assert isinstance(path.deliver(path.right, message).error, error)


def test_packets_out_of_order_none_or_too_many_are_refused(path: Path) -> None:
    packets = path.sent(2)
    whole = path.receive(path.left, packets)
    twice = replace(whole, packets=(packets[0], packets[0]))
    falling = replace(whole, packets=(packets[1], packets[0]))
    for message in (twice, falling):
        assert isinstance(path.deliver(path.right, message).error, PacketInvalid)
    leaves = tuple(SkippedLeaf(n, b"c") for n in range(3, 258))
    for message in (replace(whole, packets=()), replace(whole, skipped=leaves)):
        assert isinstance(path.deliver(path.right, message).error, LimitExceeded)
    for sequence in (0, -1, 2**64):
        message = replace(whole, skipped=(SkippedLeaf(sequence, b"c"),))
        assert isinstance(path.deliver(path.right, message).error, PacketInvalid)


def test_proof_at_a_height_that_is_not_verified_is_refused(path: Path) -> None:
    (packet,) = path.sent()
    message = path.receive(path.left, [packet])
    assert isinstance(path.run(path.right, message).error, ConsensusStateMissing)


def test_packet_to_an_unknown_client_is_refused(path: Path) -> None:
    (packet,) = path.sent()
    message = replace(path.receive(path.left, [packet]), client=ClientId("07-tendermint-9"))
    assert isinstance(path.run(path.right, message).error, ClientNotFound)


# Acknowledging


def test_acknowledged_packet_leaves_no_commitment(path: Path) -> None:
    packets = path.received(2)
    assert effects(path.deliver(path.left, path.acknowledge(path.left, packets))) == "EE"
    assert stored(path.left, commitment_key(path.client(path.left), 1)) is None
    assert effects(path.deliver(path.left, path.acknowledge(path.left, packets))) == "AA"


def test_forged_acknowledgement_is_refused(path: Path) -> None:
    packets = path.received(2)
    whole = path.acknowledge(path.left, packets)
    forged = (
        replace(whole, acknowledgements=(whole.acknowledgements[0], ERROR_ACKNOWLEDGEMENT)),
        replace(whole, proof=forge_batch(whole.proof)),
    )
    for message in forged:
        assert path.deliver(path.left, message).error is not None
    assert stored(path.left, commitment_key(path.client(path.left), 2)) is not None
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000 - 20


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (Acknowledgement((b"one",)), Acknowledgement((b"two",))),
        (Acknowledgement(()),),
        (Acknowledgement((b"",)),),
    ],
)
def test_malformed_acknowledgements_are_refused(
    path: Path, answers: tuple[Acknowledgement, ...]
) -> None:
    packets = path.received()
    message = replace(path.acknowledge(path.left, packets), acknowledgements=answers)
    assert isinstance(path.deliver(path.left, message).error, PacketInvalid)


def test_proven_answer_that_fits_no_payload_is_refused_and_the_commitment_stays(
    path: Path,
) -> None:
    (packet,) = path.received()
    client = path.client(path.right)
    for answers in ((b"one", b"two"), (b"no transfer's",), (ERROR_ANSWER, ERROR_ANSWER)):
        # A faulty chain at the other end commits to another answer.
        odd = Acknowledgement(answers)
        key = acknowledgement_key(client, 1)
        path.right.state.set("ibc", key, commit_acknowledgement(odd))
        path.advance()
        path.advance()
        message = replace(path.acknowledge(path.left, [packet]), acknowledgements=(odd,))
        result = path.deliver(path.left, message)
        assert effects(result) == "R"
        assert isinstance(result.outcomes[0].error, PacketInvalid)
        assert stored(path.left, commitment_key(path.client(path.left), 1)) is not None


def test_acknowledgement_of_a_packet_that_was_never_sent_so_is_refused(path: Path) -> None:
    first, second = path.received(2)
    whole = path.acknowledge(path.left, [first, second])
    result = path.deliver(path.left, replace(whole, packets=(forge_packet(first), second)))
    assert effects(result) == "RE"
    assert isinstance(result.outcomes[0].error, PacketDiffers)
