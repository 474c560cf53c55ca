from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from adapters.sdk.execution import Execution, Freeze, UpdateStep
from adapters.simchain.misbehave import Misbehaviour, equivocate
from adapters.simchain.queries import PREFIX, anchor_at, client_view, height_at
from hub.core.errors import (
    AnchorMismatch,
    ClientFrozen,
    ClientNotFound,
    ConsensusStateMissing,
    FieldInvalid,
    HeaderNotFound,
    LaneExists,
    PacketUnsupported,
    ProofNotFound,
    RootMismatch,
    TimeoutElapsed,
)
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.paths import client_state_key, commitment_key, counterparty_key
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import SECOND, Duration
from hub.wire.packet import decode_packet, encode_packet
from tests.harness.clock import settle
from tests.harness.simchain import LIGHT_CLIENT, TRUST, holds
from tests.harness.simcity import ALL, TwoCities


@pytest.fixture
async def cities() -> TwoCities:
    return await TwoCities().open()


def root_at(cities: TwoCities, number: int) -> bytes:
    header = cities.left.chain.light_block(number).signed.header
    return header.app_hash


class TestHeads:
    async def test_the_newest_header_is_told_at_once_and_the_next_when_it_comes(
        self, cities: TwoCities
    ) -> None:
        adapter = cities.left.adapter
        head = await adapter.head(None)
        assert (head.height.number, head.active) == (cities.left.chain.height, None)
        waiting = asyncio.ensure_future(adapter.head(head.height))
        await settle()
        assert not waiting.done()
        await cities.advance()
        assert (await waiting).height.number == head.height.number + 1

    async def test_a_header_tells_which_clients_the_blocks_before_it_concerned(
        self, cities: TwoCities
    ) -> None:
        left, right = cities.left, cities.right
        before = await left.adapter.head(None)
        await cities.send(left)
        assert (await left.adapter.head(before.height)).active == frozenset({left.client})
        await cities.advance()
        quiet = await left.adapter.head(height_at(left.chain, left.chain.height - 1))
        assert quiet.active == frozenset()
        before = await right.adapter.head(None)
        await cities.receive(left, await cities.packets(left))
        assert (await right.adapter.head(before.height)).active == frozenset({right.client})

    async def test_what_is_too_long_ago_concerns_all(self, cities: TwoCities) -> None:
        old = height_at(cities.left.chain, 1)
        await cities.advance(70)
        assert (await cities.left.adapter.head(old)).active is None

    async def test_headers_come_in_the_order_asked_for(self, cities: TwoCities) -> None:
        found = await cities.left.adapter.headers([3, 1])
        heights = [LIGHT_CLIENT.read_header(header).height.number for header in found]
        assert heights == [3, 1]
        with pytest.raises(HeaderNotFound):
            await cities.left.adapter.headers([9999])


