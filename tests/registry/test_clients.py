from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from hub.core.client import ChainClient, TrustOptions
from hub.core.errors import (
    AnchorInvalid,
    ClientActive,
    ClientFrozen,
    ClientNotFound,
    ClientPending,
    ConsensusStateDiffers,
    EvidenceNotFound,
    GateChanged,
    LeaseLost,
    Reason,
    RequestIdReused,
)
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId, PeerId
from hub.core.time import SECOND, Duration, Timestamp
from hub.ports.caller import Caller
from hub.ports.leases import Fence
from hub.registry.validator_sets import set_digest
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SHANGHAI,
    SUZHOU,
    VALIDATORS,
    acceptance,
    acquire,
    add_headers,
    anchor,
    broken,
    digest,
    header,
    opened,
    register,
)

if TYPE_CHECKING:
    from hub.core.client import Anchor
    from hub.ports.registry import Registry

EVIDENCE = (Reason.CONSENSUS_STATE_DIFFERS, b"first", b"second")


def mirror(client: str = "07-tendermint-0", **changes: object) -> ChainClient:
    values = ChainClient(
        peer=HANGZHOU,
        client=ClientId(client),
        chain_id=ChainId("suzhou-1"),
        latest_height=Height(1, 9),
        is_frozen=False,
        options=TrustOptions(
            trusting_period=Duration(99 * SECOND), max_clock_drift=Duration(SECOND)
        ),
        counterparty=None,
        counterparty_prefix=(b"ibc", b""),
    )
    return replace(values, **changes)  # type: ignore[arg-type]


async def test_a_client_waits_for_its_first_header(registry: Registry) -> None:
    await register(registry, SUZHOU)
    client = await registry.clients.hub_client(SUZHOU)
    assert client.latest is None
    assert not client.is_frozen
    assert client.anchor == anchor("suzhou-1")


async def test_headers_are_read_as_they_were_added(registry: Registry) -> None:
    await register(registry, SUZHOU)
    fence = await acquire(registry, SUZHOU)
    added = [header(number) for number in (5, 9, 7)]
    await add_headers(registry, fence, added)
    clients = registry.clients
    assert await clients.header(SUZHOU, 9) == added[1]
    assert await clients.header(SUZHOU, 6) is None
    assert await clients.consensus_state(SUZHOU, 7) == added[2].state
    assert await clients.consensus_state(SUZHOU, 8) is None
    assert await clients.header_at_or_below(SUZHOU, 8) == added[2]
    assert await clients.header_at_or_below(SUZHOU, 7) == added[2]
    assert await clients.header_at_or_below(SUZHOU, 4) is None
    assert await clients.header_above(SUZHOU, 7) == added[1]
    assert await clients.header_above(SUZHOU, 9) is None
    assert await clients.heights(SUZHOU, 5, 8) == [5, 7]
    assert (await clients.hub_client(SUZHOU)).latest == added[1].state
    assert await broken(registry) == {}


async def test_a_validator_set_is_found_by_the_hash_that_headers_name_it_by(
    registry: Registry,
) -> None:
    await register(registry, SUZHOU)
    digest = set_digest("07-tendermint", VALIDATORS)
    assert await registry.clients.validators(digest) is None
    await add_headers(registry, await acquire(registry, SUZHOU), [header(5)])
    assert await registry.clients.validators(digest) == VALIDATORS


async def test_the_same_header_again_changes_nothing(registry: Registry) -> None:
    await register(registry, SUZHOU)
    fence = await acquire(registry, SUZHOU)
    await add_headers(registry, fence, [header(5)])
    await add_headers(registry, fence, [header(5), header(6)])
    await add_headers(registry, fence, [])
    assert await registry.clients.heights(SUZHOU, 0, 100) == [5, 6]


async def test_another_header_at_a_stored_height_is_refused_and_nothing_is_stored(
    registry: Registry,
) -> None:
    await register(registry, SUZHOU)
    fence = await acquire(registry, SUZHOU)
    await add_headers(registry, fence, [header(5)])
    with pytest.raises(ConsensusStateDiffers) as caught:
        await add_headers(registry, fence, [header(6), header(5, "forged"), header(7)])
    assert caught.value.height == 5
    assert caught.value.stored == header(5).state.header_hash.hex()
    assert await registry.clients.heights(SUZHOU, 0, 100) == [5]


