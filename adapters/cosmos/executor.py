"""Executions of the relayer as transactions, until each sequence has its end.

A transaction is all or nothing, so one message that the chain refuses would hold up its neighbours:
it is found by simulation, refused by itself, and the others go again. What is not known to have
happened is asked of the chain before it is tried again, so nothing is tried that had its effect;
the chain itself would not let it have it twice.

Source: ibc-go v10 modules/core/04-channel/v2/keeper/msg_server.go (a message without effect is
answered with NOOP); modules/core/ante (a transaction of such messages alone is refused).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from adapters.cosmos import queries
from adapters.cosmos.client_messages import header_any, misbehaviour_any
from adapters.cosmos.isolation import Isolation
from adapters.cosmos.limits import check_packet
from adapters.cosmos.packet_messages import (
    ENVELOPE_BYTES,
    PacketMessage,
    done_before,
    packet_messages,
)
from adapters.cosmos.tx.answers import Effect, read_effects
from adapters.cosmos.tx.codes import Kind, Subject
from adapters.cosmos.tx.messages import UpdateClient
from adapters.cosmos.tx.submitter import Refusal
from adapters.sdk.execution import (
    Acknowledge,
    ExecutionResult,
    Freeze,
    Receive,
    Refused,
    TimeOut,
)
from hub.core.errors import (
    ChainUnreachable,
    FieldInvalid,
    HubError,
    LaneNotOpen,
    Reason,
    TransactionLost,
)
from hub.core.paths import counterparty_key, receipt_key
from hub.core.ranges import RangeSet
from hub.light_clients.cometbft.client_state import decode_counterparty
from hub.wire.frames import MAX_ITEMS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from adapters.cosmos.blocks.follower import BlockFollower
    from adapters.cosmos.rpc.node import CometNode, TxResult
    from adapters.cosmos.tx.messages import Message
    from adapters.cosmos.tx.signer import Signer
    from adapters.cosmos.tx.submitter import Sent, Submitter
    from adapters.sdk.execution import Execution
    from hub.core.height import Height
    from hub.core.ids import ClientId

MAX_ROUNDS: Final = 6
"""Rounds of transactions for one execution; what is left then is told to the relayer."""

_OF_ALL: Final = frozenset(
    {
        Reason.CLIENT_FROZEN,
        Reason.CLIENT_EXPIRED,
        Reason.CLIENT_NOT_FOUND,
        Reason.CONSENSUS_STATE_MISSING,
    }
)
"""What a chain refuses every message of a client for, not one of them."""
_AGAIN: Final = frozenset({Kind.OUT_OF_GAS, Kind.REDUNDANT})
"""What another round sees to, after asking the chain."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into one transaction: client updates first, then packets."""

    updates: tuple[UpdateClient, ...]
    packets: tuple[PacketMessage, ...]

    @property
    def messages(self) -> list[Message]:
        """All of it, in order."""
        return [*self.updates, *[packet.message for packet in self.packets]]


@dataclass(slots=True)
class _Progress:
    """What became of an execution so far."""

    updates: tuple[UpdateClient, ...]
    """Still to be made."""
    waiting: list[PacketMessage]
    about: Subject
    most: int
    """Packets of one transaction."""
    is_freezing: bool
    executed: set[int] = field(default_factory=set)
    already_done: set[int] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)
    is_over: bool = False
    last: HubError | None = None
    """Why the last transaction did not do what it should."""

    def end(self, sequences: Collection[int]) -> None:
        """These have their end."""
        self.waiting = [packet for packet in self.waiting if packet.sequence not in sequences]

    def refuse(self, sequence: int, error: HubError) -> None:
        """*sequence* is refused; 0 ends all of it."""
        self.refused.append(Refused(sequence, error))
        if sequence:
            self.end({sequence})
        else:
            self.is_over = True


