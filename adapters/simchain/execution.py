"""One transaction: all of its messages, or none.

A client that freezes stays frozen whatever else the transaction asks for: what the misbehaviour
showed must not be undone because a later message fails on it.

Source: cosmos-sdk baseapp (runTx: the account's sequence is spent also where messages fail).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.simchain.messages import (
    AcknowledgePackets,
    CreateClient,
    Outcome,
    PassOverSequences,
    ReceivePackets,
    RegisterCounterparty,
    Result,
    SendPacket,
    SubmitMisbehaviour,
    TimeOutPacket,
    UpdateClient,
)
from adapters.simchain.order import pass_over
from adapters.simchain.transfer_data import check_account
from hub.core.errors import ClientFrozen, FieldInvalid, HubError, SequenceOutOfOrder

if TYPE_CHECKING:
    from adapters.simchain.clients import Clients
    from adapters.simchain.gateway import Gateway
    from adapters.simchain.messages import Message, Relayed, Transaction
    from adapters.simchain.state import State
    from hub.core.time import Timestamp

STORE: Final = "acc"


class _Frozen(Exception):
    """A message froze a client; what it did stands."""

    def __init__(self, error: ClientFrozen) -> None:
        self.error = error


@dataclass(frozen=True, slots=True)
class Executor:
    """What executes transactions."""

    clients: Clients
    gateway: Gateway

    def execute(
        self,
        state: State,
        transaction: Transaction,
        *,
        tx_hash: bytes,
        height: int,
        now: Timestamp,
    ) -> Result:
        """What became of *transaction* in the block at *height* and *now*; never raises."""
        error: HubError | None = None
        outcomes: list[Outcome] = []
        start = len(state.events)
        try:
            _spend_nonce(state, transaction)
            self._execute_all(state, transaction, now, outcomes)
        except _Frozen as frozen:
            error = frozen.error
        except HubError as refused:
            error, outcomes = refused, []
        return Result(
            tx_hash=tx_hash,
            height=height,
            error=error,
            outcomes=tuple(outcomes),
            events=tuple(state.events[start:]),
        )

    def _execute_all(
        self, state: State, transaction: Transaction, now: Timestamp, outcomes: list[Outcome]
    ) -> None:
        """Every message is executed, or nothing is changed. Raises ``HubError`` or ``_Frozen``."""
        mark = state.mark()
        try:
            for message in transaction.messages:
                outcomes += self._execute(state, message, transaction.signer, now)
        except HubError:
            state.undo(mark)
            raise

    def _execute(
        self, state: State, message: Message, signer: str, now: Timestamp
    ) -> tuple[Outcome, ...]:
        match message:
            case CreateClient():
                self.clients.create(state, message)
            case RegisterCounterparty():
                self.clients.register_counterparty(state, message)
            case UpdateClient():
                if not self.clients.update(state, message, now):
                    cause = "a header contradicted one that was verified before"
                    raise _Frozen(ClientFrozen(client=message.client, cause=cause))
            case SubmitMisbehaviour():
                self.clients.submit_misbehaviour(state, message, now)
            case SendPacket():
                self.gateway.send(state, message, signer, now)
            case _:
                return self._relay(state, message, now)
        return ()

    def _relay(self, state: State, message: Relayed, now: Timestamp) -> tuple[Outcome, ...]:
        match message:
            case ReceivePackets():
                return self.gateway.receive(state, message, now)
            case AcknowledgePackets():
                return self.gateway.acknowledge(state, message, now)
            case TimeOutPacket():
                return (self.gateway.time_out(state, message, now),)
            case PassOverSequences():
                return pass_over(self.clients, state, message, now)


def account_nonce(state: State, account: str) -> int:
    """The nonce that *account* spent last, 0 before the first."""
    return int.from_bytes(state.get(STORE, account.encode()) or b"", "big")


def _spend_nonce(state: State, transaction: Transaction) -> None:
    """The transaction's nonce is the account's next, and is spent; or it has and needs none.

    Raises ``FieldInvalid`` or ``SequenceOutOfOrder``.
    """
    if transaction.nonce == 0:
        if any(isinstance(message, SendPacket) for message in transaction.messages):
            raise FieldInvalid(field="nonce", problem="is needed where a packet is sent")
        return
    check_account(transaction.signer, "signer")
    expected = account_nonce(state, transaction.signer) + 1
    if transaction.nonce != expected:
        raise SequenceOutOfOrder(got=transaction.nonce, expected=expected)
    state.set(STORE, transaction.signer.encode(), expected.to_bytes(8, "big"))
