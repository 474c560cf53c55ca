"""Every kind of transaction whose answer is lost, at every point: done once, and told so.

The server is a real one; a socket before it loses the answer of transaction n, for every n that
the operation has. Then the operation is asked again, as its caller does, and stands exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pytest

from hub.core.commitment import commit_packet
from hub.core.errors import CommitUnknown
from hub.core.lane import LaneState
from hub.core.ranges import RangeSet
from hub.core.record import OutcomeKind
from hub.core.time import Timestamp
from hub.exchange import outcomes, packets
from hub.exchange.outcomes import ProvenOutcomes
from hub.exchange.packets import ProvenPackets
from hub.registry.engine import AWAY
from hub.wire.packet import encode_packet
from tests.harness.lost_answers import LostAnswers, losing
from tests.harness.packet_samples import PACKET
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    LEASE,
    SHANGHAI,
    anchor,
    broken,
    connect,
    header,
    opened,
    outcome,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hub.exchange.packets import Judgement
    from hub.ports.caller import Caller
    from tests.harness.postgres import Databases
    from tests.harness.registry import Opened

MOST: Final = 12
"""Transactions of one operation, and more."""


@dataclass
class Place:
    """A lane of a registry whose answers may be lost."""

    lanes: Opened
    lossy: LostAnswers

    async def lost_everywhere(self, ask: Callable[[int], Awaitable[object]]) -> int:
        """How often *ask* lost an answer, once at each of its transactions; each ended well.

        It is asked with another number each time, and asked again while it is away.
        """
        for at in range(1, MOST):
            lost = self.lossy.lost
            self.lossy.lose(at)
            await self._until_done(ask, at)
            self.lossy.lose(0)
            if self.lossy.lost == lost:
                return at - 1
        raise AssertionError("more transactions than expected")

    async def _until_done(self, ask: Callable[[int], Awaitable[object]], number: int) -> None:
        for _ in range(3):
            try:
                await ask(number)
            except AWAY:
                continue
            return
        raise AssertionError("it is away for ever")


@pytest.fixture
async def place(databases: Databases) -> AsyncIterator[Place]:
    """The lane is open; nothing is lost yet."""
    async with (
        losing(await databases.fresh()) as (lossy, url),
        await connect(url) as registry,
    ):
        lanes = await opened(registry)
        # Hints to other processes are transactions too, and come when they like.
        await registry._changes.close()
        yield Place(lanes, lossy)
        assert await broken(registry) == {}
    await databases.drop()


def proven(*sequences: int) -> ProvenPackets:
    shown = [replace(PACKET, sequence=sequence) for sequence in sequences]
    return ProvenPackets(
        packets=tuple(shown),
        contents=tuple([encode_packet(packet) for packet in shown]),
        commitments=tuple([commit_packet(packet) for packet in shown]),
        proof_height=7,
        proven_at=Timestamp(0),
        proof_batch=b"proof",
    )


async def accept(lanes: Opened, *sequences: int) -> Judgement:
    view = await lanes.view()
    found, _ = await packets.accept(lanes.registry, lanes.source, view, {}, proven(*sequences))
    return found


async def test_packets_are_accepted_once_and_never_told_so_before_they_are(place: Place) -> None:
    lanes = place.lanes
    told = RangeSet()

    async def ask(number: int) -> None:
        nonlocal told
        found = await accept(lanes, 2 * number, 2 * number + 1)
        assert found.refused == ()
        told |= found.accepted | found.already_done

    assert await place.lost_everywhere(ask) >= 2
    assert (await lanes.view()).source.done == told
    stored = await lanes.registry.packets.read(lanes.lane, told)
    assert RangeSet.of([packet.sequence for packet in stored]) == told


async def test_a_lost_answer_is_read_again_by_identity_in_the_same_call(place: Place) -> None:
    lanes = place.lanes
    again = 0

    async def ask(number: int) -> None:
        nonlocal again
        both = RangeSet.of([2 * number, 2 * number + 1])
        view = await lanes.view()
        shown = proven(*both)
        found, after = await packets.accept(lanes.registry, lanes.source, view, {}, shown)
        assert (found.accepted or found.already_done) == both
        if not found.accepted:
            again += 1
            # The caller goes on from what is durable.
            assert both - after.source.done == RangeSet()

    await place.lost_everywhere(ask)
    assert again


async def test_another_packet_under_the_same_sequence_is_not_taken_for_it(place: Place) -> None:
    lanes = place.lanes
    unknown: list[int] = []

    async def ask(number: int) -> None:
        try:
            await lanes.accept(number)
        except CommitUnknown:
            unknown.append(number)

    await place.lost_everywhere(ask)
    assert unknown
    for number in unknown:
        found = await accept(lanes, number)
        is_there = number in (await lanes.view()).source.done
        reasons = [error.reason for _, error in found.refused]
        assert reasons == ["PACKET_DIFFERS"] or (is_there and found.accepted)


async def test_an_outcome_has_one_index_however_often_its_answer_is_lost(place: Place) -> None:
    lanes = place.lanes
    await lanes.accept(*range(1, 30))

    async def ask(number: int) -> None:
        shown = ProvenOutcomes(
            outcomes=(outcome(number, OutcomeKind.ACKNOWLEDGEMENT),),
            commitments=(b"commitment",),
            proof_height=7,
            proof=b"proof",
        )
        view = await lanes.view()
        found, _ = await outcomes.record(lanes.registry, lanes.destination, view, shown)
        assert found.refused == ()

    count = await place.lost_everywhere(ask)
    assert count >= 2
    view = await lanes.view()
    assert view.destination.done == RangeSet.span(1, count + 2)
    assert view.destination.outcome_count == count + 1
    indexes = RangeSet.span(0, count + 1)
    assert len(await lanes.registry.outcomes.read(lanes.lane, indexes)) == count + 1


async def test_progress_of_both_sides_is_noted_once(place: Place) -> None:
    lanes, store = place.lanes, place.lanes.registry.outcomes
    await lanes.accept(*range(1, 30))
    await lanes.settle(*range(1, 30))

    async def deliver(number: int) -> None:
        one = RangeSet.of([number])
        await store.record_delivered(lanes.destination, lanes.lane, one)

    async def complete(number: int) -> None:
        one = RangeSet.of([number - 1])
        await store.record_completed(lanes.source, lanes.lane, one)

    assert await place.lost_everywhere(deliver) >= 1
    completed = await place.lost_everywhere(complete)
    assert (await lanes.view()).source.progress == RangeSet.span(0, completed + 1)


async def test_headers_are_stored_once(place: Place) -> None:
    lanes, store = place.lanes, place.lanes.registry.clients

    async def ask(number: int) -> None:
        new = [header(10 * number), header(10 * number + 1)]
        await store.add_headers(lanes.source, anchor("hangzhou-1"), new)

    count = await place.lost_everywhere(ask)
    assert count >= 1
    heights = await store.heights(HANGZHOU, 10, 1000)
    assert len(heights) == 2 * (count + 1)


async def test_a_lease_that_may_be_taken_is_taken_anew_and_the_newest_epoch_counts(
    place: Place,
) -> None:
    lanes, store = place.lanes, place.lanes.registry.leases

    async def take(_: int) -> None:
        fence = await store.acquire(HANGZHOU, "east-1", LEASE)
        assert fence is not None
        lanes.fences[HANGZHOU] = fence

    async def renew(_: int) -> None:
        await store.renew(lanes.source, LEASE, attached=True)

    assert await place.lost_everywhere(take) >= 2
    assert await place.lost_everywhere(renew) >= 1
    await lanes.accept(1)
    assert (await lanes.view()).source.epoch == lanes.source.epoch


async def test_what_an_administrator_asks_under_a_request_id_is_done_once(place: Place) -> None:
    lanes, registry = place.lanes, place.lanes.registry

    def asked(what: str, number: int) -> Caller:
        return replace(ADMIN, request_id=f"{what}-{number}", digest=what.encode())

    async def pause(number: int) -> None:
        key = lanes.lanes[0].key
        await registry.lanes.pause(key, "drill", asked("pause", number))
        await registry.lanes.resume(key, asked("resume", number))

    async def register(number: int) -> None:
        peer = type(SHANGHAI)(f"{SHANGHAI}{number}")
        by = asked(f"register {peer}", number)
        await registry.peers.register(peer, "Shanghai", anchor("shanghai-1"), by)

    before = (await lanes.view()).source.gate
    count = await place.lost_everywhere(pause)
    assert count >= 2
    view = await lanes.view()
    assert view.lane.state is LaneState.OPEN
    # A gate rises once for each pause, and not for each time that it is asked.
    assert (view.source.gate - before) % (count + 1) == 0
    count = await place.lost_everywhere(register)
    assert len(await registry.peers.page("", 100)) == 2 + count + 1
