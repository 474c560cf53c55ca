"""The stories that deploy/runbooks/stories.md tells: each command of it prints what it shows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as simchain

from tests.harness import network
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU, LiveNetwork, running
from tests.harness.transcript import ROOT, follow, missing, transcripts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.transcript import Step

STORIES = transcripts((ROOT / "deploy/runbooks/stories.md").read_text(encoding="utf-8"))
KINDS = simchain.MisbehaveRequest


class ShortTrust(LiveNetwork):
    """The hub's operator trusts Shanghai's signers for seconds only."""

    async def register(self) -> None:
        file = self.network.layout.anchor("hub", SHANGHAI)
        file.write_text(file.read_text().replace("trusting_period: 336h", "trusting_period: 15s"))
        await super().register()


@pytest.fixture(scope="module")
def desk() -> Iterator[tuple[LiveNetwork, Path]]:
    """A network of its own, and the directory in which an operator sits before it."""
    with TemporaryDirectory(prefix="ydhub-stories-") as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "LiveNetwork", ShortTrust)
        pairs = ((HANGZHOU, SUZHOU), (HANGZHOU, SHANGHAI))
        with running(*pairs, directory=Path(made) / ".ydhub") as live:
            yield live, Path(made)


def story(title: str) -> list[Step]:
    return STORIES[title]


async def misbehave(live: LiveNetwork, peer: str, kind: KINDS.Kind.ValueType) -> None:
    async with live.chain(peer) as chain:
        request = KINDS(kind=kind, duration_ms=600_000)
        await chain.call(chain.simchain.Misbehave, request)


def test_every_story_is_told() -> None:
    assert list(STORIES) == ["A parked packet", "An expired client", "A frozen client"]


def test_a_parked_packet_is_found_explained_and_mended(desk: tuple[LiveNetwork, Path]) -> None:
    live, directory = desk
    lane = live.lane(HANGZHOU, SUZHOU)
    asyncio.run(misbehave(live, SUZHOU, KINDS.KIND_REFUSE))
    asyncio.run(live.send(lane, 1))
    follow(story("A parked packet"), directory)


def test_an_expired_client_is_found_explained_and_mended(desk: tuple[LiveNetwork, Path]) -> None:
    live, directory = desk
    asyncio.run(live.kill(SHANGHAI))
    follow(story("An expired client"), directory)


def test_a_frozen_client_is_found_explained_and_mended(desk: tuple[LiveNetwork, Path]) -> None:
    _, directory = desk
    follow(story("A frozen client"), directory)


@pytest.mark.parametrize(
    ("printed", "output", "lacks"),
    [
        (("a … c", "d"), "a  b   c\nx\nd\n", ""),
        (("d", "a … c"), "a b c\nd\n", "a … c"),
        (("a",), "ab\n", "a"),
        (("…", "b"), "a\nb\n", ""),
        (("a (1).",), "a (1)x\n", "a (1)."),
    ],
)
def test_a_line_that_is_not_printed_is_told(
    printed: tuple[str, ...], output: str, lacks: str
) -> None:
    assert missing(printed, output) == lacks
