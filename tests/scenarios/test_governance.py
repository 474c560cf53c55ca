"""What administrators do reaches running sessions at once, and what it held goes on afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.submission import Misbehaviour
from adapters.simchain.misbehave import Misbehaviour as Kind
from adapters.simchain.misbehave import equivocate
from adapters.simchain.offences import Offences
from adapters.simchain.queries import anchor_at
from hub.core.errors import Reason
from hub.core.lane import LaneState
from hub.core.lifecycle import PacketState
from hub.core.peer import PeerState
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.relayed import relayed
from tests.harness.simchain import TRUST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.relayed import Relayed, Town


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Relayed]:
    async with relayed(tmp_path) as found:
        await found.open()
        yield found
        violations = await found.registry.audit.violations()
        assert [one for one in violations if one.count] == []


async def frozen(world: Relayed, town: Town) -> None:
    """The hub's client of the town's chain is frozen by what its own validators signed."""
    await Offences(town.chain, town.client).commit(Kind.EQUIVOCATE, None)
    assert (await world.registry.clients.hub_client(town.peer)).is_frozen


async def recover(world: Relayed, town: Town) -> None:
    """An administrator lets the client start again from the newest block."""
    await world.second()
    anchor = anchor_at(town.chain, town.chain.height, TRUST)
    now = world.clock.now()
    assert not await world.registry.clients.recover(town.peer, anchor, now, "mended", ADMIN)


class TestRecovery:
    async def test_a_chain_that_was_frozen_by_evidence_is_accepted_from_again(
        self, world: Relayed
    ) -> None:
        world.submit(world.left, 2)
        await world.reaches(PacketState.COMPLETED, 1, 2)
        await frozen(world, world.left)
        world.submit(world.left, 2)
        await world.seconds(10)
        assert await world.state(3) is None
        await recover(world, world.left)
        # Suzhou's own client was told of the equivocation, and is its city's to let go on.
        await world.reaches(PacketState.ACCEPTED, 3, 4)
        [evidence] = await world.registry.clients.evidence(HANGZHOU)
        assert evidence.carried_to == ((SUZHOU, world.key.destination_client),)

    async def test_what_was_held_by_an_order_completes_after_the_recovery(
        self, world: Relayed
    ) -> None:
        world.submit(world.left, 2)
        await world.reaches(PacketState.COMPLETED, 1, 2)
        await world.registry.clients.freeze(HANGZHOU, "by order 7", None, ADMIN)
        world.submit(world.left, 3)
        await world.seconds(10)
        assert await world.state(3) is None
        await recover(world, world.left)
        await world.reaches(PacketState.COMPLETED, 3, 4, 5)
        client = await world.registry.clients.hub_client(HANGZHOU)
        assert client.latest is not None
        assert client.latest.height > client.anchor.height

    async def test_what_a_frozen_destination_owes_completes_after_the_recovery(
        self, world: Relayed
    ) -> None:
        await world.registry.clients.freeze(SUZHOU, "by order 7", None, ADMIN)
        world.submit(world.left, 2)
        await world.reaches(PacketState.ACCEPTED, 1, 2)
        await recover(world, world.right)
        await world.reaches(PacketState.COMPLETED, 1, 2)

    async def test_an_idle_client_is_given_its_new_anchor_at_once(self, world: Relayed) -> None:
        await world.registry.clients.freeze(SUZHOU, "by order 7", None, ADMIN)
        await recover(world, world.right)
        keeper = await world.app.board.keeper(SUZHOU)
        await world.until(lambda: keeper.latest)


class TestMisbehaviourOfAnotherChain:
    async def test_it_freezes_the_hubs_client_and_every_chains_client_of_it(
        self, world: Relayed
    ) -> None:
        world.submit(world.left, 1)
        await world.reaches(PacketState.COMPLETED)
        client = world.key.destination_client
        chain = world.left.chain
        height = chain.height
        verdict = await world.right.client.submit(
            Misbehaviour(
                peer=HANGZHOU,
                first=chain.light_block(height).header,
                second=equivocate(chain, height).header,
            )
        )
        assert verdict.refused == ()
        assert (await world.registry.clients.hub_client(HANGZHOU)).is_frozen

        mirrors = world.registry.state.chain_clients
        await world.until(lambda: mirrors[SUZHOU, client].is_frozen)
        await world.second()
        [evidence] = await world.registry.clients.evidence(HANGZHOU)
        assert evidence.reason is Reason.CONSENSUS_STATE_DIFFERS
        assert evidence.carried_to == ((SUZHOU, client),)
        other = world.key.source_client
        assert not mirrors[HANGZHOU, other].is_frozen

    async def test_the_same_evidence_freezes_nothing_after_a_recovery(self, world: Relayed) -> None:
        chain = world.left.chain
        height = chain.height
        shown = Misbehaviour(
            peer=HANGZHOU,
            first=chain.light_block(height).header,
            second=equivocate(chain, height).header,
        )
        assert (await world.right.client.submit(shown)).refused == ()
        await recover(world, world.left)
        await world.seconds(3)
        [refused] = (await world.right.client.submit(shown)).refused
        assert refused.reason == Reason.CONSENSUS_STATE_MISSING
        assert not (await world.registry.clients.hub_client(HANGZHOU)).is_frozen

    async def test_what_does_not_contradict_accuses_nobody(self, world: Relayed) -> None:
        chain = world.left.chain
        shown = [chain.light_block(chain.height - back).header for back in (0, 1)]
        verdict = await world.right.client.submit(
            Misbehaviour(peer=HANGZHOU, first=shown[0], second=shown[1])
        )
        assert verdict.refused[0].reason == Reason.MISBEHAVIOUR_NOT_PROVEN
        assert not (await world.registry.clients.hub_client(HANGZHOU)).is_frozen


class TestSuspension:
    async def test_its_session_ends_at_once_and_its_adapter_is_refused_until_it_is_resumed(
        self, world: Relayed
    ) -> None:
        session = world.app.board.sessions[HANGZHOU]
        await world.registry.peers.suspend(HANGZHOU, "inspection", ADMIN)
        await world.until(session.ended.is_set)
        assert session.end_cause.reason is Reason.PEER_SUSPENDED
        await world.seconds(10)
        assert HANGZHOU not in world.app.gateway.owners
        world.submit(world.left, 2)
        await world.seconds(3)
        assert await world.state(1) is None
        await world.registry.peers.resume(HANGZHOU, "passed", ADMIN)
        await world.reaches(PacketState.COMPLETED, 1, 2)
        assert (await world.registry.peers.get(HANGZHOU)).state is PeerState.ACTIVE

    async def test_outcomes_that_others_prove_go_on_and_the_rest_after_its_return(
        self, world: Relayed
    ) -> None:
        world.right.adapter.shows_answers = False
        world.submit(world.left, 2)
        await world.reaches(PacketState.DELIVERED, 1, 2)
        await world.registry.peers.suspend(HANGZHOU, "inspection", ADMIN)
        await world.until(lambda: HANGZHOU not in world.app.gateway.owners)
        await world.show_answers()
        await world.reaches(PacketState.ACKNOWLEDGED, 1, 2)
        world.submit(world.right, 1)
        await world.seconds(5)
        back = await world.registry.lanes.get(world.key.reverse)
        assert not (await world.registry.lanes.view(back.lane_id)).source.done
        await world.registry.peers.resume(HANGZHOU, "passed", ADMIN)
        await world.reaches(PacketState.COMPLETED, 1, 2)
        there = world.app.board
        await world.until(lambda: there.desks[world.key.reverse].view.source.progress)


class TestDrain:
    async def test_what_a_lane_has_ends_and_nothing_new_comes_until_it_is_resumed(
        self, world: Relayed
    ) -> None:
        world.right.adapter.shows_answers = False
        world.submit(world.left, 2)
        await world.reaches(PacketState.DELIVERED, 1, 2)
        await world.registry.lanes.drain(world.key, "the last year", ADMIN)
        world.submit(world.left, 1)
        await world.seconds(3)
        assert await world.state(3) is None
        await world.show_answers()
        await world.reaches(PacketState.COMPLETED, 1, 2)
        lane = await world.registry.lanes.get(world.key)
        view = await world.registry.lanes.view(lane.lane_id)
        assert view.state is LaneState.CLOSED
        await world.registry.lanes.resume(world.key, ADMIN)
        await world.reaches(PacketState.COMPLETED, 3)
