"""Lanes of large packets: carried in parts, in order, and few bytes of them held at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.ids import PeerId, PortId
from hub.core.lane import Order
from hub.core.packet import MAX_PAYLOAD_BYTES, Packet, Payload
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import (
    Acceptance,
    FrameProof,
    NewOutcome,
    NewPacket,
    OutcomeKind,
)
from hub.core.record import (
    Settlement as Outcomes,
)
from hub.core.time import SECOND
from hub.wire.frames import MAX_FRAME_BYTES, ranges_to_proto
from hub.wire.packet import decode_packet, encode_packet
from relayer.delivery import Delivery
from relayer.large import LARGE, OF_PEER, OF_PROCESS, SMALL, Found, Holder, LargeContent
from relayer.settlement import Settlement
from relayer.steps.events import Gate, Send
from relayer.telemetry import Telemetry
from relayer.turns import Turn, Turns
from tests.harness.clock import ManualClock, settle, until
from tests.harness.exchange import HANGZHOU, SUZHOU
from tests.harness.station import ScriptedAdapter, Station, goes_on

if TYPE_CHECKING:
    from collections.abc import Callable

PACKET = MAX_PAYLOAD_BYTES + 512
"""At most bytes of one of the packets here."""
FRAME = 3
"""Packets of one frame."""


def large(board: Station, sequence: int, size: int = MAX_PAYLOAD_BYTES) -> Packet:
    key = board.exchange.key
    port = PortId("transfer")
    payload = Payload(
        source_port=port, destination_port=port, version="1", encoding="raw", value=bytes(size)
    )
    return Packet(
        sequence=sequence,
        source_client=key.source_client,
        destination_client=key.destination_client,
        timeout_timestamp=2_000_000_000,
        payloads=(payload,),
    )


async def accept(board: Station, count: int, size: int = MAX_PAYLOAD_BYTES) -> None:
    """So many large packets are accepted, in frames of a few."""
    exchange = board.exchange
    await exchange.show_all()
    view = await board.registry.lanes.view(await exchange.lane_id())
    frames = [
        Acceptance(
            lane_id=view.lane.lane_id,
            gate=view.source.gate,
            packets=tuple(
                [
                    NewPacket(number, encode_packet(large(board, number, size)), 2_000_000_000)
                    for number in range(first, min(first + FRAME, count + 1))
                ]
            ),
            denials=(),
            proof=proof(exchange.path.left.height, min(FRAME, count + 1 - first)),
        )
        for first in range(1, count + 1, FRAME)
    ]
    await board.registry.packets.accept(exchange.fences[HANGZHOU], frames)
    await board.know()


async def answer(board: Station, count: int, size: int) -> None:
    """As many packets as that are answered, in frames of a few, by contents of that size."""
    exchange = board.exchange
    view = await board.registry.lanes.view(await exchange.lane_id())
    kind = OutcomeKind.ACKNOWLEDGEMENT
    for first in range(1, count + 1, FRAME):
        numbers = range(first, min(first + FRAME, count + 1))
        found = Outcomes(
            lane_id=view.lane.lane_id,
            gate=view.destination.gate,
            outcomes=tuple([NewOutcome(number, kind, bytes(size)) for number in numbers]),
            proof=proof(exchange.path.right.height, len(numbers)),
        )
        await board.registry.outcomes.record(exchange.fences[SUZHOU], [found])
    await board.know()


def proof(height: int, leaves: int) -> FrameProof:
    return FrameProof(height=height, content=b"a proof", leaf_count=leaves)


class Chain:
    """Executes whatever it is given, and keeps of it only which and how much."""

    def __init__(self, adapter: ScriptedAdapter | None = None) -> None:
        self.executed: list[list[int]] = []
        """Sequences of each execution."""
        self.sizes: list[int] = []
        """Bytes of each."""
        if adapter is not None:
            adapter.reports = partial(self._execute, adapter)

    @property
    def executed_by(self) -> Callable[[ScriptedAdapter, pb.Execution], pb.ExecutionReport]:
        """Instead of what any adapter does."""

        def execute(adapter: ScriptedAdapter, execution: pb.Execution) -> pb.ExecutionReport:
            return self._execute(adapter, execution)

        return execute

    def _execute(self, adapter: ScriptedAdapter, execution: pb.Execution) -> pb.ExecutionReport:
        packets = [*execution.receive.packets, *execution.acknowledge.packets]
        self.executed.append([decode_packet(content).sequence for content in packets])
        self.sizes.append(execution.ByteSize())
        adapter.executions.clear()
        adapter.frames.clear()
        done = RangeSet.of(self.executed[-1])
        return pb.ExecutionReport(executed=ranges_to_proto(done))

    @property
    def in_order(self) -> list[int]:
        return [sequence for part in self.executed for sequence in part]


def counted(board: Station, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each read of packets from now on."""
    read, sizes = board.registry.packets.read, []

    async def counting(*arguments: Any) -> Any:
        found = await read(*arguments)
        sizes.append(sum(len(packet.content) for packet in found))
        return found

    monkeypatch.setattr(board.registry.packets, "read", counting)
    return sizes


