"""The twin in memory and Postgres, driven by the same long histories, answer and stand the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.errors import HubError, Reason
from hub.core.height import Height
from hub.core.ids import PeerId, PortId
from hub.core.lane import Route, RouteAction, RouteKey
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, OutcomeKind, PacketException
from hub.core.time import SECOND, Timestamp
from hub.ports.leases import Fence
from hub.registry.memory import MemoryRegistry
from hub.registry.registry import PostgresRegistry
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    LEASE,
    SEQUENCES,
    SUZHOU,
    TIMEOUT,
    acceptance,
    add_headers,
    anchor,
    broken,
    disproof,
    header,
    key_of,
    opened,
    settlement,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.ports.registry import Registry
    from tests.harness.postgres import Databases

STEPS = 250
REACH = 700
"""Highest sequence; wide enough for many gaps."""


@dataclass
class History:
    """One random history, told to several registries."""

    random: Random
    registries: tuple[Registry, ...]
    fences: dict[PeerId, Fence]
    lane: int
    anchor: int = 7
    """Height of the newest anchor."""

    async def step(self) -> None:
        """One more thing happens, everywhere the same."""
        steps = (
            self.accept, self.settle, self.deliver, self.complete, self.reopen, self.except_,
            self.forget,
        )  # fmt: skip
        rare = (
            self.pause, self.resume, self.drain, self.acquire, self.move, self.route,
            self.suspend, self.rejoin, self.freeze, self.recover,
        )  # fmt: skip
        await self.random.choice(steps if self.random.random() < 0.9 else rare)()

    async def ask(self, question: Callable[[Registry], Awaitable[Any]]) -> Any:
        """The one answer of all registries: a value, or an error with its fields."""
        answers = [await answer(question(registry)) for registry in self.registries]
        assert all(found == answers[0] for found in answers), answers
        return answers[0]

    def numbers(self, first: int, below: int, most: int = 12) -> list[int]:
        """Some numbers, sometimes far apart, mostly neighbours."""
        start = self.random.randrange(first, below)
        gap = self.random.choice((1, 1, 1, 2, 3, 40))
        count = self.random.randint(1, most)
        return [start + gap * at for at in range(count) if start + gap * at < below]

    def gate(self, true: int) -> int:
        return true if self.random.random() < 0.95 else true + self.random.choice((-1, 1))

    def fence(self, peer: PeerId) -> Fence:
        fence = self.fences[peer]
        return fence if self.random.random() < 0.97 else Fence(fence.peer, fence.epoch - 1)

    async def accept(self) -> None:
        view = await self.registries[0].lanes.view(self.lane)
        wanted = RangeSet.of(self.numbers(1, REACH))
        fresh = wanted - view.source.done if self.random.random() < 0.9 else wanted
        if not fresh:
            return
        denied = [sequence for sequence in fresh if self.random.random() < 0.1]
        gate, fence = self.gate(view.source.gate), self.fence(HANGZHOU)
        part = acceptance(self.lane, fresh, gate=gate, denied=denied)
        await self.ask(lambda registry: registry.packets.accept(fence, [part]))

    async def settle(self) -> None:
        view = await self.registries[0].lanes.view(self.lane)
        kind = self.random.choice(list(OutcomeKind))
        wanted = RangeSet.of(self.numbers(1, REACH))
        if self.random.random() < 0.9:
            wanted -= view.destination.done
            wanted = wanted if kind is OutcomeKind.SETTLED_ELSEWHERE else wanted & view.source.done
        if not wanted:
            return
        gate, fence = self.gate(view.destination.gate), self.fence(SUZHOU)
        part = settlement(self.lane, wanted, gate=gate, kind=kind)
        await self.ask(lambda registry: registry.outcomes.record(fence, [part]))

    async def deliver(self) -> None:
        view = await self.registries[0].lanes.view(self.lane)
        exceptions = await self.registries[0].exceptions.among(self.lane, SEQUENCES)
        denied = RangeSet.of([e.sequence for e in exceptions if e.kind is ExceptionKind.DENIED])
        wanted = RangeSet.of(self.numbers(1, REACH)) - denied
        if self.random.random() < 0.9:
            wanted &= view.source.done
        fence = self.fence(SUZHOU)
        await self.ask(
            lambda registry: registry.outcomes.record_delivered(fence, self.lane, wanted)
        )

    async def complete(self) -> None:
        view = await self.registries[0].lanes.view(self.lane)
        count = view.destination.outcome_count
        indexes = RangeSet.of(self.numbers(0, count + 1)) if count else RangeSet.of([0])
        fence = self.fence(HANGZHOU)
        await self.ask(
            lambda registry: registry.outcomes.record_completed(fence, self.lane, indexes)
        )

    async def reopen(self) -> None:
        view = await self.registries[0].lanes.view(self.lane)
        count = view.destination.outcome_count
        stored = await self.registries[0].outcomes.read(self.lane, RangeSet.span(0, count))
        chosen = self.random.sample(stored, min(len(stored), self.random.randint(1, 12)))
        found = [disproof(one.outcome_index, one.sequence) for one in chosen]
        gate, fence = self.gate(view.source.gate), self.fence(HANGZHOU)
        await self.ask(lambda registry: registry.outcomes.reopen(fence, self.lane, gate, found))

    async def except_(self) -> None:
        found = [
            PacketException(
                sequence=sequence,
                kind=self.random.choice((ExceptionKind.RETRY, ExceptionKind.PARKED)),
                reason=Reason.CHAIN_UNREACHABLE,
                detail=f"attempt at {sequence}",
                attempts=self.random.randrange(9),
                next_attempt_at=self.random.choice((None, Timestamp(sequence))),
            )
            for sequence in self.numbers(1, REACH, most=3)
        ]
        fence = self.fence(self.random.choice((HANGZHOU, SUZHOU)))
        await self.ask(lambda registry: registry.exceptions.put(fence, self.lane, found))

    async def forget(self) -> None:
        sequences = RangeSet.of(self.numbers(1, REACH))
        fence = self.fence(self.random.choice((HANGZHOU, SUZHOU)))
        await self.ask(lambda registry: registry.exceptions.remove(fence, self.lane, sequences))

    async def pause(self) -> None:
        await self.ask(lambda registry: registry.lanes.pause(key_of(), "work", ADMIN))

    async def resume(self) -> None:
        await self.ask(lambda registry: registry.lanes.resume(key_of(), ADMIN))

    async def drain(self) -> None:
        ends_pause = self.random.random() < 0.5
        await self.ask(
            lambda registry: registry.lanes.drain(key_of(), "work", ADMIN, ends_pause=ends_pause)
        )

    async def suspend(self) -> None:
        peer = self.random.choice((HANGZHOU, SUZHOU))
        await self.ask(lambda registry: registry.peers.suspend(peer, "audit", ADMIN))

    async def rejoin(self) -> None:
        await self.ask(lambda registry: registry.peers.resume(HANGZHOU, "done", ADMIN))
        await self.ask(lambda registry: registry.peers.resume(SUZHOU, "done", ADMIN))

    async def freeze(self) -> None:
        peer = self.random.choice((HANGZHOU, SUZHOU))
        evidence = self.random.choice((None, (Reason.OUTCOME_DIFFERS, b"a", b"b")))
        await self.ask(lambda registry: registry.clients.freeze(peer, "why", evidence, ADMIN))

    async def recover(self) -> None:
        await self.start_again(HANGZHOU)
        await self.start_again(SUZHOU)

    async def start_again(self, peer: PeerId) -> None:
        self.anchor += 1
        new, now = anchor(f"{peer}-1", height=Height(1, self.anchor)), Timestamp(TIMEOUT * SECOND)
        await self.ask(lambda registry: registry.clients.recover(peer, new, now, "mended", ADMIN))

    async def acquire(self) -> None:
        peer = self.random.choice((HANGZHOU, SUZHOU))
        fence = await self.ask(lambda registry: registry.leases.acquire(peer, "east-1", LEASE))
        self.fences[peer] = fence

    async def move(self) -> None:
        due = await self.ask(lambda registry: registry.packets.due_timeouts(self.lane, 2**62, 3))
        moves = [(batch, batch.earliest - 1) for batch in due]
        fence = self.fence(SUZHOU)
        await self.ask(lambda registry: registry.packets.move_timeouts(fence, moves))

    async def route(self) -> None:
        port = PortId(self.random.choice(("transfer", "data", "vault")))
        action = self.random.choice(list(RouteAction))
        route = Route(key=RouteKey(key_of(), port, port), action=action)
        await self.ask(lambda registry: registry.lanes.set_route(route, ADMIN))

    async def compare(self) -> None:
        """Everything that can be read is the same, but for clocks and the numbers of proofs."""
        everything = RangeSet.span(0, REACH)
        await self.ask(lambda registry: view_of(registry, self.lane))
        await self.ask(lambda registry: registry.exceptions.among(self.lane, SEQUENCES))
        await self.ask(lambda registry: registry.packets.due_timeouts(self.lane, 2**62, 999))
        await self.ask(lambda registry: registry.lanes.routes(None))
        await self.ask(lambda registry: packets_of(registry, self.lane, everything))
        await self.ask(lambda registry: outcomes_of(registry, self.lane, everything))
        await self.ask(lambda registry: reopenings_of(registry, self.lane, everything))


async def answer(asked: Awaitable[Any]) -> Any:
    """What *asked* answers, in a form that can be compared."""
    try:
        found = await asked
    except HubError as error:
        return type(error), error.metadata
    return list(found) if isinstance(found, list | tuple) else found


async def view_of(registry: Registry, lane: int) -> Any:
    view = await registry.lanes.view(lane)
    return replace(view, lane=replace(view.lane, created_at=Timestamp(0)))


async def packets_of(registry: Registry, lane: int, sequences: RangeSet) -> Any:
    stored = await registry.packets.read(lane, sequences)
    assert stored == list(await registry.packets.page(lane, -1, REACH))
    proofs = await registry.packets.proofs([packet.proof_id for packet in stored])
    return [(p.sequence, p.content, p.timeout_timestamp, proofs[p.proof_id].gate) for p in stored]


async def outcomes_of(registry: Registry, lane: int, indexes: RangeSet) -> Any:
    stored = await registry.outcomes.read(lane, indexes)
    by_sequence = await registry.outcomes.find(lane, RangeSet.span(0, REACH))
    assert sorted(by_sequence, key=lambda outcome: outcome.outcome_index) == list(stored)
    return [(o.outcome_index, o.sequence, o.kind, o.content) for o in stored]


async def reopenings_of(registry: Registry, lane: int, sequences: RangeSet) -> Any:
    found = [await registry.outcomes.reopenings(lane, sequence) for sequence in sequences]
    return [[one.height for one in noted] for noted in found]


@pytest.mark.parametrize("seed", range(8))
async def test_the_same_history_has_the_same_answers(
    postgres: PostgresRegistry, databases: Databases, seed: int
) -> None:
    # The third keeps what it has just written, as programs do.
    keeping = await PostgresRegistry.connect(await databases.fresh())
    registries: tuple[Registry, ...] = (MemoryRegistry(), postgres, keeping)
    lanes = [await opened(registry) for registry in registries]
    history = History(Random(seed), registries, dict(lanes[0].fences), lanes[0].lane)
    for lane in lanes:
        # Absences are proven by a header whose time is the timeout.
        await add_headers(lane.registry, lane.destination, [header(7, time=TIMEOUT)])
    for _ in range(STEPS):
        await history.step()
    await history.compare()
    for registry in registries:
        assert await broken(registry) == {}
    await keeping.close()