class TestItems:
    async def test_packets_are_shown_once_a_header_proves_them(self, cities: TwoCities) -> None:
        left = cities.left
        await cities.send(left, 3)
        number = left.chain.height
        find = left.adapter.packets
        now, before = height_at(left.chain, number), height_at(left.chain, number - 1)
        assert [item.sequence for item in await find(left.client, ALL, 256, now)] == [1, 2, 3]
        assert await find(left.client, ALL, 256, before) == ()

    async def test_only_what_is_wanted_is_shown_and_not_more_than_the_limit(
        self, cities: TwoCities
    ) -> None:
        left = cities.left
        await cities.send(left, 9)
        at = height_at(left.chain, left.chain.height)
        wanted = ALL - RangeSet.of([1, 2, 5])
        found = await left.adapter.packets(left.client, wanted, 4, at)
        assert [item.sequence for item in found] == [3, 4, 6, 7]
        assert await left.adapter.packets(left.client, EMPTY, 4, at) == ()
        assert await left.adapter.packets(ClientId("07-tendermint-9"), ALL, 4, at) == ()

    async def test_withheld_packets_are_not_shown_and_every_lane_is_looked_at_afterwards(
        self, cities: TwoCities
    ) -> None:
        left, node = cities.left, cities.left.node
        node.switches.turn_on(Misbehaviour.WITHHOLD, left.client, Duration(5 * SECOND))
        await cities.send(left, 3)
        head = await left.adapter.head(None)
        assert await left.adapter.packets(left.client, ALL, 256, head.height) == ()
        await cities.advance(5)
        assert len(await left.adapter.packets(left.client, ALL, 256, head.height)) == 3
        assert (await left.adapter.head(head.height)).active is None
        await cities.advance()
        newest = height_at(left.chain, left.chain.height - 1)
        assert (await left.adapter.head(newest)).active == frozenset()

    async def test_a_refusing_chain_takes_no_packet_for_good_until_it_is_told_otherwise(
        self, cities: TwoCities
    ) -> None:
        left, right = cities.left, cities.right
        await cities.send(left, 2)
        items = await cities.packets(left)
        right.node.switches.turn_on(Misbehaviour.REFUSE, None, Duration(60 * SECOND))
        refused = (await cities.receive(left, items)).refused
        assert [(one.sequence, type(one.error)) for one in refused] == [
            (1, PacketUnsupported),
            (2, PacketUnsupported),
        ]
        right.node.switches.turn_on(Misbehaviour.REFUSE, None, Duration(0))
        assert (await cities.receive(left, items)).executed == RangeSet.of([1, 2])

    async def test_a_reordering_adapter_shows_the_last_items_and_each_frame_rises(
        self, cities: TwoCities
    ) -> None:
        left, right = cities.left, cities.right
        await cities.send(left, 5)
        items = await cities.packets(left)
        await cities.receive(left, items)
        for city, find in (
            (left, left.adapter.packets),
            (right, right.adapter.acknowledgements),
        ):
            city.node.switches.turn_on(Misbehaviour.REORDER, None, Duration(60 * SECOND))
            at = height_at(city.chain, city.chain.height)
            found = await find(city.client, ALL, 2, at)
            assert [item.sequence for item in found] == [4, 5]
            found = await find(city.client, ALL - RangeSet.of([4, 5]), 256, at)
            assert [item.sequence for item in found] == [1, 2, 3]

    async def test_a_packet_that_is_done_with_is_left_out(self, cities: TwoCities) -> None:
        left = cities.left
        await cities.send(left, 2)
        items = await cities.packets(left)
        await cities.receive(left, items[:1])
        await cities.acknowledge(left, (decode_packet(items[0].content),))
        assert [item.sequence for item in await cities.packets(left)] == [2]

    async def test_few_packets_among_many_that_went_are_found_in_order(
        self, cities: TwoCities
    ) -> None:
        left = cities.left
        await cities.send(left, 40)
        items = await cities.packets(left)
        gone = (*items[:19], *items[20:39])
        await cities.receive(left, gone)
        await cities.acknowledge(left, tuple([decode_packet(item.content) for item in gone]))
        assert [item.sequence for item in await cities.packets(left)] == [20, 40]
        at = height_at(left.chain, left.chain.height)
        found = await left.adapter.packets(left.client, ALL - RangeSet.of([20]), 9, at)
        assert [item.sequence for item in found] == [40]

    async def test_acknowledgements_are_found_in_whatever_order_they_were_written(
        self, cities: TwoCities
    ) -> None:
        left, right = cities.left, cities.right
        await cities.send(left, 4)
        items = await cities.packets(left)
        await cities.receive(left, items[2:3])
        await cities.receive(left, items[:1])
        at = height_at(right.chain, right.chain.height)
        found = await right.adapter.acknowledgements(right.client, ALL, 256, at)
        assert [item.sequence for item in found] == [1, 3]
        found = await right.adapter.acknowledgements(right.client, RangeSet.of([2, 3]), 9, at)
        assert [item.sequence for item in found] == [3]

    async def test_a_new_adapter_finds_all_that_its_chain_holds(self, cities: TwoCities) -> None:
        left, right = cities.left, cities.right
        await cities.send(left, 3)
        await cities.receive(left, await cities.packets(left))
        at = height_at(right.chain, right.chain.height)
        again = type(right.adapter)(right.node)
        found = await again.acknowledgements(right.client, ALL, 256, at)
        assert [item.sequence for item in found] == [1, 2, 3]


