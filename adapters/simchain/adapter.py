"""The embedded chain as a city implements it: the adapter SDK's protocol over the pure chain.

A block's effects are proven under the next block's header, so what block h did is shown from the
header at h + 1 on.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from adapters.sdk.chain import BatchProof, ChainClient, Head, Item, KeyProof
from adapters.sdk.execution import (
    Acknowledge,
    ExecutionResult,
    Freeze,
    PassOver,
    Receive,
    Refused,
    TimeOut,
)
from adapters.simchain import client_store
from adapters.simchain.events import ClientCreated, PacketReceived, PacketSent
from adapters.simchain.messages import (
    AcknowledgePackets,
    CreateClient,
    Effect,
    Gone,
    PassOverSequences,
    ReceivePackets,
    RegisterCounterparty,
    SubmitMisbehaviour,
    TimeOutPacket,
    Transaction,
    UpdateClient,
    UpdateStep,
)
from adapters.simchain.queries import client_view, clients, height_at, prove, prove_batch
from hub.core.errors import ClientNotFound, FieldInvalid, PacketUnsupported, RecordCorrupt
from hub.core.height import Height
from hub.core.paths import client_state_key, counterparty_key
from hub.core.ranges import RangeSet
from hub.light_clients.cometbft.header import revision_of
from hub.wire.packet import encode_acknowledgement, encode_packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from adapters.sdk.execution import Action, Execution
    from adapters.sdk.execution import UpdateStep as Step
    from adapters.simchain.history import Block
    from adapters.simchain.messages import Message, Result
    from adapters.simchain.node import ChainNode
    from adapters.simchain.queries import ClientView
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.ids import ChainId, ClientId

SIGNER = "relayer"
"""The account that the adapter acts as; it pays nothing and sends nothing."""
MAX_CLIENTS = 64
MAX_TRUSTED_HEIGHTS = 64
_ACTIVE_BLOCKS = 64
_ANCHOR = Height(0, 1)
"""Stands for the trusted height of the anchor's own header, which nobody reads."""


