from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance.follower import Follower
from adapters.conformance.intake import Intake, Treatment
from adapters.conformance.session import Session
from adapters.conformance.watch import BATCHES, HEADERS, HEADERS_FIRST, SHOWN_ONCE, Watch
from adapters.simchain.misbehave import forge_batch
from adapters.simchain.queries import anchor_at, height_at
from hub.core.ids import PeerId
from hub.core.lane import LaneKey, Side
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, Timestamp
from hub.wire.frames import headers_to_proto
from hub.wire.headers import height_to_proto
from hub.wire.packet import encode_packet
from tests.harness.clock import ManualClock, settle
from tests.harness.simchain import TRUST, Path, path_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.core.client import Header


class Desk:
    """An intake, a session with it, and a chain whose packets are shown."""

    def __init__(self) -> None:
        self.path: Path = path_of().open()
        self.packets = self.path.sent(3)
        self.chain = self.path.left
        clock = ManualClock(Timestamp(self.path.now + SECOND))
        self.watch = Watch(clock)
        follower = Follower(anchor_at(self.chain, 2, TRUST), self, clock)
        self.intake = Intake(follower, self.watch)
        self.session = Session("peers/hangzhou", self.watch, clock)
        self.key = LaneKey(
            PeerId("hangzhou"),
            self.path.client(self.chain),
            PeerId("examiner"),
            self.path.client(self.path.right),
        )
        self.book = self.intake.open(self.key, Side.SOURCE)
        self._last = 0

    async def ask_header(self, number: int) -> Header:
        return self.chain.light_block(number).header

    def show(self, **body: Any) -> None:
        self._last += 1
        self.session.work.put_nowait(pb.AdapterFrame(frame_id=self._last, **body))

    def headers(self, *numbers: int) -> None:
        headers = [self.chain.light_block(number).header for number in numbers]
        self.show(headers=headers_to_proto(headers))

    def batch(self, *, forged: bool = False, lane: str = "") -> None:
        message = self.path.receive(self.chain, self.packets)
        self.show(
            packets=pb.PacketBatch(
                lane=lane or self.key.name,
                proof_height=height_to_proto(message.proof_height),
                packets=[encode_packet(packet) for packet in self.packets],
                proof_batch=forge_batch(message.proof) if forged else message.proof,
            )
        )

    async def verdicts(self) -> list[pb.Verdict]:
        """The verdicts since the last call."""
        await self.session.work.join()
        await settle()
        queue, found = self.session.outbound, list[pb.Verdict]()
        while not queue.empty():
            said = queue.get_nowait()
            assert isinstance(said, pb.RelayerFrame)
            found.append(said.verdict)
        return found


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    running = asyncio.ensure_future(made.intake.run(made.session))
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_proven_packets_are_durable_and_accepted(desk: Desk) -> None:
    desk.headers(2, desk.chain.height)
    desk.batch()
    [headers, packets] = await desk.verdicts()
    assert [(part.first, part.last) for part in headers.accepted] == [
        (2, 2),
        (desk.chain.height, desk.chain.height),
    ]
    assert [(part.first, part.last) for part in packets.accepted] == [(1, 3)]
    assert desk.book.done == RangeSet.of([1, 2, 3])
    assert [batch.packets for batch in desk.book.batches] == [tuple(desk.packets)]
    assert desk.watch.breaches == {}
    assert desk.intake.shown_of(desk.key)() == RangeSet.of([1, 2, 3])


async def test_the_next_session_resumes_at_what_is_durable(desk: Desk) -> None:
    desk.headers(2, desk.chain.height)
    desk.batch()
    await desk.verdicts()
    [cursor] = desk.intake.resume()
    assert (cursor.lane, cursor.is_source, cursor.client) == (
        desk.key.name,
        True,
        desk.key.source_client,
    )
    assert [(part.first, part.last) for part in cursor.done] == [(1, 3)]
    assert cursor.proof_height == height_at(desk.chain, desk.chain.height).number
    desk.batch()
    [again] = await desk.verdicts()
    assert [(part.first, part.last) for part in again.already_done] == [(1, 3)]
    assert SHOWN_ONCE in desk.watch.breaches


async def test_a_batch_before_its_header_is_a_breach(desk: Desk) -> None:
    desk.headers(2)
    desk.batch()
    [_, refused] = await desk.verdicts()
    assert refused.refused[0].reason == "HEADER_NOT_FOUND"
    assert HEADERS_FIRST in desk.watch.breaches


@pytest.mark.parametrize("lie", [{"forged": True}, {"lane": "lanes/a~b-1~c~d-1"}])
async def test_a_batch_that_does_not_verify_is_a_breach(desk: Desk, lie: dict[str, Any]) -> None:
    desk.headers(2, desk.chain.height)
    desk.batch(**lie)
    [_, refused] = await desk.verdicts()
    assert refused.refused
    assert BATCHES in desk.watch.breaches
    assert not desk.book.done


async def test_headers_that_fall_or_do_not_verify_are_breaches(desk: Desk) -> None:
    desk.headers(2, 4, 3)
    await desk.verdicts()
    assert HEADERS in desk.watch.breaches
    other = Desk()
    running = asyncio.ensure_future(other.intake.run(other.session))
    other.headers(3)
    [refused] = await other.verdicts()
    running.cancel()
    assert refused.refused[0].reason == "ANCHOR_MISMATCH"
    assert HEADERS in other.watch.breaches


async def test_a_verdict_may_be_kept_back_and_a_frame_not_be_taken(desk: Desk) -> None:
    desk.headers(2, desk.chain.height)
    await desk.verdicts()
    desk.intake.treat = lambda _: Treatment.IGNORE
    desk.batch()
    assert await desk.verdicts() == []
    assert not desk.book.done
    await desk.intake.answer_ignored()
    [accepted] = await desk.verdicts()
    assert [(part.first, part.last) for part in accepted.accepted] == [(1, 3)]
    silent = Desk()
    running = asyncio.ensure_future(silent.intake.run(silent.session))
    silent.headers(2, silent.chain.height)
    silent.intake.treat = lambda _: Treatment.KEEP_SILENT
    silent.batch()
    assert len(await silent.verdicts()) == 1
    running.cancel()
    assert silent.book.done == RangeSet.of([1, 2, 3])
