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
from operator import itemgetter
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

import structlog

from adapters.cosmos import queries
from adapters.cosmos.batches import fill
from adapters.cosmos.client_messages import header_any, misbehaviour_any
from adapters.cosmos.isolation import Isolation
from adapters.cosmos.limits import check_packet
from adapters.cosmos.packet_messages import check_counts, done_before, packet_messages
from adapters.cosmos.progress import Progress
from adapters.cosmos.tx.answers import Effect, read_effects
from adapters.cosmos.tx.codes import Kind, Subject
from adapters.cosmos.tx.messages import UpdateClient
from adapters.cosmos.tx.records import Refusal
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
    GasExhausted,
    HeaderNotFound,
    HubError,
    LaneNotOpen,
    MisbehaviourNotProven,
    PacketUnsupported,
    Reason,
    RecordCorrupt,
    TransactionLost,
)
from hub.core.height import Height
from hub.core.paths import client_state_key, counterparty_key, receipt_key
from hub.core.ranges import RangeSet
from hub.light_clients.cometbft.client_state import decode_client_state, decode_counterparty
from hub.light_clients.cometbft.header import revision_of
from hub.wire.frames import MAX_ITEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.batches import Batch
    from adapters.cosmos.blocks.follower import BlockFollower
    from adapters.cosmos.rpc.node import CometNode, TxResult
    from adapters.cosmos.tx.records import Sent
    from adapters.cosmos.tx.signer import Signer
    from adapters.cosmos.tx.submitter import Submitter
    from adapters.sdk.execution import Execution
    from hub.core.ids import ClientId
    from hub.core.packet import Packet

MAX_ROUNDS: Final = 6
"""Rounds of one execution that brought nothing; what is left then is told to the relayer."""

_OF_ALL: Final = frozenset(
    {
        Reason.CLIENT_FROZEN,
        Reason.CLIENT_EXPIRED,
        Reason.CLIENT_NOT_FOUND,
        Reason.CONSENSUS_STATE_MISSING,
    }
)
"""What a chain refuses every message of a client for, not one of them."""

_log = structlog.get_logger()


