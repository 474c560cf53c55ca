"""One packet's trace across three processes' worth of code: two adapters and the relayer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import contains
from typing import TYPE_CHECKING

import pytest

from tests.harness.exchange import HANGZHOU, SUZHOU
from tests.harness.relayed import Relayed, relayed
from tests.harness.spans import Spans, process_of, steps, trace_ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

    from hub.core.ids import PeerId

STORY = [
    ("hangzhou", "show"),
    ("relayer", "accept"),
    ("relayer", "verify"),
    ("relayer", "store"),
    ("relayer", "deliver"),
    ("suzhou", "execute"),
    ("suzhou", "show"),
    ("relayer", "acknowledge"),
    ("relayer", "verify"),
    ("relayer", "store"),
    ("relayer", "settle"),
    ("hangzhou", "execute"),
]


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
async def world(tmp_path: Path, spans: Spans) -> AsyncIterator[Relayed]:
    """An open lane; from now on every process keeps traces, in a memory of its own."""
    async with relayed(tmp_path) as world:
        await world.open()
        world.app.board.tracing = spans.process("relayer")
        for town in world.towns.values():
            sessions, peer = world.app.board.sessions, town.peer
            await town.detach()
            await world.until(partial(not_in, peer, sessions))
            town.client._city = replace(town.client._city, tracing=spans.process(peer))
            town.attach()
            await world.until(partial(contains, sessions, peer))
        yield world


def not_in(peer: PeerId, sessions: Container[PeerId]) -> bool:
    return peer not in sessions


async def settled(world: Relayed, count: int) -> None:
    world.submit(world.left, count)
    await world.until(lambda: len(world.desk.view.source.progress) == count)


def parent_of(span: ReadableSpan, spans: Spans) -> ReadableSpan:
    assert span.parent is not None
    parents = [one for one in spans.ended if one.context == span.parent]
    same = [
        one for one in spans.ended if one.context and one.context.span_id == span.parent.span_id
    ]
    assert len(same) == 1, parents
    return same[0]


async def test_one_packets_trace_tells_its_whole_story(world: Relayed, spans: Spans) -> None:
    await settled(world, 1)
    assert steps(spans.begun) == STORY
    assert len(trace_ids(spans.ended)) == 1
    for span in spans.ended:
        attributes = span.attributes or {}
        if span.name not in {"verify", "store"}:
            assert attributes["ydhub.lane"] == world.key.name
            assert (attributes["ydhub.first"], attributes["ydhub.count"]) == (1, 1)
    ways = {
        (process_of(span), span.name): parent_of(span, spans).name
        for span in spans.begun
        if span.parent is not None
    }
    assert ways["relayer", "accept"] == "show"
    assert ways["relayer", "deliver"] == "accept"
    assert ways["suzhou", "execute"] == "deliver"
    assert ways["suzhou", "show"] == "execute"
    assert ways["relayer", "acknowledge"] == "show"
    assert ways["relayer", "settle"] == "acknowledge"
    assert ways["hangzhou", "execute"] == "settle"


async def test_a_batch_is_one_span_a_stage(world: Relayed, spans: Spans) -> None:
    await settled(world, 40)
    assert steps(spans.begun) == STORY
    counts = [(span.attributes or {}).get("ydhub.count") for span in spans.begun]
    assert set(counts) == {40, None}


async def test_frames_that_are_delivered_together_are_linked(world: Relayed, spans: Spans) -> None:
    world.right.adapter.shows_answers = False
    for _ in range(3):
        world.submit(world.left)
        await world.seconds(5)
    await world.show_answers()
    await world.until(lambda: len(world.desk.view.source.progress) == 3)
    shown = [s for s in spans.begun if (process_of(s), s.name) == (SUZHOU, "show")]
    assert len(trace_ids([s for s in spans.begun if process_of(s) == HANGZHOU])) == 3
    judged = [s for s in spans.begun if s.name == "acknowledge"]
    for together in (*shown, *judged):
        assert (together.attributes or {})["ydhub.count"] == 3
        assert len(trace_ids([together]) | {link.context.trace_id for link in together.links}) == 3
        assert len(together.links) == 2
    assert (len(shown), len(judged)) == (1, 1)
