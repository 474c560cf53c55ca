"""A chain of blocks written by a test, behind a node that serves, lags, prunes, fails and lies."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from adapters.cosmos.rpc.node import CometNode
from adapters.cosmos.rpc.records import BlockResults, Event, NodeStatus, TxResult
from adapters.cosmos.rpc.results_hash import results_hash
from hub.core.codec.proto import bytes_field, message_field, read_fields, varint_field
from hub.core.errors import ChainUnreachable, HeaderNotFound, LimitExceeded
from hub.core.ids import ChainId, ClientId
from hub.core.packet import Acknowledgement
from hub.core.paths import acknowledgement_key, commitment_key, next_sequence_send_key
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.types import BlockId, CometHeader
from hub.wire.packet import encode_acknowledgement, encode_packet
from tests.harness.clock import START
from tests.harness.packet_samples import PACKET

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hub.core.errors import HubError

CHAIN_ID = ChainId("suzhou-1")
CLIENT = ClientId("07-tendermint-0")
OTHER_CLIENT = ClientId("07-tendermint-1")
COUNTERPARTY = ClientId("08-wasm-7")
ACKNOWLEDGEMENT = encode_acknowledgement(Acknowledgement((b'{"result":"AQ=="}',)))


def packet(client: ClientId, sequence: int, destination: ClientId = COUNTERPARTY) -> bytes:
    """The packet *sequence* that *client* sends."""
    return encode_packet(
        replace(
            PACKET,
            sequence=sequence,
            source_client=client,
            destination_client=destination,
            payloads=PACKET.payloads[:1],
        )
    )


def packet_event(kind: str, content: bytes, **changed: str | None) -> Event:
    """What ibc-go tells of a packet; *changed* attributes have that value, or are not there."""
    fields = [value for _, _, value in read_fields(content)]
    assert isinstance(fields[1], bytes)
    assert isinstance(fields[2], bytes)
    attributes: dict[str, str | None] = {
        "packet_source_client": fields[1].decode(),
        "packet_dest_client": fields[2].decode(),
        "packet_sequence": str(fields[0]),
        "packet_timeout_timestamp": str(fields[3]),
        "encoded_packet_hex": content.hex(),
        **changed,
        "msg_index": "0",
    }
    kept = [(key, value) for key, value in attributes.items() if value is not None]
    return Event(kind, tuple(kept))


def sent(client: ClientId, sequence: int, **changed: str | None) -> Event:
    return packet_event("send_packet", packet(client, sequence), **changed)


def settled(client: ClientId, sequence: int, kind: str = "acknowledge_packet") -> Event:
    return packet_event(kind, packet(client, sequence))


def written(client: ClientId, sequence: int, **changed: str | None) -> Event:
    """*client* has acknowledged what it received."""
    content = packet(COUNTERPARTY, sequence, client)
    acknowledgement = {"encoded_acknowledgement_hex": ACKNOWLEDGEMENT.hex(), **changed}
    return packet_event("write_acknowledgement", content, **acknowledgement)


def tx_result(events: Iterable[Event] = (), code: int = 0) -> TxResult:
    return TxResult(
        code=code,
        codespace="sdk" if code else "",
        data=b"\x12\x00",
        gas_wanted=200_000,
        gas_used=90_000,
        events=tuple(events),
        log="",
    )


@dataclass
class ScriptedBlock:
    """One block: its transactions by their bytes, and what no transaction caused."""

    height: int
    transactions: list[tuple[bytes, TxResult]] = field(default_factory=list)
    events: tuple[Event, ...] = ()

    @property
    def results(self) -> BlockResults:
        results = tuple([result for _, result in self.transactions])
        content = [(tx.code, tx.data, tx.gas_wanted, tx.gas_used) for tx in results]
        return BlockResults(self.height, results, self.events, results_hash(content))


class ScriptedNode(CometNode):
    """A node of one chain; every block is written by the test."""

    def __init__(self, height: int = 1) -> None:
        """A chain of *height* empty blocks."""
        self.chain_id = CHAIN_ID
        self.blocks: dict[int, ScriptedBlock] = {}
        self.earliest = 1
        self.earliest_state = 1
        self.failures: dict[str, list[HubError]] = defaultdict(list)
        """Raised by the next calls of a method, one each."""
        self.hidden: set[int] = set()
        """Blocks whose events are not shown."""
        self.forged: set[int] = set()
        """Blocks whose results are shown as others than they are."""
        self.huge: set[int] = set()
        """Blocks whose results are larger than is ever read."""
        self.claimed = 0
        """A height that this node claims to have, until it is doubted."""
        self.is_alone = True
        """Else there is another node, which hides and forges nothing, behind this one."""
        self.calls: list[tuple[str, int]] = []
        self.behind = 0
        """Blocks that the state it answers from lags behind its newest block."""
        self.gate: asyncio.Event | None = None
        """Results are shown when it is set."""
        self._sent: dict[tuple[ClientId, int], int] = {}
        self._settled: dict[tuple[ClientId, int], int] = {}
        self._written: dict[tuple[ClientId, int], int] = {}
        self._next: dict[ClientId, int] = {}
        self._moved = asyncio.Event()
        for _ in range(height):
            self.produce()

    @property
    def latest(self) -> int:
        return max(self.blocks, default=0)

    def called(self, method: str) -> list[int]:
        """The heights that *method* was asked for."""
        return [height for name, height in self.calls if name == method]

    def produce(
        self,
        *events: Event,
        block_events: Sequence[Event] = (),
        transactions: Sequence[tuple[bytes, TxResult]] = (),
    ) -> ScriptedBlock:
        """The next block: *events* in one transaction, then *transactions*."""
        height = self.latest + 1
        content = [(b"tx of block %d" % height, tx_result(events))] if events else []
        block = ScriptedBlock(height, [*content, *transactions], tuple(block_events))
        self.blocks[height] = block
        for _, result in block.transactions:
            if not result.code:
                self._apply(height, result.events)
        self._apply(height, block_events)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        return block

    def send(self, client: ClientId, count: int) -> list[Event]:
        """Events of *count* packets that *client* sends next."""
        first = self._next.get(client, 1)
        self._next[client] = first + count
        return [sent(client, first + number) for number in range(count)]

    async def status(self) -> NodeStatus:
        self._call("status", 0)
        return NodeStatus(CHAIN_ID, self.latest, self.earliest, is_catching_up=False)

    async def lowest(self) -> int:
        return (await self.status()).earliest

    async def above(self, number: int) -> int:
        self._call("above", number)
        while max(self.latest, self.claimed) <= number:
            await self._moved.wait()
        return max(self.latest, self.claimed)

    def doubt(self) -> None:
        self._call("doubt", 0)
        if not self.is_alone:
            self.claimed = 0
            self.hidden.clear()
            self.forged.clear()

    async def header_fields(self, number: int) -> CometHeader:
        self._call("header_fields", number)
        self._check_block(number)
        before = self.blocks.get(number - 1)
        return CometHeader(
            block_protocol=11,
            app_protocol=0,
            chain_id=CHAIN_ID,
            height=number,
            time=time_of(number),
            last_block_id=BlockId(),
            last_commit_hash=b"",
            data_hash=b"",
            validators_hash=b"",
            next_validators_hash=b"",
            consensus_hash=b"",
            app_hash=b"",
            last_results_hash=before.results.results_hash if before else b"",
            evidence_hash=b"",
            proposer_address=b"",
        )

    async def results(self, number: int, wanted: frozenset[str] = frozenset()) -> BlockResults:
        self._call("results", number)
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        self._check_block(number)
        if number in self.huge:
            raise LimitExceeded(what="answer bytes of block_results", count=2**27, limit=2**26)
        results = self.blocks[number].results
        if number in self.hidden:
            transactions = tuple([replace(tx, events=()) for tx in results.transactions])
            results = replace(results, transactions=transactions, events=())
        if number in self.forged:
            results = replace(results, results_hash=sha256(b"others").digest())
        return results

    async def transactions(self, number: int) -> tuple[bytes, ...]:
        self._call("transactions", number)
        self._check_block(number)
        return tuple([content for content, _ in self.blocks[number].transactions])

    async def query(self, path: str, data: bytes, at: int = 0) -> bytes:
        return (await self.query_all(path, [data], at))[0]

    async def query_all(self, path: str, datas: Sequence[bytes], at: int = 0) -> tuple[bytes, ...]:
        self._call("query", at)
        await asyncio.sleep(0)
        newest = self.latest - self.behind
        if at and not self.earliest_state <= at <= newest:
            raise HeaderNotFound(client=CHAIN_ID, height=at)
        state = at or newest
        if path == "store/ibc/key":
            values = self._values(state)
            return tuple([values.get(key, b"") for key in datas])
        stand = self._committed(state) if path.endswith("Commitments") else self._answered(state)
        return tuple([_page(stand, data) for data in datas])

    async def close(self) -> None:
        """Nothing is open."""

    def _apply(self, height: int, events: Iterable[Event]) -> None:
        for event in events:
            attributes = dict(event.attributes)
            sequence = int(attributes.get("packet_sequence") or 0)
            source = ClientId(attributes.get("packet_source_client", ""))
            if event.kind == "send_packet":
                self._sent[source, sequence] = height
                self._next[source] = max(self._next.get(source, 1), sequence + 1)
            elif event.kind == "write_acknowledgement":
                self._written[ClientId(attributes["packet_dest_client"]), sequence] = height
            elif event.kind in {"acknowledge_packet", "timeout_packet"}:
                self._settled[source, sequence] = height

    def _call(self, method: str, height: int) -> None:
        self.calls.append((method, height))
        if self.failures[method]:
            raise self.failures[method].pop(0)

    def _check_block(self, number: int) -> None:
        if not self.earliest <= number <= self.latest:
            raise HeaderNotFound(client=CHAIN_ID, height=number)

    def _committed(self, state: int) -> list[tuple[ClientId, int]]:
        gone = {key for key, height in self._settled.items() if height <= state}
        return [key for key, height in self._sent.items() if height <= state and key not in gone]

    def _answered(self, state: int) -> list[tuple[ClientId, int]]:
        return [key for key, height in self._written.items() if height <= state]

    def _values(self, state: int) -> dict[bytes, bytes]:
        values = {b"nextClientSequence": (7).to_bytes(8, "big")}
        for client, sequence in self._committed(state):
            values[commitment_key(client, sequence)] = b"\x01" * 32
        for client, sequence in self._answered(state):
            values[acknowledgement_key(client, sequence)] = b"\x02" * 32
        for (client, sequence), height in self._sent.items():
            key = next_sequence_send_key(client)
            if height <= state:
                known = int.from_bytes(values.get(key, b""), "big")
                values[key] = max(known, sequence + 1).to_bytes(8, "big")
        return values


def unreachable() -> ChainUnreachable:
    return ChainUnreachable(chain=CHAIN_ID, problem="is down")


def time_of(number: int) -> Timestamp:
    """The time of a block."""
    return Timestamp(START + number * SECOND)


def _page(stand: list[tuple[ClientId, int]], request: bytes) -> bytes:
    """One page of a list of packet states."""
    fields = {number: value for number, _, value in read_fields(request)}
    wanted, page = fields[1], fields[2]
    assert isinstance(wanted, bytes)
    assert isinstance(page, bytes)
    asked = {number: value for number, _, value in read_fields(page)}
    start, limit = asked.get(1, b""), asked[3]
    assert isinstance(start, bytes)
    assert isinstance(limit, int)
    sequences = sorted(sequence for client, sequence in stand if client.encode() == wanted)
    sequences = [sequence for sequence in sequences if sequence.to_bytes(8, "big") >= start]
    states = [
        message_field(1, bytes_field(1, wanted) + varint_field(2, one) + bytes_field(3, b"\x01"))
        for one in sequences[:limit]
    ]
    after = sequences[limit].to_bytes(8, "big") if len(sequences) > limit else b""
    return b"".join(states) + message_field(2, bytes_field(1, after))