async def test_two_headers_of_one_height_in_one_call_are_refused(registry: Registry) -> None:
    await register(registry, SUZHOU)
    fence = await acquire(registry, SUZHOU)
    with pytest.raises(ConsensusStateDiffers):
        await add_headers(registry, fence, [header(5), header(5, "forged")])
    assert await registry.clients.heights(SUZHOU, 0, 100) == []


async def test_headers_are_added_only_under_the_newest_lease(registry: Registry) -> None:
    await register(registry, SUZHOU)
    with pytest.raises(LeaseLost):
        await add_headers(registry, Fence(SUZHOU, 1), [header(5)])
    old = await acquire(registry, SUZHOU)
    await acquire(registry, SUZHOU)
    with pytest.raises(LeaseLost):
        await add_headers(registry, old, [header(5)])
    assert await registry.clients.heights(SUZHOU, 0, 100) == []


async def test_a_frozen_client_takes_no_header(registry: Registry) -> None:
    await register(registry, SUZHOU)
    fence = await acquire(registry, SUZHOU)
    assert not await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    with pytest.raises(ClientFrozen) as caught:
        await add_headers(registry, fence, [header(5)])
    assert caught.value.cause == "two truths"
    client = await registry.clients.hub_client(SUZHOU)
    assert client.is_frozen
    assert client.frozen_cause == "two truths"


async def test_a_freeze_raises_the_gates_of_what_the_client_proves_and_of_nothing_else(
    registry: Registry,
) -> None:
    to_suzhou = await opened(registry)
    before = [await registry.lanes.view(lane.lane_id) for lane in to_suzhou.lanes]
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    after = [await registry.lanes.view(lane.lane_id) for lane in to_suzhou.lanes]
    assert [view.source.gate for view in before] == [1, 1]
    assert [view.source.gate for view in after] == [1, 2]
    assert [view.destination.gate for view in after] == [2, 1]
    assert [view.source_stopped for view in after] == ["", "two truths"]
    assert [view.destination_stopped for view in after] == ["two truths", ""]


async def test_a_freeze_again_succeeds_and_keeps_its_evidence_too(registry: Registry) -> None:
    lanes = await opened(registry)
    assert not await registry.clients.freeze(SUZHOU, "first", EVIDENCE, ADMIN)
    assert await registry.clients.freeze(SUZHOU, "second", (*EVIDENCE[:2], b"third"), ADMIN)
    assert await registry.clients.freeze(SUZHOU, "third", EVIDENCE, ADMIN)
    kept = await registry.clients.evidence(SUZHOU)
    assert [(one.number, one.first, one.second) for one in kept] == [
        (1, b"first", b"second"),
        (2, b"first", b"third"),
    ]
    assert kept[0].reason is Reason.CONSENSUS_STATE_DIFFERS
    assert (await registry.clients.hub_client(SUZHOU)).frozen_cause == "first"
    assert (await lanes.view()).destination.gate == 2
    assert await registry.clients.evidence(HANGZHOU) == []
    assert await broken(registry) == {}


async def test_a_freeze_is_asked_for_once_under_one_request_id(registry: Registry) -> None:
    await register(registry, SUZHOU)
    by = Caller(identity=ADMIN.identity, request_id="f1", digest=b"freeze")
    assert not await registry.clients.freeze(SUZHOU, "cause", None, by)
    assert await registry.clients.freeze(SUZHOU, "cause", None, by)
    other = replace(by, digest=b"other")
    with pytest.raises(RequestIdReused):
        await registry.clients.freeze(SUZHOU, "cause", EVIDENCE, other)
    assert await registry.clients.evidence(SUZHOU) == []


async def test_a_client_of_an_unknown_peer_is_not_found(registry: Registry) -> None:
    with pytest.raises(ClientNotFound):
        await registry.clients.hub_client(SUZHOU)
    with pytest.raises(ClientNotFound):
        await registry.clients.freeze(SUZHOU, "cause", None, ADMIN)


async def test_hub_clients_are_paged_by_peer(registry: Registry) -> None:
    await register(registry, SUZHOU, HANGZHOU, SHANGHAI)
    await add_headers(registry, await acquire(registry, SHANGHAI), [header(5)])
    page = await registry.clients.hub_clients("hangzhou", 1)
    assert [client.peer for client in page] == [SHANGHAI]
    assert page[0].latest == header(5).state
    assert len(await registry.clients.hub_clients("", 10)) == 3


