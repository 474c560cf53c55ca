from __future__ import annotations

from hub.exchange import status
from hub.registry.memory import MemoryRegistry
from tests.harness.exchange import ADMIN, HANGZHOU, RELAYER, SUZHOU, Exchange
from tests.harness.registry import disproof


async def test_an_empty_hub_reports_nothing_and_holds_its_invariants() -> None:
    found = await status.report(MemoryRegistry())
    assert (found.peer_count, found.accepted_count, found.relayers) == (0, 0, ())
    assert all(one.count == 0 for one in found.invariants)
    assert found.schema_revision


async def test_the_report_counts_what_the_lanes_rows_say() -> None:
    exchange = await Exchange.opened()
    packets = exchange.send(3)
    await exchange.accept(packets)
    await exchange.deliver(packets[:2])
    await exchange.acknowledge(packets[:2])
    await exchange.complete(packets[:1])
    await exchange.registry.lanes.pause(exchange.key.reverse, "audit", ADMIN)
    found = await status.report(exchange.registry)
    assert (found.peer_count, found.open_lane_count) == (2, 1)
    assert (found.accepted_count, found.ended_count, found.exception_count) == (3, 1, 0)
    (relayer,) = found.relayers
    assert (relayer.name, relayer.peers) == (RELAYER, (HANGZHOU, SUZHOU))


async def test_exceptions_are_counted_until_the_packets_have_ended() -> None:
    exchange = await Exchange.opened()
    packets = exchange.send(2, timeout=30)
    await exchange.accept(packets, denied="route is not listed")
    assert (await status.report(exchange.registry)).exception_count == 2
    for packet in packets:
        await exchange.time_out(packet)
    await exchange.complete(packets)
    found = await status.report(exchange.registry)
    assert (found.exception_count, found.ended_count) == (0, 2)


async def test_whose_reports_were_disproven_is_told() -> None:
    exchange = await Exchange.opened()
    packets = exchange.send(2)
    await exchange.accept(packets)
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    await exchange.complete(packets)
    assert (await status.report(exchange.registry)).disproven == ()
    found = [disproof(0, 1), disproof(1, 2)]
    await exchange.registry.outcomes.reopen(exchange.fences[HANGZHOU], 1, 1, found)
    assert (await status.report(exchange.registry)).disproven == ((HANGZHOU, 2),)
