from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.errors import LaneNotFound, PacketNotFound, Reason
from hub.core.ids import ClientId
from hub.core.lifecycle import PacketState
from hub.core.record import ExceptionKind, PacketException
from hub.exchange import story
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU, Exchange


@pytest.fixture
async def exchange() -> Exchange:
    return await Exchange.opened()


async def told(exchange: Exchange, sequence: int = 1) -> tuple[PacketState, list[str], str]:
    found = await story.explain(exchange.registry, exchange.key, sequence)
    return (
        found.standing.state,
        [event.event for event in found.events],
        found.waiting_for,
    )


async def test_a_packet_is_told_from_its_acceptance_to_its_completion(exchange: Exchange) -> None:
    packets = exchange.send()
    await exchange.accept(packets)
    state, events, waiting = await told(exchange)
    assert (state, events) == (PacketState.ACCEPTED, ["ACCEPT"])
    assert waiting.startswith("peers/suzhou to execute it; it times out at 20")
    await exchange.deliver(packets)
    assert await told(exchange) == (
        PacketState.DELIVERED,
        ["ACCEPT", "DELIVER"],
        "the proven acknowledgement of peers/suzhou",
    )
    await exchange.acknowledge(packets)
    assert await told(exchange) == (
        PacketState.ACKNOWLEDGED,
        ["ACCEPT", "DELIVER", "ACKNOWLEDGE"],
        "peers/hangzhou to execute the acknowledgement",
    )
    await exchange.complete(packets)
    assert await told(exchange) == (
        PacketState.COMPLETED,
        ["ACCEPT", "DELIVER", "ACKNOWLEDGE", "COMPLETE"],
        "",
    )


async def test_times_and_heights_are_those_of_the_facts(exchange: Exchange) -> None:
    packets = exchange.send()
    await exchange.accept(packets)
    accepted_height = exchange.path.left.height
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    found = await story.explain(exchange.registry, exchange.key, 1)
    accept, deliver, acknowledge = found.events
    assert found.standing.stored is not None
    assert found.standing.outcome is not None
    assert accept.at == found.standing.stored.accepted_at
    assert accept.proof_height == found.standing.proof_height == accepted_height
    assert (deliver.at, deliver.proof_height) == (None, 0)
    assert acknowledge.at == found.standing.outcome.recorded_at
    assert acknowledge.proof_height == exchange.path.right.height


async def test_a_packet_that_nobody_received_is_told_to_its_refund(exchange: Exchange) -> None:
    (packet,) = exchange.send(timeout=30)
    await exchange.accept([packet])
    await exchange.time_out(packet)
    assert await told(exchange) == (
        PacketState.TIMED_OUT,
        ["ACCEPT", "TIME_OUT"],
        "peers/hangzhou to execute the refund",
    )
    await exchange.complete([packet])
    assert await told(exchange) == (PacketState.REFUNDED, ["ACCEPT", "TIME_OUT", "REFUND"], "")


async def test_a_denial_is_told_also_after_the_refund(exchange: Exchange) -> None:
    [packet] = exchange.send(timeout=5)
    await exchange.accept([packet], denied="route a~b is not listed")
    await exchange.time_out(packet)
    state, events, _ = await told(exchange)
    assert (state, events) == (PacketState.TIMED_OUT, ["ACCEPT", "DENY", "TIME_OUT"])


async def test_a_denied_packet_waits_for_its_timeout(exchange: Exchange) -> None:
    await exchange.accept(exchange.send(), denied="route a~b is not listed")
    found = await story.explain(exchange.registry, exchange.key, 1)
    assert found.standing.state is PacketState.DENIED
    assert [event.detail for event in found.events][1] == "route a~b is not listed"
    assert "at peers/suzhou, then a refund" in found.waiting_for


