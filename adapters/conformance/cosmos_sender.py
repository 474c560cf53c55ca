"""A user of a chain with ibc-go v10, over a node's RPC: transfers by IBC v2, signed by its key.

Source: ibc-go v10 modules/apps/transfer/types/keys.go (GetEscrowAddress), denom.go (IBCDenom);
04-channel/v2 (a client stands where IBC v1 had a channel).
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from adapters.conformance.sender import SenderFailed
from adapters.cosmos import queries
from adapters.cosmos.rpc.node import CometNode
from adapters.cosmos.rpc.transport import Rpc
from adapters.cosmos.tx.answers import sent_sequence
from adapters.cosmos.tx.keys import encode_address, read_keys
from adapters.cosmos.tx.messages import Transfer
from adapters.cosmos.tx.transaction import Fee, sign, tx_hash
from hub.core.errors import FieldInvalid, HubError
from hub.core.ids import parse_chain_id
from hub.core.ranges import RangeSet
from hub.core.time import whole_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from adapters.conformance.sender_config import CosmosUsers
    from adapters.cosmos.rpc.records import TxResult
    from adapters.sdk.clock import Clock
    from hub.core.ids import ClientId

    T = TypeVar("T")

PORT: Final = "transfer"
GAS_A_MESSAGE: Final = 120_000
"""A transfer took 48,081 on ibc-go's own test application; others do more."""
GAS_A_TRANSACTION: Final = 300_000
BLOCKS: Final = 20
"""A transaction that is in none of so many is lost."""
_VERSION: Final = b"ics20-1"
_ADDRESS_BYTES: Final = 20
_TIMEOUT_MS: Final = 10_000


class CosmosSender:
    """One account, which also receives."""

    def __init__(self, config: CosmosUsers, clock: Clock) -> None:
        """The account of the first key of *config*. Raises ``HubError``."""
        keys = read_keys(Path(config.keys_file), config.address_prefix)
        if not keys:
            raise FieldInvalid(field=config.keys_file, problem="holds no key")
        chain = parse_chain_id(config.chain_id)
        self._key = keys[0]
        self._config = config
        self._clock = clock
        self._node = CometNode(
            chain, Rpc(chain, config.nodes, clock, timeout_ms=_TIMEOUT_MS), clock
        )

    @property
    def receiver(self) -> str:
        """The account."""
        return self._key.address

    async def send(
        self, client: ClientId, receiver: str, *, count: int, amount: int, lives_s: int
    ) -> RangeSet:
        """The sequences of *count* committed packets. Raises ``SenderFailed``."""
        transfer = Transfer(
            source_client=client,
            denom=self._config.denomination,
            amount=amount,
            receiver=receiver,
            timeout_timestamp=whole_seconds(self._clock.now()) + lives_s,
        )
        return await _done(self._sent([transfer] * count))

    async def locked(self, client: ClientId) -> int:
        """Units in the escrow of *client*. Raises ``SenderFailed``."""
        escrow = escrow_address(client, self._config.address_prefix)
        return await _done(queries.balance(self._node, escrow, self._config.denomination))

    async def received(self, client: ClientId, denomination: str) -> int:
        """Units of the voucher that the account holds. Raises ``SenderFailed``."""
        held = queries.balance(self._node, self.receiver, voucher(client, denomination))
        return await _done(held)

    async def close(self) -> None:
        """Every connection is closed."""
        await self._node.close()

    async def _sent(self, transfers: list[Transfer]) -> RangeSet:
        """The sequences under which *transfers* were sent, in one block. Raises ``HubError``."""
        config = self._config
        transaction = sign(
            transfers,
            self._key,
            chain_id=config.chain_id,
            account=await queries.account(self._node, self._key.address),
            fee=Fee(
                amount=((config.fee_denomination, config.fee),) if config.fee else (),
                gas_limit=GAS_A_TRANSACTION + GAS_A_MESSAGE * len(transfers),
            ),
            timeout_height=0,
        )
        since = (await self._node.status()).latest
        [checked] = await self._node.broadcast([transaction])
        if checked.code:
            raise SenderFailed(f"{checked.codespace} {checked.code}: {checked.log}")
        result = await self._result(tx_hash(transaction), since)
        if result.code:
            raise SenderFailed(f"{result.codespace} {result.code}: {result.log}")
        return RangeSet.of([sent_sequence(result.data, at) for at in range(len(transfers))])

    async def _result(self, wanted: bytes, since: int) -> TxResult:
        """What the transaction did, in a block above *since*. Raises ``HubError``."""
        for number in range(since + 1, since + 1 + BLOCKS):
            # Block results are there once the next block is.
            await self._node.above(number)
            transactions = await self._node.transactions(number)
            hashes = [tx_hash(transaction) for transaction in transactions]
            if wanted in hashes:
                results = await self._node.results(number, frozenset())
                return results.transactions[hashes.index(wanted)]
        raise SenderFailed(f"the transaction {wanted.hex()} is in none of {BLOCKS} blocks")


def escrow_address(client: ClientId, prefix: str) -> str:
    """The account that holds what has left over *client*."""
    preimage = _VERSION + b"\x00" + f"{PORT}/{client}".encode()
    return encode_address(prefix, sha256(preimage).digest()[:_ADDRESS_BYTES])


def voucher(client: ClientId, denomination: str) -> str:
    """What *denomination*, come over *client*, is called here."""
    return f"ibc/{sha256(f'{PORT}/{client}/{denomination}'.encode()).hexdigest().upper()}"


async def _done(work: Awaitable[T]) -> T:
    """What *work* returns. Raises ``SenderFailed``."""
    try:
        return await work
    except HubError as error:
        raise SenderFailed(f"{error.reason}: {error}") from error
