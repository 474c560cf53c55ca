from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.turns import Turns
from tests.harness.clock import settle


class Lanes:
    """Attempts of several lanes, each of which lasts until the test ends it."""

    def __init__(self, turns: Turns) -> None:
        self.begun: list[str] = []
        """Whose attempts have begun, in order."""
        self.running: list[tuple[str, asyncio.Event]] = []
        self.tasks: list[tuple[str, asyncio.Task[None]]] = []
        self._turns = turns

    async def want(self, lane: str, count: int = 1) -> None:
        for _ in range(count):
            self.tasks.append((lane, asyncio.ensure_future(self._attempt(lane))))
        await settle()

    async def end(self, lane: str = "") -> None:
        """The oldest attempt under way ends, or the oldest of the lane."""
        at = next(i for i, (of, _) in enumerate(self.running) if not lane or of == lane)
        self.running.pop(at)[1].set()
        await settle()

    async def give_up(self, lane: str) -> None:
        """The newest attempt of the lane is cancelled."""
        at = max(i for i, (of, task) in enumerate(self.tasks) if of == lane and not task.done())
        self.tasks.pop(at)[1].cancel()
        await settle()

    async def _attempt(self, lane: str) -> None:
        async with self._turns.turn(lane):
            self.begun.append(lane)
            mine = (lane, asyncio.Event())
            self.running.append(mine)
            try:
                await mine[1].wait()
            finally:
                if mine in self.running:
                    self.running.remove(mine)

    @property
    def unserved(self) -> set[str]:
        """Whose attempts wait for their turn."""
        alive = Counter(of for of, task in self.tasks if not task.done())
        alive.subtract(of for of, _ in self.running)
        return set(+alive)

    async def close(self) -> None:
        for _, task in self.tasks:
            task.cancel()
        await asyncio.gather(*[task for _, task in self.tasks], return_exceptions=True)


async def test_so_many_are_under_way_at_once() -> None:
    lanes = Lanes(Turns(2))
    await lanes.want("a", 5)
    assert len(lanes.running) == 2
    await lanes.end()
    assert len(lanes.running) == 2
    assert lanes.begun == ["a"] * 3
    await lanes.close()


async def test_a_long_backlog_yields_to_a_lane_that_comes_later() -> None:
    lanes = Lanes(Turns(3))
    await lanes.want("long", 20)
    await lanes.want("b")
    await lanes.want("c")
    await lanes.end("long")
    await lanes.end("long")
    await lanes.end("long")
    assert lanes.begun == ["long"] * 3 + ["b", "c", "long"]
    await lanes.close()


async def test_lanes_that_all_have_much_have_as_much_under_way() -> None:
    lanes = Lanes(Turns(6))
    for lane in "abc":
        await lanes.want(lane, 30)
    for _ in range(40):
        await lanes.end()
    assert Counter(of for of, _ in lanes.running) == {"a": 2, "b": 2, "c": 2}
    counts = Counter(lanes.begun)
    assert max(counts.values()) - min(counts.values()) <= 6
    await lanes.close()


async def test_one_that_is_given_up_while_it_waits_takes_nothing() -> None:
    lanes = Lanes(Turns(1))
    await lanes.want("a")
    await lanes.want("b", 2)
    await lanes.want("c")
    await lanes.give_up("b")
    await lanes.give_up("b")
    await lanes.end()
    assert lanes.begun == ["a", "c"]
    await lanes.close()


async def test_one_that_is_given_up_as_its_turn_comes_gives_it_on() -> None:
    turns = Turns(1)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(turns.turn("a"))
        second = asyncio.ensure_future(turns.begin(("b",), 1))
        third = asyncio.ensure_future(turns.begin(("c",), 1))
        await settle()
        await stack.aclose()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        turns.end(await third)
    assert turns._free == 1
    assert not turns._line


async def test_an_attempt_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1)
    with pytest.raises(KeyError):
        async with turns.turn("a"):
            raise KeyError
    async with asyncio.timeout(1), turns.turn("b"):
        pass
    assert not turns._line


@given(
    limit=st.integers(1, 4),
    steps=st.lists(st.tuples(st.sampled_from("weg"), st.sampled_from("abcd")), max_size=60),
)
def test_no_turn_is_lost_and_nobody_has_more_than_a_fair_share(
    limit: int, steps: list[tuple[str, str]]
) -> None:
    async def play() -> None:
        turns = Turns(limit)
        lanes = Lanes(turns)
        for step, lane in steps:
            before = Counter(of for of, _ in lanes.running)
            waiting = lanes.unserved
            begun = len(lanes.begun)
            if step == "w":
                await lanes.want(lane)
            elif step == "e" and lanes.running:
                ended = lanes.running[0][0]
                await lanes.end()
                before[ended] -= 1
                for new in lanes.begun[begun:]:
                    assert before[new] == min(before[one] for one in waiting)
            elif step == "g" and any(of == lane and not t.done() for of, t in lanes.tasks):
                await lanes.give_up(lane)
            assert turns._free + len(lanes.running) == limit
            assert not (turns._free and lanes.unserved)
        await lanes.close()
        assert turns._free == limit

    asyncio.run(play())


async def test_peers_share_alike_however_many_lanes_they_have() -> None:
    turns = Turns(4)
    running: list[tuple[str, ...]] = []

    async def attempt(path: tuple[str, ...]) -> None:
        async with turns.turn(*path):
            running.append(path)
            await settle()
            await asyncio.sleep(0)

    flood = [("delivery", "hangzhou", f"lane-{at}") for at in range(40)]
    few = [("delivery", "suzhou", "lane")] * 10
    await asyncio.gather(*[attempt(path) for path in [*flood, *few]])
    assert Counter(peer for _, peer, _ in running[4:24])["suzhou"] == 10


async def test_what_ends_packets_has_its_turns_beside_new_ones() -> None:
    turns = Turns(2)
    begun: list[str] = []
    end = asyncio.Event()

    async def attempt(kind: str) -> None:
        async with turns.turn(kind, "suzhou", "lane"):
            begun.append(kind)
            await end.wait()

    tasks = [asyncio.ensure_future(attempt("delivery")) for _ in range(9)]
    await settle()
    tasks += [asyncio.ensure_future(attempt("settlement")) for _ in range(3)]
    end.set()
    await asyncio.gather(*tasks)
    assert begun[:4].count("settlement") >= 1
    assert begun[:6].count("settlement") >= 2


async def test_a_large_attempt_counts_as_several_small_ones() -> None:
    turns = Turns(4)
    begun: list[str] = []

    async def attempt(lane: str, items: int, end: asyncio.Event) -> None:
        async with turns.turn(lane, items=items):
            begun.append(lane)
            await end.wait()

    first, rest = asyncio.Event(), asyncio.Event()
    large = [asyncio.ensure_future(attempt("large", 256, rest)) for _ in range(3)]
    blocks = asyncio.ensure_future(attempt("other", 1, first))
    await settle()
    more = [asyncio.ensure_future(attempt("large", 256, rest)) for _ in range(3)]
    small = [asyncio.ensure_future(attempt("small", 1, rest)) for _ in range(9)]
    await settle()
    first.set()
    await settle()
    assert begun == ["large"] * 3 + ["other", "small"]
    rest.set()
    await asyncio.gather(blocks, *large, *more, *small)
    assert begun.index("small") < begun.index("large", 3)
