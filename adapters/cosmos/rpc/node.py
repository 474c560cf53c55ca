"""One Cosmos chain as its CometBFT nodes serve it: every answer checked, every failure typed.

An error of a node is a number and a text. Whether a height is gone, or not there yet, is told by
neither: the height is compared with what the node says it stores, or the node is asked for a proof
out of that state.

A block's header carries the root of the state that the block before it left: what stands under
header H is asked for at state H - 1.

Source: CometBFT 0.38 rpc/core; Cosmos SDK 0.53 baseapp/abci.go, store/rootmulti and store/iavl.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from adapters.cosmos.rpc.answers import (
    BLOCK,
    BLOCK_RESULTS,
    BROADCAST,
    COMMIT,
)
from adapters.cosmos.rpc.block_results import WANTED_EVENTS, read_results
from adapters.cosmos.rpc.endpoint import Refusal
from adapters.cosmos.rpc.light_block import (
    Signed,
    check_hash,
    read_header,
    read_hex,
    read_signed_header,
)
from adapters.cosmos.rpc.records import (
    MAX_LOG,
    REFUSED_BY_NODE,
    BlockResults,
    Checked,
    Event,
    NodeStatus,
    Proven,
    TxResult,
)
from adapters.cosmos.rpc.results_hash import data_hash
from adapters.cosmos.rpc.state import prove, query_all
from adapters.cosmos.rpc.status import lacking, read_status
from adapters.cosmos.rpc.subscription import Hints
from adapters.cosmos.rpc.validator_sets import ValidatorSets
from adapters.sdk.waiting import rest
from hub.core.client import Header
from hub.core.errors import (
    HubError,
    RecordCorrupt,
    TransactionRefused,
)
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.rpc.endpoint import Endpoint
    from adapters.cosmos.rpc.transport import Rpc
    from adapters.sdk.clock import Clock
    from hub.core.ids import ChainId
    from hub.light_clients.cometbft.types import CometHeader

__all__ = [
    "REFUSED_BY_NODE",
    "WANTED_EVENTS",
    "BlockResults",
    "Checked",
    "CometNode",
    "Event",
    "NodeStatus",
    "Proven",
    "TxResult",
]

POLL: Final = Duration(SECOND)
"""How often a node is asked for its height while no hint comes (ns)."""
STALE_POLLS: Final = 5
"""Polls without a new block after which the other nodes are asked too."""


class CometNode:
    """The typed surface of a chain's nodes.

    Methods raise ``ChainUnreachable`` where no node answers, ``ChainIdMismatch`` where the only
    one serves another chain, and ``RecordCorrupt``, ``HeaderUnparseable``, ``CommitMismatch``,
    ``ValidatorSetMismatch`` or ``LimitExceeded`` where what it says cannot be.
    """

    def __init__(self, chain_id: ChainId, rpc: Rpc, clock: Clock) -> None:
        self.chain_id = chain_id
        self._rpc = rpc
        self._clock = clock
        self._hints = Hints(rpc, clock)
        self._sets = ValidatorSets(chain_id)
        self._sending = asyncio.Lock()

    async def status(self) -> NodeStatus:
        """Where the preferred node stands."""
        return await self._rpc.first(lambda node: read_status(node, self.chain_id))

    async def lowest(self) -> int:
        """The lowest height whose block one of the nodes still keeps."""
        statuses = await self._rpc.every(lambda node: read_status(node, self.chain_id))
        return min(status.earliest for status in statuses)

    async def above(self, number: int) -> int:
        """The newest height, as soon as it is above *number*."""
        polls = 0
        while True:
            news = self._hints.news()
            latest = (await self.status()).latest
            if latest > number:
                return latest
            polls += 1
            if polls % STALE_POLLS == 0:
                await self._prefer_highest()
            await rest(news, self._clock, POLL)

    async def headers(self, numbers: Sequence[int]) -> tuple[Header, ...]:
        """The headers of these block numbers, in this order. Raises ``HeaderNotFound``."""

        async def ask(node: Endpoint) -> tuple[Header, ...]:
            blocks = await self._signed_headers(node, numbers)
            found: list[Header] = []
            for block in blocks:
                validators = await self._sets.named_by(block.header, node)
                found.append(Header(content=block.content, validators=validators))
            return tuple(found)

        return await self._rpc.first(ask) if numbers else ()

    async def header_fields(self, number: int) -> CometHeader:
        """The header of block *number*. Raises ``HeaderNotFound``."""

        async def ask(node: Endpoint) -> CometHeader:
            return (await self._signed_headers(node, (number,)))[0].header

        return await self._rpc.first(ask)

    async def results(self, number: int, wanted: frozenset[str] = WANTED_EVENTS) -> BlockResults:
        """What block *number* did; of its events those of *wanted* kinds.

        Raises ``HeaderNotFound``. They are not proven until ``results_hash`` is compared with the
        next header's ``last_results_hash``; events are never.
        """

        async def ask(node: Endpoint) -> BlockResults:
            answer = await node.call(BLOCK_RESULTS, _height(number))
            if isinstance(answer, Refusal):
                raise await lacking(node, self.chain_id, number, answer)
            if answer.height != number:
                raise self._other(f"results of block {number}", answer.height, number)
            try:
                return read_results(answer, wanted)
            except (ValueError, RecursionError) as error:
                raise node.unreachable(f"answers block_results: {error}") from error

        return await self._rpc.first(ask)

    async def transactions(self, number: int) -> tuple[bytes, ...]:
        """The transactions of block *number*, that its header commits to.

        Raises ``HeaderNotFound``.
        """

        async def ask(node: Endpoint) -> tuple[bytes, ...]:
            answer = await node.call(BLOCK, _height(number))
            if isinstance(answer, Refusal):
                raise await lacking(node, self.chain_id, number, answer)
            if answer.block is None:
                raise await lacking(node, self.chain_id, number, Refusal(0, "block: nothing"))
            header = read_header(answer.block.header, self.chain_id, number)
            check_hash(header, read_hex(answer.block_id.hash, "block id hash"))
            found = answer.block.data.txs or ()
            root = data_hash(found)
            if root != header.data_hash:
                what = f"transactions of block {number} of {self.chain_id}"
                raise RecordCorrupt(what=what, stored=header.data_hash.hex(), computed=root.hex())
            return found

        return await self._rpc.first(ask)

    async def query(self, path: str, data: bytes, at: int = 0) -> bytes:
        """What the application answers to *data* out of state *at*; 0 is the newest.

        A store's key is read one state before the newest. Raises ``HeaderNotFound`` where the state
        is not there, and ``TransactionRefused`` with the application's code where it refuses.
        """
        return (await self.query_all(path, (data,), at))[0]

    async def query_all(self, path: str, datas: Sequence[bytes], at: int = 0) -> tuple[bytes, ...]:
        """As ``query``, for each of *datas*; the first refusal is raised."""
        answers = await self._rpc.first(
            lambda node: query_all(node, self.chain_id, path, datas, at)
        )
        for answer in answers:
            if answer.code:
                raise TransactionRefused(
                    chain=self.chain_id,
                    codespace=answer.codespace[:MAX_LOG],
                    code=answer.code,
                    log=answer.log[:MAX_LOG],
                )
        return tuple([answer.value or b"" for answer in answers])

    async def prove(self, store: str, keys: Sequence[bytes], at: int) -> tuple[Proven, ...]:
        """What stands at each of *keys* of *store* in state *at*, with proof.

        The proofs are as the node gives them: they are verified by whoever needs them. Raises
        ``HeaderNotFound`` where the state is not there.
        """
        return await self._rpc.first(lambda node: prove(node, self.chain_id, store, keys, at))

    async def broadcast(self, transactions: Sequence[bytes]) -> tuple[Checked, ...]:
        """What the mempool made of each of *transactions*, which reach it in this order.

        Raises ``ChainUnreachable``; some may have reached it then.
        """
        if not transactions:
            return ()
        async with self._sending:
            return await self._rpc.first(lambda node: self._broadcast(node, transactions))

    def doubt(self) -> None:
        """What the preferred node said was disproven: another, if there is one, is asked first."""
        self._rpc.doubt()

    async def close(self) -> None:
        """Every connection is closed."""
        await self._hints.stop()
        await self._rpc.close()

    async def _prefer_highest(self) -> None:
        """The node with the newest block is asked first from now on; the present one if equal."""
        best, highest = self._rpc.preferred, -1
        for node in (best, *self._rpc.endpoints):
            try:
                latest = (await read_status(node, self.chain_id)).latest
            except HubError:
                continue
            if latest > highest:
                best, highest = node, latest
        self._rpc.prefer(best)

    async def _signed_headers(self, node: Endpoint, numbers: Sequence[int]) -> list[Signed]:
        answers = await node.calls(COMMIT, [_height(number) for number in numbers])
        found: list[Signed] = []
        for number, answer in zip(numbers, answers, strict=True):
            if isinstance(answer, Refusal):
                raise await lacking(node, self.chain_id, number, answer)
            found.append(read_signed_header(answer, self.chain_id, number))
            await asyncio.sleep(0)  # a set of hundreds takes milliseconds a header
        return found

    async def _broadcast(
        self, node: Endpoint, transactions: Sequence[bytes]
    ) -> tuple[Checked, ...]:
        answers = await node.calls(BROADCAST, [{"tx": one} for one in transactions], in_order=True)
        found: list[Checked] = []
        for transaction, answer in zip(transactions, answers, strict=True):
            digest = sha256(transaction).digest()
            if isinstance(answer, Refusal):
                # Never 0, which would say that it was taken.
                found.append(Checked(answer.code or -1, REFUSED_BY_NODE, answer.text, digest))
                continue
            if answer.hash.lower() != digest.hex():
                raise self._other("answer to a broadcast", answer.hash[:64], digest.hex())
            log = answer.log[:MAX_LOG]
            found.append(Checked(answer.code, answer.codespace, log, digest))
        return tuple(found)

    def _other(self, what: str, got: object, expected: object) -> RecordCorrupt:
        return RecordCorrupt(
            what=f"{what} of {self.chain_id}", stored=f"{got}", computed=f"{expected}"
        )


def _height(number: int) -> dict[str, object]:
    return {"height": f"{number}"}
