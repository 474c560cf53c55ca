"""Whatever is denied, refused, late, lost or carried by others: a lane's order holds, and it moves.

The decisions of the way out (relayer/steps/flow.py) against a small model of everything around
them: a source that shows its packets in any order, a gateway, an adapter that fails or loses its
answers, proofs that come late, and a relayer that dies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.core.errors import Reason
from hub.core.lane import Order
from hub.core.ranges import RangeSet
from hub.core.record import Refusal
from hub.core.time import SECOND, Timestamp
from relayer.steps.events import (
    Added,
    Begun,
    Ended,
    Event,
    Failed,
    Lapsed,
    Park,
    Refused,
    Reported,
    Send,
    Tick,
)
from relayer.steps.flow import Flow, step, wakes_at

COUNT = 8
FIRST = 3
"""The lane begins here."""
EVER = 10**9
NEVER = Refusal(Reason.PACKET_UNSUPPORTED, "no such packet", is_final=True)
LATER = Refusal(Reason.CHAIN_UNREACHABLE, "node is away", is_final=False)
LATE = Refusal(Reason.TIMEOUT_ELAPSED, "too late", is_final=True)
NOT_NEXT = Refusal(Reason.SEQUENCE_OUT_OF_ORDER, "another is next", is_final=False)
ROUNDS = 400
"""Of a fair world, in which everything must end."""


@dataclass
class Gateway:
    """The destination's chain: what it received, in its order."""

    enforces: bool
    now: int = 0
    executed: list[int] = field(default_factory=list)
    following: int = FIRST
    gone: set[int] = field(default_factory=set)

    def receive(self, item: int, timeout: int) -> Refusal | None:
        """Why the packet was not received; None if it was, now or before."""
        if item in self.executed:
            return None
        if self.enforces and item > self.following:
            return NOT_NEXT
        is_next = item == self.following
        if self.now < timeout:
            self.executed.append(item)
        if self.enforces and is_next:
            self.following += 1
            self.pass_gone()
        return LATE if self.now >= timeout else None

    def pass_over(self, item: int) -> None:
        self.gone.add(item)
        self.pass_gone()

    def pass_gone(self) -> None:
        while self.following in self.gone:
            self.following += 1