class TestProofs:
    async def test_proofs_end_at_the_root_of_the_header_named(self, cities: TwoCities) -> None:
        left = cities.left
        await cities.send(left, 2)
        number = left.chain.height
        at, root = height_at(left.chain, number), root_at(cities, number)
        keys = [commitment_key(left.client, 1), commitment_key(left.client, 7)]
        present, absent = await left.adapter.prove(keys, at)
        LIGHT_CLIENT.verify_membership(root, PREFIX, keys[0], present.value, present.proof)
        assert absent.value == b""
        LIGHT_CLIENT.verify_non_membership(root, PREFIX, keys[1], absent.proof)

    async def test_a_batch_shows_every_key_and_fails_where_one_is_absent(
        self, cities: TwoCities
    ) -> None:
        left = cities.left
        await cities.send(left, 3)
        number = left.chain.height
        keys = [commitment_key(left.client, sequence) for sequence in (1, 2, 3)]
        batch = await left.adapter.prove_batch(keys, height_at(left.chain, number))
        leaves = list(zip(keys, batch.values, strict=True))
        LIGHT_CLIENT.verify_batch(root_at(cities, number), PREFIX, leaves, batch.proof)
        absent = [*keys, commitment_key(left.client, 4)]
        with pytest.raises(ProofNotFound):
            await left.adapter.prove_batch(absent, height_at(left.chain, number))
        with pytest.raises(HeaderNotFound):
            await left.adapter.prove_batch(keys, Height(1, number + 1))


class TestClients:
    async def test_a_client_is_shown_with_proof_of_its_state(self, cities: TwoCities) -> None:
        left = cities.left
        [found] = await left.adapter.clients(left.client, "")
        root = root_at(cities, found.proof_height.number)
        for key, value, proof in (
            (client_state_key(left.client), found.client_state, found.client_state_proof),
            (counterparty_key(left.client), found.counterparty, found.counterparty_proof),
        ):
            LIGHT_CLIENT.verify_membership(root, PREFIX, key, value, proof)
        assert (found.chain_id, found.opening) == ("suzhou-1", "openings/1")
        assert found.pending_height is None
        assert [height.number for height in found.trusted_heights] == [2]

    async def test_clients_are_found_by_the_chain_that_they_verify(self, cities: TwoCities) -> None:
        adapter = cities.left.adapter
        assert [one.client for one in await adapter.clients(None, "suzhou-1")] == [
            cities.left.client
        ]
        assert await adapter.clients(None, "shanghai-1") == ()
        with pytest.raises(ClientNotFound):
            await adapter.clients(ClientId("07-tendermint-9"), "")

    async def test_a_fresh_client_waits_for_the_header_of_its_anchor(
        self, cities: TwoCities
    ) -> None:
        left, right = cities.left, cities.right
        anchor = anchor_at(right.chain, 3, TRUST)
        client = await cities.run(
            left.adapter.create_client(anchor, None, ordered=False, opening="o")
        )
        [found] = await left.adapter.clients(client, "")
        assert (found.pending_height, found.trusted_heights) == (anchor.height, ())
        assert found.counterparty == found.counterparty_proof == b""

    async def test_asking_again_for_an_opening_finds_the_same_client(
        self, cities: TwoCities
    ) -> None:
        left, right = cities.left, cities.right
        anchor = anchor_at(right.chain, 2, TRUST)
        again = left.adapter.create_client(anchor, None, ordered=False, opening="openings/1")
        assert await cities.run(again) == left.client
        other = left.adapter.create_client(anchor, None, ordered=True, opening="openings/1")
        with pytest.raises(LaneExists):
            await cities.run(other)

    async def test_a_counterparty_is_bound_once_to_one(self, cities: TwoCities) -> None:
        left, right = cities.left, cities.right
        bind = left.adapter.register_counterparty
        await cities.run(bind(left.client, right.client, PREFIX))
        with pytest.raises(LaneExists):
            await cities.run(bind(left.client, ClientId("07-tendermint-9"), PREFIX))
        with pytest.raises(AnchorMismatch):
            await cities.run(bind(left.client, right.client, (b"evil", b"")))


