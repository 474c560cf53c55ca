"""What a bench asks of a registry; the twin in memory stands for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToDict

from hub.core.lane import LaneKey, LaneState, Order
from hub.registry.memory import MemoryRegistry
from hub.server.rehearsal import Rehearsing
from hub.wire.anchors import anchor_to_proto
from tests.harness.anchors import make_anchor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAIR = {"client": "07-tendermint-0", "left": "east", "right": "west"}
LANE = LaneKey.parse("east~07-tendermint-0~west~07-tendermint-0")
SET_UP: dict[str, Any] = {
    "do": "set_up",
    "anchors": {
        peer: MessageToDict(anchor_to_proto(make_anchor(f"{peer}-1"))) for peer in ("east", "west")
    },
    "pairs": [PAIR],
    "order": "BEST_EFFORT",
    "port": "transfer",
    "past": {},
}


class Counters:
    """A database that remembers what it was asked."""

    def __init__(self) -> None:
        self.past: list[tuple[Sequence[int], int]] = []

    async def use(self) -> Mapping[str, int]:
        return {"wal": 7}

    async def server(self) -> tuple[str, int]:
        return "18.4", 4711

    async def add_past(self, lane_ids: Sequence[int], packets: int) -> None:
        self.past.append((lane_ids, packets))


@pytest.fixture
def rehearsing() -> tuple[Rehearsing, MemoryRegistry, Counters]:
    registry, counters = MemoryRegistry(), Counters()
    return Rehearsing(registry, counters), registry, counters


async def ask(rehearsing: Rehearsing, question: object) -> dict[str, Any]:
    return await rehearsing.answer(json.dumps(question).encode())


Made = tuple[Rehearsing, MemoryRegistry, Counters]


async def test_lanes_of_both_directions_are_open_with_their_route(rehearsing: Made) -> None:
    asked, registry, counters = rehearsing
    assert await ask(asked, SET_UP) == {"version": "18.4", "backend": 4711}
    for key in (LANE, LANE.reverse):
        lane = await registry.lanes.get(key)
        assert (lane.state, lane.order) == (LaneState.OPEN, Order.BEST_EFFORT)
    assert counters.past == []


async def test_lanes_may_have_a_past(rehearsing: Made) -> None:
    asked, registry, counters = rehearsing
    await ask(asked, {**SET_UP, "past": {LANE.name: 9}})
    assert counters.past == [([(await registry.lanes.get(LANE)).lane_id], 9)]


async def test_a_registry_that_somebody_uses_is_refused(rehearsing: Made) -> None:
    asked, _, _ = rehearsing
    await ask(asked, SET_UP)
    answer = await ask(asked, SET_UP)
    assert answer["failed"].startswith("FIELD_INVALID: --database-url has peers already")


async def test_completed_packets_are_counted_until_the_time_is_over(rehearsing: Made) -> None:
    asked, _, _ = rehearsing
    await ask(asked, SET_UP)
    question = {"do": "completed", "lanes": {LANE.name: 0}, "within_s": 0}
    assert await ask(asked, question) == {"completed": {LANE.name: 0}}
    question["lanes"] = {LANE.name: 5}
    assert await ask(asked, question) == {"completed": {LANE.name: 0}}


async def test_counters_and_invariants_are_told(rehearsing: Made) -> None:
    asked, _, _ = rehearsing
    assert await ask(asked, {"do": "use"}) == {"wal": 7}
    found = await ask(asked, {"do": "violations", "within_s": 60})
    assert found
    assert set(found.values()) == {0}


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"\xff\xff",
        b'{"do": "none"}',
        b'{"do": "set_up"}',
        json.dumps({**SET_UP, "anchors": {"east": {"clientType": 5}}}).encode(),
        json.dumps({**SET_UP, "anchors": {"east": {"nothing": 5}}}).encode(),
        json.dumps({"do": "completed", "lanes": {"x": 1}, "within_s": 0}).encode(),
        json.dumps({"do": "completed", "lanes": {LANE.name: 1}, "within_s": 0}).encode(),
    ],
)
async def test_what_is_not_understood_is_told_and_ends_nothing(
    rehearsing: Made, line: bytes
) -> None:
    asked, _, _ = rehearsing
    assert (await asked.answer(line))["failed"]
    assert await ask(asked, {"do": "use"}) == {"wal": 7}


async def test_every_line_is_answered_until_the_input_ends(rehearsing: Made) -> None:
    asked, _, _ = rehearsing
    lines = [b'{"do": "use"}\n', b"{\n", b""]
    said: list[bytes] = []

    async def read() -> bytes:
        return lines.pop(0)

    await asked.serve(read, said.append)
    assert [line.endswith(b"\n") for line in said] == [True, True]
    assert json.loads(said[0]) == {"wal": 7}
