"""Whatever a chain did before and while it is followed, what a session is told is what stands."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.cosmos.blocks.events import read_facts
from adapters.cosmos.blocks.history import History
from hub.core.lane import Side
from hub.core.packet import MAX_SEQUENCE
from hub.core.ranges import RangeSet
from tests.harness.clock import ManualClock
from tests.harness.comet_node import CLIENT, OTHER_CLIENT, ScriptedNode, settled, written

if TYPE_CHECKING:
    from adapters.cosmos.rpc.records import Event

ALL = RangeSet.span(1, MAX_SEQUENCE + 1)
BLOCKS = 40


class Model:
    """The chain as it is known to be, made up by *random*."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.node = ScriptedNode(1)
        self.sent: dict[int, int] = {}
        self.gone: set[int] = set()
        self.written: dict[int, int] = {}

    def produce(self) -> None:
        height = self.node.latest + 1
        events: list[Event] = []
        if self.random.random() < 0.6:
            count = self.random.randint(1, 6)
            first = len(self.sent) + 1
            self.sent |= dict.fromkeys(range(first, first + count), height)
            events += self.node.send(CLIENT, count) + self.node.send(OTHER_CLIENT, 1)
        standing = sorted(self.sent.keys() - self.gone)
        for sequence in standing[: self.random.randint(0, 8)]:
            if self.random.random() < 0.7:
                self.gone.add(sequence)
                kind = self.random.choice(["acknowledge_packet", "timeout_packet"])
                events.append(settled(CLIENT, sequence, kind))
        for _ in range(self.random.randint(0, 4)):
            sequence = self.random.randint(1, 60)
            if sequence not in self.written:
                self.written[sequence] = height
                events.append(written(CLIENT, sequence))
        self.node.produce(*events)

    def expected(self, side: Side, wanted: RangeSet, limit: int, at: int) -> list[int]:
        came = self.sent if side is Side.SOURCE else self.written
        gone = self.gone if side is Side.SOURCE else set()
        stand = [one for one, height in came.items() if height < at and one not in gone]
        return sorted(one for one in stand if one in wanted)[:limit]

    def question(self) -> tuple[Side, RangeSet, int, int]:
        side = self.random.choice([Side.SOURCE, Side.DESTINATION])
        done = RangeSet.of(self.random.sample(range(1, 80), self.random.randint(0, 40)))
        wanted = ALL - done if self.random.random() < 0.7 else done
        at = self.node.latest + 1 - self.random.choice([0, 0, 0, 1, 2])
        return side, wanted, self.random.choice([1, 3, 256]), at


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, BLOCKS), st.sampled_from([1, 1_500, 10**9]))
async def test_what_is_told_is_what_stands(seed: int, before: int, cache: int) -> None:
    model = Model(Random(seed))
    for _ in range(before):
        model.produce()
    if model.random.random() < 0.3:
        model.node.earliest_state = model.random.randint(1, model.node.latest)
    start = model.node.latest
    history = History(model.node, ManualClock())
    history._cache._limit = cache
    for _ in range(BLOCKS - before + 1):
        for _ in range(model.random.randint(0, 3)):
            side, wanted, limit, at = model.question()
            if at > start:
                items = await history.items(CLIENT, side, wanted, limit, at)
                told = [item.sequence for item in items]
                assert told == model.expected(side, wanted, limit, at)
        if model.random.random() < 0.05:
            history.forget(CLIENT)
        model.produce()
        history.see(read_facts(model.node.blocks[model.node.latest].results))
    await history.stop()