class SimchainAdapter:
    """One embedded chain."""

    order_enforceable = True
    needs_anchor_header = False

    def __init__(self, node: ChainNode) -> None:
        """The adapter of *node*'s chain, whose blocks it follows from now on."""
        self._node = node
        self._chain = node.chain
        self._active: dict[int, frozenset[ClientId]] = {}
        self._has_withheld = False
        self._last_answer: dict[ClientId, int] = {
            client: max(lane.answers, default=0)
            for client, lane in self._chain.ledger.incoming.items()
        }
        node.on_block = self._see

    @property
    def chain_id(self) -> ChainId:
        """The id that the chain's headers carry."""
        return self._chain.config.chain_id

    async def head(self, after: Height | None) -> Head:
        """The newest header, as soon as it is above *after*; at once where *after* is None."""
        number = await self._node.above(after.number if after else 0)
        height = height_at(self._chain, number)
        # The header at n shows what the blocks before it did.
        blocks = range(after.number if after else 0, number)
        # What was withheld belongs to older blocks: once it may be shown, every lane is looked at.
        has_withheld, self._has_withheld = self._has_withheld, self._node.switches.is_withholding
        if after is None or has_withheld or any(block not in self._active for block in blocks):
            return Head(height, None)
        return Head(height, frozenset().union(*[self._active[block] for block in blocks]))

    async def headers(self, numbers: Sequence[int]) -> tuple[Header, ...]:
        """The headers of these block numbers. Raises ``HeaderNotFound``."""
        return tuple([self._chain.light_block(number).header for number in numbers])

    async def packets(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* packets of *wanted* that stand committed under the header *at*."""
        lane = self._chain.ledger.outgoing.get(client)
        is_shown = lane is not None and not self._node.switches.withholds(client)
        pending = lane.pending if lane is not None and is_shown else {}

        def find(sequence: int) -> bytes | None:
            sent = pending.get(sequence)
            return encode_packet(sent.packet) if sent and sent.height < at.number else None

        near = _up_to(wanted, next(reversed(pending), 0))
        # Packets are sent in order; few that still stand are looked through, not many that went.
        many = len(near) > len(pending)
        sequences = (number for number in pending if number in near) if many else iter(near)
        return self._some(sequences, limit, find)

    async def acknowledgements(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* acknowledgements of *wanted* that stand under the header *at*."""
        lane = self._chain.ledger.incoming.get(client)
        answers = lane.answers if lane else {}

        def find(sequence: int) -> bytes | None:
            answer = answers.get(sequence)
            if answer is None or answer.height >= at.number:
                return None
            return encode_acknowledgement(answer.acknowledgement)

        return self._some(iter(_up_to(wanted, self._last_answer.get(client, 0))), limit, find)

    async def prove(self, keys: Sequence[bytes], at: Height) -> tuple[KeyProof, ...]:
        """What stands at each of *keys* under the header *at*, each with its whole proof.

        Raises ``HeaderNotFound`` or ``ProofNotFound``.
        """
        found = [prove(self._chain, key, at.number) for key in keys]
        return tuple([KeyProof(one.value or b"", one.proof) for one in found])

    async def prove_batch(self, keys: Sequence[bytes], at: Height) -> BatchProof:
        """As ``prove``, as one proof batch; every key must be present."""
        found = prove_batch(self._chain, keys, at.number)
        return BatchProof(found.values, found.proof)

    async def clients(self, client: ClientId | None, chain_id: str) -> tuple[ChainClient, ...]:
        """The client of this id, or at most 64 that verify the chain *chain_id*.

        Raises ``ClientNotFound`` for an id that no header shows yet.
        """
        if client is not None:
            return (self._proven(client_view(self._chain, client)),)
        views = [client_view(self._chain, known) for known in clients(self._chain)]
        found = [view for view in views if view.chain_id == chain_id]
        return tuple([self._proven(view) for view in found[-MAX_CLIENTS:]])

    async def create_client(
        self,
        anchor: Anchor,
        state: ConsensusState | None,  # noqa: ARG002 - the client waits for the anchor's header
        *,
        ordered: bool,
        opening: str,
    ) -> ClientId:
        """A client of the chain that *anchor* names; of the same *opening* if it was created."""
        result = await self._run(CreateClient(anchor=anchor, ordered=ordered, opening=opening))
        await self._node.above(result.height)
        for event in result.events:
            if isinstance(event, ClientCreated):
                return event.client
        found = client_store.opened(self._chain.state, opening)
        if found is None:
            raise RecordCorrupt(what=f"opening {opening}", stored="", computed="a client")
        return found

    async def register_counterparty(
        self, client: ClientId, counterparty: ClientId, prefix: tuple[bytes, ...]
    ) -> None:
        """*client* is bound to *counterparty*. Raises ``LaneExists`` or as the chain does."""
        message = RegisterCounterparty(client=client, counterparty=counterparty, prefix=prefix)
        result = await self._run(message)
        await self._node.above(result.height)

    async def execute(self, execution: Execution) -> ExecutionResult:
        """What the chain made of *execution*: one transaction, all of it or nothing."""
        messages = tuple(_messages(execution))
        if not messages:
            raise FieldInvalid(field="execution", problem="asks for nothing")
        if isinstance(execution.action, Receive) and self._node.switches.is_refusing:
            return self._refuse(execution.action)
        transaction = Transaction(signer=SIGNER, nonce=0, messages=messages)
        result = await self._node.result(transaction)
        trusted = self._trusted_heights(execution.client) if execution.updates else ()
        if result.error is not None:
            refused = (Refused(0, result.error),)
            return ExecutionResult(refused=refused, trusted_heights=trusted)
        return _read(result, trusted)

    def _refuse(self, action: Receive) -> ExecutionResult:
        """Nothing of it, for good: a switch says so."""
        chain = self._chain.config.chain_id
        error = PacketUnsupported(chain=chain, problem="its application is not installed")
        refused = [Refused(packet.sequence, error) for packet in action.packets]
        return ExecutionResult(refused=tuple(refused))

    async def _run(self, message: Message) -> Result:
        """What became of one message. Raises what it was refused for."""
        transaction = Transaction(signer=SIGNER, nonce=0, messages=(message,))
        result = await self._node.result(transaction)
        if result.error is not None:
            raise result.error
        return result

    def _some(
        self, sequences: Iterator[int], limit: int, find: Callable[[int], bytes | None]
    ) -> tuple[Item, ...]:
        """The first *limit* of *sequences* of which something is found; the last ones on demand."""
        found = (Item(one, content) for one in sequences if (content := find(one)) is not None)
        if self._node.switches.is_reordering:
            # Within a frame sequences rise, so the frames alone change their order.
            return tuple(deque(found, maxlen=limit))
        return tuple(islice(found, limit))

    def _proven(self, view: ClientView) -> ChainClient:
        number = self._chain.height
        state = prove(self._chain, client_state_key(view.client), number)
        if state.value is None:
            raise ClientNotFound(name=f"{view.client} under header {number}")
        counterparty = prove(self._chain, counterparty_key(view.client), number)
        anchor = client_store.anchor(self._chain.state, view.client)
        return ChainClient(
            client=view.client,
            chain_id=view.chain_id,
            proof_height=height_at(self._chain, number),
            client_state=state.value,
            client_state_proof=state.proof,
            counterparty=counterparty.value or b"",
            counterparty_proof=counterparty.proof if counterparty.value else b"",
            trusted_heights=self._trusted_heights(view.client),
            opening=view.opening,
            pending_height=None if view.heights else anchor.height,
        )

    def _trusted_heights(self, client: ClientId) -> tuple[Height, ...]:
        try:
            view = client_view(self._chain, client)
        except ClientNotFound:
            return ()
        revision = revision_of(view.chain_id)
        return tuple([Height(revision, number) for number in view.heights[-MAX_TRUSTED_HEIGHTS:]])

    def _see(self, block: Block) -> None:
        """Which clients the block was active for."""
        active: set[ClientId] = set()
        for event in block.events:
            if isinstance(event, PacketSent):
                active.add(event.packet.source_client)
            elif isinstance(event, PacketReceived):
                client, sequence = event.packet.destination_client, event.packet.sequence
                self._last_answer[client] = max(self._last_answer.get(client, 0), sequence)
                active.add(client)
        self._active[block.height] = frozenset(active)
        self._active.pop(block.height - _ACTIVE_BLOCKS, None)


def _up_to(wanted: RangeSet, last: int) -> RangeSet:
    return wanted & RangeSet.span(1, last + 1)


def _messages(execution: Execution) -> Iterator[Message]:
    if execution.updates:
        steps = tuple([_step(step) for step in execution.updates])
        yield UpdateClient(client=execution.client, steps=steps)
    if execution.action is not None:
        yield _message(execution.client, execution.action)


def _message(client: ClientId, action: Action) -> Message:
    match action:
        case Receive():
            return ReceivePackets(
                client=client,
                packets=action.packets,
                skipped=action.skipped,
                proof_height=action.proof_height,
                proof=action.proof_batch,
            )
        case Acknowledge():
            return AcknowledgePackets(
                client=client,
                packets=action.packets,
                acknowledgements=action.acknowledgements,
                skipped=action.skipped,
                proof_height=action.proof_height,
                proof=action.proof_batch,
            )
        case TimeOut():
            return TimeOutPacket(
                packet=action.packet, proof_height=action.proof_height, proof=action.proof
            )
        case Freeze():
            return SubmitMisbehaviour(
                client=client, first=_step(action.first), second=_step(action.second)
            )
        case PassOver():
            return PassOverSequences(
                client=client,
                gone=tuple([Gone(one.sequence, one.proof) for one in action.gone]),
                next_sequence=action.next_sequence,
                next_sequence_proof=action.next_sequence_proof,
                proof_height=action.proof_height,
            )


def _step(step: Step) -> UpdateStep:
    return UpdateStep(
        trusted_height=step.trusted_height or _ANCHOR,
        trusted_validators=step.trusted_validators,
        header=step.header,
    )


def _read(result: Result, trusted: tuple[Height, ...]) -> ExecutionResult:
    by_effect: dict[Effect, list[int]] = {effect: [] for effect in Effect}
    refused: list[Refused] = []
    for outcome in result.outcomes:
        by_effect[outcome.effect].append(outcome.sequence)
        if outcome.error is not None:
            refused.append(Refused(outcome.sequence, outcome.error))
    return ExecutionResult(
        executed=RangeSet.of(by_effect[Effect.EXECUTED]),
        already_done=RangeSet.of(by_effect[Effect.ALREADY_DONE]),
        refused=tuple(refused),
        trusted_heights=trusted,
    )
