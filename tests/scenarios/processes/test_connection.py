"""The connection between a city and its relayer breaks in every way; its packets end, once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from hub.cli.dev.layout import RELAYER
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU
from tests.harness.proxy import proxy_to
from tests.harness.traffic import a_packet_passes, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.network import LiveNetwork
    from tests.harness.proxy import Proxy


@asynccontextmanager
async def between(live: LiveNetwork) -> AsyncIterator[Proxy]:
    """A proxy between the adapter of Suzhou and the relayer."""
    async with proxy_to(live.network.addresses[RELAYER]) as proxy:
        await live.dial(SUZHOU, proxy.address)
        try:
            await a_packet_passes(live)
            yield proxy
        finally:
            await live.dial(SUZHOU)


async def test_a_connection_that_is_cut_is_made_again(live: LiveNetwork) -> None:
    async with between(live) as proxy:
        await load(live)
        for _ in range(3):
            before = proxy.dialled
            proxy.cut()

            async def is_dialled(before: int = before) -> bool:
                return proxy.dialled > before

            await live.until(is_dialled, "another connection")
        await a_packet_passes(live)
        await live.judged()


@pytest.mark.parametrize(
    "ways",
    [{"out": True, "back": True}, {"out": True, "back": False}, {"out": False, "back": True}],
    ids=["both", "towards_the_relayer", "towards_the_city"],
)
async def test_a_connection_that_swallows_everything_is_given_up_on_both_sides(
    live: LiveNetwork, ways: dict[str, bool]
) -> None:
    async with between(live) as proxy:
        await load(live)
        before = proxy.dialled
        proxy.hold(**ways)
        await live.detached(SUZHOU)

        async def is_dialled() -> bool:
            return proxy.dialled > before

        await live.until(is_dialled, "another connection")
        await a_packet_passes(live, HANGZHOU, SHANGHAI)
        proxy.go_on()
        await a_packet_passes(live)
        await live.judged()


async def test_a_slow_connection_slows_nobody_else(live: LiveNetwork) -> None:
    async with between(live) as proxy:
        proxy.slow_down(delay_s=0.1, bytes_per_s=64_000)
        slow = asyncio.ensure_future(a_packet_passes(live))
        await load(live)
        await live.send(live.lane(HANGZHOU, SHANGHAI), 100)
        await a_packet_passes(live, HANGZHOU, SHANGHAI)
        assert not live.has_ended(await live.shown(live.lane(HANGZHOU, SUZHOU)))
        await slow
        await live.judged()
