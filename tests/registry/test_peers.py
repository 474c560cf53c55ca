from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import GateChanged, PeerExists, PeerNotFound, RequestIdReused
from hub.core.height import Height
from hub.core.ids import PeerId
from hub.core.peer import PeerState
from hub.ports.caller import Caller
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SHANGHAI,
    SUZHOU,
    anchor,
    broken,
    open_lanes,
    opened,
    register,
)

if TYPE_CHECKING:
    from hub.ports.registry import Registry


def asked(request_id: str, digest: bytes = b"contents") -> Caller:
    return Caller(identity=ADMIN.identity, request_id=request_id, digest=digest)


async def test_a_registered_peer_is_active_and_read_as_it_was_given(registry: Registry) -> None:
    made, before = await registry.peers.register(SUZHOU, "Suzhou 苏州", anchor(), ADMIN)
    assert not before
    assert (made.peer, made.display_name, made.state) == (SUZHOU, "Suzhou 苏州", PeerState.ACTIVE)
    assert made.anchor == anchor()
    assert made.revision == 1
    assert made.created_at > 0
    assert await registry.peers.get(SUZHOU) == made
    assert await broken(registry) == {}


async def test_the_same_contents_again_succeed(registry: Registry) -> None:
    first, _ = await registry.peers.register(SUZHOU, "Suzhou", anchor(), ADMIN)
    again, before = await registry.peers.register(SUZHOU, "Suzhou", anchor(), ADMIN)
    assert before
    assert again == first


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Wuxi", anchor()),
        ("Suzhou", anchor(height=Height(1, 6))),
        ("Suzhou", anchor(prefix=(b"ibc", b"x"))),
        ("Suzhou", anchor("suzhou-2")),
    ],
)
async def test_other_contents_under_the_same_name_are_refused(
    registry: Registry, name: str, other: object
) -> None:
    await registry.peers.register(SUZHOU, "Suzhou", anchor(), ADMIN)
    with pytest.raises(PeerExists) as caught:
        await registry.peers.register(SUZHOU, name, other, ADMIN)  # type: ignore[arg-type]
    assert caught.value.name == "peers/suzhou"
    assert (await registry.peers.get(SUZHOU)).display_name == "Suzhou"


async def test_an_unknown_peer_is_not_found(registry: Registry) -> None:
    with pytest.raises(PeerNotFound):
        await registry.peers.get(SUZHOU)


async def test_peers_are_paged_by_id_in_the_order_of_their_bytes(registry: Registry) -> None:
    # Most collations put a hyphen elsewhere than its byte does.
    names = [PeerId(name) for name in ("ab", "a-c", "a", "abc", "a1")]
    await register(registry, *names)
    assert [peer.peer for peer in await registry.peers.page("", 10)] == sorted(names)
    assert [peer.peer for peer in await registry.peers.page("a-c", 2)] == ["a1", "ab"]
    assert await registry.peers.page("abc", 10) == []


async def test_a_repeated_request_is_one_and_its_id_is_not_used_for_another(
    registry: Registry,
) -> None:
    await registry.peers.register(SUZHOU, "Suzhou", anchor(), asked("r1"))
    _, before = await registry.peers.register(SUZHOU, "Suzhou", anchor(), asked("r1"))
    assert before
    with pytest.raises(RequestIdReused):
        await registry.peers.register(HANGZHOU, "Hangzhou", anchor(), asked("r1", b"other"))
    with pytest.raises(PeerNotFound):
        await registry.peers.get(HANGZHOU)


async def test_a_request_id_counts_for_its_caller_alone(registry: Registry) -> None:
    await registry.peers.register(SUZHOU, "Suzhou", anchor(), asked("r1"))
    other = Caller(identity="spiffe://ydhub.local/admins/wu", request_id="r1", digest=b"other")
    _, before = await registry.peers.register(SHANGHAI, "Shanghai", anchor(), other)
    assert not before


async def test_a_request_that_failed_may_be_made_again_under_its_id(registry: Registry) -> None:
    await registry.peers.register(SUZHOU, "Suzhou", anchor(), ADMIN)
    with pytest.raises(PeerExists):
        await registry.peers.register(SUZHOU, "Wuxi", anchor(), asked("r1"))
    await registry.peers.register(SHANGHAI, "Shanghai", anchor(), asked("r1", b"other"))


