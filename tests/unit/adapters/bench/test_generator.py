"""The cities of a run over streams that answer at once; tests/bench has a relayer between them."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from google.protobuf.json_format import ParseDict
from ydhub.client.v1 import client_pb2

from adapters.bench import generator as module
from adapters.bench import load, micro
from adapters.bench.generator import Generator
from adapters.bench.messages import Attach
from hub.wire.anchors import anchor_from_proto
from tests.harness.bench_workload import EAST, PARTS, WEST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from adapters.bench.traffic import Frame, LaneTraffic
    from hub.core.lane import LaneKey

ATTACH = Attach(
    addresses=dict.fromkeys((EAST, WEST), "h:1"),
    files=dict.fromkeys((EAST, WEST), ("", "", "")),
)


class Pool:
    """Builds in this process."""

    def __init__(self, *_: object) -> None:
        self.is_over = False

    def shutdown(self, **_: object) -> None:
        self.is_over = True


class Acknowledging:
    """An adapter whose packets are acknowledged at once, unless it holds them back."""

    holds = False

    def __init__(
        self, chain: Any, headers: Any, lanes: dict[LaneKey, LaneTraffic], stream: Any
    ) -> None:
        self.peer = chain.peer
        self.lanes = lanes
        self.failures: list[str] = []
        self.refused: dict[str, int] = {}
        self.sent: list[tuple[int, int]] = []
        self.turned: list[int] = []
        self.ends = asyncio.Event()

    async def attach(self, *, enforced: bool) -> None:
        assert not enforced

    async def turn(self, chain: Any) -> None:
        self.turned.append(chain.chunk)

    async def run(self) -> None:
        await self.ends.wait()

    def send(self, frame: Frame) -> None:
        self.sent.append((frame.first, frame.count))
        if self.holds:
            return
        mine = next(lane for lane in self.lanes.values() if lane.lane.source_peer == self.peer)
        sequences = range(frame.first, frame.end)
        asyncio.get_running_loop().call_soon(
            mine.acknowledged, frame, sequences, frame.due_at + 5000
        )


class Silent:
    """A stream that nobody looks at."""

    def __init__(self, *_: object) -> None:
        return

    async def close(self) -> None:
        return


@pytest.fixture
async def generator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Generator]:
    async def build(self: Generator, chunk: int) -> list[load.ChainLoad]:
        workload = self._workload
        return [load.build(workload, peer, self._timeout, chunk) for peer in workload.peers]

    monkeypatch.setattr(load, "_stores", {})
    monkeypatch.setattr("gc.disable", lambda: None)
    monkeypatch.setattr("gc.freeze", lambda: None)
    monkeypatch.setattr(load, "step_aside", lambda: None)
    monkeypatch.setattr(module, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(module, "Adapter", Acknowledging)
    monkeypatch.setattr(module, "Stream", Silent)
    monkeypatch.setattr(Generator, "_build", build)
    made = Generator(PARTS)
    yield made
    await made.close()


async def started(generator: Generator) -> Generator:
    await generator.build()
    await generator.attach(ATTACH)
    return generator


def adapter(generator: Generator) -> Acknowledging:
    found: Any = generator._adapters[EAST]
    return found  # type: ignore[no-any-return]


async def test_what_is_built_tells_the_anchors_of_all_chains(generator: Generator) -> None:
    built = await generator.build()
    for peer in (EAST, WEST):
        message = ParseDict(built.anchors[peer], client_pb2.Anchor())
        assert anchor_from_proto(message, "anchor").chain_id == f"{peer}-1"
    assert built.packet_bytes > 100


async def test_phases_send_their_frames_in_order_part_by_part(generator: Generator) -> None:
    await started(generator)
    ran = await generator.run(0)
    assert ran.latencies == [(5, 8)]
    assert ran.by_lane == [[(5, 5)], [(5, 3)]]
    assert adapter(generator).sent == [(1, 2), (3, 2), (5, 1)]
    assert adapter(generator).turned == []
    await generator.run(1)
    ran = await generator.run(2)
    assert adapter(generator).sent[3:] == [(6, 2), (8, 1)]
    assert adapter(generator).turned == [1, 2]
    assert (ran.latencies, ran.resent) == ([(5, 1)], 0)
    pools: Any = generator._pools
    assert all(pool.is_over for pool in pools), "after the last part nobody builds"


async def test_parts_are_sent_in_their_order(generator: Generator) -> None:
    await started(generator)
    with pytest.raises(RuntimeError, match="part 2 does not follow 0"):
        await generator.run(2)


async def test_what_must_not_happen_ends_the_run(generator: Generator) -> None:
    await started(generator)
    adapter(generator).failures.append("refused 1: ROOT_MISMATCH")
    with pytest.raises(RuntimeError, match="1 failures: refused 1: ROOT_MISMATCH"):
        await generator.run(0)


async def test_packets_that_do_not_come_back_end_it(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(generator)
    monkeypatch.setattr(Acknowledging, "holds", True)
    monkeypatch.setattr(module, "_SLACK_S", 0)
    with pytest.raises(TimeoutError, match="did not come back in 0 s"):
        await generator.run(0)


async def test_so_does_a_session_that_is_over(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(generator)
    monkeypatch.setattr(Acknowledging, "holds", True)
    adapter(generator).ends.set()
    with pytest.raises(ConnectionError):
        await generator.run(0)


async def test_single_functions_are_measured_where_something_is_sent(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(micro, "LOOP_NS", 1)
    with pytest.raises(LookupError):
        generator.measure()
    await generator.build()
    assert generator.measure().functions_us


async def test_frames_leave_at_their_times_and_latency_counts_from_then(
    generator: Generator,
) -> None:
    """A frame that leaves late counts from when it was to leave: nothing is omitted."""
    phases = tuple(
        [
            msgspec.structs.replace(
                phase,
                loads=tuple(
                    [msgspec.structs.replace(each, interval=1_000_000) for each in phase.loads]
                ),
            )
            for phase in PARTS.phases
        ]
    )
    generator._workload = msgspec.structs.replace(PARTS, phases=phases)
    await started(generator)
    ran = await generator.run(0)
    frames = generator._lanes[PARTS.lanes[0]].frames
    assert [b.due_at - a.due_at for a, b in pairwise(frames[:3])] == [10**6] * 2
    assert ran.latencies == [(5, 8)]
    assert ran.late_ms >= 0
