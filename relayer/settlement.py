"""Carry a lane's outcomes back to the source's adapter: acknowledgements, and refunds by timeout.

The items of this flow are outcome indexes. What the source reports executed is complete. What it
refuses for good is parked, and tried once in each session: who comes anew may be another build.

Source: design section 3 ("completed", "refunded"), section 5 ("outcome_index").
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import chain, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.budget import is_full, size_of
from hub.core.commitment import commit_acknowledgement
from hub.core.errors import GateChanged, HubError, MembershipNotProven, RecordCorrupt
from hub.core.paths import acknowledgement_key, receipt_key
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import OutcomeKind
from hub.core.time import MILLISECOND, Duration
from hub.exchange.reading import exceptions_of, in_parts
from hub.wire.headers import height_to_proto
from hub.wire.packet import decode_acknowledgement
from hub.wire.tracing import Stage
from relayer.delivery import exceptions, gates_check, is_stopped, log_parked
from relayer.failpoints import Failpoint, hit
from relayer.large import Found, Holder
from relayer.merging import merged, whole_frames
from relayer.parts import Part, carry_parts, planned
from relayer.proofs import stored_proof
from relayer.reports import read_report
from relayer.reproof import ask, fresh_batch
from relayer.steps.audits import is_chosen
from relayer.steps.backoff import CHANCES
from relayer.steps.events import Done, Park, Refused, Reported, Send, Wait
from relayer.steps.retries import union

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from hub.core.height import Height
    from hub.core.record import StoredOutcome, StoredPacket, StoredProof
    from hub.core.time import Timestamp
    from hub.ports.leases import Fence
    from relayer.switchboard import LaneDesk, Switchboard
    from relayer.turns import Turn

    _Content = tuple[Sequence[StoredOutcome], Mapping[int, StoredPacket]]

_log = structlog.get_logger()


class Settlement:
    """The carrier of one lane back to its source, which this process owns."""

    linger: Final = Duration(20 * MILLISECOND)
    """Where a session ends meanwhile, the next one hands the outcomes over again."""

    def __init__(self, board: Switchboard, desk: LaneDesk, fence: Fence) -> None:
        """Settlement of *desk*'s lane under the source's *fence*."""
        self._board = board
        self._desk = desk
        self._fence = fence
        self._afresh = EMPTY
        self._excepted: dict[int, int] = {}
        """By outcome index the sequences of owed outcomes that stand as exceptions."""
        self._knows_earlier = False
        """Whether exceptions that others left are among them."""
        self._chosen = EMPTY
        """Outcomes under way whose execution the source shall show."""
        self._doubtful = EMPTY
        """Outcomes under way that may have been executed before: the source shall show it too."""

    def prove_afresh(self, items: RangeSet) -> None:
        """As the protocol says."""
        self._afresh |= items
        # Whoever asks for it has left exceptions.
        self._knows_earlier = False

    async def carry(
        self, send: Send, goes_on: Callable[[], None], turn: Turn | None = None
    ) -> Reported:
        """What the source's chain made of the outcomes. Raises ``HubError``."""
        key, large = self._desk.key, self._board.large
        ends = key.source_peer, key.destination_peer
        async with large.holder(*ends, key.name, goes_on, turn) as holder:
            return await self._carry(send, holder)

    async def _carry(self, send: Send, holder: Holder) -> Reported:
        """As ``carry``, while *holder* keeps what room packets and answers take."""
        source = self._desk.key.source_peer
        read = partial(self._content, send.items)
        found = await self._board.large.read(read, len(send.items), holder)
        outcomes, packets = found.content
        if self._is_stopped():
            return Reported(send.number, EMPTY, untried=send.items)
        elsewhere = [o for o in outcomes if not _is_owed(o)]
        owed = [o for o in outcomes if _is_owed(o)]
        executed = RangeSet.of([outcome.outcome_index for outcome in elsewhere])
        refused: list[Refused] = []
        if owed:
            self._choose(owed, again=send.possible_duplicate)
            session, clients = self._board.session(source), self._board.clients_of(source)
            check = gates_check(self._desk, clients, self._desk.key.source_client)
            plans = await self._plans(owed, packets, again=send.possible_duplicate)
            sent, goes_on = Failpoint.SETTLEMENT_SENT, holder.goes_on
            try:
                done, refused = await carry_parts(session, plans, sent, goes_on, check)
            except GateChanged:  # nothing has left
                self._is_stopped()
                return Reported(send.number, executed, untried=send.items - executed)
            executed |= done
        hit(Failpoint.SETTLEMENT_REPORTED)
        chance = self._board.randomness.below(CHANCES)
        known = RangeSet.of([outcome.outcome_index for outcome in outcomes])
        untried = send.items - known if found.is_cut else EMPTY
        return Reported(send.number, executed, tuple(refused), chance, untried=untried)

    def _is_stopped(self) -> bool:
        view = self._desk.view
        stops = bool(view.destination_stopped)
        return is_stopped(self._desk, view.lane.key.source_peer, stops=stops)

    async def record(self, effect: Done | Park | Wait) -> RangeSet:
        """What the source reported is durable, and with that complete. Raises ``HubError``."""
        registry = self._board.registry
        if isinstance(effect, Done):
            since = await self._since()
            await registry.outcomes.record_completed(self._fence, self._lane_id, effect.items)
            hit(Failpoint.COMPLETION_RECORDED)
            self._desk.completed(effect.items)
            self._afresh -= effect.items
            doubtful = self._doubtful & effect.items | await self._end_exceptions(effect.items)
            chosen = self._chosen & effect.items
            self._desk.owes_proof(chosen, doubtful, since)
            self._chosen -= chosen
            self._doubtful -= doubtful
            return effect.items
        indexes = RangeSet.of([effect.item]) if isinstance(effect, Park) else effect.items
        parts = in_parts(registry.outcomes.read, self._lane_id, indexes, "outcome_index")
        sequences = {one.outcome_index: one.sequence async for part in parts for one in part}
        found = exceptions(effect, self._board.clock, sequences)
        if found:
            await registry.exceptions.put(self._fence, self._lane_id, found)
            self._excepted.update(sequences)
            log_parked(self._desk.key.name, found)
        return EMPTY

    async def _since(self) -> Timestamp:
        """When the source said what is recorded now: not before its newest header.

        A clock that was set back would else let that header refute an honest report.
        """
        now = self._board.clock.now()
        latest = (await self._board.keeper(self._desk.key.source_peer)).latest
        return max(now, latest.time) if latest is not None else now

    def _choose(self, owed: Iterable[StoredOutcome], *, again: bool) -> None:
        """Of what is sent, the source shall show one in a thousand, and all if *again*."""
        key, lane = self._board.audit_key, self._desk.key.name
        self._chosen |= RangeSet.of(
            [outcome.outcome_index for outcome in owed if is_chosen(key, lane, outcome.sequence)]
        )
        if again:
            self._doubtful |= RangeSet.of([outcome.outcome_index for outcome in owed])

    async def _end_exceptions(self, indexes: RangeSet) -> RangeSet:
        """What is complete is no exception any more; those of *indexes* that were.

        What could not be removed when it became complete, or was left by a session that ended just
        then, is now.
        """
        ended: dict[int, int] = {}
        try:
            await self._read_earlier()
            if self._excepted:
                ended = await self._remove_complete(indexes)
        except HubError as error:
            lane, reason = self._desk.key.name, error.reason
            _log.warning("exceptions_kept", lane=lane, reason=reason, detail=str(error))
        else:
            self._excepted = {i: s for i, s in self._excepted.items() if i not in ended}
        return RangeSet.of(ended) & indexes

    async def _remove_complete(self, indexes: RangeSet) -> dict[int, int]:
        """Exceptions of *indexes*, and of what was complete before, are removed; which.

        Nothing is opened again meanwhile: the exceptions that it leaves stay. Raises ``HubError``.
        """
        async with self._desk.settling:
            complete = indexes | self._desk.view.source.progress
            ended = {i: sequence for i, sequence in self._excepted.items() if i in complete}
            if ended:
                over = RangeSet.of([*ended.values()])
                await self._board.registry.exceptions.remove(self._fence, self._lane_id, over)
        return ended

    async def _read_earlier(self) -> None:
        """Exceptions that others left are known; read once. Raises ``HubError``."""
        if self._knows_earlier:
            return
        self._knows_earlier = True
        registry = self._board.registry
        try:
            found = await exceptions_of(registry.exceptions, self._lane_id)
            sequences = union(found.values())
            async for part in in_parts(registry.outcomes.find, self._lane_id, sequences):
                self._excepted.update({one.outcome_index: one.sequence for one in part})
        except HubError:
            self._knows_earlier = False
            raise

    @property
    def _lane_id(self) -> int:
        return self._desk.view.lane.lane_id

    async def _content(self, indexes: RangeSet, most: int) -> Found[_Content]:
        """Outcomes of *indexes* and their packets, within *most* bytes. Raises ``RecordCorrupt``.

        Answers take no more than half of them, so that there are packets to all.
        """
        registry = self._board.registry
        outcomes = await registry.outcomes.read(self._lane_id, indexes, most // 2)
        is_cut = is_full(outcomes, most // 2)
        rest = max(most // 4, most - size_of(outcomes))
        sequences = RangeSet.of([o.sequence for o in outcomes if _is_owed(o)])
        found = await registry.packets.read(self._lane_id, sequences, rest)
        packets = {packet.sequence: packet for packet in found}
        missing = sequences - RangeSet.of(packets)
        if is_full(found, rest):
            is_cut = True
            unread = missing - RangeSet.span(0, found[-1].sequence)
            missing -= unread
            outcomes = [o for o in outcomes if o.sequence not in unread]
        if missing:
            name = f"{self._desk.key.name}/packets/{missing.first}"
            raise RecordCorrupt(what=name, stored="an outcome", computed="no packet")
        answers = size_of(outcomes)
        count, size = len(outcomes), answers + max(answers, size_of(found))
        if is_cut:
            outcomes = whole_frames(outcomes)
        return Found(content=(outcomes, packets), items=count, size=size, is_cut=is_cut)

    async def _plans(
        self,
        outcomes: Sequence[StoredOutcome],
        packets: Mapping[int, StoredPacket],
        *,
        again: bool,
    ) -> Iterable[Awaitable[Part]]:
        """One part for each proof of *outcomes*, or for many."""

        async def afresh(some: list[StoredOutcome]) -> Part:
            return await self._part(some, packets, again=again, afresh=True)

        def size(outcome: StoredOutcome) -> int:
            return len(packets[outcome.sequence].content) + len(outcome.content)

        # Each absence has a proof by itself in any case.
        answers = [o for o in outcomes if o.kind is OutcomeKind.ACKNOWLEDGEMENT]
        parts = await merged(answers, size, afresh)
        if parts:
            outcomes = [o for o in outcomes if o.kind is OutcomeKind.ABSENCE]
        by_proof = sorted(outcomes, key=attrgetter("proof_id", "sequence"))
        groups = [list(group) for _, group in groupby(by_proof, key=attrgetter("proof_id"))]
        rest = (self._part(group, packets, again=again) for group in groups)
        return chain(map(planned, parts), rest)

    async def _part(
        self,
        outcomes: list[StoredOutcome],
        packets: Mapping[int, StoredPacket],
        *,
        again: bool,
        afresh: bool = False,
    ) -> Part:
        """The execution that brings *outcomes*; *again* if it may have been.

        They are all of one proof, unless they are to be proven *afresh*.
        """
        stored = await stored_proof(self._board.registry, outcomes[0].proof_id)
        if afresh or any(outcome.outcome_index in self._afresh for outcome in outcomes):
            # No gate has this number: what was proven under it goes no further.
            stored = replace(stored, gate=-1)
        if outcomes[0].kind is OutcomeKind.ABSENCE:
            execution = await self._time_out(outcomes[0], packets, stored)
        else:
            outcomes, execution = await self._acknowledge(outcomes, packets, stored)
        execution.possible_duplicate = again
        indexes = {outcome.sequence: outcome.outcome_index for outcome in outcomes}
        return Part(
            execution,
            lambda report: self._read(indexes, report),
            Stage.SETTLE,
            lambda: RangeSet.of(indexes),
        )

    async def _acknowledge(
        self,
        outcomes: list[StoredOutcome],
        packets: Mapping[int, StoredPacket],
        stored: StoredProof,
    ) -> tuple[list[StoredOutcome], pb.Execution]:
        """Those of *outcomes* that still stand at the destination, on their way."""
        proof = stored.proof
        is_whole = len(outcomes) + len(proof.skipped) == proof.leaf_count
        acknowledge = pb.Acknowledge()
        if is_whole and await self._is_usable(stored):
            height = await self._height(proof.height)
            acknowledge.proof_batch = proof.content
            for leaf in proof.skipped:
                acknowledge.skipped.add(sequence=leaf.sequence, commitment=leaf.commitment)
        else:
            client = self._desk.key.destination_client
            by_leaf = {
                (acknowledgement_key(client, outcome.sequence), commit_acknowledgement(decoded)): (
                    outcome
                )
                for outcome in outcomes
                for decoded in [decode_acknowledgement(outcome.content)]
            }
            fresh = await fresh_batch(self._board, self._desk.key.destination_peer, list(by_leaf))
            outcomes = [by_leaf[leaf] for leaf in fresh.leaves]
            height, acknowledge.proof_batch = fresh.height, fresh.content
        acknowledge.packets.extend([packets[outcome.sequence].content for outcome in outcomes])
        acknowledge.acknowledgements.extend([outcome.content for outcome in outcomes])
        acknowledge.proof_height.CopyFrom(height_to_proto(height))
        execution = await self._execution(height)
        execution.acknowledge.CopyFrom(acknowledge)
        return outcomes, execution

    async def _time_out(
        self,
        outcome: StoredOutcome,
        packets: Mapping[int, StoredPacket],
        stored: StoredProof,
    ) -> pb.Execution:
        if await self._is_usable(stored):
            height, proof = await self._height(stored.proof.height), stored.proof.content
        else:
            height, proof = await self._fresh_absence(outcome.sequence)
        execution = await self._execution(height)
        execution.time_out.CopyFrom(
            pb.TimeOut(
                packet=packets[outcome.sequence].content,
                proof_height=height_to_proto(height),
                proof=proof,
            )
        )
        return execution

    async def _fresh_absence(self, sequence: int) -> tuple[Height, bytes]:
        keeper = await self._board.keeper(self._desk.key.destination_peer)
        state = keeper.latest_verified()
        key = receipt_key(self._desk.key.destination_client, sequence)
        answer = await ask(self._board, keeper, state, [key], batch=False)
        if answer.values[0]:
            raise MembershipNotProven(key=key.hex(), problem="was absent, and is present now")
        prefix, proof = keeper.hub_client.anchor.prefix, answer.proofs[0]
        keeper.light_client.verify_non_membership(state.root, prefix, key, proof)
        return state.height, proof

    async def _is_usable(self, stored: StoredProof) -> bool:
        """Whether the proof goes on as it came: no freeze since, and the source can follow."""
        if stored.gate != self._desk.view.destination.gate:
            return False
        key = self._desk.key
        clients = self._board.clients_of(key.source_peer)
        return await clients.reaches(key.source_client, stored.proof.height)

    async def _height(self, number: int) -> Height:
        keeper = await self._board.keeper(self._desk.key.destination_peer)
        return (await keeper.state(number)).height

    async def _execution(self, height: Height) -> pb.Execution:
        """An execution on the source's chain, after the updates that *height* needs."""
        key = self._desk.key
        destination = await self._board.keeper(key.destination_peer)
        clients = self._board.clients_of(key.source_peer)
        updates = await clients.updates(
            key.source_client, destination, height.number, self._board.clock.now()
        )
        return pb.Execution(lane=key.name, client=key.source_client, updates=updates)

    def _read(
        self, indexes: Mapping[int, int], report: pb.ExecutionReport
    ) -> tuple[RangeSet, list[Refused]]:
        """What *report* says of outcomes, by index; *indexes* are those of their sequences."""
        key = self._desk.key
        clients = self._board.chain_clients.get(key.source_peer)
        done, refusals = read_report(clients, key.source_client, report, RangeSet.of(indexes))
        executed = RangeSet.of([indexes[sequence] for sequence in done])
        return executed, [Refused(indexes[sequence], refusal) for sequence, refusal in refusals]


def _is_owed(outcome: StoredOutcome) -> bool:
    """Whether the source is to be told of it: others have not done that."""
    return outcome.kind is not OutcomeKind.SETTLED_ELSEWHERE