class Executor:
    """What the relayer asks for, done on the chain."""

    def __init__(self, node: CometNode, blocks: BlockFollower, submitter: Submitter) -> None:
        """Executions by *submitter* on *node*'s chain."""
        self._node = node
        self._blocks = blocks
        self._submitter = submitter
        self._isolation = Isolation(submitter)
        self._turns: WeakValueDictionary[ClientId, asyncio.Lock] = WeakValueDictionary()
        self._prefixes: dict[ClientId, tuple[bytes, ...]] = {}

    async def execute(self, execution: Execution) -> ExecutionResult:
        """What the chain made of *execution*. Raises ``HubError`` where nothing was done."""
        signer = self._submitter.signer_of(execution.client)
        turn = self._turns.setdefault(execution.client, asyncio.Lock())
        # The first thing that is waited for, so that a client's executions begin in their order.
        async with turn:
            progress = await self._begin(execution)
            sent = await self._send(signer, progress)
        await self._settle(signer, progress, sent)
        rounds = 1
        while progress.left and not progress.is_stopped and rounds < MAX_ROUNDS:
            left, most = progress.left, progress.most
            try:
                await self._ask(execution, progress)
                await self._settle(signer, progress, await self._send(signer, progress))
            except HubError as error:
                progress.stop(error)
            rounds += progress.left >= left and progress.most == most
        return await self._result(execution, progress)

    async def _begin(self, execution: Execution) -> Progress:
        client, action = execution.client, execution.action
        messages = [header_any(step) for step in execution.updates]
        if isinstance(action, Freeze):
            messages.append(misbehaviour_any(client, action.first, action.second))
        elif action is None and not messages:
            raise FieldInvalid(field="execution", problem="asks for nothing")
        check_counts(action)
        prefix = await self._prefix(client) if execution.sequences else ()
        progress = Progress(
            updates=tuple([UpdateClient(client=client, message=one) for one in messages]),
            waiting=packet_messages(action, prefix),
            about=_subject(execution),
            most=MAX_ITEMS,
            is_freezing=isinstance(action, Freeze),
            in_order=execution.in_order and isinstance(action, Receive),
        )
        if execution.possible_duplicate:
            await self._ask(execution, progress)
        await self._check_packets(execution, progress)
        return progress

    async def _check_packets(self, execution: Execution, progress: Progress) -> None:
        """What the chain cannot take is refused before it costs, unless it took it before."""
        action = execution.action
        packets = action.packets if isinstance(action, Receive) else ()
        problems = self._problems(packets, progress)
        if problems:
            done = await self._done(execution, list(problems))
            progress.already_done |= done
            progress.end(done)
        for sequence, error in problems.items():
            progress.refuse(sequence, error)

    def _problems(self, packets: Sequence[Packet], progress: Progress) -> dict[int, HubError]:
        """By sequence, why what waits cannot be taken."""
        known = {packet.sequence: packet for packet in packets}
        limit = self._submitter.settings.max_bytes
        found: dict[int, HubError] = {}
        for waiting in progress.waiting:
            try:
                if waiting.size > limit:
                    problem = f"{waiting.size} bytes of message, a transaction has {limit}"
                    raise PacketUnsupported(chain=self._node.chain_id, problem=problem)
                if waiting.sequence in known:
                    packet = known[waiting.sequence]
                    check_packet(packet, self._node.chain_id, self._blocks.latest_time)
            except HubError as error:
                found[waiting.sequence] = error
        return found

    async def _ask(self, execution: Execution, progress: Progress) -> None:
        """What had its effect before waits no longer."""
        if progress.is_early:
            progress.is_early = False
            await self._blocks.head(Height(revision_of(self._node.chain_id), self._blocks.latest))
        sequences = [packet.sequence for packet in progress.waiting]
        if sequences:
            done = await self._done(execution, sequences)
            progress.already_done |= done
            progress.end(done)

    async def _done(self, execution: Execution, sequences: Sequence[int]) -> frozenset[int]:
        """Those of *sequences* that had their effect in the blocks that are followed.

        Asked of that state by its height: to a node that is behind, and has no commitment yet,
        everything would be settled.
        """
        at = (await self._blocks.head(None)).height.number - 1
        try:
            return await done_before(self._node, execution.client, execution.action, sequences, at)
        except HeaderNotFound as error:
            problem = f"no node that answers has state {at}"
            raise ChainUnreachable(chain=self._node.chain_id, problem=problem) from error

    async def _send(self, signer: Signer, progress: Progress) -> list[tuple[Batch, Sent | Refusal]]:
        """Everything that waits, on its way, and in which batch."""
        kind = progress.waiting[0].message.type_url if progress.waiting else ""

        def most(before: Sequence[str]) -> int:
            return self._submitter.most(before, kind, progress.most) if kind else progress.most

        batches = fill(
            progress.updates,
            progress.waiting,
            max_bytes=self._submitter.settings.max_bytes,
            most=most,
            are_apart=progress.are_apart,
        )
        if not batches:
            return []  # without a turn of the key, which may be long in coming
        if progress.in_order:
            # A later one must not be executed where an earlier one is not.
            batches = batches[:1]
        sent = await self._submitter.send(
            signer, [batch.messages for batch in batches], about=progress.about
        )
        return list(zip(batches, sent, strict=True))

    async def _settle(
        self, signer: Signer, progress: Progress, sent: Sequence[tuple[Batch, Sent | Refusal]]
    ) -> None:
        """Every transaction of *sent* has its outcome."""
        for batch, one in sent:
            try:
                result = (
                    one
                    if isinstance(one, Refusal)
                    else await self._submitter.outcome(one, progress.about)
                )
                if isinstance(result, Refusal):
                    await self._refused(signer, progress, batch, result)
                else:
                    self._executed(progress, batch, result)
            except TransactionLost as error:
                progress.last = error
            except HubError as error:
                progress.stop(error)

    async def _refused(
        self, signer: Signer, progress: Progress, batch: Batch, refusal: Refusal
    ) -> None:
        """Who is to blame is refused; who is not waits for the next round."""
        progress.last = refusal.error
        if progress.is_over:
            return
        if not refusal.is_judged or refusal.kind is Kind.FEE_TOO_LOW:
            progress.stop(refusal.error)
        elif refusal.kind is Kind.REDUNDANT:
            progress.is_early = True
        elif progress.updates and not batch.updates:
            _log.info("judged_before_its_updates", reason=refusal.error.reason)
        elif refusal.kind in {Kind.OUT_OF_GAS, Kind.TOO_LARGE}:
            self._too_much(progress, batch, refusal)
        elif refusal.error.reason in _OF_ALL:
            await self._of_all(progress, batch, refusal.error)
        else:
            found = await self._isolation.run(
                signer,
                batch.updates,
                batch.packets,
                refusal,
                progress.about,
                first_only=progress.in_order,
            )
            for sequence, error in sorted(found, key=itemgetter(0)):
                progress.refuse(sequence, error)

    def _too_much(self, progress: Progress, batch: Batch, refusal: Refusal) -> None:
        """The next round tries less at once; what is too much by itself is refused."""
        error = refusal.error
        if isinstance(error, GasExhausted) and error.limit < self._submitter.settings.max_gas:
            return  # more is asked for next time
        if len(batch.packets) > 1:
            progress.most = min(progress.most, len(batch.packets) // 2)
        elif batch.packets and batch.updates:
            progress.are_apart = True
        else:
            progress.refuse(batch.packets[0].sequence if batch.packets else 0, error)

    async def _of_all(self, progress: Progress, batch: Batch, error: HubError) -> None:
        """*error* refuses all, but that somebody was first to freeze is as good."""
        is_frozen = progress.is_freezing and error.reason is Reason.CLIENT_FROZEN
        # The chain tells a client that expired by the same code.
        if is_frozen and await self._is_frozen(batch.updates[0].client):
            progress.updates = ()
            return
        progress.refuse(0, error)

    async def _is_frozen(self, client: ClientId) -> bool:
        state = await queries.stored(self._node, client_state_key(client))
        return bool(state) and decode_client_state(state).is_frozen

    def _executed(self, progress: Progress, batch: Batch, result: TxResult) -> None:
        """The transaction of *batch* stands in a block, and each message has its answer there."""
        progress.updated(batch)
        try:
            effects = read_effects(result.data)
            if len(effects) != len(batch.messages):
                raise RecordCorrupt(
                    what=f"answers of {self._node.chain_id} to messages",
                    stored=f"{len(effects)}",
                    computed=f"{len(batch.messages)} messages",
                )
        except HubError as error:
            # They had their effect, now or before: the chain is asked for it.
            progress.last = error
            return
        for packet, effect in zip(batch.packets, effects[len(batch.updates) :], strict=True):
            done = progress.already_done if effect is Effect.NOOP else progress.executed
            done.add(packet.sequence)
        progress.end({packet.sequence for packet in batch.packets})

    async def _result(self, execution: Execution, progress: Progress) -> ExecutionResult:
        refused = list(progress.refused)
        if progress.left:
            last = progress.last or ChainUnreachable(
                chain=self._node.chain_id, problem="nothing came of it"
            )
            refused += [Refused(packet.sequence, last) for packet in progress.waiting]
            if progress.updates:
                refused.append(Refused(0, last))
        elif progress.is_freezing and not refused and not await self._is_frozen(execution.client):
            # Headers that agree are taken in silence. Source: 07-tendermint update.go, UpdateState.
            problem = "the chain took both headers, and its client is not frozen"
            refused.append(Refused(0, MisbehaviourNotProven(problem=problem)))
        return ExecutionResult(
            executed=RangeSet.of(sorted(progress.executed)),
            already_done=RangeSet.of(sorted(progress.already_done)),
            refused=tuple(refused),
            trusted_heights=await self._trusted(execution),
        )

    async def _trusted(self, execution: Execution) -> tuple[Height, ...]:
        """What the client trusts now; nothing where the chain does not tell."""
        if not execution.updates:
            return ()
        try:
            return await queries.trusted_heights(self._node, execution.client)
        except HubError as error:
            _log.warning("trusted_heights_unknown", reason=error.reason, detail=str(error))
            return ()

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