async def test_what_stops_a_packet_is_named(exchange: Exchange) -> None:
    await exchange.accept(exchange.send())
    await exchange.attach(SUZHOU, attached=False)
    assert (await told(exchange))[2].startswith("the adapter of peers/suzhou to attach, then ")
    await exchange.registry.lanes.pause(exchange.key, "audit", ADMIN)
    assert (await told(exchange))[2].startswith("the lane to be resumed, paused for: audit")
    await exchange.registry.lanes.resume(exchange.key, ADMIN)
    await exchange.registry.clients.freeze(SUZHOU, "two headers", None, ADMIN)
    assert (await told(exchange))[2] == "peers/suzhou/client, stopped for: two headers"
    await exchange.registry.clients.freeze(HANGZHOU, "by hand", None, ADMIN)
    assert (await told(exchange))[2].startswith("peers/hangzhou/client, stopped for: by hand")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ExceptionKind.RETRY, "attempt 4, the last failed: no gas; it times out"),
        (ExceptionKind.PARKED, "an operator: no gas; it times out"),
    ],
)
async def test_an_exception_says_what_it_asks_for(
    exchange: Exchange, kind: ExceptionKind, words: str
) -> None:
    await exchange.accept(exchange.send())
    exception = PacketException(
        sequence=1,
        kind=kind,
        reason=Reason.CHAIN_UNREACHABLE,
        detail="no gas",
        attempts=3,
        next_attempt_at=None,
    )
    await exchange.registry.exceptions.put(
        exchange.fences[SUZHOU], await exchange.lane_id(), [exception]
    )
    _, events, waiting = await told(exchange)
    assert events == ["ACCEPT", "ATTEMPT"]
    assert waiting.startswith(words)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            ExceptionKind.RETRY,
            "peers/hangzhou to execute the {what}, attempt 4, the last failed: no gas",
        ),
        (
            ExceptionKind.PARKED,
            "an operator: no gas; it is tried again when the adapter attaches anew",
        ),
    ],
)
@pytest.mark.parametrize("what", ["acknowledgement", "refund"])
async def test_an_exception_of_an_owed_outcome_says_what_it_asks_for(
    exchange: Exchange, what: str, kind: ExceptionKind, words: str
) -> None:
    packets = exchange.send(timeout=30)
    await exchange.accept(packets)
    if what == "refund":
        await exchange.time_out(packets[0])
    else:
        await exchange.deliver(packets)
        await exchange.acknowledge(packets)
    exception = PacketException(
        sequence=1,
        kind=kind,
        reason=Reason.CHAIN_UNREACHABLE,
        detail="no gas",
        attempts=3,
        next_attempt_at=None,
    )
    lane = await exchange.lane_id()
    await exchange.registry.exceptions.put(exchange.fences[HANGZHOU], lane, [exception])
    assert (await told(exchange))[2] == words.format(what=what)


async def test_a_delivered_packet_of_a_frozen_chain_says_so(exchange: Exchange) -> None:
    packets = exchange.send()
    await exchange.accept(packets)
    await exchange.deliver(packets)
    await exchange.registry.clients.freeze(SUZHOU, "two headers", None, ADMIN)
    assert (await told(exchange))[2] == "peers/suzhou/client is stopped: two headers"


async def test_a_hole_that_others_settled_has_a_story_and_no_packet(exchange: Exchange) -> None:
    await exchange.settle_elsewhere(1)
    found = await story.explain(exchange.registry, exchange.key, 1)
    assert found.standing.stored is None
    assert found.standing.state is PacketState.SETTLED_ELSEWHERE
    assert [event.event for event in found.events] == ["SETTLED_ELSEWHERE"]
    assert found.waiting_for == ""


async def test_what_was_never_accepted_is_not_found(exchange: Exchange) -> None:
    with pytest.raises(PacketNotFound) as raised:
        await story.get(exchange.registry, exchange.key, 9)
    assert raised.value.name == f"{exchange.key.name}/packets/9"
    unknown = replace(exchange.key, source_client=ClientId("07-tendermint-99"))
    with pytest.raises(LaneNotFound):
        await story.get(exchange.registry, unknown, 1)


async def test_pages_follow_each_other_without_a_gap(exchange: Exchange) -> None:
    packets = exchange.send(5)
    await exchange.accept(packets)
    seen: list[int] = []
    after = 0
    while True:
        page = await story.page(exchange.registry, exchange.key, None, after, 2)
        seen += [standing.sequence for standing in page.standings]
        after = page.after
        if not page.more:
            break
    assert seen == [1, 2, 3, 4, 5]


async def test_a_page_may_be_narrowed_to_a_state(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = exchange.send(6)
    await exchange.accept(packets)
    await exchange.deliver(packets[::2])
    page = await story.page(exchange.registry, exchange.key, PacketState.DELIVERED, 0, 2)
    assert [standing.sequence for standing in page.standings] == [1, 3]
    assert page.more
    rest = await story.page(exchange.registry, exchange.key, PacketState.DELIVERED, page.after, 2)
    assert ([standing.sequence for standing in rest.standings], rest.more) == ([5], False)
    monkeypatch.setattr(story, "SCAN_LIMIT", 2)
    monkeypatch.setattr(story, "_SCAN_AT_ONCE", 2)
    short = await story.page(exchange.registry, exchange.key, PacketState.REFUNDED, 0, 5)
    assert (short.standings, short.after, short.more) == ((), 2, True)


async def test_a_page_is_bounded_in_bytes(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = exchange.send(5)
    await exchange.accept(packets)
    monkeypatch.setattr(story, "MAX_PAGE_BYTES", 300)
    seen: list[int] = []
    after, pages = 0, 0
    while True:
        page = await story.page(exchange.registry, exchange.key, None, after, 100)
        assert page.standings
        seen += [standing.sequence for standing in page.standings]
        after, pages = page.after, pages + 1
        if not page.more:
            break
    assert seen == [1, 2, 3, 4, 5]
    assert 1 < pages < 5