class Executor:
    """What the relayer asks for, done on the chain."""

    def __init__(self, node: CometNode, blocks: BlockFollower, submitter: Submitter) -> None:
        """Executions by *submitter* on *node*'s chain."""
        self._node = node
        self._blocks = blocks
        self._submitter = submitter
        self._isolation = Isolation(submitter)
        self._turns: dict[ClientId, asyncio.Lock] = {}
        self._prefixes: dict[ClientId, tuple[bytes, ...]] = {}

    async def execute(self, execution: Execution) -> ExecutionResult:
        """What the chain made of *execution*. Raises ``HubError`` where nothing was done."""
        signer = self._submitter.signer_of(execution.client)
        # The first thing that is waited for, so that a client's executions begin in their order.
        async with self._turns.setdefault(execution.client, asyncio.Lock()):
            progress = await self._begin(execution)
            sent = await self._send(signer, progress)
        await self._settle(signer, progress, sent)
        for _ in range(MAX_ROUNDS - 1):
            if progress.is_over:
                break
            await self._ask(execution, progress)
            if not progress.waiting and not progress.updates:
                break
            await self._settle(signer, progress, await self._send(signer, progress))
        return await self._result(execution, progress)

    async def _begin(self, execution: Execution) -> _Progress:
        client, action = execution.client, execution.action
        messages = [header_any(step) for step in execution.updates]
        if isinstance(action, Freeze):
            messages.append(misbehaviour_any(client, action.first, action.second))
        elif action is None and not messages:
            raise FieldInvalid(field="execution", problem="asks for nothing")
        prefix = await self._prefix(client) if execution.sequences else ()
        progress = _Progress(
            updates=tuple([UpdateClient(client=client, message=one) for one in messages]),
            waiting=packet_messages(action, prefix),
            about=_subject(execution),
            most=MAX_ITEMS,
            is_freezing=isinstance(action, Freeze),
        )
        if execution.possible_duplicate:
            await self._ask(execution, progress)
        if isinstance(action, Receive):
            self._check_packets(action, progress)
        return progress

    def _check_packets(self, action: Receive, progress: _Progress) -> None:
        """What the chain cannot take is refused before it costs."""
        waiting = {packet.sequence for packet in progress.waiting}
        for packet in action.packets:
            if packet.sequence in waiting:
                try:
                    check_packet(packet, self._node.chain_id, self._blocks.latest_time)
                except HubError as error:
                    progress.refuse(packet.sequence, error)

    async def _ask(self, execution: Execution, progress: _Progress) -> None:
        """What had its effect before waits no longer."""
        sequences = [packet.sequence for packet in progress.waiting]
        if sequences:
            done = await done_before(self._node, execution.client, execution.action, sequences)
            progress.already_done |= done
            progress.end(done)

    async def _send(
        self, signer: Signer, progress: _Progress
    ) -> list[tuple[Batch, Sent | Refusal]]:
        """Everything that waits, on its way, and in which batch."""
        batches = self._fill(progress)
        sent = await self._submitter.send(
            signer, [batch.messages for batch in batches], about=progress.about
        )
        return list(zip(batches, sent, strict=True))

    def _fill(self, progress: _Progress) -> list[Batch]:
        """What waits, in as few transactions as bytes and gas allow, updates before packets."""
        updates = progress.updates
        batches: list[Batch] = []
        now: list[PacketMessage] = []
        room, most = self._room(progress, updates)
        for packet in progress.waiting:
            if (now or updates) and (packet.size > room or len(now) >= most):
                batches.append(Batch(updates, tuple(now)))
                updates, now = (), []
                room, most = self._room(progress, updates)
            now.append(packet)
            room -= packet.size
        if now or updates:
            batches.append(Batch(updates, tuple(now)))
        return batches

    def _room(self, progress: _Progress, updates: Sequence[UpdateClient]) -> tuple[int, int]:
        """Bytes and packets that a transaction has room for behind *updates*."""
        size = sum([len(update.message) + ENVELOPE_BYTES for update in updates])
        most = progress.most
        if progress.waiting:
            kinds = [update.type_url for update in updates]
            kind = progress.waiting[0].message.type_url
            most = self._submitter.most(kinds, kind, most)
        return self._submitter.settings.max_bytes - size, most

    async def _settle(
        self, signer: Signer, progress: _Progress, sent: Sequence[tuple[Batch, Sent | Refusal]]
    ) -> None:
        """Every transaction of *sent* has its outcome."""
        for batch, one in sent:
            if isinstance(one, Refusal):
                await self._refused(signer, progress, batch, one)
                continue
            try:
                result = await self._submitter.outcome(one, progress.about)
            except TransactionLost as error:
                progress.last = error
                continue
            if isinstance(result, Refusal):
                await self._refused(signer, progress, batch, result)
            else:
                _executed(progress, batch, result)

    async def _refused(
        self, signer: Signer, progress: _Progress, batch: Batch, refusal: Refusal
    ) -> None:
        """Who is to blame is refused; who is not waits for the next round."""
        progress.last = refusal.error
        if progress.is_over or refusal.kind in _AGAIN:
            return
        if refusal.kind is Kind.TOO_LARGE and len(batch.packets) > 1:
            progress.most = min(progress.most, len(batch.packets) // 2)
            return
        if refusal.error.reason in _OF_ALL:
            if progress.is_freezing and refusal.error.reason is Reason.CLIENT_FROZEN:
                progress.updates = ()  # somebody was first
            else:
                progress.refuse(0, refusal.error)
            return
        found = await self._isolation.run(
            signer, batch.updates, batch.packets, refusal, progress.about
        )
        for sequence, error in found:
            progress.refuse(sequence, error)

    async def _result(self, execution: Execution, progress: _Progress) -> ExecutionResult:
        refused = list(progress.refused)
        if not progress.is_over:
            last = progress.last or ChainUnreachable(
                chain=self._node.chain_id, problem="nothing came of it"
            )
            refused += [Refused(packet.sequence, last) for packet in progress.waiting]
            if progress.updates:
                refused.append(Refused(0, last))
        trusted: tuple[Height, ...] = ()
        if execution.updates:
            trusted = await queries.trusted_heights(self._node, execution.client)
        return ExecutionResult(
            executed=RangeSet.of(sorted(progress.executed)),
            already_done=RangeSet.of(sorted(progress.already_done)),
            refused=tuple(refused),
            trusted_heights=trusted,
        )

    async def _prefix(self, client: ClientId) -> tuple[bytes, ...]:
        """Under which prefix the chain that *client* verifies keeps its commitments."""
        known = self._prefixes.get(client)
        if known is None:
            stored = await queries.stored(self._node, counterparty_key(client))
            if not stored:
                raise LaneNotOpen(lane=str(client), state="not bound to a counterparty")
            known = self._prefixes[client] = decode_counterparty(stored).prefix
        return known


def _subject(execution: Execution) -> Subject:
    """What errors tell of *execution*."""
    client, action = str(execution.client), execution.action
    match action:
        case Receive() | Acknowledge():
            packet = action.packets[0]
            return Subject(
                client=client, height=action.proof_height.number, timeout=packet.timeout_timestamp
            )
        case TimeOut(packet=packet, proof_height=height):
            return Subject(
                client=client,
                height=height.number,
                timeout=packet.timeout_timestamp,
                key=receipt_key(packet.destination_client, packet.sequence).hex(),
                is_absence=True,
            )
        case _:
            return Subject(client=client)


def _executed(progress: _Progress, batch: Batch, result: TxResult) -> None:
    """The transaction of *batch* stands in a block, and each message has its answer there."""
    effects = read_effects(result.data)[len(batch.updates) :]
    if batch.updates:
        progress.updates = ()
    for packet, effect in zip(batch.packets, effects, strict=True):
        done = progress.already_done if effect is Effect.NOOP else progress.executed
        done.add(packet.sequence)
    progress.end({packet.sequence for packet in batch.packets})