async def test_a_suspended_peer_says_why_and_a_resumed_one_takes_part(registry: Registry) -> None:
    await register(registry, SUZHOU)
    assert not await registry.peers.suspend(SUZHOU, "inspection", ADMIN)
    found = await registry.peers.get(SUZHOU)
    assert (found.state, found.suspend_cause) == (PeerState.SUSPENDED, "inspection")
    assert found.revision == 2
    assert await registry.peers.suspend(SUZHOU, "again", ADMIN)
    assert (await registry.peers.get(SUZHOU)).suspend_cause == "inspection"
    assert not await registry.peers.resume(SUZHOU, "passed", ADMIN)
    assert await registry.peers.resume(SUZHOU, "passed", ADMIN)
    found = await registry.peers.get(SUZHOU)
    assert (found.state, found.suspend_cause, found.revision) == (PeerState.ACTIVE, "", 3)
    assert await broken(registry) == {}


async def test_lanes_of_a_suspended_peer_accept_nothing_and_outcomes_of_others_go_on(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2)
    await registry.peers.suspend(HANGZHOU, "inspection", ADMIN)
    there, back = [await registry.lanes.view(lane.lane_id) for lane in lanes.lanes]
    assert (there.source_stopped, there.suspended) == (
        "the peer is suspended: inspection",
        (HANGZHOU,),
    )
    assert (back.destination_stopped, back.suspended) == (there.source_stopped, (HANGZHOU,))
    assert not there.accepts
    assert not there.delivers
    assert not back.accepts
    assert not back.delivers
    with pytest.raises(GateChanged):
        await lanes.accept(3, gate=there.source.gate)
    await lanes.settle(1, gate=there.destination.gate)
    assert (await lanes.view()).destination.outcome_count == 1
    assert await broken(registry) == {}


async def test_a_suspension_raises_the_gates_of_what_it_stops_and_so_does_its_end(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    gates = []
    for change in (registry.peers.suspend, registry.peers.resume):
        await change(SUZHOU, "inspection", ADMIN)
        views = [await registry.lanes.view(lane.lane_id) for lane in lanes.lanes]
        gates.append([(view.source.gate, view.destination.gate) for view in views])
    assert gates == [[(2, 2), (2, 1)], [(3, 3), (3, 1)]]
    await lanes.accept(1, gate=3)


async def test_what_is_paused_or_frozen_stays_so_when_its_peer_is_resumed(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await registry.peers.suspend(SUZHOU, "inspection", ADMIN)
    await registry.lanes.pause(lanes.lanes[0].key, "work", ADMIN)
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    await registry.peers.resume(SUZHOU, "passed", ADMIN)
    there, back = [await registry.lanes.view(lane.lane_id) for lane in lanes.lanes]
    assert there.destination_stopped == back.source_stopped == "two truths"
    assert await broken(registry) == {}
    with pytest.raises(GateChanged):
        await lanes.accept(1, gate=there.source.gate)


async def test_lanes_that_are_opened_meanwhile_are_stopped_too(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    await registry.peers.suspend(SUZHOU, "inspection", ADMIN)
    await open_lanes(registry)
    assert await broken(registry) == {}


async def test_a_peer_that_nobody_knows_is_not_suspended(registry: Registry) -> None:
    with pytest.raises(PeerNotFound):
        await registry.peers.suspend(SUZHOU, "inspection", ADMIN)


async def test_a_repeated_request_does_not_undo_a_later_one(registry: Registry) -> None:
    await register(registry, SUZHOU)
    await registry.peers.suspend(SUZHOU, "inspection", asked("s1"))
    await registry.peers.resume(SUZHOU, "passed", asked("s2"))
    assert await registry.peers.suspend(SUZHOU, "inspection", asked("s1"))
    assert (await registry.peers.get(SUZHOU)).state is PeerState.ACTIVE
    with pytest.raises(RequestIdReused):
        await registry.peers.suspend(SUZHOU, "inspection", asked("s2", b"other"))