def send(count: int, first: int = 1) -> Send:
    return Send(1, RangeSet.span(first, first + count), possible_duplicate=False)


async def delivery(board: Station) -> Delivery:
    return Delivery(board.board, await board.fresh_desk(), board.exchange.fences[SUZHOU])


class TestDelivery:
    async def test_an_attempt_of_256_is_carried_in_parts_in_order_once_and_none_fails(
        self, board: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attempts: list[str] = []
        monkeypatch.setattr(
            Telemetry, "attempt", lambda *what: attempts.append(what[3]), raising=True
        )
        await accept(board, 256)
        read = counted(board, monkeypatch)
        chain = Chain()
        monkeypatch.setattr(ScriptedAdapter, "execute", chain.executed_by)
        await board.own()
        await until(lambda: len(chain.in_order) >= 256)
        await settle()
        assert chain.in_order == list(range(1, 257))
        assert {len(part) for part in chain.executed} == {FRAME, 1}
        assert max(read) < LARGE + PACKET
        assert set(attempts) == {"OK"}
        assert board.left.requests == []
        assert board.board.large.all.held == 0
        runner = (await board.desk()).standing(SUZHOU)
        assert runner is not None
        assert (runner.flow.tries, runner.flow.tried, runner.flow.later) == (0, EMPTY, ())

    async def test_what_attempts_hold_at_once_stays_within_their_peers_room(
        self, wired: Station
    ) -> None:
        await accept(wired, 24)
        wired.right.reports_nothing = True
        wired.right.session._executions = asyncio.Semaphore(64)
        carrier = await delivery(wired)
        attempts = [asyncio.ensure_future(carrier.carry(send(24), goes_on)) for _ in range(16)]
        await settle()
        under_way = sum(execution.ByteSize() for execution in wired.right.executions)
        assert 0 < under_way < OF_PEER + 2 * PACKET
        assert 0 < wired.board.large.all.held <= OF_PEER
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
        assert wired.board.large.all.held == 0

    async def test_small_packets_are_one_read_and_one_execution(
        self, wired: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(globals(), "FRAME", 256)
        await accept(wired, 256, 100)
        chain, read = Chain(wired.right), counted(wired, monkeypatch)
        reported = await (await delivery(wired)).carry(send(256), goes_on)
        assert (reported.executed, reported.untried) == (RangeSet.span(1, 257), EMPTY)
        assert chain.executed == [list(range(1, 257))]
        assert len(read) == 1

    async def test_in_order_no_more_is_read_than_one_proof_brings(self, wired: Station) -> None:
        await accept(wired, 9)
        carrier = await delivery(wired)
        desk = carrier._desk
        object.__setattr__(desk.view.lane, "order", Order.BEST_EFFORT)
        chain = Chain(wired.right)
        reported = await carrier.carry(send(9), goes_on)
        assert chain.executed == [[1, 2, 3]]
        assert max(chain.sizes) < MAX_FRAME_BYTES
        assert reported.untried == RangeSet.span(4, 10)

    async def test_a_lane_that_is_stopped_while_an_attempt_waits_brings_nothing(
        self, owned: Station
    ) -> None:
        await accept(owned, 6)
        desk = await owned.fresh_desk()
        chain, runner = Chain(owned.right), desk.delivery
        assert runner is not None
        carrier = runner._carrier
        async with owned.board.large.all.hold("others", size=OF_PROCESS):
            waiting = carrier.carry(send(6), goes_on, Turn(Turns(1), ("way",), 1))
            attempt = asyncio.ensure_future(waiting)
            await settle()
            runner.feed(Gate(is_stopped=True))
        reported = await attempt
        assert (reported.executed, reported.untried) == (EMPTY, RangeSet.span(1, 7))
        assert chain.executed == []


class TestSettlement:
    @pytest.mark.parametrize(("packet", "content"), [(MAX_PAYLOAD_BYTES, 50), (50, 300_000)])
    async def test_packets_and_answers_are_carried_in_parts_all_of_them_once(
        self, wired: Station, packet: int, content: int
    ) -> None:
        await accept(wired, 24, packet)
        await answer(wired, 24, content)
        chain = Chain(wired.left)
        fence = wired.exchange.fences[HANGZHOU]
        carrier = Settlement(wired.board, await wired.fresh_desk(), fence)
        rest, rounds = RangeSet.span(0, 24), 0
        while rest:
            before = len(chain.sizes)
            reported = await carrier.carry(Send(1, rest, possible_duplicate=False), goes_on)
            assert reported.refused == ()
            assert reported.executed | reported.untried == rest
            assert sum(chain.sizes[before:]) < LARGE + 2 * PACKET
            rest, rounds = reported.untried, rounds + 1
        assert chain.in_order == list(range(1, 25))
        assert 3 <= rounds <= 8
        assert wired.right.requests == []
        assert wired.board.large.all.held == 0


class Attempts:
    """Attempts of many peers, each of which holds what it has read until the test ends it."""

    def __init__(self, content: LargeContent, each: int) -> None:
        self.content = content
        self.each = each
        self.holding: dict[asyncio.Task[None], tuple[PeerId, int]] = {}
        self.told = 0
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, peer: str, count: int = 1, *provers: str, turns: Turns | None = None) -> None:
        """Attempts at the chain of *peer*, that *provers* prove in turn: if not given, any two."""
        for number in range(count):
            of = provers or (f"{peer}-left", f"{peer}-right")
            prover = PeerId(of[number % len(of)])
            self.tasks.append(asyncio.ensure_future(self._in_turn(PeerId(peer), prover, turns)))

    @property
    def held(self) -> int:
        return sum(size for _, size in self.holding.values())

    def of(self, peer: str) -> int:
        return sum(size for of, size in self.holding.values() if of == peer)

    async def end(self) -> None:
        next(iter(self.holding)).cancel()
        await settle()

    async def _in_turn(self, peer: PeerId, prover: PeerId, turns: Turns | None) -> None:
        if turns is None:
            await self._attempt(peer, prover, None)
            return
        async with turns.turn("way", prover, "lane") as turn:
            await self._attempt(peer, prover, turn)

    async def _attempt(self, peer: PeerId, prover: PeerId, turn: Turn | None) -> None:
        async def read(most: int) -> Found[None]:
            items = max(1, min(256, most // self.each))
            size = items * self.each
            return Found(content=None, items=items, size=size, is_cut=items < 256)

        def tell() -> None:
            self.told += 1

        task = asyncio.current_task()
        assert task is not None
        async with AsyncExitStack() as held:
            holder = Holder(
                executor=peer, prover=prover, lane="lane", held=held, goes_on=tell, turn=turn
            )
            found = await self.content.read(read, 256, holder)
            self.holding[task] = (peer, found.size)
            try:
                await asyncio.Event().wait()
            finally:
                del self.holding[task]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class TestRoom:
    async def test_a_process_holds_no_more_than_its_room_however_many_attempts_there_are(
        self, clock: ManualClock
    ) -> None:
        attempts = Attempts(LargeContent(clock), MAX_PAYLOAD_BYTES)
        for number in range(16):
            attempts.begin(f"city-{number}", 16)
        most, ended = 0, 0
        await settle()
        while attempts.holding:
            most = max(most, attempts.held)
            await attempts.end()
            ended += 1
        assert ended == 256
        assert most == OF_PROCESS
        assert attempts.content.all.held == 0

    async def test_one_peer_leaves_room_for_others(self, clock: ManualClock) -> None:
        attempts = Attempts(LargeContent(clock), MAX_PAYLOAD_BYTES)
        attempts.begin("hung", 16)
        await settle()
        assert attempts.of("hung") == OF_PEER
        attempts.begin("other")
        await settle()
        assert attempts.of("other") == LARGE
        await self._close(attempts)

    async def test_one_prover_leaves_room_for_others_however_slow_it_is(
        self, clock: ManualClock
    ) -> None:
        attempts = Attempts(LargeContent(clock), MAX_PAYLOAD_BYTES)
        attempts.begin("city", 16, "slow")
        await settle()
        assert attempts.of("city") == LARGE
        attempts.begin("city", 1, "quick")
        await settle()
        assert attempts.of("city") == OF_PEER
        for number in range(8):
            attempts.begin(f"city-{number}", 4, "slow")
        await settle()
        assert attempts.held == OF_PEER + LARGE, "of both peers' room, and not all of the process's"
        await self._close(attempts)

    async def test_who_waits_for_room_is_in_nobodys_way_at_the_chain(
        self, clock: ManualClock
    ) -> None:
        content, turns = LargeContent(clock), Turns(4)
        large, small = Attempts(content, MAX_PAYLOAD_BYTES), Attempts(content, 1)
        large.begin("city", 16, turns=turns)
        await settle()
        assert large.of("city") == OF_PEER
        small.begin("city", 2, "other", turns=turns)
        await settle()
        assert len(small.holding) == 2
        small.begin("city", 1, "other", turns=turns)
        await large.end()
        await settle()
        assert large.of("city") == OF_PEER - LARGE, "the next one has room, and waits for its turn"
        assert content.all.held == OF_PEER
        await small.end()
        await settle()
        assert large.of("city") == OF_PEER
        await self._close(large, small)
        small.begin("city", 4, turns=turns)
        await settle()
        assert len(small.holding) == 4, "every turn was given back, once"
        await self._close(small)

    async def test_few_bytes_wait_for_nobody(self, clock: ManualClock) -> None:
        content = LargeContent(clock)
        large, small = Attempts(content, MAX_PAYLOAD_BYTES), Attempts(content, SMALL // 257)
        for number in range(16):
            large.begin(f"city-{number}", 4)
        await settle()
        small.begin("city-1", 64)
        await settle()
        assert len(small.holding) == 64
        await self._close(large, small)

    async def test_middling_packets_ask_for_about_what_they_take(self, clock: ManualClock) -> None:
        attempts = Attempts(LargeContent(clock), 1024)
        attempts.begin("city", 16)
        await settle()
        assert len(attempts.holding) == OF_PEER // (256 * 1024 * 5 // 4)
        await self._close(attempts)

    async def test_who_waits_says_that_it_goes_on_and_who_holds_does_not(
        self, clock: ManualClock
    ) -> None:
        attempts = Attempts(LargeContent(clock), MAX_PAYLOAD_BYTES)
        attempts.begin("city", OF_PEER // LARGE + 1)
        await settle()
        for _ in range(3):
            await clock.advance(SECOND)
        assert attempts.told == 3
        await attempts.end()
        await clock.advance(SECOND)
        assert attempts.told == 3
        await self._close(attempts)

    async def test_whoever_gives_up_while_it_waits_holds_nothing(self, clock: ManualClock) -> None:
        attempts = Attempts(LargeContent(clock), MAX_PAYLOAD_BYTES)
        attempts.begin("city", 8)
        await settle()
        await self._close(attempts)
        assert attempts.content.all.held == 0
        attempts.begin("city", 8)
        await settle()
        assert attempts.held == OF_PEER
        await self._close(attempts)

    async def _close(self, *all_attempts: Attempts) -> None:
        tasks = [task for attempts in all_attempts for task in attempts.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
