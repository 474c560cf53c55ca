"""Bugs of one line each, planted into the code under test, to prove that a run would find them.

None of them is in the product: each is set for as long as a ``with`` lasts, in one process.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec

import adapters.sdk.steps as sdk_steps
import adapters.simchain.gateway as chain_gateway
import hub.exchange.packets
import relayer.cursors
import relayer.delivery
import relayer.feeding
import relayer.inbound
import relayer.owner
import relayer.proofs
import relayer.settlement
import relayer.steps.flow
import relayer.steps.order
import relayer.timeouts
import relayer.verification
from adapters.simchain.messages import Effect, Outcome
from hub.core.lane import Order, Side
from hub.core.paths import receipt_key
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import NewOutcome, OutcomeKind
from hub.core.time import whole_seconds
from hub.exchange.outcomes import ProvenOutcomes
from hub.registry.memory.outcomes import MemoryOutcomes
from hub.registry.memory.state import State
from hub.wire.frames import AbsenceFrame, absence_to_proto
from relayer.reproof import ask
from relayer.steps.events import Reported, Tick
from relayer.verification import Root
from tests.simulation.run import DRAWN, Profile, run
from tests.simulation.search import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True)
class Plant:
    """One bug, and the checks of which one must find it."""

    name: str
    promises: frozenset[str]
    """Checks, one of which must find it."""
    set: Callable[[], AbstractContextManager[object]]
    profile: Profile = DRAWN
    """Runs in which it matters."""
    walks: bool = False
    """Whether walks through the small exchange are to find it."""


_later: list[object] = []


def _verdict_before_commit() -> AbstractContextManager[object]:
    class Later:
        def __init__(self, packets: Any) -> None:
            self._packets = packets

        def __getattr__(self, name: str) -> Any:
            return getattr(self._packets, name)

        async def accept(self, *args: Any) -> None:
            _later.append(asyncio.ensure_future(self._packets.accept(*args)))

    class Registry:
        def __init__(self, registry: Any) -> None:
            self._registry = registry
            self.packets = Later(registry.packets)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._registry, name)

    true = hub.exchange.packets.accept

    async def accept(registry: Any, *args: Any, **named: Any) -> Any:
        wrapped: Any = Registry(registry)
        return await true(wrapped, *args, **named)

    return patch.object(hub.exchange.packets, "accept", accept)


@contextmanager
def _fence_not_checked() -> Iterator[None]:
    def fenced_side(self: State, fence: Any, lane_id: int, side: Side) -> Any:
        del fence
        return self.lane(lane_id).sides[side]

    with (
        patch.object(State, "fenced_side", fenced_side),
        patch.object(State, "check_lease", lambda self, fence: self.leases[fence.peer]),
    ):
        yield


def _absent(frame: Any, root: Any) -> ProvenOutcomes:
    return ProvenOutcomes(
        outcomes=(NewOutcome(frame.sequence, OutcomeKind.ABSENCE, b""),),
        commitments=(b"",),
        proof_height=root.state.height.number,
        proof=frame.proof,
    )


@contextmanager
def _timeout_by_hub_clock() -> Iterator[None]:
    sweep = relayer.timeouts.TimeoutSweep
    batches, due = sweep._sweep_batches, sweep._take_due

    async def sweep_batches(self: Any, desk: Any, state: Any, due_at: int) -> None:
        now = self._board.clock.now()
        del due_at
        await batches(self, desk, replace(state, time=now), whole_seconds(now))

    def take_due(self: Any, at: int) -> Any:
        del at
        return due(self, whole_seconds(self._board.clock.now()))

    with (
        patch.object(sweep, "_sweep_batches", sweep_batches),
        patch.object(sweep, "_take_due", take_due),
    ):
        yield


def _refund_without_absence() -> AbstractContextManager[object]:
    async def judge(self: Any, desk: Any, due: Any, state: Any) -> bool:
        keeper = await self._board.keeper(self._fence.peer)
        root = Root(keeper.light_client, (), state)
        keys = [receipt_key(desk.key.destination_client, p.sequence) for p in due]
        answer = await ask(self._board, keeper, state, keys, batch=False)
        for packet, proof in zip(due, answer.proofs, strict=True):
            frame = AbsenceFrame(
                frame_id=0,
                lane=desk.key,
                sequence=packet.sequence,
                proof_height=state.height,
                proof=proof,
            )
            shown = absence_to_proto(frame)
            await self._inbound.record_outcomes(desk, _absent(frame, root), shown)
        return False

    return patch.object(relayer.timeouts.TimeoutSweep, "_judge", judge)


@contextmanager
def _unproven(name: str) -> Iterator[None]:
    true = getattr(relayer.inbound, name)

    def prove(root: Any, frame: Any) -> Any:
        client = root.client

        class Trusting:
            def __getattr__(self, name: str) -> Any:
                return getattr(client, name)

            def verify_batch(self, *args: Any) -> None:
                pass

        return true(replace(root, client=Trusting()), frame)

    with patch.object(relayer.inbound, name, prove):
        yield


def _no_dedupe() -> AbstractContextManager[object]:
    true = chain_gateway.Gateway._receive

    def receive(self: Any, state: Any, end: Any, packet: Any, now: Any) -> Outcome:
        key = receipt_key(end.client, packet.sequence)
        if state.get("ibc", key) is not None:
            again: Outcome = self._take(state, end, packet)
            return again
        found: Outcome = true(self, state, end, packet, now)
        return found

    return patch.object(chain_gateway.Gateway, "_receive", receive)


def _order_skips_head() -> AbstractContextManager[object]:
    def in_turn(flow: Any, items: RangeSet) -> RangeSet:
        return items if not flow.in_flight else EMPTY

    return patch.object(relayer.steps.flow, "in_turn", in_turn)


def _outcome_index_reused() -> AbstractContextManager[object]:
    true = MemoryOutcomes._store

    def store(self: Any, fence: Any, part: Any, at: Any) -> None:
        true(self, fence, part, at)
        row = self._state.lane(part.lane_id)
        if len(row.outcomes) > 1:
            again = len(row.outcomes) - 2
            row.outcomes[-1] = msgspec.structs.replace(row.outcomes[-1], outcome_index=again)

    return patch.object(MemoryOutcomes, "_store", store)


def _completed_before_report() -> AbstractContextManager[object]:
    true = relayer.settlement.Settlement.carry

    async def carry(self: Any, send: Any, goes_on: Any, turn: Any) -> Reported:
        _later.append(asyncio.ensure_future(_quietly(true(self, send, goes_on, turn))))
        return Reported(send.number, send.items)

    return patch.object(relayer.settlement.Settlement, "carry", carry)


async def _quietly(work: Any) -> None:
    with suppress(Exception):
        await work


@contextmanager
def _resend_forgotten() -> Iterator[None]:
    with patch.object(relayer.feeding, "Added", lambda *_: Tick()):
        yield


def _held_not_afresh() -> AbstractContextManager[object]:
    true = relayer.proofs.stored_proof

    class Every(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    async def stored_proof(*args: Any) -> Any:
        return replace(await true(*args), gate=Every())

    return patch.object(relayer.delivery, "stored_proof", stored_proof)


def _cursor_ahead() -> AbstractContextManager[object]:
    true = relayer.cursors.cursor

    def cursor(view: Any, peer: Any) -> Any:
        found = true(view, peer)
        for one in found.done:
            one.last += 1
        return found

    return patch.object(relayer.owner, "cursor", cursor)


def _refused_is_accepted() -> AbstractContextManager[object]:
    true = sdk_steps._judged

    def judged(lane: Any, event: Any, now: Any) -> Any:
        flights = [f for f in lane.in_flight if f.frame_id == event.verdict.frame_id]
        taken = flights[0].sequences if flights else EMPTY
        return true(lane, replace(event, verdict=replace(event.verdict, accepted=taken)), now)

    return patch.object(sdk_steps, "_judged", judged)


def _failed_is_executed() -> AbstractContextManager[object]:
    true = chain_gateway.Gateway.receive

    def receive(self: Any, state: Any, message: Any, now: Any) -> Any:
        found = true(self, state, message, now)
        return tuple([replace(one, effect=Effect.EXECUTED, error=None) for one in found])

    return patch.object(chain_gateway.Gateway, "receive", receive)


def _first_skipped() -> AbstractContextManager[object]:
    true = relayer.steps.flow._added

    def added(flow: Any, new: RangeSet, *rest: Any) -> Any:
        return true(flow, new - RangeSet.of([1]), *rest)

    return patch.object(relayer.steps.flow, "_added", added)


def _nothing_added() -> AbstractContextManager[object]:
    """A flow that begins again believes that what others began is over."""
    true = relayer.steps.flow._added

    def added(flow: Any, new: RangeSet, *rest: Any) -> Any:
        return true(flow, new if flow.next_number > 1 or len(new) < 2 else EMPTY, *rest)

    return patch.object(relayer.steps.flow, "_added", added)


PLANTED = (
    Plant(
        "verdict before commit", frozenset({"verdict only after durable"}), _verdict_before_commit
    ),
    Plant(
        "fence not checked",
        frozenset({"only the lease's owner writes"}),
        _fence_not_checked,
        Profile(faults=("calls late", "relayer stands still")),
    ),
    Plant(
        "timeout judged by the hub's clock",
        frozenset({"outcomes are true"}),
        _timeout_by_hub_clock,
        Profile(faults=("clock steps", "chain refuses")),
    ),
    Plant("refund without absence", frozenset({"outcomes are true"}), _refund_without_absence),
    Plant(
        "acknowledgement without proof",
        frozenset({"outcomes are true"}),
        lambda: _unproven("prove_acknowledgements"),
        Profile(faults=("adapter lies", "adapter killed")),
    ),
    Plant(
        "packet without proof",
        frozenset({"only what was sent is accepted"}),
        lambda: _unproven("prove_packets"),
        Profile(faults=("adapter lies", "adapter killed")),
    ),
    Plant("no dedupe at the destination", frozenset({"exactly-once effect", "order"}), _no_dedupe),
    Plant(
        "order skips the head",
        frozenset({"order"}),
        _order_skips_head,
        Profile(order=Order.BEST_EFFORT, faults=("chain refuses",)),
    ),
    Plant(
        "outcome index reused",
        frozenset({"every packet ends", "no fault of ours"}),
        _outcome_index_reused,
    ),
    Plant(
        "completion before the report",
        frozenset({"complete is what the source has executed"}),
        _completed_before_report,
    ),
    Plant("resend forgotten after a crash", frozenset({"every packet ends"}), _resend_forgotten),
    Plant(
        "held, not proven afresh",
        frozenset({"what was held is proven afresh"}),
        _held_not_afresh,
        Profile(faults=("lane paused", "chain refuses")),
    ),
    Plant("cursor ahead of the registry", frozenset({"verdict only after durable"}), _cursor_ahead),
    Plant(
        "refused counts as accepted",
        frozenset({"verdict only after durable"}),
        _refused_is_accepted,
    ),
    Plant(
        "failed counts as executed",
        frozenset({"delivered is what the destination has"}),
        _failed_is_executed,
    ),
    Plant(
        "fence not checked, in a walk",
        frozenset({"only the lease's owner writes"}),
        _fence_not_checked,
        walks=True,
    ),
    Plant(
        "outcome index reused, in a walk",
        frozenset({"outcomes are dense"}),
        _outcome_index_reused,
        walks=True,
    ),
    Plant(
        "the first packet is skipped, in a walk",
        frozenset({"every packet ends"}),
        _first_skipped,
        walks=True,
    ),
    Plant(
        "read again, nothing is added, in a walk",
        frozenset({"every packet ends"}),
        _nothing_added,
        walks=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Caught:
    """How a bug was found: by which check, after how many runs."""

    promise: str
    tries: int


MOST_TRIES = 100


def find(plant: Plant, first: int = 0) -> Caught:
    """What finds *plant*, from seed *first* on; nothing, if no run of the first ones does."""
    for tries in range(1, MOST_TRIES + 1):
        seed = first + tries - 1
        with plant.set():
            promise = walk(seed).promise if plant.walks else run(seed, plant.profile).promise
        if promise:
            return Caught(promise, tries)
    return Caught("", MOST_TRIES)