async def test_the_frozen_ones_are_named(registry: Registry) -> None:
    await register(registry, SUZHOU, HANGZHOU, SHANGHAI)
    assert await registry.clients.frozen() == []
    for peer in (SUZHOU, HANGZHOU):
        await registry.clients.freeze(peer, "two truths", None, ADMIN)
    assert await registry.clients.frozen() == [HANGZHOU, SUZHOU]


async def test_headers_of_many_peers_at_once_are_each_judged_for_themselves(
    registry: Registry,
) -> None:
    peers = [PeerId(f"city-{number}") for number in range(40)]
    await register(registry, *peers)
    fences = {peer: await acquire(registry, peer) for peer in peers}
    add = partial(add_headers, registry)
    await asyncio.gather(*[add(fence, [header(5)]) for fence in fences.values()])
    lost, frozen, twofold, late = peers[3], peers[5], peers[7], peers[9]
    await acquire(registry, lost)
    await registry.clients.freeze(frozen, "two truths", None, ADMIN)
    await add_headers(registry, fences[twofold], [header(6)])
    await add_headers(registry, fences[late], [header(7)])
    new = {peer: [header(6), header(7)] for peer in peers}
    new[twofold] = [header(7), header(6, "forged")]
    calls = [add(fence, new[peer]) for peer, fence in fences.items()]
    found = await asyncio.gather(*calls, return_exceptions=True)
    errors = {peer: type(one) for peer, one in zip(peers, found, strict=True) if one is not None}
    assert errors == {lost: LeaseLost, frozen: ClientFrozen, twofold: ConsensusStateDiffers}
    stored = {peer: await registry.clients.heights(peer, 0, 100) for peer in peers}
    assert [stored.pop(peer) for peer in (lost, frozen, twofold)] == [[5], [5], [5, 6]]
    assert all(heights == [5, 6, 7] for heights in stored.values())
    assert await broken(registry) == {}


async def test_one_who_has_added_headers_before_adds_none_once_fenced_or_frozen(
    registry: Registry,
) -> None:
    await register(registry, SUZHOU, HANGZHOU)
    old, frozen = await acquire(registry, SUZHOU), await acquire(registry, HANGZHOU)
    for fence in (old, frozen):
        await add_headers(registry, fence, [header(5)])
        await add_headers(registry, fence, [header(6)])
    await acquire(registry, SUZHOU)
    await registry.clients.freeze(HANGZHOU, "two truths", None, ADMIN)
    with pytest.raises(LeaseLost):
        await add_headers(registry, old, [header(7)])
    with pytest.raises(ClientFrozen):
        await add_headers(registry, frozen, [header(7)])
    for peer in (SUZHOU, HANGZHOU):
        assert await registry.clients.heights(peer, 0, 100) == [5, 6]


async def test_a_mirror_is_as_it_was_put_last(registry: Registry) -> None:
    await register(registry, HANGZHOU)
    fence = await acquire(registry, HANGZHOU)
    await registry.clients.put_chain_client(fence, mirror())
    newest = mirror(latest_height=Height(1, 12), counterparty=ClientId("07-tendermint-4"))
    await registry.clients.put_chain_client(fence, newest)
    await registry.clients.put_chain_client(fence, mirror("07-tendermint-1", is_frozen=True))
    assert await registry.clients.chain_client(HANGZHOU, newest.client) == newest
    found = await registry.clients.chain_clients(HANGZHOU)
    assert found == [newest, mirror("07-tendermint-1", is_frozen=True)]
    with pytest.raises(ClientNotFound):
        await registry.clients.chain_client(HANGZHOU, ClientId("07-tendermint-9"))


