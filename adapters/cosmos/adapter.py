"""A Cosmos chain as its city implements it: the adapter SDK's protocol over its nodes.

Nothing is kept but what the chain can tell again: blocks that were followed, accounts' sequences,
what a transaction cost. What a node says counts only where a header proves it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from adapters.cosmos import proofs, queries
from adapters.cosmos.client_messages import client_state_any, consensus_state_any
from adapters.cosmos.openings import CreatedFor, begins_at
from adapters.cosmos.tx.answers import created_client
from adapters.cosmos.tx.messages import CreateClient, RegisterCounterparty
from adapters.cosmos.tx.records import Refusal
from adapters.sdk.chain import ChainClient
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import (
    AnchorInvalid,
    ClientNotFound,
    FieldInvalid,
    HubError,
    IdentityNotAllowed,
    LaneExists,
    Malformed,
    ProofNotFound,
    RecordCorrupt,
)
from hub.core.ids import ClientId
from hub.core.lane import Side
from hub.core.paths import (
    acknowledgement_key,
    client_state_key,
    commitment_key,
    counterparty_key,
)
from hub.core.ranges import RangeSet
from hub.light_clients.cometbft.client_state import decode_client_state, decode_counterparty
from hub.light_clients.cometbft.header import revision_of
from hub.wire.packet import decode_acknowledgement, decode_packet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.blocks.follower import BlockFollower
    from adapters.cosmos.executor import Executor
    from adapters.cosmos.rpc.node import CometNode, TxResult
    from adapters.cosmos.tx.messages import Message
    from adapters.cosmos.tx.signer import Signer
    from adapters.cosmos.tx.submitter import Submitter
    from adapters.sdk.chain import BatchProof, Head, Item, KeyProof
    from adapters.sdk.execution import Execution, ExecutionResult
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.height import Height
    from hub.core.ids import ChainId

MAX_CLIENTS: Final = 64
MAX_EXPECTED: Final = 4096
"""Contents that were shown and are not proven yet."""
_SEQUENCE_BYTES: Final = 9
"""What follows a client in the key of a commitment or acknowledgement."""

_log = structlog.get_logger()


class CosmosAdapter:
    """One Cosmos chain with ibc-go."""

    order_enforceable = False
    needs_anchor_header = True

    def __init__(
        self,
        node: CometNode,
        blocks: BlockFollower,
        submitter: Submitter,
        executor: Executor,
    ) -> None:
        """The adapter of *node*'s chain, whose blocks *blocks* follows."""
        self._node = node
        self._blocks = blocks
        self._submitter = submitter
        self._executor = executor
        self._created_for = CreatedFor(node, [one.key for one in submitter.signers])
        self._creating = asyncio.Lock()
        self._expected: dict[bytes, bytes] = {}

    @property
    def chain_id(self) -> ChainId:
        """The id that the chain's headers carry."""
        return self._node.chain_id

    async def head(self, after: Height | None) -> Head:
        """The newest header, as soon as it is above *after*; at once where *after* is None."""
        return await self._blocks.head(after)

    async def headers(self, numbers: Sequence[int]) -> tuple[Header, ...]:
        """The headers of these block numbers. Raises ``HeaderNotFound``."""
        return await self._node.headers(numbers)

    async def packets(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* packets of *wanted* that stand committed under the header *at*.

        What the hub cannot read is left out as if it were missing: it stands in no other's way.
        """
        return await self._readable(Side.SOURCE, client, wanted, limit, at)

    async def acknowledgements(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* acknowledgements of *wanted* that stand under the header *at*.

        As ``packets``.
        """
        return await self._readable(Side.DESTINATION, client, wanted, limit, at)

    async def prove(self, keys: Sequence[bytes], at: Height) -> tuple[KeyProof, ...]:
        """What stands at each of *keys* under the header *at*, each with its whole proof.

        Raises ``HeaderNotFound``.
        """
        return await proofs.prove(self._node, keys, at)

    async def prove_batch(self, keys: Sequence[bytes], at: Height) -> BatchProof:
        """As ``prove``, as one proof batch. Raises ``ProofNotFound`` where a key is absent.

        What was believed to stand for the clients of *keys* is asked of the chain again then, and
        where a content was shown that its commitment contradicts: ``RecordCorrupt``.
        """
        try:
            found = await proofs.prove_batch(self._node, keys, at)
            for key, value in zip(keys, found.values, strict=True):
                _check_shown(self._expected.pop(key, value), value)
        except (ProofNotFound, RecordCorrupt) as error:
            if isinstance(error, RecordCorrupt):
                self._blocks.disbelieve()
            for client in {key[:-_SEQUENCE_BYTES] for key in keys}:
                self._blocks.doubt(ClientId(client.decode(errors="replace")))
            raise
        return found

    async def clients(self, client: ClientId | None, chain_id: str) -> tuple[ChainClient, ...]:
        """The client of this id, or at most 64 that verify the chain *chain_id*.

        Raises ``ClientNotFound`` for an id that no header shows yet.
        """
        if client is not None:
            return (await self._proven(client),)
        found: list[ChainClient] = []
        for one in await queries.client_ids(self._node, chain_id, MAX_CLIENTS):
            try:
                found.append(await self._proven(one))
            except (Malformed, ClientNotFound) as error:
                # Another's client, of a form that cannot be mirrored, or too new to be proven.
                _log.info("client_left_out", client=one, reason=error.reason, detail=str(error))
        return tuple(found)

    async def create_client(
        self, anchor: Anchor, state: ConsensusState | None, *, ordered: bool, opening: str
    ) -> ClientId:
        """A client that starts from *state*; the one that it created for *opening* if there is one.

        Raises ``FieldInvalid`` for order, which ibc-go does not enforce, or as the chain does.
        """
        if ordered:
            raise FieldInvalid(field="order", problem=f"is not enforced by {self.chain_id}")
        if state is None:
            raise AnchorInvalid(field="header", problem="is missing")
        async with self._creating:
            existing = await self._created(anchor, state, opening) if opening else None
            if existing is not None:
                return existing
            message = CreateClient(
                client_state=client_state_any(anchor), consensus_state=consensus_state_any(state)
            )
            result = await self._run(self._submitter.signers[0], message, memo=opening)
            client = created_client(result.data, 0)
            self._created_for.remember(client, opening)
            return client

    async def register_counterparty(
        self, client: ClientId, counterparty: ClientId, prefix: tuple[bytes, ...]
    ) -> None:
        """*client* is bound to *counterparty*, by the key that created it.

        Raises ``LaneExists`` where it is bound to another, ``IdentityNotAllowed`` where its creator
        is none of the adapter's keys, or as the chain does.
        """
        stored = await queries.stored(self._node, counterparty_key(client))
        if stored:
            bound = decode_counterparty(stored)
            if (bound.client, bound.prefix) != (counterparty, prefix):
                raise LaneExists(name=f"{client}, bound to {bound.client}")
            return
        creator = await queries.creator(self._node, client)
        signer = next((one for one in self._submitter.signers if one.key.address == creator), None)
        if signer is None:
            raise IdentityNotAllowed(
                identity=creator or "nobody",
                action=f"bind {client} through this adapter, which holds no such key",
            )
        message = RegisterCounterparty(client=client, counterparty=counterparty, prefix=prefix)
        await self._run(signer, message)

    async def execute(self, execution: Execution) -> ExecutionResult:
        """What the chain made of *execution*, proven by the header after it."""
        return await self._executor.execute(execution)

    async def _created(
        self, anchor: Anchor, state: ConsensusState, opening: str
    ) -> ClientId | None:
        """The client that the adapter created for *opening*, if it begins from *state*."""
        for client in await queries.client_ids(self._node, anchor.chain_id, MAX_CLIENTS):
            if await self._created_for.opening(client) != opening:
                continue
            if await begins_at(self._node, client, anchor, state):
                return client
            _log.warning(
                "client_passed_over", client=client, opening=opening, anchor=str(anchor.height)
            )
        return None

    async def _readable(
        self, side: Side, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* of *wanted* that stand at *side* and that the hub can read."""
        blocks = self._blocks
        read = blocks.packets if side is Side.SOURCE else blocks.acknowledgements
        while True:
            found = await read(client, wanted, limit, at)
            unreadable = self._unreadable(client, side, found)
            if not unreadable:
                return found
            wanted -= unreadable

    def _unreadable(self, client: ClientId, side: Side, found: Sequence[Item]) -> RangeSet:
        """Those of *found* that the hub refuses; to what the others commit is expected now."""
        key, commitment = _OF_SIDE[side]
        refused: list[int] = []
        for item in found:
            try:
                expected = commitment(item.content)
            except HubError as error:
                self._blocks.leave_out(client, side, item.sequence, error)
                refused.append(item.sequence)
            else:
                self._expect(key(client, item.sequence), expected)
        return RangeSet.of(refused)

    def _expect(self, key: bytes, commitment: bytes) -> None:
        """What was just shown commits to *commitment*; it is proven next, or not at all."""
        while len(self._expected) >= MAX_EXPECTED:
            self._expected.pop(next(iter(self._expected)))
        self._expected[key] = commitment

    async def _run(self, signer: Signer, message: Message, memo: str = "") -> TxResult:
        """What became of one message. Raises what it was refused for, or ``TransactionLost``."""
        [sent] = await self._submitter.send(signer, [[message]], memo=memo)
        result = sent if isinstance(sent, Refusal) else await self._submitter.outcome(sent)
        if isinstance(result, Refusal):
            raise result.error
        return result

    async def _proven(self, client: ClientId) -> ChainClient:
        at = (await self._blocks.head(None)).height
        keys = [client_state_key(client), counterparty_key(client)]
        state, counterparty = await proofs.prove(self._node, keys, at)
        if not state.value:
            raise ClientNotFound(name=f"{client} under header {at.number}")
        chain_id = decode_client_state(state.value).chain_id
        revision = revision_of(chain_id)
        trusted = await queries.trusted_heights(self._node, client)
        return ChainClient(
            client=client,
            chain_id=chain_id,
            proof_height=at,
            client_state=state.value,
            client_state_proof=state.proof,
            counterparty=counterparty.value,
            counterparty_proof=counterparty.proof if counterparty.value else b"",
            trusted_heights=tuple([one for one in trusted if one.revision == revision]),
            opening=await self._created_for.opening(client),
            pending_height=None,
        )


def _packet_commitment(content: bytes) -> bytes:
    return commit_packet(decode_packet(content))


def _answer_commitment(content: bytes) -> bytes:
    return commit_acknowledgement(decode_acknowledgement(content))


_OF_SIDE: Final = {
    Side.SOURCE: (commitment_key, _packet_commitment),
    Side.DESTINATION: (acknowledgement_key, _answer_commitment),
}


def _check_shown(expected: bytes, proven: bytes) -> None:
    """What events told is what the chain committed to. Raises ``RecordCorrupt``."""
    if expected != proven:
        raise RecordCorrupt(
            what="content of a packet or an acknowledgement",
            stored=proven.hex(),
            computed=expected.hex(),
        )