class TestExecutions:
    async def test_a_transfer_goes_there_and_its_acknowledgement_comes_back(
        self, cities: TwoCities
    ) -> None:
        left, right = cities.left, cities.right
        await cities.send(left, 5)
        items = await cities.packets(left)
        result = await cities.receive(left, items)
        assert result.executed == RangeSet.span(1, 6)
        assert result.refused == ()
        assert result.trusted_heights[-1].number > 2
        voucher = f"transfer/{right.client}/hangzhoucoin"
        assert holds(right.chain, "bob", voucher) == 5
        packets = tuple([decode_packet(item.content) for item in items])
        result = await cities.acknowledge(left, packets)
        assert result.executed == RangeSet.span(1, 6)
        assert await cities.packets(left) == ()

    async def test_packets_delivered_again_are_already_done(self, cities: TwoCities) -> None:
        left, right = cities.left, cities.right
        await cities.send(left, 2)
        items = await cities.packets(left)
        await cities.receive(left, items[:1])
        result = await cities.receive(left, items)
        assert (result.executed, result.already_done) == (RangeSet.of([2]), RangeSet.of([1]))
        assert holds(right.chain, "bob", f"transfer/{right.client}/hangzhoucoin") == 2

    async def test_a_packet_that_comes_too_late_is_refused_and_refunded(
        self, cities: TwoCities
    ) -> None:
        left = cities.left
        before = holds(left.chain, "alice", "hangzhoucoin")
        await cities.send(left, 1, lives=3)
        items = await cities.packets(left)
        await cities.advance(4)
        result = await cities.receive(left, items)
        [refused] = result.refused
        assert refused.sequence == 1
        assert isinstance(refused.error, TimeoutElapsed)
        result = await cities.time_out(left, decode_packet(items[0].content))
        assert result.executed == RangeSet.of([1])
        assert holds(left.chain, "alice", "hangzhoucoin") == before

    async def test_a_proof_of_something_else_refuses_the_whole(self, cities: TwoCities) -> None:
        left = cities.left
        await cities.send(left)
        [item] = await cities.packets(left)
        packet = decode_packet(item.content)
        changed = replace(packet, timeout_timestamp=packet.timeout_timestamp + 1)
        result = await cities.receive(left, (replace(item, content=encode_packet(changed)),))
        [refused] = result.refused
        assert refused.sequence == 0
        assert isinstance(refused.error, RootMismatch)

    async def test_a_height_that_the_client_has_not_is_refused_for_now(
        self, cities: TwoCities
    ) -> None:
        left, right = cities.left, cities.right
        await cities.send(left)
        action = await cities.receiving(left, await cities.packets(left))
        result = await cities.execute(right, replace(action, proof_height=Height(1, 1)), updates=())
        [refused] = result.refused
        assert isinstance(refused.error, ConsensusStateMissing)

    async def test_two_truths_freeze_the_client(self, cities: TwoCities) -> None:
        left, right = cities.left, cities.right
        number = right.chain.height
        trusted = client_view(left.chain, left.client).heights[-1]
        validators = right.chain.config.schedule.at(trusted + 1).content

        def step(*, genuine: bool) -> UpdateStep:
            block = right.chain.light_block(number) if genuine else equivocate(right.chain, number)
            return UpdateStep(
                trusted_height=Height(1, trusted),
                trusted_validators=validators,
                header=block.header,
            )

        execution = Execution(
            execution_id=1,
            lane="",
            client=left.client,
            updates=(),
            action=Freeze(first=step(genuine=True), second=step(genuine=False)),
            possible_duplicate=False,
        )
        result = await cities.run(left.adapter.execute(execution))
        assert result.refused == ()
        result = await cities.run(
            left.adapter.execute(replace(execution, updates=(step(genuine=True),)))
        )
        assert isinstance(result.refused[0].error, ClientFrozen)

    async def test_an_execution_of_nothing_is_refused(self, cities: TwoCities) -> None:
        execution = Execution(
            execution_id=1,
            lane="",
            client=cities.left.client,
            updates=(),
            action=None,
            possible_duplicate=False,
        )
        with pytest.raises(FieldInvalid):
            await cities.left.adapter.execute(execution)
