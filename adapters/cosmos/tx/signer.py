"""One key of the adapter and the sequence that its next transaction carries.

A chain takes an account's transactions in the order of their sequences alone. The sequence is asked
of the chain once, then counted here. Whoever finds it wrong lets it be asked again, which is done
once nothing is under way: what waits in a mempool does not count in the chain's answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from adapters.cosmos import queries
from adapters.cosmos.queries import Account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.rpc.node import CometNode
    from adapters.cosmos.tx.keys import Key


class Signer:
    """A key, and what is under way in its name."""

    def __init__(self, node: CometNode, key: Key) -> None:
        """*key*, whose account *node*'s chain knows."""
        self.key = key
        self.turn = asyncio.Lock()
        """Held from the choice of a sequence until the chain took or refused it."""
        self._node = node
        self._account: Account | None = None
        self._is_doubted = False
        self._under_way: dict[bytes, bytes] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    async def account(self) -> Account:
        """The account, with the next sequence. Raises ``ChainUnreachable`` or as the query does."""
        account = self._account
        if account is None or (self._is_doubted and not self._under_way):
            # Doubts that come while the chain is asked are about what it answers.
            self._account, self._is_doubted = None, False
            account = self._account = await queries.account(self._node, self.key.address)
        return account

    @property
    def under_way(self) -> Sequence[tuple[bytes, bytes]]:
        """Hash and bytes of what the chain took and that has no outcome yet, in order."""
        return list(self._under_way.items())

    async def idle(self) -> None:
        """Returns when nothing is under way."""
        await self._idle.wait()

    def took(self, tx_hash: bytes, transaction: bytes) -> None:
        """The chain took *transaction*, which carried the next sequence."""
        self._under_way[tx_hash] = transaction
        self._idle.clear()
        if self._account is not None:
            account = self._account
            self._account = Account(number=account.number, sequence=account.sequence + 1)

    def ended(self, tx_hash: bytes) -> None:
        """The transaction has its outcome, or can have none any more."""
        self._under_way.pop(tx_hash, None)
        if not self._under_way:
            self._idle.set()

    def doubt(self) -> None:
        """The sequence may be wrong: it is asked for again once nothing is under way."""
        self._is_doubted = True
