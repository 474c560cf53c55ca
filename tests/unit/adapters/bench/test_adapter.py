"""What an adapter of the bench answers a relayer; its stream is two lists."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.bench import clock
from adapters.bench.adapter import Adapter
from adapters.bench.headers import Headers
from adapters.bench.load import ChainStore
from adapters.bench.traffic import Frame, LaneTraffic
from hub.core.height import Height
from hub.core.time import SECOND, Timestamp
from tests.harness.bench_workload import CLIENT, PARTS, TIMEOUT, WEST

HEIGHT = client_pb2.Height(revision=1, number=3)


class Sent:
    """A stream that keeps what it is given."""

    def __init__(self) -> None:
        self.frames: list[pb.AdapterFrame] = []
        self.answers: list[tuple[bytes, int, int]] = []
        self.packets: list[tuple[bytes, int, int]] = []
        self.heights: dict[int, Height] = {}

    def send(self, frame: pb.AdapterFrame) -> None:
        self.frames.append(frame)

    def send_acknowledgements(self, batch: tuple[bytes, int, int]) -> None:
        self.answers.append(batch)

    def send_packets(self, batch: tuple[bytes, int, int]) -> None:
        self.packets.append(batch)

    def at(self, chunk: int, height: Height) -> None:
        self.heights[chunk] = height

    def answered(self, frame_id: int) -> None:
        assert frame_id

    async def attach(self, chain: str, *, enforced: bool) -> pb.Welcome:
        assert (chain, enforced) == ("west-1", False)
        return pb.Welcome(client_height=0, anchor_height=1)


@pytest.fixture
def made() -> tuple[Any, Sent, LaneTraffic]:
    """The adapter of the destination of lane 0, whose first frame is of two packets."""
    lane = PARTS.lanes[0]
    store = ChainStore(PARTS, WEST, TIMEOUT)
    load = store.build(0)
    source = ChainStore(PARTS, lane.source_peer, TIMEOUT).build(0)
    traffic = LaneTraffic(lane)
    slots = PARTS.phases[0].loads[0].slots
    pairs = zip(slots, source.packets[0], load.acknowledgements[0], strict=True)
    traffic.extend([Frame(*parts) for parts in pairs])
    sent: Any = Sent()
    headers = Headers(WEST, load.root, Timestamp(clock.now() - SECOND))
    return Adapter(load, headers, {lane: traffic}, sent), sent, traffic


def execution(traffic: LaneTraffic, sequences: list[int], *, answer: bool = False) -> pb.Execution:
    batches = [pb.PacketBatch.FromString(frame.batch) for frame in traffic.frames]
    contents = [packet for batch in batches for packet in batch.packets]
    packets = [contents[sequence - 1] for sequence in sequences]
    asked = pb.Execution(execution_id=4, lane=traffic.lane.name, client=CLIENT)
    if answer:
        asked.acknowledge.packets.extend(packets)
        asked.acknowledge.proof_height.CopyFrom(HEIGHT)
    else:
        asked.receive.packets.extend(packets)
        asked.receive.proof_height.CopyFrom(HEIGHT)
    return asked


def ranges(found: Any) -> list[tuple[int, int]]:
    return [(entry.first, entry.last) for entry in found]


async def test_attached_it_shows_its_anchor_and_its_newest_header(made: Any) -> None:
    adapter, sent, _ = made
    await adapter.attach()
    heights = [len(frame.headers.headers) for frame in sent.frames]
    assert heights == [1, 1]
    assert sent.heights == {0: Height(1, 2)}


def test_what_is_received_whole_is_acknowledged_once(made: Any) -> None:
    adapter, sent, traffic = made
    adapter._execute(execution(traffic, [1]))
    assert sent.answers == []
    adapter._execute(execution(traffic, [2, 3]))
    assert [count for _, count, _ in sent.answers] == [2]
    adapter._execute(execution(traffic, [1, 2]))
    reports = [frame.report for frame in sent.frames]
    assert [ranges(report.executed) for report in reports] == [[(1, 1)], [(2, 2), (3, 3)], []]
    assert ranges(reports[2].already_done) == [(1, 2)]
    assert traffic.resent == 2
    assert adapter.failures == []


def test_acknowledgements_complete_their_packets(made: Any) -> None:
    adapter, sent, traffic = made
    traffic.sent(traffic.frames[0], due_at=clock.monotonic())
    adapter._execute(execution(traffic, [1, 2], answer=True))
    assert ranges(sent.frames[-1].report.executed) == [(1, 2)]
    assert traffic.under_way == 0


def test_updates_make_heights_trusted(made: Any) -> None:
    adapter, sent, traffic = made
    asked = execution(traffic, [1])
    asked.updates.add()
    adapter._execute(asked)
    assert [height.number for height in sent.frames[-1].report.trusted_heights] == [1, 3]


def test_what_it_cannot_do_is_a_failure(made: Any) -> None:
    adapter, sent, _ = made
    late = pb.Execution(execution_id=1, client=CLIENT, time_out=pb.TimeOut())
    adapter._execute(late)
    adapter._answer(pb.Request(request_id=1, client=pb.ClientQuery(client="07-tendermint-9")))
    refusals = [pb.Refusal(sequence=1, reason="ROOT_MISMATCH")]
    adapter._judged(pb.Verdict(frame_id=1, refused=refusals))
    assert len(adapter.failures) == 3
    adapter._answer(pb.Request(request_id=2, proofs=pb.ProofRequest()))
    assert sent.frames[-1].answer.refusal.reason == "CHAIN_UNREACHABLE"
    assert len(adapter.failures) == 3, "a fresh proof for many small frames is optional"
    adapter.send_forged(b"x")
    adapter._judged(pb.Verdict(frame_id=1, refused=refusals))
    assert adapter.refused == {"ROOT_MISMATCH": 1}
    assert sent.packets == [(b"x", 1, 0)]


async def test_its_clients_are_proven_at_the_newest_height(made: Any) -> None:
    adapter, sent, _ = made
    await adapter.attach()
    adapter._answer(pb.Request(request_id=2, client=pb.ClientQuery(client=CLIENT)))
    (mirror,) = sent.frames[-1].answer.clients.clients
    assert (mirror.client, mirror.proof_height.number) == (CLIENT, 2)


async def test_another_part_begins_with_a_header_of_its_root(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter, sent, _ = made
    await adapter.attach()
    store = ChainStore(PARTS, WEST, TIMEOUT)
    following = [store.build(chunk) for chunk in (0, 1)][1]
    turning = asyncio.create_task(adapter.turn(following))
    await asyncio.sleep(0)
    assert not turning.done(), "no header of that root was made yet"
    later = clock.now() + 2 * SECOND
    monkeypatch.setattr(clock, "now", lambda: Timestamp(later))
    adapter._advance()
    await turning
    assert sent.heights[0] == Height(1, 2)
    assert sent.heights[1].number > 2
