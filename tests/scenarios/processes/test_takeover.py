"""A second relayer takes over from one that is killed or stands still, and back."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from hub.cli.dev.layout import RELAYER
from tests.harness.pair import SECOND, pair
from tests.harness.traffic import a_packet_passes, load

if TYPE_CHECKING:
    from tests.harness.network import LiveNetwork


async def test_a_second_relayer_takes_over_from_one_that_stands_still_and_dies_itself(
    live: LiveNetwork,
) -> None:
    async with pair(live) as relayers:
        await load(live)
        live.network.processes.send(RELAYER, signal.SIGSTOP)
        try:
            await a_packet_passes(live)
        finally:
            live.network.processes.send(RELAYER, signal.SIGCONT)
        await load(live)
        await live.kill(SECOND)
        await a_packet_passes(live)
        await relayers.start(SECOND)
        await relayers.shared()
        await live.judged()
