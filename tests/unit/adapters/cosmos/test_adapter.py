from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from adapters.cosmos.adapter import MAX_EXPECTED, CosmosAdapter
from adapters.cosmos.client_messages import client_state_any, consensus_state_any
from adapters.cosmos.tx.messages import CreateClient
from adapters.cosmos.tx.submitter import Submitter
from adapters.sdk.chain import Item
from adapters.sdk.execution import ExecutionResult
from hub.core.errors import (
    AnchorInvalid,
    ChainUnreachable,
    ClientFrozen,
    ClientNotFound,
    FieldInvalid,
    HeaderNotFound,
    IdentityNotAllowed,
    LaneExists,
    Malformed,
    ProofNotFound,
    RecordCorrupt,
    TransactionLost,
)
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.packet import MAX_PAYLOAD_BYTES, MAX_SEQUENCE, Acknowledgement
from hub.core.paths import (
    client_state_key,
    commitment_key,
    counterparty_key,
    next_sequence_send_key,
)
from hub.core.ranges import RangeSet
from hub.core.time import SECOND as SECONDS
from hub.core.time import Duration
from hub.light_clients.cometbft.client_state import (
    decode_client_state,
    decode_counterparty,
    encode_client_state,
)
from hub.light_clients.proofs.ics23 import verify_membership, verify_non_membership
from hub.wire.packet import encode_acknowledgement
from tests.harness.clock import settle
from tests.harness.comet_node import CHAIN_ID, packet, packet_event, unreachable, written
from tests.harness.cosmos_chain import OK
from tests.harness.cosmos_executions import (
    ANCHOR,
    CLIENT,
    FIRST,
    OTHER,
    PREFIX,
    SECOND,
    SETTINGS,
    Bench,
    bench,
    execution,
    key,
    receive,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from hub.core.client import Anchor, ConsensusState

UNBOUND = ClientId("07-tendermint-1")
ALL = RangeSet.span(1, MAX_SEQUENCE + 1)
TWO_DAYS = Duration(2 * 86_400 * SECONDS)


def adapter_of(it: Bench) -> CosmosAdapter:
    return CosmosAdapter(it.chain, it.blocks, it.submitter, it.executor)


async def run(it: Bench, work: Coroutine[Any, Any, Any]) -> Any:
    task = asyncio.ensure_future(work)
    await it.chain.drive(task)
    return task.result()


async def create(it: Bench, adapter: CosmosAdapter, opening: str = "openings/1") -> ClientId:
    made = await run(it, adapter.create_client(ANCHOR, FIRST.state, ordered=False, opening=opening))
    return ClientId(made)


async def test_the_adapter_is_of_its_chain() -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        assert (adapter.chain_id, adapter.order_enforceable) == (CHAIN_ID, False)
        assert adapter.needs_anchor_header
        head = await adapter.head(None)
        assert head.height == Height(1, it.blocks.latest)


async def test_a_client_is_created_from_the_anchor_and_remembers_its_opening() -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        client = await create(it, adapter)
        [found] = await adapter.clients(client, "")
        assert (found.client, found.opening) == (client, "openings/1")
        assert (found.chain_id, found.counterparty) == ("hangzhou-1", b"")
        assert decode_client_state(found.client_state).latest_height == ANCHOR.height
        assert found.trusted_heights == (ANCHOR.height,)
        assert it.chain.creators[client] == key(1).address


async def test_a_client_is_proven_under_the_header_that_it_names() -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        await it.blocks_pass(2)
        [found] = await adapter.clients(CLIENT, "")
        root = it.chain._reads.states[found.proof_height.number - 1].root
        state_key, other_key = client_state_key(CLIENT), counterparty_key(CLIENT)
        verify_membership(root, PREFIX, state_key, found.client_state, found.client_state_proof)
        verify_membership(root, PREFIX, other_key, found.counterparty, found.counterparty_proof)
        absent, proven = await adapter.prove(
            [b"nothing", b"nextClientSequence"], found.proof_height
        )
        verify_non_membership(root, PREFIX, b"nothing", absent.proof)
        assert proven.value


async def test_the_same_opening_creates_one_client_however_often_and_after_any_restart() -> None:
    async with bench() as it:
        first = await create(it, adapter_of(it))
        assert await create(it, adapter_of(it)) == first, "the chain's own memory"
        adapter = adapter_of(it)
        work = [
            asyncio.ensure_future(
                adapter.create_client(ANCHOR, FIRST.state, ordered=False, opening=name)
            )
            for name in ("openings/1", "openings/2", "openings/2")
        ]
        await it.chain.drive(*work)
        found = [one.result() for one in work]
        assert found[0] == first
        assert found[1] == found[2] != first


async def test_a_strangers_client_with_the_openings_name_is_not_taken_for_the_own() -> None:
    async with bench(keys=2) as it:
        mallory = it.submitter.signers[1]
        begun = CreateClient(client_state_any(ANCHOR), consensus_state_any(SECOND.state))
        await run(it, it.submitter.send(mallory, [[begun]], memo="openings/1"))
        await it.blocks_pass(3)
        assert it.chain.creators[UNBOUND] == key(2).address
        own = Submitter(it.chain, it.blocks, it.submitter.signers[:1], it.gas, SETTINGS)
        adapter = CosmosAdapter(it.chain, it.blocks, own, it.executor)
        client = await create(it, adapter)
        assert client != UNBOUND
        assert it.chain.creators[client] == key(1).address
        assert await create(it, adapter) == client
        [found] = await adapter.clients(UNBOUND, "")
        assert found.opening == ""


@pytest.mark.parametrize(
    ("anchor", "state"),
    [
        (ANCHOR, SECOND.state),
        (replace(ANCHOR, options=replace(ANCHOR.options, trusting_period=TWO_DAYS)), FIRST.state),
        (replace(ANCHOR, height=SECOND.state.height), FIRST.state),
    ],
)
async def test_an_own_client_that_begins_elsewhere_is_passed_over(
    anchor: Anchor, state: ConsensusState
) -> None:
    async with bench() as it:
        begun = CreateClient(client_state_any(anchor), consensus_state_any(state))
        await run(it, it.submitter.send(it.submitter.signers[0], [[begun]], memo="openings/1"))
        await it.blocks_pass(3)
        adapter = adapter_of(it)
        with capture_logs() as logs:
            client = await create(it, adapter)
        assert client != UNBOUND
        told = [one for one in logs if one["event"] == "client_passed_over"]
        assert [(one["client"], one["log_level"]) for one in told] == [(UNBOUND, "warning")]
        assert await create(it, adapter_of(it)) == client


async def test_an_own_client_that_went_on_or_froze_since_is_still_the_openings() -> None:
    async with bench() as it:
        client = await create(it, adapter_of(it))
        state = decode_client_state(it.chain.store[client_state_key(client)])
        grown = replace(state, latest_height=Height(1, 90), is_frozen=True)
        it.chain.store[client_state_key(client)] = encode_client_state(grown)
        assert await create(it, adapter_of(it)) == client


async def test_clients_without_an_opening_are_others_each_time() -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        assert await create(it, adapter, "") != await create(it, adapter, "")


@pytest.mark.parametrize(
    ("change", "error"), [({"ordered": True}, FieldInvalid), ({"state": None}, AnchorInvalid)]
)
async def test_what_ibc_go_has_not_is_refused_before_any_cost(
    change: dict[str, Any], error: type[Exception]
) -> None:
    async with bench() as it:
        wanted = {"state": FIRST.state, "ordered": False, "opening": "", **change}
        with pytest.raises(error):
            await adapter_of(it).create_client(ANCHOR, **wanted)
        assert it.chain.arrived == []


async def test_clients_of_a_chain_are_listed_and_those_of_others_left_out() -> None:
    async with bench() as it:
        it.chain.add_client(ANCHOR, "somebody")
        strange = it.chain.add_client(ANCHOR, "somebody")
        it.chain.store[client_state_key(strange)] += b"\x10\x01"
        await it.blocks_pass(2)
        it.chain.add_client(ANCHOR, "somebody")  # under no header yet
        adapter = adapter_of(it)
        assert [one.client for one in await adapter.clients(None, "hangzhou-1")] == [
            CLIENT,
            UNBOUND,
        ]
        assert await adapter.clients(None, "suzhou-1") == ()
        with pytest.raises(Malformed):
            await adapter.clients(strange, "")
        with pytest.raises(ClientNotFound):
            await adapter.clients(ClientId("07-tendermint-77"), "")


async def test_a_client_is_bound_once_by_the_key_that_created_it() -> None:
    async with bench(keys=3) as it:
        client = it.chain.add_client(ANCHOR, key(3).address)
        adapter = adapter_of(it)
        await run(it, adapter.register_counterparty(client, OTHER, PREFIX))
        bound = decode_counterparty(it.chain.store[counterparty_key(client)])
        assert (bound.client, bound.prefix) == (OTHER, PREFIX)
        assert [tx.signer for tx in it.chain.arrived] == [key(3).address]
        await run(it, adapter.register_counterparty(client, OTHER, PREFIX))
        assert len(it.chain.arrived) == 1
        [found] = await adapter.clients(client, "")
        assert found.counterparty


@pytest.mark.parametrize(
    ("counterparty", "prefix"),
    [(ClientId("07-tendermint-8"), PREFIX), (OTHER, (b"other", b"")), (OTHER, (b"ibc",))],
)
async def test_a_client_bound_to_another_is_refused(
    counterparty: ClientId, prefix: tuple[bytes, ...]
) -> None:
    async with bench() as it:
        with pytest.raises(LaneExists):
            await adapter_of(it).register_counterparty(CLIENT, counterparty, prefix)


@pytest.mark.parametrize("creator", ["cosmos1somebody", ""])
async def test_a_client_of_another_creator_is_refused(creator: str) -> None:
    async with bench() as it:
        client = it.chain.add_client(ANCHOR, creator)
        with pytest.raises(IdentityNotAllowed):
            await adapter_of(it).register_counterparty(client, OTHER, PREFIX)
        assert it.chain.arrived == []


async def test_what_the_chain_refuses_or_loses_is_told() -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        refusals = [("client", 29)]
        it.chain.refuses_entry = lambda _: refusals.pop() if refusals else OK
        with pytest.raises(ClientFrozen):
            await create(it, adapter)
        it.chain.loses = lambda _: True
        with pytest.raises(TransactionLost):
            await create(it, adapter)
        it.chain.loses = lambda _: False
        it.chain.failures["app/simulate"].clear()
        it.chain.failures["store/ibc/key"].append(unreachable())
        with pytest.raises(ChainUnreachable):
            await create(it, adapter)
        assert await create(it, adapter) == UNBOUND


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x12\x02\x0a\x00"])
async def test_a_creation_that_tells_no_client_is_told(data: bytes) -> None:
    async with bench() as it:
        it.chain.data = lambda _: data
        with pytest.raises(Malformed):
            await create(it, adapter_of(it))


async def shown(adapter: CosmosAdapter, at: Height) -> tuple[Item, ...]:
    """The packets that the chain holds, once it is known which they are."""
    for _ in range(5):
        found = await adapter.packets(UNBOUND, RangeSet.span(1, 4), 10, at)
        await settle()
        if found:
            return found
    return ()


async def test_packets_are_shown_and_held_against_what_is_committed() -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        for sequence in (1, 2, 3):
            it.chain.store[commitment_key(UNBOUND, sequence)] = b"\x01" * 32
        it.chain.store[next_sequence_send_key(UNBOUND)] = (4).to_bytes(8, "big")
        it.chain.produce(*it.chain.send(UNBOUND, 3))
        it.chain.snapshots[it.chain.latest] = dict(it.chain.store)
        await it.blocks_pass(2)
        at = (await adapter.head(None)).height
        items = await shown(adapter, at)
        assert [one.sequence for one in items] == [1, 2, 3]
        with pytest.raises(RecordCorrupt):  # the store of this chain commits to something else
            await adapter.prove_batch([commitment_key(UNBOUND, 1)], at)
        assert await adapter.acknowledgements(UNBOUND, RangeSet.span(1, 4), 10, at) == ()
        assert (await adapter.prove_batch([commitment_key(UNBOUND, 1)], at)).values == (
            b"\x01" * 32,
        )


@pytest.mark.parametrize(
    "content",
    [
        encode_acknowledgement(Acknowledgement((b"a" * (MAX_PAYLOAD_BYTES + 1),))),
        encode_acknowledgement(Acknowledgement((b"",))),
        b"\xff",
    ],
)
async def test_an_acknowledgement_that_the_hub_cannot_read_stands_in_no_others_way(
    content: bytes,
) -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        told = [
            written(UNBOUND, sequence, encoded_acknowledgement_hex=content.hex())
            for sequence in (1, 2, 4)
        ]
        await adapter.acknowledgements(UNBOUND, ALL, 2, Height(1, it.blocks.latest))
        it.chain.produce(*told, written(UNBOUND, 3), written(UNBOUND, 5), written(UNBOUND, 6))
        await it.blocks_pass(2)
        at = (await adapter.head(None)).height
        with capture_logs() as logs:
            items = await adapter.acknowledgements(UNBOUND, ALL, 2, at)
            assert [one.sequence for one in items] == [3, 5], "as many as were asked for"
            items = await adapter.acknowledgements(UNBOUND, ALL, 10, at)
        assert [one.sequence for one in items] == [3, 5, 6]
        missing = [one["first"] for one in logs if one["event"] == "contents_missing"]
        assert missing == [1, 2, 4], "each is told once"


async def test_a_packet_that_the_hub_cannot_read_stands_in_no_others_way() -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        good, bad = packet(UNBOUND, 2), packet(UNBOUND, 1) + b"\x2a\x00"
        await adapter.packets(UNBOUND, ALL, 10, Height(1, it.blocks.latest))
        it.chain.produce(packet_event("send_packet", bad), packet_event("send_packet", good))
        await it.blocks_pass(2)
        at = (await adapter.head(None)).height
        assert await adapter.packets(UNBOUND, ALL, 10, at) == (Item(2, good),)
        assert list(adapter._expected) == [commitment_key(UNBOUND, 2)]


async def test_what_is_expected_of_proofs_is_bounded() -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        for number in range(MAX_EXPECTED + 10):
            adapter._expect(b"%d" % number, b"")
        assert len(adapter._expected) == MAX_EXPECTED


async def test_a_batch_with_an_absent_key_or_of_no_state_is_refused() -> None:
    async with bench() as it:
        adapter = adapter_of(it)
        await it.blocks_pass(2)
        at = (await adapter.head(None)).height
        with pytest.raises(ProofNotFound):
            await adapter.prove_batch([commitment_key(CLIENT, 999)], at)
        with pytest.raises(HeaderNotFound):
            await adapter.prove([b"k"], Height(1, 3))


async def test_executions_are_the_executors() -> None:
    async with bench() as it:
        result = await run(it, adapter_of(it).execute(execution(receive(1))))
        assert result == ExecutionResult(executed=RangeSet.of([1]))
