"""Two relayers share the cities; one takes over from one that is killed or stands still."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

from ydhub.relayer.v1 import relayer_service_pb2

from hub.cli.dev.layout import CHAINS, RELAYER, RELAYER_NAME
from tests.harness.pair import SECOND, pair
from tests.harness.traffic import a_packet_passes, load

if TYPE_CHECKING:
    from tests.harness.network import LiveNetwork


def ends_of_sessions(live: LiveNetwork, process: str) -> int:
    """How many sessions the relayer has ended, by its log."""
    found = 0
    for line in live.network.layout.log(process).read_text().splitlines():
        found += json.loads(line)["event"] == "session_over"
    return found


async def test_a_second_relayer_takes_over_from_one_that_stands_still_and_dies_itself(
    live: LiveNetwork,
) -> None:
    async with pair(live) as relayers:
        await relayers.shared()
        await load(live)
        before = ends_of_sessions(live, RELAYER)
        owned = [peer for peer, owner in (await relayers.owners()).items() if owner == RELAYER]
        live.network.processes.send(RELAYER, signal.SIGSTOP)
        try:
            await a_packet_passes(live)
            assert set((await relayers.owners()).values()) == {SECOND}
        finally:
            live.network.processes.send(RELAYER, signal.SIGCONT)

        async def has_given_them_up() -> bool:
            return ends_of_sessions(live, RELAYER) >= before + len(owned)

        await live.until(has_given_them_up, "the end of sessions whose leases are lost")
        await load(live)
        await live.kill(SECOND)
        await a_packet_passes(live)
        await relayers.start(SECOND)
        await relayers.shared()
        await live.judged()


async def test_a_relayer_that_drains_hands_its_sessions_over_until_it_is_undone(
    live: LiveNetwork,
) -> None:
    name = f"relayers/{RELAYER_NAME}"
    async with pair(live) as relayers:
        await relayers.shared()
        await load(live)
        drain = relayer_service_pb2.DrainRelayerRequest(name=name, cause="repair")
        async with live.hub() as hub:
            await hub.call(hub.relayers.DrainRelayer, drain)

        async def it_has_none() -> bool:
            found = await relayers.owners()
            return len(found) == len(CHAINS) and RELAYER not in found.values()

        await live.until(it_has_none, "the drained relayer's sessions elsewhere")
        await a_packet_passes(live)
        undrain = relayer_service_pb2.UndrainRelayerRequest(name=name, cause="done")
        async with live.hub() as hub:
            await hub.call(hub.relayers.UndrainRelayer, undrain)
        await relayers.shared()
        await a_packet_passes(live)
        await live.judged()


async def test_a_lane_is_opened_between_cities_of_two_relayers(live: LiveNetwork) -> None:
    async with pair(live) as relayers:
        await relayers.shared()
        owners = await relayers.owners()
        source = next(peer for peer in map(str, CHAINS) if owners[peer] == RELAYER)
        to = next(peer for peer in map(str, CHAINS) if owners[peer] == SECOND)
        lane = await live.opened(await live.ask_for_lanes(source, to))
        for way in (lane, lane.reverse):
            sent = await live.send(way, 3)
            await live.reached(way, sent.first_sequence + 2, "COMPLETED")
        await live.judged()
