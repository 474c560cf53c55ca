"""Packets over a development network: enough to be under way when something happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.harness.network import HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from tests.harness.network import LiveNetwork

LOAD: Final = 600
"""Packets each way: some blocks, and more than one frame."""


async def load(live: LiveNetwork) -> None:
    """Packets are on their way in both directions, some accepted and most not ended."""
    before = sum(live.sent.values())
    for source, to in ((HANGZHOU, SUZHOU), (SUZHOU, HANGZHOU)):
        await live.send(live.lane(source, to), LOAD)

    async def some_are_accepted() -> bool:
        return sum(lane.accepted_count for lane in await live.listed()) > before

    await live.until(some_are_accepted, "the first acceptance")


async def a_packet_passes(live: LiveNetwork, source: str = HANGZHOU, to: str = SUZHOU) -> None:
    """From now on a packet is sent, executed, acknowledged and completed."""
    lane = live.lane(source, to)
    sent = await live.send(lane, 1)
    await live.reached(lane, sent.first_sequence, "COMPLETED")
