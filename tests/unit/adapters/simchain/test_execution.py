from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.simchain.execution import account_nonce
from adapters.simchain.messages import (
    Message,
    RegisterCounterparty,
    Transaction,
    UpdateClient,
    UpdateStep,
)
from adapters.simchain.misbehave import equivocate
from adapters.simchain.queries import PREFIX, client_view
from adapters.simchain.transfer_data import TransferData
from hub.core.client import ClientStatus
from hub.core.errors import ClientFrozen, FieldInvalid, LaneExists, SequenceOutOfOrder
from hub.core.height import Height
from hub.core.ids import ClientId
from tests.harness.simchain import Path, holds, path_of, steps_between

DATA = TransferData(denomination="hangzhoucoin", amount=5, sender="alice", receiver="bob")


@pytest.fixture
def path() -> Path:
    return path_of().open()


def submitted(path: Path, nonce: int, *messages: Message) -> bytes:
    return path.left.submit(Transaction(signer="alice", nonce=nonce, messages=messages))


def error_of(path: Path, tx_hash: bytes) -> object:
    result = path.left.result(tx_hash)
    assert result is not None
    return result.error


def contradicting(path: Path) -> RegisterCounterparty:
    """A message that is refused."""
    return RegisterCounterparty(
        client=path.client(path.left), counterparty=ClientId("07-tendermint-8"), prefix=PREFIX
    )


def test_message_that_fails_undoes_those_before_it(path: Path) -> None:
    send = path.transfer(path.left, DATA)
    result = path.run(path.left, send, contradicting(path), signer="alice")
    assert isinstance(result.error, LaneExists)
    assert (result.events, result.outcomes) == ((), ())
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000


def test_transaction_that_sends_needs_a_nonce(path: Path) -> None:
    tx_hash = submitted(path, 0, path.transfer(path.left, DATA))
    path.advance()
    assert isinstance(error_of(path, tx_hash), FieldInvalid)


@pytest.mark.parametrize("signer", ["", "no account", "x" * 65])
def test_signer_that_can_be_no_account_is_refused(path: Path, signer: str) -> None:
    send = path.transfer(path.left, replace(DATA, sender=signer))
    tx_hash = path.left.submit(Transaction(signer=signer, nonce=1, messages=(send,)))
    path.advance()
    assert isinstance(error_of(path, tx_hash), FieldInvalid)


def test_nonce_is_spent_once_whatever_became_of_the_messages(path: Path) -> None:
    failing = submitted(path, 1, path.transfer(path.left, replace(DATA, amount=10**9)))
    path.advance()
    assert isinstance(error_of(path, failing), FieldInvalid)
    assert account_nonce(path.left.state, "alice") == 1
    again = submitted(path, 1, path.transfer(path.left, DATA))
    path.advance()
    assert isinstance(error_of(path, again), SequenceOutOfOrder)
    assert account_nonce(path.left.state, "alice") == 1
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000


def test_same_transaction_again_sends_nothing_twice(path: Path) -> None:
    send = path.transfer(path.left, DATA)
    submitted(path, 1, send)
    path.advance()
    tx_hash = submitted(path, 1, send)
    path.advance()
    assert isinstance(error_of(path, tx_hash), SequenceOutOfOrder)
    assert holds(path.left, "alice", "hangzhoucoin") == 1_000_000 - 5


def test_nonces_of_one_block_follow_each_other_and_a_gap_is_refused(path: Path) -> None:
    send = path.transfer(path.left, DATA)
    hashes = [submitted(path, nonce, send) for nonce in (1, 2, 4)]
    path.advance()
    errors = [error_of(path, tx_hash) for tx_hash in hashes]
    assert errors[:2] == [None, None]
    assert isinstance(errors[2], SequenceOutOfOrder)


def test_freeze_stands_whatever_else_the_transaction_asks_for(path: Path) -> None:
    client = path.client(path.left)
    for _ in range(3):
        path.advance()
    trusted = max(client_view(path.left, client).heights)
    known = UpdateClient(
        client=client, steps=tuple(steps_between(path.right, trusted, trusted + 1))
    )
    second = UpdateStep(
        trusted_height=Height(1, trusted),
        trusted_validators=path.right.config.schedule.at(trusted + 1).content,
        header=equivocate(path.right, trusted + 1).header,
    )
    freeze = UpdateClient(client=client, steps=(second,))
    result = path.run(path.left, known, freeze, contradicting(path))
    assert isinstance(result.error, ClientFrozen)
    status = path.left.clients.status(path.left.state, client, path.now)
    assert status is ClientStatus.FROZEN


def test_transaction_without_messages_does_nothing(path: Path) -> None:
    result = path.run(path.left)
    assert (result.error, result.events, result.outcomes) == (None, (), ())