async def test_a_mirror_is_put_only_by_its_own_chains_lease(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    mine, other = await acquire(registry, HANGZHOU), await acquire(registry, SUZHOU)
    with pytest.raises(LeaseLost):
        await registry.clients.put_chain_client(other, mirror())
    await registry.leases.release(mine)
    with pytest.raises(LeaseLost):
        await registry.clients.put_chain_client(mine, mirror())


NOW = Timestamp(1_800_000_100 * SECOND)
LATER = anchor("suzhou-1", height=Height(1, 20))


async def frozen(registry: Registry) -> None:
    """Suzhou's client has verified up to height 9, and is frozen by evidence."""
    await register(registry, SUZHOU)
    await add_headers(registry, await acquire(registry, SUZHOU), [header(5), header(9)])
    await registry.clients.freeze(SUZHOU, "two truths", EVIDENCE, ADMIN)


async def test_a_frozen_client_starts_again_from_a_later_anchor_and_waits_for_its_header(
    registry: Registry,
) -> None:
    await frozen(registry)
    assert not await registry.clients.recover(SUZHOU, LATER, NOW, "mended", ADMIN)
    client = await registry.clients.hub_client(SUZHOU)
    assert (client.is_frozen, client.frozen_cause) == (False, "")
    assert (client.anchor, client.latest, client.verified_height) == (LATER, None, 9)
    assert (await registry.peers.get(SUZHOU)).anchor == LATER
    assert await registry.clients.header(SUZHOU, 9) == header(9)
    assert len(await registry.clients.evidence(SUZHOU)) == 1
    assert await broken(registry) == {}
    await add_headers(registry, await acquire(registry, SUZHOU), [header(20)])
    assert (await registry.clients.hub_client(SUZHOU)).latest == header(20).state


async def test_what_was_verified_before_a_client_started_again_is_not_stored_after_it(
    registry: Registry,
) -> None:
    await frozen(registry)
    await registry.clients.recover(SUZHOU, LATER, NOW, "mended", ADMIN)
    fence = await acquire(registry, SUZHOU)
    others = (anchor("suzhou-1"), replace(LATER, header_hash=digest("another")))
    for under in others:
        for number in (9, 15, 20, 30):
            with pytest.raises(ClientPending) as caught:
                await registry.clients.add_headers(fence, under, [header(number)])
            assert caught.value.height == 20
    assert await registry.clients.heights(SUZHOU, 0, 100) == [5, 9]
    assert (await registry.clients.hub_client(SUZHOU)).latest is None
    await registry.clients.add_headers(fence, LATER, [header(20)])
    await registry.clients.add_headers(fence, LATER, [header(20), header(30)])
    with pytest.raises(ClientPending):
        await registry.clients.add_headers(fence, anchor("suzhou-1"), [header(31)])
    assert await registry.clients.heights(SUZHOU, 0, 100) == [5, 9, 20, 30]
    assert await broken(registry) == {}


async def test_an_expired_client_starts_again_and_an_active_one_does_not(
    registry: Registry,
) -> None:
    await register(registry, SUZHOU)
    await add_headers(registry, await acquire(registry, SUZHOU), [header(5)])
    with pytest.raises(ClientActive):
        await registry.clients.recover(SUZHOU, LATER, NOW, "why not", ADMIN)
    late = Timestamp(NOW + 1_209_600 * SECOND)
    assert not await registry.clients.recover(SUZHOU, LATER, late, "a long night", ADMIN)


async def test_an_anchor_that_was_mistyped_is_replaced_before_its_header_came(
    registry: Registry,
) -> None:
    await frozen(registry)
    await registry.clients.recover(SUZHOU, LATER, NOW, "mended", ADMIN)
    right = replace(LATER, height=Height(1, 21))
    assert not await registry.clients.recover(SUZHOU, right, NOW, "mistyped", ADMIN)
    with pytest.raises(AnchorInvalid):
        await registry.clients.recover(SUZHOU, LATER, NOW, "and back", ADMIN)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("height", replace(LATER, height=Height(1, 9))),
        ("height", replace(LATER, height=Height(2, 20))),
        ("chain_id", replace(LATER, chain_id=ChainId("suzhou-2"))),
        ("client_type", replace(LATER, client_type="qbft")),
        ("prefix", replace(LATER, prefix=(b"ibc", b"x"))),
        ("header_hash", replace(LATER, header_hash=bytes(32))),
    ],
)
async def test_a_client_does_not_start_from_another_chain_or_from_what_it_has_passed(
    registry: Registry, field: str, wrong: Anchor
) -> None:
    await frozen(registry)
    with pytest.raises(AnchorInvalid) as caught:
        await registry.clients.recover(SUZHOU, wrong, NOW, "mended", ADMIN)
    assert caught.value.field == field
    assert (await registry.clients.hub_client(SUZHOU)).is_frozen


