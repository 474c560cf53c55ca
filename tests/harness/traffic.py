"""Packets over a development network: enough to be under way when something happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

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


async def a_packet_is_acknowledged(live: LiveNetwork) -> None:
    """A packet of Hangzhou to Suzhou is acknowledged, by the chain's own ledger."""
    lane = live.lane(HANGZHOU, SUZHOU)
    sent = await live.send(lane, 1)

    async def it_is() -> bool:
        ledger: Any = await live.ledger(HANGZHOU)
        return any(
            effect.acknowledged
            for effect in ledger.effects
            if effect.is_source
            and (effect.client, effect.sequence) == (lane.source_client, sent.first_sequence)
        )

    await live.until(it_is, "an acknowledgement without the hub")


async def is_mute(live: LiveNetwork, process: str) -> bool:
    """Whether *process* answers nobody now."""
    return not await live.network.answers(process)
