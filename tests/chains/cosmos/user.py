"""Somebody who has an account on a test chain and sends transactions in its name."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final

from adapters.cosmos.tx.messages import BankSend, Transfer
from adapters.cosmos.tx.transaction import Fee, sign, tx_hash
from hub.core.time import SECOND
from tests.chains.cosmos import ledger
from tests.chains.cosmos.ledger import AccountState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.tx.keys import Key
    from adapters.cosmos.tx.messages import Message
    from hub.core.ids import ClientId
    from tests.chains.cosmos.ledger import Settled
    from tests.chains.cosmos.network import CosmosNetwork

GAS_A_MESSAGE: Final = 80_000
"""Enough for one of those that users send many of; a transfer took 48,081."""
GAS_A_TRANSACTION: Final = 300_000


class Refused(AssertionError):
    """A node did not take a transaction: its code in its codespace, and the log."""

    def __init__(self, codespace: str, code: int, log: str) -> None:
        super().__init__(f"{codespace} {code}: {log}")
        self.codespace = codespace
        self.code = code


class CosmosUser:
    """The account of *key* on *network*, at its node *number*."""

    def __init__(self, network: CosmosNetwork, key: Key, number: int = 0) -> None:
        self.network = network
        self.key = key
        self.number = number
        self._account: AccountState | None = None

    @property
    def address(self) -> str:
        """The account."""
        return self.key.address

    async def balance(self, denom: str) -> int:
        """What the account has of *denom*."""
        return (await ledger.balances(self.network, self.address, self.number)).get(denom, 0)

    async def send(self, receiver: str, denom: str, amount: int) -> bytes:
        """*amount* of *denom* goes to *receiver* on the same chain; the transaction's hash."""
        return await self.submit([BankSend(receiver, ((denom, amount),))])

    async def transfer(
        self,
        client: ClientId,
        receiver: str,
        denom: str,
        *,
        amount: int = 1,
        count: int = 1,
        per_transaction: int = 100,
        timeout_s: int = 3_600,
    ) -> tuple[bytes, ...]:
        """*count* packets of *amount* each are sent by *client*; the transactions' hashes.

        They time out *timeout_s* after now.
        """
        until = self.network.now() // SECOND + timeout_s
        one = Transfer(
            source_client=client,
            denom=denom,
            amount=amount,
            receiver=receiver,
            timeout_timestamp=until,
        )
        sizes = [min(per_transaction, count - at) for at in range(0, count, per_transaction)]
        return tuple([await self.submit([one] * size) for size in sizes])

    async def submit(self, messages: Sequence[Message], *, gas: int | None = None) -> bytes:
        """The hash of the transaction of *messages*, which the node took. Raises ``Refused``."""
        if self._account is None:
            self._account = await ledger.account(self.network, self.address, self.number)
        transaction = sign(
            messages,
            self.key,
            chain_id=self.network.chain_id,
            account=self._account,
            fee=Fee((), gas or GAS_A_TRANSACTION + GAS_A_MESSAGE * len(messages)),
            timeout_height=0,
        )
        params = {"tx": b64encode(transaction).decode()}
        told = await self.network.call("broadcast_tx_sync", params, self.number)
        if told["code"]:
            self._account = None
            raise Refused(told["codespace"], told["code"], told["log"])
        account = self._account
        self._account = AccountState(account.number, account.sequence + 1)
        return tx_hash(transaction)

    async def settle(self, messages: Sequence[Message], *, gas: int | None = None) -> Settled:
        """What a block did with the transaction of *messages*."""
        since = await self.network.height(self.number)
        name = await self.submit(messages, gas=gas)
        return (await ledger.settled(self.network, {name}, since, self.number))[name]
