"""A Cosmos chain in memory that takes transactions: behind a node that loses, hides and forgets.

A block is made when a test makes it. Accounts have sequences, transactions have gas and a timeout
height, and each message has its effect once. No proof is verified: what is refused, a test says.

Source: cosmos-sdk x/auth/ante, baseapp (CheckTx, FinalizeBlock, ``app/simulate``); ibc-go v10
modules/core/ante (redundant transactions), 04-channel/v2 keeper/msg_server.go.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from adapters.cosmos.client_messages import client_state_any
from adapters.cosmos.rpc.records import Checked, Proven, TxResult
from hub.core.codec.proto import bytes_field, message_field, read_fields, varint_field
from hub.core.errors import HeaderNotFound, TransactionRefused
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.paths import (
    client_state_key,
    commitment_key,
    consensus_state_key,
    counterparty_key,
    receipt_key,
)
from tests.harness.clock import settle
from tests.harness.comet_node import CHAIN_ID, ScriptedNode
from tests.harness.cosmos_state import CosmosState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.cosmos.tx.keys import Key
    from hub.core.client import Anchor

BASE_GAS: Final = 70_000
BLOCK_GAS: Final = 100_000_000
OUT_OF_GAS: Final = ("sdk", 11)
REDUNDANT: Final = ("channel", 22)
WRONG_SEQUENCE: Final = ("sdk", 32)
MEMPOOL_FULL: Final = ("sdk", 20)
TOO_LARGE: Final = ("sdk", 21)
TIMEOUT_HEIGHT: Final = ("sdk", 30)
OK: Final = ("", 0)
_RESPONSES: Final = {
    "MsgRecvPacket": "/ibc.core.channel.v2.MsgRecvPacketResponse",
    "MsgAcknowledgement": "/ibc.core.channel.v2.MsgAcknowledgementResponse",
    "MsgTimeout": "/ibc.core.channel.v2.MsgTimeoutResponse",
}
NOOP, SUCCESS = 1, 2
MAX_BLOCKS: Final = 400
"""A test that needs more has failed."""

Code = tuple[str, int]
Fields = dict[int, int | bytes]


@dataclass(frozen=True)
class Call:
    """One message of a transaction."""

    kind: str
    """The last part of its type."""
    content: bytes
    client: ClientId
    sequence: int
    """0 where it is about no packet."""
    key: bytes
    """What stands in the store before (commitment) or after (receipt) its effect."""


@dataclass(frozen=True)
class Tx:
    """A transaction, as the chain reads it."""

    content: bytes
    calls: tuple[Call, ...]
    signer: str
    sequence: int
    fee: dict[str, int]
    gas_limit: int
    timeout_height: int
    memo: str

    @property
    def hash(self) -> bytes:
        return sha256(self.content).digest()

    @property
    def sequences(self) -> list[int]:
        return [call.sequence for call in self.calls if call.sequence]

    @property
    def kinds(self) -> Counter[str]:
        return Counter([call.kind for call in self.calls])


class CosmosChain(ScriptedNode):
    """One chain, its only node, and the mempool of that node."""

    def __init__(self, *keys: Key, height: int = 10) -> None:
        super().__init__(height)
        self.store: dict[bytes, bytes] = {}
        """The store ``ibc``, as the newest block left it."""
        self.snapshots: dict[int, dict[bytes, bytes]] = {}
        self.mempool: list[Tx] = []
        self.arrived: list[Tx] = []
        """Every transaction that was broadcast, each time."""
        self.simulated: list[Tx] = []
        self.landed: list[tuple[int, Tx, TxResult]] = []
        self.effects: Counter[tuple[str, int]] = Counter()
        """How often each packet's message had its effect."""
        self.refuses: dict[int, Code] = {}
        """By packet sequence."""
        self.refuses_all: Code = OK
        """Every message that is about a packet."""
        self.refuses_updates: Code = OK
        self.refuses_entry: Callable[[Tx], Code] = lambda _: OK
        """What the mempool says to a transaction that is right otherwise."""
        self.needs_update: set[int] = set()
        """Packets whose proofs end at a header that the first update brings."""
        self.loses: Callable[[Tx], bool] = lambda _: False
        """Taken, but never put into a block."""
        self.is_mute = False
        """Broadcasts are taken, and never answered."""
        self.answers: Callable[[tuple[Checked, ...]], tuple[Checked, ...]] = lambda found: found
        self.data: Callable[[bytes], bytes] = lambda data: data
        """What the results of a block hold."""
        self.extra_gas = 0
        """That a block needs and a simulation did not show."""
        self.costs: dict[str, int] = {}
        self.max_tx_bytes = 1_000_000
        self.creators: dict[ClientId, str] = {}
        self.updates = 0
        self._addresses = {key.public_key: key.address for key in keys}
        self._sequences = {key.address: 5 for key in keys}
        self._next_sequences = dict(self._sequences)
        self._reads = CosmosState(items=self.store)
        self.store[b"nextClientSequence"] = (0).to_bytes(8, "big")

    # What a test does.

    def block(self) -> None:
        """The next block, of everything in the mempool that it does not lose."""
        height = self.latest + 1
        found: list[tuple[bytes, TxResult]] = []
        rest: list[Tx] = []
        for tx in self.mempool:
            if self.loses(tx):
                rest.append(tx)
            elif tx.timeout_height and tx.timeout_height < height:
                continue
            elif self._sequences[tx.signer] == tx.sequence:
                result = self._execute(tx, height)
                found.append((tx.content, result))
                self.landed.append((height, tx, result))
        self.mempool = [tx for tx in rest if not tx.timeout_height or tx.timeout_height > height]
        self._recheck()
        self.produce(transactions=found)
        self.snapshots[height] = dict(self.store)

    def forget_mempool(self) -> None:
        self.mempool.clear()
        self._recheck()

    def advance(self, address: str) -> None:
        """A transaction of the account that another process sent stands in a block now."""
        self._sequences[address] += 1
        self._recheck()

    async def drive(self, *tasks: asyncio.Future[Any]) -> None:
        """Blocks follow each other until *tasks* are done."""
        for _ in range(MAX_BLOCKS):
            for _ in range(3):
                await settle()
            if all(task.done() for task in tasks):
                return
            self.block()
        raise AssertionError("it does not end")

    def add_client(self, anchor: Anchor, creator: str) -> ClientId:
        number = int.from_bytes(self.store[b"nextClientSequence"], "big")
        client = ClientId(f"07-tendermint-{number}")
        self.store[b"nextClientSequence"] = (number + 1).to_bytes(8, "big")
        self.store[client_state_key(client)] = client_state_any(anchor)
        self.creators[client] = creator
        self.add_consensus_state(client, anchor.height)
        return client

    def add_consensus_state(
        self, client: ClientId, height: Height, content: bytes = b"a consensus state"
    ) -> None:
        key = consensus_state_key(client, height)
        self.store[key] = content
        self.store[key + b"/processedHeight"] = f"0-{self.latest + 1}".encode()

    @property
    def fees(self) -> dict[str, int]:
        """What was paid so far."""
        paid: Counter[str] = Counter()
        for _, tx, _ in self.landed:
            paid.update(tx.fee)
        return dict(paid)

    # What a node answers.

    async def broadcast(self, transactions: Sequence[bytes]) -> tuple[Checked, ...]:
        self._call("broadcast", len(transactions))
        await asyncio.sleep(0)
        found: list[Checked] = []
        for content in transactions:
            tx = self._read(content)
            self.arrived.append(tx)
            codespace, code = self._check(tx)
            if not code:
                self.mempool.append(tx)
                self._next_sequences[tx.signer] += 1
            found.append(Checked(code, codespace, "a text", tx.hash))
        if self.is_mute:
            await asyncio.Event().wait()
        return self.answers(tuple(found))

    async def query_all(self, path: str, datas: Sequence[bytes], at: int = 0) -> tuple[bytes, ...]:
        self._call(path, at)
        if path == "store/ibc/key" and self.behind:
            newest = self.latest - self.behind
            if at > newest:
                raise HeaderNotFound(client=CHAIN_ID, height=at)
            at = at or newest
        return tuple([self._answer(path, data, at) for data in datas])

    async def prove(self, store: str, keys: Sequence[bytes], at: int) -> tuple[Proven, ...]:
        self._call("prove", at)
        if at not in self.snapshots:
            raise HeaderNotFound(client=CHAIN_ID, height=at)
        self._reads.add_state(at, self.snapshots[at])
        return await self._reads.prove(store, keys, at)

    def _answer(self, path: str, data: bytes, at: int) -> bytes:
        if path == "store/ibc/key":
            return self._state(at).get(data, b"")
        if path == "app/simulate":
            return self._simulate(self._read(data))
        if path.endswith("Query/AccountInfo"):
            address = _text(_fields(data)[1])
            if address not in self._sequences:
                raise TransactionRefused(chain=CHAIN_ID, codespace="sdk", code=22, log="no account")
            sequence = self._sequences[address]
            return message_field(1, varint_field(3, 7) + varint_field(4, sequence))
        if path.endswith("Query/ConsensusStateHeights"):
            return self._reads.list_heights(data)
        if path.endswith("Query/PacketCommitments"):
            return self._reads.list_sequences(b"\x01")(data)
        if path.endswith("Query/PacketAcknowledgements"):
            return self._reads.list_sequences(b"\x03")(data)
        if path.endswith("Query/ClientCreator"):
            return bytes_field(1, self.creators.get(ClientId(_text(_fields(data)[1])), "").encode())
        raise TransactionRefused(chain=CHAIN_ID, codespace="sdk", code=6, log="unknown path")

    def _state(self, at: int) -> dict[bytes, bytes]:
        """A state that no ``block`` left is the newest one."""
        if at > self.latest:
            raise HeaderNotFound(client=CHAIN_ID, height=at)
        return self.snapshots.get(at, self.store)

    # What the chain does.

    def _recheck(self) -> None:
        self._next_sequences = dict(self._sequences)
        for tx in self.mempool:
            self._next_sequences[tx.signer] += 1

    def _check(self, tx: Tx) -> Code:
        if any(tx.hash == other.hash for other in self.mempool):
            return ("sdk", 19)
        if len(tx.content) > self.max_tx_bytes:
            return TOO_LARGE
        if tx.timeout_height and tx.timeout_height < self.latest + 1:
            return TIMEOUT_HEIGHT
        if tx.gas_limit > BLOCK_GAS:
            return ("sdk", 41)
        if self._next_sequences[tx.signer] != tx.sequence:
            return WRONG_SEQUENCE
        refused = self.refuses_entry(tx)
        if refused[1]:
            return refused
        about = [call for call in tx.calls if call.sequence]
        if about and all(self._is_done(call) for call in about):
            return REDUNDANT
        return OK

    def _simulate(self, tx: Tx) -> bytes:
        self.simulated.append(tx)
        code = OK if self._next_sequences[tx.signer] == tx.sequence else WRONG_SEQUENCE
        has_update = bool(self.updates)
        for call in tx.calls:
            has_update = has_update or call.kind == "MsgUpdateClient"
            code = code if code[1] else self._judge(call, has_update=has_update)
        if code[1]:
            raise TransactionRefused(chain=CHAIN_ID, codespace=code[0], code=code[1], log="a text")
        return json.dumps({"gas_info": {"gas_used": str(self._gas(tx))}, "result": {}}).encode()

    def _gas(self, tx: Tx) -> int:
        return BASE_GAS + sum([self.costs.get(call.kind, 50_000) for call in tx.calls])

    def _execute(self, tx: Tx, height: int) -> TxResult:
        """A refused transaction costs its fee and its sequence all the same."""
        self._sequences[tx.signer] += 1
        used = self._gas(tx) + self.extra_gas
        if used > tx.gas_limit:
            return _result(OUT_OF_GAS, tx.gas_limit, tx.gas_limit + 1, b"")
        has_update = bool(self.updates)
        for call in tx.calls:
            has_update = has_update or call.kind == "MsgUpdateClient"
            code = self._judge(call, has_update=has_update)
            if code[1]:
                return _result(code, tx.gas_limit, used // 2, b"")
        responses = [self._apply_call(call, tx, height) for call in tx.calls]
        data = b"".join([message_field(2, response) for response in responses])
        return _result(OK, tx.gas_limit, used, self.data(data))

    def _judge(self, call: Call, *, has_update: bool) -> Code:
        if not call.sequence:
            return self.refuses_updates if call.kind == "MsgUpdateClient" else OK
        if self._is_done(call):
            return OK
        if self.refuses_all[1]:
            return self.refuses_all
        if call.sequence in self.needs_update and not has_update:
            return ("client", 7)
        return self.refuses.get(call.sequence, OK)

    def _is_done(self, call: Call) -> bool:
        return (call.key in self.store) is (call.kind == "MsgRecvPacket")

    def _apply_call(self, call: Call, tx: Tx, height: int) -> bytes:
        if call.kind == "MsgCreateClient":
            return self._create(call, tx)
        if call.kind == "MsgRegisterCounterparty":
            self.store[counterparty_key(call.client)] = _counterparty(call.content)
        if call.kind == "MsgUpdateClient":
            self.updates += 1
            self.add_consensus_state(call.client, Height(1, 100 + height))
        if not call.sequence:
            name = f"/ibc.core.client.v1.{call.kind}Response"
            return bytes_field(1, name.encode()) + bytes_field(2, b"")
        result = NOOP
        if not self._is_done(call):
            result = SUCCESS
            self.effects[call.kind, call.sequence] += 1
            if call.kind == "MsgRecvPacket":
                self.store[call.key] = b"\x02"
            else:
                del self.store[call.key]
        name = _RESPONSES[call.kind]
        return bytes_field(1, name.encode()) + bytes_field(2, varint_field(1, result))

    def _create(self, call: Call, tx: Tx) -> bytes:
        number = int.from_bytes(self.store[b"nextClientSequence"], "big")
        client = ClientId(f"07-tendermint-{number}")
        self.store[b"nextClientSequence"] = (number + 1).to_bytes(8, "big")
        state = _bytes(_fields(call.content)[1])
        self.store[client_state_key(client)] = state
        self.creators[client] = tx.signer
        latest = _fields(_bytes(_fields(_bytes(_fields(state)[2]))[7]))
        height = Height(int(latest.get(1, 0)), int(latest[2]))
        self.add_consensus_state(client, height, _bytes(_fields(call.content)[2]))
        name = "/ibc.core.client.v1.MsgCreateClientResponse"
        return bytes_field(1, name.encode()) + bytes_field(2, bytes_field(1, client.encode()))

    def _read(self, content: bytes) -> Tx:
        raw = _fields(content)
        calls: list[Call] = []
        memo, timeout_height = "", 0
        for number, _, value in read_fields(_bytes(raw[1])):
            if number == 1:
                message = _fields(_bytes(value))
                calls.append(_call(_text(message[1]), _bytes(message.get(2, b""))))
            elif number == 2:
                memo = _text(value)
            elif number == 3:
                timeout_height = int(value)
        auth = _fields(_bytes(raw[2]))
        signer, fee = _fields(_bytes(auth[1])), _bytes(auth[2])
        key = _bytes(_fields(_bytes(_fields(_bytes(signer[1]))[2]))[1])
        coins = [_fields(_bytes(value)) for number, _, value in read_fields(fee) if number == 1]
        return Tx(
            content=content,
            calls=tuple(calls),
            signer=self._addresses[key],
            sequence=int(signer.get(3, 0)),
            fee={_text(coin[1]): int(_text(coin[2])) for coin in coins},
            gas_limit=int(_fields(fee, 2)[2]),
            timeout_height=timeout_height,
            memo=memo,
        )


def _call(type_url: str, content: bytes) -> Call:
    kind = type_url.rpartition(".")[2]
    fields = _fields(content)
    if kind not in _RESPONSES:
        client = fields.get(1, b"")
        is_named = kind in {"MsgUpdateClient", "MsgRegisterCounterparty"}
        return Call(kind, content, ClientId(_text(client) if is_named else ""), 0, b"")
    packet = _fields(_bytes(fields[1]), 1, 2, 3)
    sequence = int(packet[1])
    source, destination = ClientId(_text(packet[2])), ClientId(_text(packet[3]))
    if kind == "MsgRecvPacket":
        return Call(kind, content, destination, sequence, receipt_key(destination, sequence))
    return Call(kind, content, source, sequence, commitment_key(source, sequence))


def _counterparty(content: bytes) -> bytes:
    """What is stored of a MsgRegisterCounterparty."""
    found = [(number, _bytes(value)) for number, _, value in read_fields(content)]
    prefix = b"".join([message_field(1, value) for number, value in found if number == 2])
    return prefix + b"".join([bytes_field(2, value) for number, value in found if number == 3])


def _result(code: Code, wanted: int, used: int, data: bytes) -> TxResult:
    return TxResult(
        code=code[1],
        codespace=code[0],
        data=data,
        gas_wanted=wanted,
        gas_used=used,
        events=(),
        log="a text" if code[1] else "",
    )


def _fields(message: bytes, *wanted: int) -> Fields:
    return {n: value for n, _, value in read_fields(message) if not wanted or n in wanted}


def _bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()