class LaneOrder(RuleBasedStateMachine):
    """One lane, with whatever can happen to it."""

    order = Order.BEST_EFFORT

    def __init__(self) -> None:
        super().__init__()
        self.now = Timestamp(1_000 * SECOND)
        self.gateway = Gateway(self.order is Order.ENFORCED)
        self.timeouts = dict.fromkeys(range(FIRST, FIRST + COUNT), EVER)
        self.denied: set[int] = set()
        self.unfit: set[int] = set()
        """The adapter refuses them for good."""
        self.by_others: set[int] = set()
        self.accepted: set[int] = set()
        self.ended: set[int] = set()
        self.refunded: set[int] = set()
        self.parked: set[int] = set()
        self.seen = [FIRST]
        """What headers have shown of the gateway's next sequence."""
        self.sent: dict[int, Send] = {}
        self.begin()

    def begin(self) -> None:
        """A relayer that knows what is recorded, and no more."""
        self.flow = Flow(window=1, order=self.order, first=FIRST)
        self.attempts: dict[int, Send] = {}
        self.feed(Ended(RangeSet.of(self.ended)))
        held = self.ended | self.denied | self.parked
        self.feed(Added(RangeSet.of(self.accepted - held)))

    def feed(self, event: Event) -> None:
        self.flow, effects = step(self.flow, event, self.now)
        for effect in effects:
            if isinstance(effect, Send):
                assert not set(effect.items) & (self.denied - self.ended)
                self.attempts[effect.number] = effect
                self.sent[len(self.sent)] = effect
            elif isinstance(effect, Park):
                self.parked.add(effect.item)

    @rule(item=st.integers(FIRST, FIRST + COUNT - 1), lives=st.integers(1, 30), kind=st.booleans())
    def spoil(self, item: int, lives: int, *, kind: bool) -> None:
        """A packet that nobody has shown yet is denied, or refused by the adapter; it dies soon."""
        if item not in self.accepted and self.timeouts[item] == EVER:
            self.timeouts[item] = self.gateway.now + lives
            (self.denied if kind else self.unfit).add(item)

    @rule(items=st.sets(st.integers(FIRST, FIRST + COUNT - 1), max_size=6))
    def show(self, items: set[int]) -> None:
        new = items - self.accepted - self.ended
        self.accepted |= new
        self.feed(Added(RangeSet.of(new - self.denied)))

    @rule(until=st.integers(0, 30), loses=st.booleans(), lies=st.booleans())
    def attempt(self, until: int, *, loses: bool, lies: bool) -> None:
        """The attempt in flight is made, refused from some item on, and its answer may be lost.

        Or it is not made, and the adapter says that it was.
        """
        for number in [one.number for one in self.flow.in_flight]:
            send = self.attempts[number]
            self.feed(Begun(number))
            attempt = next((a for a in self.flow.in_flight if a.number == number), None)
            if attempt is None:
                continue
            if lies and not loses:
                self.feed(Reported(number, attempt.items))
                continue
            lapsed = attempt.items & self.flow.lapsed
            made = Send(number, attempt.items, send.possible_duplicate, lapsed)
            report = self.execute(made, until)
            self.feed(Failed(number, 7) if loses else report)

    def execute(self, send: Send, until: int = COUNT) -> Reported:
        """What the chain makes of it: in order, and nothing after what it refuses for now."""
        executed: list[int] = []
        refused: list[Refused] = []
        for item in send.lapsed:
            if item in self.refunded:
                self.gateway.pass_over(item)
                executed.append(item)
        for at, item in enumerate(send.items - RangeSet.of(executed)):
            if refused and refused[-1].refusal is not LATE:
                refusal: Refusal | None = NOT_NEXT
            elif item in self.unfit:
                refusal = NEVER
            elif at >= until:
                refusal = LATER
            else:
                refusal = self.gateway.receive(item, self.timeouts[item])
            if refusal is None:
                executed.append(item)
            else:
                refused.append(Refused(item, refusal))
        first = [one.refusal for one in refused if one.item == send.items.first]
        asks = self.gateway.enforces and first == [NOT_NEXT]
        following = self.seen[-1] if asks else 0
        return Reported(send.number, RangeSet.of(executed), tuple(refused), 7, following)

    @rule(pick=st.integers(0, 30))
    def execute_late(self, pick: int) -> None:
        """What was given up long ago is executed after all, and nobody hears of it."""
        if self.sent:
            self.execute(list(self.sent.values())[pick % len(self.sent)])

    @rule()
    def make_header(self) -> None:
        self.seen.append(self.gateway.following)

    @rule(items=st.sets(st.integers(FIRST, FIRST + COUNT - 1)))
    def prove(self, items: set[int]) -> None:
        """Answers, and absences after the timeout, are proven to the hub."""
        wanted = (items & self.accepted) - self.ended
        received = wanted & set(self.gateway.executed)
        absent = {one for one in wanted - received if self.timeouts[one] <= self.gateway.now}
        self.ended |= received | absent
        self.parked -= received | absent
        self.feed(Ended(RangeSet.of(received)))
        self.feed(Lapsed(RangeSet.of(absent)))

    @rule(items=st.sets(st.integers(FIRST, FIRST + COUNT - 1)))
    def refund(self, items: set[int]) -> None:
        """The source refunds what was not received; what nobody has shown is found settled."""
        late = {one for one in items if self.timeouts[one] <= self.gateway.now}
        self.refunded |= late - set(self.gateway.executed)
        holes = (self.refunded & items) - self.accepted - self.ended
        self.ended |= holes
        self.feed(Lapsed(RangeSet.of(holes)))

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds: int) -> None:
        self.now = Timestamp(self.now + seconds * SECOND)
        self.gateway.now += seconds
        self.feed(Tick())

    @rule()
    def poll(self) -> None:
        """The relayer reads the registry again."""
        self.feed(Ended(RangeSet.of(self.ended)))
        held = self.ended | self.denied | self.parked
        self.feed(Added(RangeSet.of(self.accepted - held)))

    @rule()
    def die(self) -> None:
        self.begin()

    @invariant()
    def order_holds(self) -> None:
        executed = self.gateway.executed
        assert executed == sorted(set(executed))

    @invariant()
    def nothing_is_left_out(self) -> None:
        executed = self.gateway.executed
        left_out = set(range(FIRST, max(executed, default=0))) - set(executed)
        assert all(self.timeouts[one] <= self.gateway.now for one in left_out)

    @invariant()
    def what_is_denied_is_not_executed(self) -> None:
        assert not self.denied & (set(self.gateway.executed) - self.by_others)

    def teardown(self) -> None:
        """Once the timeouts of what fails have passed, everything else is executed."""
        everything = set(self.timeouts)
        dying = [timeout for timeout in self.timeouts.values() if timeout != EVER]
        self.show(everything)
        self.wait(max([1, *[timeout - self.gateway.now for timeout in dying]]))
        for _ in range(ROUNDS):
            self.attempt(COUNT, loses=False, lies=False)
            self.make_header()
            self.prove(everything)
            self.refund(everything)
            due = wakes_at(self.flow)
            self.wait(max(1, ((due or 0) - self.now) // SECOND))
            if self.ended == everything:
                break
        assert self.ended == everything
        fit = {one for one, timeout in self.timeouts.items() if timeout == EVER}
        assert fit <= set(self.gateway.executed)
        self.order_holds()
        self.nothing_is_left_out()


class EnforcedOrder(LaneOrder):
    """The same where the gateway enforces the order; there others may deliver too."""

    order = Order.ENFORCED

    @rule(item=st.integers(FIRST, FIRST + COUNT - 1))
    def deliver(self, item: int) -> None:
        before = len(self.gateway.executed)
        if item not in self.refunded:
            self.gateway.receive(item, self.timeouts[item])
        self.by_others |= set(self.gateway.executed[before:])


SETTINGS = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestLaneOrder = LaneOrder.TestCase
TestLaneOrder.settings = SETTINGS
TestEnforcedOrder = EnforcedOrder.TestCase
TestEnforcedOrder.settings = SETTINGS
