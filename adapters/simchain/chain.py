"""The embedded chain: synchronous, deterministic, one block at a time.

From configuration, block times and transactions follows everything: state, headers, signatures.
A block is durable in the log before anyone hears of it, and a chain that starts replays its log.

The header at height h carries the root of the state after block h - 1, as in CometBFT: what block h
did is provable from the header at h + 1 on, its *proof height*.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ydhub.errors.v1 import reason_pb2

from adapters.sdk.failpoints import Failpoint, hit
from adapters.simchain.block_log import BlockRecord, decode_record, encode_record
from adapters.simchain.blocks import Contents, make_block
from adapters.simchain.clients import Clients
from adapters.simchain.codec import decode_transaction, encode_transaction, transaction_hash
from adapters.simchain.execution import Executor
from adapters.simchain.gateway import Gateway
from adapters.simchain.genesis import STORES, genesis_hash, write_genesis
from adapters.simchain.history import Block, History
from adapters.simchain.ledger import Ledger
from adapters.simchain.state import State
from adapters.simchain.store.stores import Stores
from adapters.simchain.transfer import Transfer
from hub.core.errors import BacklogFull, HeaderNotFound, Reason, RecordCorrupt
from hub.core.time import MILLISECOND, Timestamp
from hub.light_clients.cometbft.codec import encode_signed_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from adapters.simchain.application import Application
    from adapters.simchain.block_log import BlockLog
    from adapters.simchain.blocks import LightBlock
    from adapters.simchain.genesis import ChainConfig
    from adapters.simchain.messages import Result, Transaction
    from hub.core.ids import PortId
    from hub.light_clients.interface import LightClient

    Arrange = Callable[[Sequence[tuple[bytes, Transaction]]], list[tuple[bytes, Transaction]]]

_CODES: Final = {reason: reason_pb2.Reason.Value(f"REASON_{reason}") for reason in Reason}
"""A result's code is in the next header: the contract's numbers, which never change."""


class Chain:
    """One chain: its state, its blocks, its ledger."""

    def __init__(
        self,
        config: ChainConfig,
        light_client: LightClient,
        log: BlockLog,
        *,
        applications: Mapping[PortId, Application] | None = None,
        preload: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        """The chain that *log* holds, or one without a block yet.

        *light_client* verifies other chains. *preload* are keys, rising, and values that stand in
        the store ``ibc`` from the beginning, for load. Raises ``RecordCorrupt``, ``FieldInvalid``.
        """
        self.config = config
        self.ledger = Ledger()
        self.stores = Stores(STORES, keep=config.keep)
        self.stores["ibc"].load(preload)
        self.state = State(self.stores)
        self.clients = Clients(light_client)
        ports = {port: Transfer(port) for port in config.ports}
        gateway = Gateway(self.clients, {**ports, **(applications or {})})
        self._executor = Executor(self.clients, gateway)
        self._app_hash = genesis_hash(config)
        self._last_codes: list[int] = []
        self._history = History(config.schedule)
        self._pending: dict[bytes, tuple[Transaction, bytes]] = {}
        write_genesis(self.state, config)
        for data in log.records():
            self._replay(decode_record(data))
        self._log = log

    @property
    def height(self) -> int:
        """The newest block's height, 0 before the first."""
        return self._history.height

    @property
    def time(self) -> Timestamp:
        """The newest block's time, 0 before the first."""
        last = self._history.last
        return last.signed.header.time if last else Timestamp(0)

    def submit(self, transaction: Transaction) -> bytes:
        """The hash under which *transaction*, which now waits for a block, will have its result.

        Raises ``BacklogFull``.
        """
        return self._wait(transaction, encode_transaction(transaction))

    def submit_encoded(self, data: bytes) -> bytes:
        """As ``submit``, of the transaction's bytes.

        Raises ``RecordCorrupt`` or ``BacklogFull``.
        """
        return self._wait(decode_transaction(data), data)

    def _wait(self, transaction: Transaction, data: bytes) -> bytes:
        tx_hash = transaction_hash(data)
        if tx_hash not in self._pending:
            limit = self.config.max_pending
            if len(self._pending) >= limit:
                lane = f"mempool of {self.config.chain_id}"
                raise BacklogFull(lane=lane, count=len(self._pending), limit=limit)
            self._pending[tx_hash] = (transaction, data)
        return tx_hash

    def is_pending(self, tx_hash: bytes) -> bool:
        """Whether the transaction with *tx_hash* waits for a block."""
        return tx_hash in self._pending

    def result(self, tx_hash: bytes) -> Result | None:
        """What became last of the transaction with *tx_hash*; None if no kept block has it."""
        return self._history.result(tx_hash)

    def produce_block(self, now: Timestamp, arrange: Arrange | None = None) -> Block:
        """The next block, with all transactions that wait, at *now* or just after the last one.

        They are taken in the order in which they came, or as *arrange* puts them.
        """
        pending = [(tx_hash, transaction) for tx_hash, (transaction, _) in self._pending.items()]
        waiting = pending if arrange is None else arrange(pending)
        record = BlockRecord(
            height=self.height + 1,
            time=max(now, Timestamp(self.time + MILLISECOND)),
            app_hash=self._app_hash,
            transactions=tuple([self._pending[tx_hash][1] for tx_hash, _ in waiting]),
        )
        if waiting:
            hit(Failpoint.BLOCK_BUILT)
        light = self._decide(record)
        # Whatever comes after this line happens again when the log is replayed.
        self._log.append(encode_record(record))
        if waiting:
            hit(Failpoint.BLOCK_STORED)
        self._pending.clear()
        return self._apply(light, waiting)

    def follow(self, data: bytes, header: bytes) -> Block:
        """The next block, which another node of the chain made from the record *data*.

        *header* is its signed header's bytes. Raises ``RecordCorrupt`` where it is not the next
        block, or leads to another header here; nothing is changed then.
        """
        record = decode_record(data)
        transactions = self._read(record)
        light = self._decide(record)
        own = encode_signed_header(light.signed)
        if own != header:
            raise RecordCorrupt(
                what=f"header {record.height} of {self.config.chain_id}",
                stored=sha256(header).hexdigest(),
                computed=sha256(own).hexdigest(),
            )
        self._log.append(encode_record(record))
        return self._apply(light, transactions)

    def light_block(self, height: int) -> LightBlock:
        """The header, commit and validators of a block. Raises ``HeaderNotFound``."""
        found = self._history.light_block(height)
        if found is None:
            raise HeaderNotFound(client=self.config.chain_id, height=height)
        return found

    def block(self, height: int) -> Block | None:
        """The block at *height* with what it did; None if it is too old, or not made yet."""
        return self._history.block(height)

    def record(self, height: int) -> bytes:
        """What the block at *height* was made from, as ``follow`` takes it.

        Raises ``HeaderNotFound``.
        """
        if not 1 <= height <= self.height:
            raise HeaderNotFound(client=self.config.chain_id, height=height)
        return self._log.read(height)

    def _replay(self, record: BlockRecord) -> None:
        transactions = self._read(record)
        self._apply(self._decide(record), transactions)

    def _read(self, record: BlockRecord) -> list[tuple[bytes, Transaction]]:
        """The transactions of *record*, which is the next block's. Raises ``RecordCorrupt``."""
        if (record.height, record.app_hash) != (self.height + 1, self._app_hash):
            raise RecordCorrupt(
                what=f"block {record.height} of {self.config.chain_id}",
                stored=record.app_hash.hex(),
                computed=f"{self._app_hash.hex()} before block {self.height + 1}",
            )
        return [(transaction_hash(data), decode_transaction(data)) for data in record.transactions]

    def _decide(self, record: BlockRecord) -> LightBlock:
        """The header that *record*'s block has, and its commit; nothing is executed yet."""
        return make_block(
            self.config.chain_id,
            self.config.schedule,
            self._history.last,
            Contents(
                time=record.time,
                transactions=record.transactions,
                app_hash=self._app_hash,
                last_codes=self._last_codes,
            ),
        )

    def _apply(self, light: LightBlock, transactions: list[tuple[bytes, Transaction]]) -> Block:
        height, now = light.signed.header.height, light.signed.header.time
        results = [
            self._executor.execute(self.state, transaction, tx_hash=tx_hash, height=height, now=now)
            for tx_hash, transaction in transactions
        ]
        self._turn_validators(height)
        self._app_hash, events = self.state.commit()
        self._last_codes = [_CODES[r.error.reason] if r.error else 0 for r in results]
        self.ledger.record(height, events)
        block = Block(light, tuple(results), tuple(events))
        self._history.add(block)
        return block

    def _turn_validators(self, height: int) -> None:
        """The store ``staking`` names the set of the next height."""
        schedule = self.config.schedule
        if schedule.at(height).hash != schedule.at(height + 1).hash:
            self.state.set("staking", b"validators", schedule.at(height + 1).content)
