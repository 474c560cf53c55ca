"""A chain of a few dictionaries behind the adapter SDK's protocol: no proofs, all said by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from adapters.sdk.chain import BatchProof, ChainClient, Head, Item, KeyProof
from adapters.sdk.execution import ExecutionResult
from hub.core.client import Header
from hub.core.errors import ClientNotFound, HeaderNotFound
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId, PeerId
from hub.core.lane import LaneKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.sdk.execution import Execution
    from hub.core.client import Anchor, ConsensusState
    from hub.core.errors import HubError
    from hub.core.ranges import RangeSet

CLIENT = ClientId("07-tendermint-0")
OUT = LaneKey(PeerId("hangzhou"), CLIENT, PeerId("suzhou"), ClientId("07-tendermint-7"))
"""The lane that leaves the city over ``CLIENT``."""
BACK = OUT.reverse
"""The lane that arrives at the city over ``CLIENT``."""


class PaperChain:
    """One chain: what it has committed and written, by client and sequence."""

    chain_id = ChainId("hangzhou-1")
    order_enforceable = True
    needs_anchor_header = False

    def __init__(self, height: int = 1) -> None:
        self.height = height
        self.sent: dict[ClientId, dict[int, bytes]] = {}
        self.written: dict[ClientId, dict[int, bytes]] = {}
        self.existing: dict[ClientId, ChainClient] = {}
        self.executions: asyncio.Queue[Execution] = asyncio.Queue()
        self.results: asyncio.Queue[ExecutionResult | HubError] = asyncio.Queue()
        self.created: list[tuple[Anchor, ConsensusState | None, bool, str]] = []
        self.registered: list[tuple[ClientId, ClientId, tuple[bytes, ...]]] = []
        self.present: dict[bytes, bytes] = {}
        self.asked: list[tuple[ClientId, RangeSet, int, Height]] = []
        self.failures: list[Exception] = []
        """Raised one by one by the next calls that show something."""
        self._active: set[ClientId] | None = None
        self._grown = asyncio.Event()

    def grow(self, *active: ClientId) -> None:
        """A block more; *active* are the clients it concerns."""
        self.height += 1
        self._active = (self._active or set()) | set(active)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def send(self, sequences: range, client: ClientId = CLIENT, size: int = 1) -> None:
        """Packets are committed in a block."""
        packets = self.sent.setdefault(client, {})
        packets.update({number: b"p%d" % number + bytes(size) for number in sequences})
        self.grow(client)

    def write(self, sequences: range, client: ClientId = CLIENT) -> None:
        """Acknowledgements are written in a block."""
        answers = self.written.setdefault(client, {})
        answers.update({number: b"a%d" % number for number in sequences})
        self.grow(client)

    async def head(self, after: Height | None) -> Head:
        while after is not None and self.height <= after.number:
            await self._grown.wait()
        active, self._active = self._active, None
        return Head(
            Height(1, self.height),
            None if after is None or active is None else frozenset(active),
        )

    async def headers(self, numbers: Sequence[int]) -> tuple[Header, ...]:
        self._fail()
        missing = [number for number in numbers if not 1 <= number <= self.height]
        if missing:
            raise HeaderNotFound(client=self.chain_id, height=missing[0])
        return tuple([Header(content=b"h%d" % n, validators=b"v%d" % (n // 10)) for n in numbers])

    async def packets(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        return self._found(self.sent, client, wanted, limit, at)

    async def acknowledgements(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        return self._found(self.written, client, wanted, limit, at)

    async def prove(self, keys: Sequence[bytes], at: Height) -> tuple[KeyProof, ...]:
        self._fail()
        return tuple([KeyProof(self.present.get(key, b""), b"proof of " + key) for key in keys])

    async def prove_batch(self, keys: Sequence[bytes], at: Height) -> BatchProof:
        self._fail()
        values = tuple([self.present.get(key, b"value") for key in keys])
        return BatchProof(values, b"%d keys at %d" % (len(keys), at.number))

    async def clients(self, client: ClientId | None, chain_id: str) -> tuple[ChainClient, ...]:
        self._fail()
        if client is None:
            return tuple([one for one in self.existing.values() if one.chain_id == chain_id])
        if client not in self.existing:
            raise ClientNotFound(name=client)
        return (self.existing[client],)

    async def create_client(
        self, anchor: Anchor, state: ConsensusState | None, *, ordered: bool, opening: str
    ) -> ClientId:
        self._fail()
        self.created.append((anchor, state, ordered, opening))
        client = ClientId(f"07-tendermint-{len(self.existing)}")
        self.existing[client] = self.client(client, anchor.chain_id, opening)
        return client

    async def register_counterparty(
        self, client: ClientId, counterparty: ClientId, prefix: tuple[bytes, ...]
    ) -> None:
        self.registered.append((client, counterparty, prefix))

    async def execute(self, execution: Execution) -> ExecutionResult:
        self.executions.put_nowait(execution)
        result = await self.results.get()
        if not isinstance(result, ExecutionResult):
            raise result
        return result

    def client(self, client: ClientId, chain_id: str, opening: str = "") -> ChainClient:
        """A client as the chain would show it now."""
        return ChainClient(
            client=client,
            chain_id=chain_id,
            proof_height=Height(1, self.height),
            client_state=b"state",
            client_state_proof=b"proof",
            counterparty=b"",
            counterparty_proof=b"",
            trusted_heights=(),
            opening=opening,
            pending_height=Height(1, 3),
        )

    def _found(
        self,
        items: dict[ClientId, dict[int, bytes]],
        client: ClientId,
        wanted: RangeSet,
        limit: int,
        at: Height,
    ) -> tuple[Item, ...]:
        self._fail()
        self.asked.append((client, wanted, limit, at))
        have = sorted(items.get(client, {}).items())
        return tuple([Item(number, data) for number, data in have if number in wanted][:limit])

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