async def test_a_recovery_raises_the_gates_again_and_lets_go_what_nothing_else_stops(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await add_headers(registry, lanes.destination, [header(5)])
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    await registry.lanes.pause(lanes.lanes[1].key, "work", ADMIN)
    await registry.clients.recover(SUZHOU, LATER, NOW, "mended", ADMIN)
    there, back = [await registry.lanes.view(lane.lane_id) for lane in lanes.lanes]
    assert (there.destination.gate, there.destination_stopped) == (3, "")
    assert (back.source.gate, back.source_stopped) == (4, "")
    assert await broken(registry) == {}
    await lanes.accept(1)
    await lanes.settle(1, gate=3)
    part = acceptance(back.lane.lane_id, [1], gate=4)
    with pytest.raises(GateChanged):
        await registry.packets.accept(lanes.destination, [part])


async def test_a_recovery_again_succeeds(registry: Registry) -> None:
    await frozen(registry)
    by = Caller(identity=ADMIN.identity, request_id="r1", digest=b"recover")
    assert not await registry.clients.recover(SUZHOU, LATER, NOW, "mended", by)
    assert await registry.clients.recover(SUZHOU, LATER, NOW, "mended", by)
    assert await registry.clients.recover(SUZHOU, LATER, NOW, "mended", ADMIN)
    await registry.clients.freeze(SUZHOU, "again", None, ADMIN)
    assert await registry.clients.recover(SUZHOU, LATER, NOW, "mended", by)
    assert (await registry.clients.hub_client(SUZHOU)).is_frozen


async def test_new_evidence_after_a_recovery_is_kept_and_freezes(registry: Registry) -> None:
    await frozen(registry)
    await registry.clients.recover(SUZHOU, LATER, NOW, "mended", ADMIN)
    new = (Reason.CONSENSUS_STATE_DIFFERS, b"third", b"fourth")
    assert not await registry.clients.freeze(SUZHOU, "again", new, ADMIN)
    assert len(await registry.clients.evidence(SUZHOU)) == 2
    assert await broken(registry) == {}


async def test_evidence_from_under_an_anchor_that_counts_no_more_neither_freezes_nor_is_kept(
    registry: Registry,
) -> None:
    await frozen(registry)
    before = (await registry.clients.hub_client(SUZHOU)).anchor
    new = (Reason.CONSENSUS_STATE_DIFFERS, b"third", b"fourth")
    assert await registry.clients.freeze(SUZHOU, "again", new, ADMIN, before)
    await registry.clients.recover(SUZHOU, LATER, NOW, "mended", ADMIN)
    newer = (Reason.CONSENSUS_STATE_DIFFERS, b"fifth", b"sixth")
    with pytest.raises(ClientPending):
        await registry.clients.freeze(SUZHOU, "again", newer, ADMIN, before)
    assert not (await registry.clients.hub_client(SUZHOU)).is_frozen
    assert len(await registry.clients.evidence(SUZHOU)) == 2
    assert not await registry.clients.freeze(SUZHOU, "again", newer, ADMIN, LATER)
    assert len(await registry.clients.evidence(SUZHOU)) == 3
    assert await broken(registry) == {}


async def test_evidence_says_which_chain_clients_it_was_carried_to(registry: Registry) -> None:
    await frozen(registry)
    await register(registry, HANGZHOU, SHANGHAI)
    fences = [await acquire(registry, peer) for peer in (SHANGHAI, HANGZHOU)]
    for fence in fences:
        await registry.clients.put_chain_client(fence, mirror(peer=fence.peer))
        for _ in range(2):
            await registry.clients.note_carried(fence, SUZHOU, 1, mirror().client)
    [found] = await registry.clients.evidence(SUZHOU)
    assert found.carried_to == ((HANGZHOU, mirror().client), (SHANGHAI, mirror().client))
    with pytest.raises(EvidenceNotFound):
        await registry.clients.note_carried(fence, SUZHOU, 2, mirror().client)
    with pytest.raises(ClientNotFound):
        await registry.clients.note_carried(fence, SUZHOU, 1, ClientId("07-tendermint-9"))
    with pytest.raises(LeaseLost):
        await registry.clients.note_carried(Fence(HANGZHOU, 9), SUZHOU, 1, mirror().client)


async def test_evidence_from_before_a_recovery_stands_no_more(registry: Registry) -> None:
    assert await registry.clients.evidence(SUZHOU, standing=True) == []
    await frozen(registry)
    assert len(await registry.clients.evidence(SUZHOU, standing=True)) == 1
    await registry.clients.recover(SUZHOU, LATER, NOW, "mended", ADMIN)
    assert await registry.clients.evidence(SUZHOU, standing=True) == []
    new = (Reason.CONSENSUS_STATE_DIFFERS, b"third", b"fourth")
    await registry.clients.freeze(SUZHOU, "again", new, ADMIN)
    [found] = await registry.clients.evidence(SUZHOU, standing=True)
    assert (found.number, found.first) == (2, b"third")
