"""A small exchange that can be forked at every step: one lane, two relayers, two cities.

The decisions are the real ones: the SDK's and the relayer's steps, the judgement of packets and
outcomes, the registry's twin, the desk's view of the lane. What carries them (streams, tasks,
chains, proofs) is a few lines here, each of which is done at once, and between any two of which
anything else may happen. Every proof is true; a session that has ended may still bring its last
frames, and an execution that was on its way may come about much later.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import adapters.sdk.steps as sdk
from adapters.sdk.submission import LaneCursor, Verdict
from hub.core.errors import HubError, LeaseLost, Reason
from hub.core.lane import Order, Side
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import OutcomeKind, Refusal
from hub.core.time import SECOND, Duration, Timestamp
from hub.exchange import outcomes, packets
from relayer.steps.events import Added, Begun, Done, Ended, Lapsed, Refused, Reported, Send, Tick
from relayer.steps.flow import Flow, step, wakes_at
from relayer.switchboard import LaneDesk
from tests.simulation.books import DESTINATION, KEY, LANE, ROUTES, SOURCE, Books
from tests.simulation.database import done
from tests.simulation.memory import Adapter, Chains, End, Handed, Relayer, Shown, Told
from tests.simulation.model import Broken
from tests.simulation.paper import absence_of, answers_to, packets_of

if TYPE_CHECKING:
    from hub.core.lane import LaneView
    from hub.exchange.outcomes import ProvenOutcomes
    from hub.ports.leases import Fence

LEASE = Duration(4 * SECOND)
SHORT, LONG = 10, 1000
"""Timeouts (s): the first kind passes where it is time, the other never."""
LATE = Refusal(reason=Reason.TIMEOUT_ELAPSED, detail="", is_final=False)
EARLY = Refusal(reason=Reason.CHAIN_UNREACHABLE, detail="", is_final=False)
_PEERS = {Side.SOURCE: SOURCE, Side.DESTINATION: DESTINATION}


@dataclass
class Small:
    """The whole of it."""

    books: Books
    timeouts: tuple[int, ...]
    chains: Chains
    relayers: tuple[Relayer, ...]
    adapters: dict[Side, Adapter]
    order: Order = Order.UNORDERED
    now: int = 0
    left: dict[str, int] = field(default_factory=dict)
    """How many faults of each kind may still happen."""

    @classmethod
    def opened(
        cls, timeouts: tuple[int, ...], order: Order = Order.UNORDERED, **left: int
    ) -> Small:
        """The first packet is sent; nobody is attached."""
        chains = Chains(RangeSet.of([1]))
        adapters = {side: Adapter() for side in _PEERS}
        books = Books.opened(order)
        return cls(books, timeouts, chains, (Relayer(), Relayer()), adapters, order, 0, dict(left))

    def fork(self) -> Small:
        """The same, from here on another one."""
        return Small(
            self.books.fork(),
            self.timeouts,
            self.chains,
            self.relayers,
            dict(self.adapters),
            self.order,
            self.now,
            dict(self.left),
        )

    # What the cities do.

    def send(self) -> None:
        """A user sends the next packet."""
        committed = RangeSet.span(1, self.chains.committed.end + 1)
        self.chains = replace(self.chains, committed=committed)

    def attach(self, side: Side, number: int) -> None:
        """The city's adapter is welcomed by that relayer, under a new lease."""
        peer = _PEERS[side]
        fence = done(self.books.leases.acquire(peer, f"r{number}", LEASE))
        if fence is None:
            return
        relayer = self.relayers[number]
        self._orphan(side, relayer.end(side))
        view = self._read(relayer, self.books.view())
        wide = Flow() if side is Side.SOURCE else self._flow()
        end = End(fence, wide)
        self._put(number, replace(relayer.with_end(side, end), view=view))
        self._sync(number, side)
        found = view.source.done if side is Side.SOURCE else view.destination.done
        cursor = LaneCursor(lane=KEY, side=side, first_sequence=1, done=found)
        told = self.adapters[side].told | found
        self._check_told(side, found)
        self.adapters[side] = Adapter(sdk.opened(cursor), number, 0, told)

    def detach(self, side: Side) -> None:
        """The city's adapter hears no more of its relayer, which does not know."""
        adapter = self.adapters[side]
        assert adapter.relayer is not None
        relayer = self.relayers[adapter.relayer]
        end = relayer.end(side)
        if end is not None:
            self._orphan(side, end)
            self._put(adapter.relayer, relayer.with_end(side, replace(end, outbox=())))
        self.adapters[side] = replace(adapter, lane=None, relayer=None)

    def lapse(self, side: Side) -> None:
        """The time of the lease is over."""
        self.books.state.leases[_PEERS[side]].expires_at = Timestamp(0)

    def show(self, side: Side) -> None:
        """The adapter shows what stands on its chain and the hub lacks."""
        adapter, items = self.adapters[side], self.wanted(side)
        assert adapter.lane is not None and adapter.relayer is not None  # noqa: PT018
        number = adapter.frames + 1
        lane, _ = sdk.step(adapter.lane, sdk.Sent(number, items), Timestamp(self.now))
        self.adapters[side] = replace(adapter, lane=lane, frames=number)
        self._receive(adapter.relayer, side, Shown(number, items))

    def wanted(self, side: Side) -> RangeSet:
        """What the adapter would show now."""
        adapter, chains = self.adapters[side], self.chains
        if adapter.lane is None or adapter.relayer is None:
            return EMPTY
        if self.relayers[adapter.relayer].end(side) is None:
            return EMPTY
        stands = chains.received
        if side is Side.SOURCE:
            stands = chains.committed - chains.acknowledged - chains.refunded
        return sdk.wanted(adapter.lane, Timestamp(self.now)) & stands

    def take(self, side: Side) -> None:
        """The adapter takes the next frame of its relayer."""
        adapter = self.adapters[side]
        assert adapter.relayer is not None
        relayer = self.relayers[adapter.relayer]
        end = relayer.end(side)
        assert end is not None
        frame, *rest = end.outbox
        self._put(adapter.relayer, relayer.with_end(side, replace(end, outbox=tuple(rest))))
        if isinstance(frame, Handed):
            executed, refused = self.execute(side, frame.items)
            self._receive(adapter.relayer, side, Told(frame.number, executed, refused))
            return
        assert adapter.lane is not None
        lane, effects = sdk.step(adapter.lane, sdk.Judged(frame, 0), Timestamp(self.now))
        told = EMPTY
        for effect in effects:
            if isinstance(effect, sdk.Record):
                told |= effect.sequences
        self._check_told(side, told)
        self.adapters[side] = replace(adapter, lane=lane, told=adapter.told | told)

    def execute(self, side: Side, items: RangeSet) -> tuple[RangeSet, tuple[Refused, ...]]:
        """What a chain makes of items: packets at the destination, outcomes at the source."""
        if side is Side.DESTINATION:
            return self._execute_packets(items)
        executed: list[int] = []
        refused: list[Refused] = []
        for one in done(self.books.outcomes.read(LANE, items)):
            if self._settle(one.sequence, one.kind):
                executed.append(one.outcome_index)
            else:
                refused.append(Refused(one.outcome_index, EARLY))
        return RangeSet.of(executed), tuple(refused)

    # What the relayers do.

    def work(self, number: int, side: Side) -> None:
        """The relayer takes the next frame of its session there, to its end."""
        relayer = self.relayers[number]
        end = relayer.end(side)
        assert end is not None
        frame, *rest = end.inbox
        self._put(number, relayer.with_end(side, replace(end, inbox=tuple(rest))))
        if isinstance(frame, Told):
            event = Reported(frame.number, frame.executed, frame.refused)
            self._feed(number, side, event)
            return
        try:
            judgement = self._judge(number, side, frame.items, end.fence)
        except LeaseLost:
            self.close(number, side)
            return
        except HubError:
            return  # the session's next frame tells as much
        answer = Verdict(
            frame_id=frame.frame, accepted=judgement.accepted, already_done=judgement.already_done
        )
        self._send(number, side, answer)

    def sweep(self, number: int) -> None:
        """What is late and was not received is proven absent, and recorded."""
        relayer = self.relayers[number]
        assert relayer.view is not None and relayer.destination is not None  # noqa: PT018
        for sequence in self.due(number):
            try:
                self._record(number, absence_of(sequence), relayer.destination.fence)
            except LeaseLost:
                self.close(number, Side.DESTINATION)
                return

    def due(self, number: int) -> RangeSet:
        """What that relayer would prove absent now."""
        relayer, chains = self.relayers[number], self.chains
        if relayer.view is None or relayer.destination is None or not chains.knows_late:
            return EMPTY
        view = relayer.view
        late = [at for at, timeout in enumerate(self.timeouts, 1) if timeout == SHORT]
        return (view.source.done - view.destination.done) & RangeSet.of(late) - chains.received

    def poll(self, number: int) -> None:
        """The relayer reads the lane again, at each end that it has."""
        relayer = self.relayers[number]
        self._put(number, replace(relayer, view=self._read(relayer, self.books.view())))
        for side in _PEERS:
            if self.relayers[number].end(side) is not None:
                self._sync(number, side)

    def tick(self, number: int, side: Side) -> None:
        """Time goes to the next thing that the flow there waits for."""
        end = self.relayers[number].end(side)
        assert end is not None
        self.now = max(self.now, int(wakes_at(end.flow) or self.now))
        self._feed(number, side, Tick())

    def close(self, number: int, side: Side) -> None:
        """The relayer's session there is over, as far as it knows; it gives its lease back."""
        relayer = self.relayers[number]
        end = relayer.end(side)
        assert end is not None
        self._orphan(side, end)
        self._put(number, relayer.with_end(side, None))
        done(self.books.leases.release(end.fence))
        if self.adapters[side].relayer == number:
            self.adapters[side] = replace(self.adapters[side], lane=None, relayer=None)

    def crash(self, number: int) -> None:
        """The relayer loses its memory; its leases stay until their time is over."""
        for side in _PEERS:
            self._orphan(side, self.relayers[number].end(side))
            if self.adapters[side].relayer == number:
                self.adapters[side] = replace(self.adapters[side], lane=None, relayer=None)
        self._put(number, Relayer())

    def _flow(self) -> Flow:
        if self.order is Order.UNORDERED:
            return Flow()
        return Flow(window=1, order=self.order, first=1)

    def _read(self, relayer: Relayer, view: LaneView) -> LaneView:
        if relayer.view is None:
            return view
        desk = LaneDesk(relayer.view, ROUTES)
        desk.refreshed(view)
        return desk.view

    def _sync(self, number: int, side: Side) -> None:
        view = self.relayers[number].view
        assert view is not None
        if side is Side.DESTINATION:
            self._feed(number, side, Ended(view.destination.done))
            open_ones = view.source.done - view.destination.done
            if open_ones:
                self._feed(number, side, Added(open_ones))
        else:
            everything = RangeSet.span(0, view.destination.outcome_count)
            self._feed(number, side, Added(everything - view.source.progress))

    def _judge(self, number: int, side: Side, items: RangeSet, fence: Fence) -> Any:
        if side is Side.DESTINATION:
            return self._record(number, answers_to(items), fence)
        relayer, proven = self.relayers[number], packets_of(items, self.timeouts)
        assert relayer.view is not None
        desk = LaneDesk(relayer.view, ROUTES)
        packets.check_accepts(desk.view)
        before = done(packets.repeated(self.books, desk.view, proven))  # type: ignore[arg-type]
        if before is not None:
            return before
        accepting = packets.accept(self.books, fence, desk.view, ROUTES, proven)  # type: ignore[arg-type]
        judgement, view = done(accepting)
        self._check_fence(fence, number, bool(judgement.accepted))
        desk.accepted(view, judgement.accepted)
        self._put(number, replace(relayer, view=desk.view))
        if judgement.accepted and relayer.destination is not None:
            open_ones = judgement.accepted - desk.view.destination.done
            self._feed(number, Side.DESTINATION, Added(open_ones - judgement.denied))
        return judgement

    def _record(self, number: int, proven: ProvenOutcomes, fence: Fence) -> Any:
        relayer = self.relayers[number]
        assert relayer.view is not None
        desk = LaneDesk(relayer.view, ROUTES)
        recording = outcomes.record(self.books, fence, desk.view, proven)  # type: ignore[arg-type]
        judgement, view = done(recording)
        self._check_fence(fence, number, bool(judgement.accepted))
        self._check_outcomes(proven, judgement.accepted)
        indexes = desk.settled(view, judgement.accepted)
        self._put(number, replace(relayer, view=desk.view))
        if judgement.accepted:
            is_received = proven.outcomes[0].kind is OutcomeKind.ACKNOWLEDGEMENT
            over = Ended(judgement.accepted) if is_received else Lapsed(judgement.accepted)
            if relayer.destination is not None:
                self._feed(number, Side.DESTINATION, over)
            if relayer.source is not None:
                self._feed(number, Side.SOURCE, Added(indexes))
        return judgement

    def _feed(self, number: int, side: Side, event: Any) -> None:
        end = self.relayers[number].end(side)
        if end is None:
            return
        flow, effects = step(end.flow, event, Timestamp(self.now))
        self._put(number, self.relayers[number].with_end(side, replace(end, flow=flow)))
        for effect in effects:
            if isinstance(effect, Send):
                self._feed(number, side, Begun(effect.number))
                self._send(number, side, Handed(effect.number, effect.items))
            elif isinstance(effect, Done):
                self._note(number, side, effect.items)

    def _note(self, number: int, side: Side, items: RangeSet) -> None:
        """What was reported is durable, unless the lease is lost."""
        end = self.relayers[number].end(side)
        assert end is not None
        books = self.books.outcomes
        try:
            if side is Side.DESTINATION:
                done(books.record_delivered(end.fence, LANE, items))
                self._check_fence(end.fence, number, wrote=True)
                return
            done(books.record_completed(end.fence, LANE, items))
        except HubError:
            return
        self._check_fence(end.fence, number, wrote=True)
        view = self.relayers[number].view
        assert view is not None
        desk = LaneDesk(view, ROUTES)
        desk.completed(items)
        self._put(number, replace(self.relayers[number], view=desk.view))
        self._feed(number, side, Ended(items))

    def _send(self, number: int, side: Side, frame: Handed | Verdict) -> None:
        end = self.relayers[number].end(side)
        if end is None:
            return
        if self.adapters[side].relayer == number or self.adapters[side].relayer is None:
            end = replace(end, outbox=(*end.outbox, frame))
            self._put(number, self.relayers[number].with_end(side, end))

    def _receive(self, number: int, side: Side, frame: Shown | Told) -> None:
        end = self.relayers[number].end(side)
        if end is not None:
            end = replace(end, inbox=(*end.inbox, frame))
            self._put(number, self.relayers[number].with_end(side, end))

    def _put(self, number: int, relayer: Relayer) -> None:
        found = list(self.relayers)
        found[number] = relayer
        self.relayers = tuple(found)

    def _orphan(self, side: Side, end: End | None) -> None:
        """Executions on their way there may come about, or not, and nobody hears of it."""
        if end is None:
            return
        lost = [(side, one.items) for one in end.outbox if isinstance(one, Handed)]
        kept = (*self.chains.orphans, *[one for one in lost if one not in self.chains.orphans])
        self.chains = replace(self.chains, orphans=kept)

    # What the chains do.

    def _execute_packets(self, items: RangeSet) -> tuple[RangeSet, tuple[Refused, ...]]:
        chains = self.chains
        executed: list[int] = []
        refused: list[Refused] = []
        for sequence in items:
            if sequence in chains.received:
                executed.append(sequence)
            elif chains.is_late and self.timeouts[sequence - 1] == SHORT:
                refused.append(Refused(sequence, LATE))
            else:
                self._check_order(sequence)
                executed.append(sequence)
        self.chains = replace(chains, received=chains.received | RangeSet.of(executed))
        return RangeSet.of(executed), tuple(refused)

    def _settle(self, sequence: int, kind: OutcomeKind) -> bool:
        """Whether the source executes that outcome, now or before."""
        chains, one = self.chains, RangeSet.of([sequence])
        if sequence in chains.acknowledged | chains.refunded:
            return True
        if kind is OutcomeKind.ACKNOWLEDGEMENT and sequence in chains.received:
            self.chains = replace(chains, acknowledged=chains.acknowledged | one)
            return True
        if kind is OutcomeKind.ABSENCE and sequence not in chains.received and chains.is_late:
            self.chains = replace(chains, refunded=chains.refunded | one)
            return True
        return False

    # What the hub is shown, and what must be true.

    def _check_told(self, side: Side, told: RangeSet) -> None:
        row = self.books.row
        known = row.packets if side is Side.SOURCE else row.outcome_of
        missing = [sequence for sequence in told if sequence not in known]
        if missing:
            raise Broken("verdict only after durable", f"{side} {missing}")

    def _check_fence(self, fence: Fence, number: int, wrote: bool) -> None:  # noqa: FBT001
        row = self.books.state.leases[fence.peer]
        if wrote and (row.epoch, row.owner) != (fence.epoch, f"r{number}"):
            raise Broken("only the lease's owner writes", f"r{number} {fence} {row}")

    def _check_outcomes(self, proven: ProvenOutcomes, taken: RangeSet) -> None:
        for outcome in proven.outcomes:
            if outcome.sequence not in taken:
                continue
            was_received = outcome.sequence in self.chains.received
            if (outcome.kind is OutcomeKind.ACKNOWLEDGEMENT) is not was_received:
                raise Broken("outcomes are true", f"{outcome}")

    def _check_order(self, sequence: int) -> None:
        before = self.chains.received
        if self.order is not Order.UNORDERED and before and sequence < before.end - 1:
            raise Broken("order", f"{sequence} after {before}")
