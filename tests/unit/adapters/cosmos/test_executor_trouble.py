"""Executions on a chain that is full, fails, loses, or takes less than it should."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.executor import MAX_ROUNDS
from adapters.sdk.execution import ExecutionResult
from hub.core.errors import (
    ChainUnreachable,
    Reason,
)
from hub.core.paths import commitment_key, receipt_key
from hub.core.ranges import RangeSet
from tests.harness.clock import settle
from tests.harness.comet_node import unreachable
from tests.harness.cosmos_chain import REDUNDANT, TOO_LARGE, Code, CosmosChain
from tests.harness.cosmos_executions import (
    CLIENT,
    acknowledge,
    bench,
    execution,
    inbound,
    receive,
    step,
    time_out,
)
from tests.harness.packet_samples import PAYLOAD

if TYPE_CHECKING:
    from adapters.sdk.execution import Action

BY_NODE: Code = ("jsonrpc", -32603)
PROOF_FAILS: Code = ("commitment", 2)
PAYLOAD_INVALID: Code = ("channelv2", 3)
FROZEN: Code = ("client", 29)
STATE_MISSING: Code = ("client", 7)


def reasons(result: ExecutionResult) -> dict[int, Reason]:
    return {entry.sequence: entry.error.reason for entry in result.refused}


def span(*sequences: int) -> RangeSet:
    return RangeSet.of(list(sequences))


def once(chain: CosmosChain) -> bool:
    """No message had its effect twice."""
    return set(chain.effects.values()) <= {1}


def _receipt(sequence: int) -> bytes:
    return receipt_key(CLIENT, sequence)


async def test_what_waits_in_the_mempool_for_somebody_else_is_waited_for() -> None:
    async with bench() as it:
        await it.run(execution(receive(9)))
        refusals = [REDUNDANT, REDUNDANT]
        it.chain.refuses_entry = lambda _: refusals.pop(0) if refusals else ("", 0)
        before = it.chain.latest
        result = await it.run(execution(receive(1)))
        assert result == ExecutionResult(executed=span(1))
        assert it.chain.latest - before >= 3


@pytest.mark.parametrize("action", [acknowledge(400), time_out(400)])
async def test_a_node_that_has_not_seen_a_packet_sent_does_not_make_it_settled(
    action: Action,
) -> None:
    async with bench() as it:
        await it.blocks_pass(3)
        it.chain.store[commitment_key(CLIENT, 400)] = b"\x01" * 32  # sent in the next block
        await it.blocks_pass(2)
        it.chain.behind = 4
        wanted = execution(action, possible_duplicate=True)
        with pytest.raises(ChainUnreachable):
            await it.run(wanted)
        assert it.chain.arrived == []
        it.chain.behind = 0
        assert await it.run(wanted) == ExecutionResult(executed=span(400))


async def test_what_stays_redundant_and_is_not_done_ends() -> None:
    async with bench() as it:
        await it.run(execution(receive(9)))
        it.chain.refuses_entry = lambda _: REDUNDANT
        result = await it.run(execution(receive(1)))
        assert reasons(result) == {1: Reason.ILLEGAL_MOVE}
        assert len(it.chain.arrived) == 1 + MAX_ROUNDS


async def test_running_out_of_gas_raises_it_and_goes_again() -> None:
    async with bench() as it:
        it.chain.extra_gas = 100_000
        result = await it.run(execution(receive(1, 2)))
        assert result == ExecutionResult(executed=span(1, 2))
        limits = [tx.gas_limit for tx in it.chain.arrived]
        assert len(limits) > 1
        assert limits == sorted(set(limits))


async def test_too_much_gas_for_one_transaction_is_split_before_it_costs() -> None:
    async with bench(max_gas=1_000_000) as it:
        result = await it.run(execution(receive(*range(1, 33))))
        assert result.executed == RangeSet.of(list(range(1, 33)))
        assert all(tx.gas_limit <= 1_000_000 for tx in it.chain.arrived)
        assert all(not outcome.code for _, _, outcome in it.chain.landed)


async def test_a_packet_that_needs_more_gas_than_is_allowed_is_refused_without_a_fee() -> None:
    async with bench(max_gas=1_000_000) as it:
        it.chain.costs = {"MsgRecvPacket": 1_000_001}
        result = await it.run(execution(receive(1)))
        assert reasons(result) == {1: Reason.GAS_EXHAUSTED}
        assert it.chain.landed == []


async def test_a_packet_that_always_runs_out_of_all_gas_is_refused() -> None:
    async with bench(max_gas=500_000) as it:
        it.chain.extra_gas = 1_000_000
        result = await it.run(execution(receive(1)))
        assert reasons(result) == {1: Reason.GAS_EXHAUSTED}
        assert len(it.chain.landed) <= MAX_ROUNDS


@pytest.mark.parametrize(("most", "count"), [(1, 70), (3, 40), (100, 256)])
async def test_what_is_too_large_is_split(most: int, count: int) -> None:
    async with bench() as it:
        it.chain.refuses_entry = lambda tx: TOO_LARGE if len(tx.calls) > most else ("", 0)
        result = await it.run(execution(receive(*range(1, count + 1))))
        assert result.executed == RangeSet.of(list(range(1, count + 1)))
        assert once(it.chain)


async def test_a_packet_too_large_with_its_updates_goes_behind_them() -> None:
    async with bench() as it:
        it.chain.refuses_entry = lambda tx: TOO_LARGE if len(tx.calls) > 1 else ("", 0)
        result = await it.run(execution(receive(1), step()))
        assert (result.executed, result.refused) == (span(1), ())
        assert it.chain.updates == 1


async def test_a_packet_that_is_too_large_by_itself_is_refused() -> None:
    async with bench() as it:
        it.chain.refuses_entry = lambda tx: TOO_LARGE if 2 in tx.sequences else ("", 0)
        result = await it.run(execution(receive(1, 2, 3)))
        assert result.executed == span(1, 3)
        assert reasons(result) == {2: Reason.PACKET_UNSUPPORTED}


async def test_what_no_transaction_has_room_for_is_refused_before_any_cost() -> None:
    large = inbound(2, payloads=(replace(PAYLOAD, value=b"x" * 20_000),))
    async with bench(max_bytes=20_000) as it:
        result = await it.run(execution(receive(1, large)))
        assert result.executed == span(1)
        assert reasons(result) == {2: Reason.PACKET_UNSUPPORTED}


async def test_a_lost_transaction_is_sent_again_and_has_its_effect_once() -> None:
    async with bench() as it:
        it.chain.loses = lambda tx: tx.sequence == 5 and it.chain.latest < 20
        result = await it.run(execution(receive(1, 2)))
        assert result == ExecutionResult(executed=span(1, 2))
        assert len(it.chain.landed) == 1
        assert once(it.chain)


async def test_a_lost_transaction_whose_packets_came_otherwise_is_not_sent_again() -> None:
    async with bench() as it:
        await it.run(execution(receive(9)))
        it.chain.loses = lambda tx: 1 in tx.sequences
        task = asyncio.ensure_future(it.executor.execute(execution(receive(1, 2))))
        await it.blocks_pass(2)
        for packet in (1, 2):  # another relayer
            it.chain.store[_receipt(packet)] = b"\x02"
        await it.chain.drive(task)
        assert task.result() == ExecutionResult(already_done=span(1, 2))


async def test_a_transaction_that_never_lands_ends_all_the_same() -> None:
    async with bench() as it:
        it.chain.loses = lambda _: True
        result = await it.run(execution(receive(1)))
        assert reasons(result) == {1: Reason.TRANSACTION_LOST}
        assert it.chain.latest <= 12 + MAX_ROUNDS * (12 + 4)


async def test_packets_behind_an_update_that_ran_out_of_gas_are_not_blamed() -> None:
    async with bench() as it:
        await it.run(execution(receive(300), step()))
        it.chain.updates = 0
        it.chain.needs_update = set(range(1, 257))
        it.gas.learned(["/ibc.core.channel.v2.MsgRecvPacket"] * 200, 60_000_000)
        it.chain.extra_gas = 30_000_000
        task = asyncio.ensure_future(
            it.executor.execute(execution(receive(*range(1, 257)), step()))
        )
        await settle()
        assert len(it.chain.arrived) > 2
        await it.blocks_pass(2)
        it.chain.extra_gas = 0
        await it.chain.drive(task)
        assert task.result().executed == RangeSet.of(list(range(1, 257)))
        assert it.chain.updates == 1


async def test_many_more_executions_than_are_granted_all_end() -> None:
    async with bench() as it:
        await it.run(execution(receive(9)))
        it.chain.refuses_entry = lambda _: ("sdk", 13)
        work = [
            asyncio.ensure_future(it.executor.execute(execution(receive(1)))) for _ in range(300)
        ]
        await it.chain.drive(*work)
        assert all(reasons(one.result()) == {1: Reason.TRANSACTION_REFUSED} for one in work)
        assert len(it.chain.arrived) == 301
        assert len(it.executor._turns) == 0


@pytest.mark.parametrize(
    "data",
    [
        lambda _: b"",
        lambda data: data * 2,
        lambda data: data[:-1],
        lambda _: b"\xff",
        lambda d: b"\x0a\x00" + d,
    ],
)
async def test_answers_that_cannot_be_read_are_asked_of_the_state(data: object) -> None:
    async with bench() as it:
        it.chain.data = data  # type: ignore[assignment]
        result = await it.run(execution(receive(1, 2), step()))
        assert result.already_done == span(1, 2)
        assert result.refused == ()
        assert once(it.chain)
        assert it.chain.updates == 1


async def test_a_chain_that_fails_midway_leaves_what_it_did_told() -> None:
    async with bench(max_bytes=10_000) as it:
        await it.run(execution(receive(99)))
        it.chain.refuses = {20: PROOF_FAILS}
        task = asyncio.ensure_future(it.executor.execute(execution(receive(*range(1, 21)))))
        await settle()
        it.chain.failures["app/simulate"].append(unreachable())
        await it.chain.drive(task)
        result = task.result()
        assert result.executed
        assert set(reasons(result).values()) == {Reason.CHAIN_UNREACHABLE}
        assert 20 in reasons(result)


@pytest.mark.parametrize("path", ["store/ibc/key", "/cosmos.auth.v1beta1.Query/AccountInfo"])
async def test_a_chain_that_fails_before_the_second_round_leaves_the_rest_told(path: str) -> None:
    async with bench(max_bytes=10_000) as it:
        await it.run(execution(receive(99)))
        it.chain.loses = lambda tx: 20 in tx.sequences
        task = asyncio.ensure_future(it.executor.execute(execution(receive(*range(1, 21)))))
        await settle()
        it.chain.failures[path].append(unreachable())
        await it.chain.drive(task)
        result = task.result()
        assert result.executed
        assert set(reasons(result).values()) == {Reason.CHAIN_UNREACHABLE}
        assert 20 in reasons(result)


async def test_a_chain_that_fails_first_says_that_nothing_was_done() -> None:
    async with bench() as it:
        for path in ("store/ibc/key", "/cosmos.auth.v1beta1.Query/AccountInfo", "app/simulate"):
            it.chain.failures[path].append(unreachable())
            with pytest.raises(ChainUnreachable):
                await it.run(execution(receive(1)))
        assert it.chain.arrived == []
        assert (await it.run(execution(receive(1)))).executed == span(1)


async def test_trusted_heights_that_are_not_told_hide_nothing_that_was_done() -> None:
    async with bench() as it:
        path = "/ibc.core.client.v1.Query/ConsensusStateHeights"
        it.chain.failures[path].append(unreachable())
        result = await it.run(execution(receive(1), step()))
        assert result == ExecutionResult(executed=span(1))


async def test_updates_too_large_for_one_transaction_are_split() -> None:
    async with bench(max_bytes=3_000) as it:
        result = await it.run(execution(None, step(), step(), step(), step()))
        assert (result.refused, it.chain.updates) == ((), 4)
        assert len(it.chain.landed) > 1


async def test_a_fee_that_is_too_low_is_told_at_once() -> None:
    async with bench() as it:
        it.chain.refuses_entry = lambda _: ("sdk", 13)
        result = await it.run(execution(receive(1, 2, 3)))
        assert set(reasons(result)) == {1, 2, 3}
        assert len(it.chain.arrived) == 1


@pytest.mark.parametrize("code", [("sdk", 20), ("sdk", 32), ("sdk", 30)])
async def test_a_mempool_that_never_takes_it_is_given_up(code: Code) -> None:
    async with bench() as it:
        it.chain.refuses_entry = lambda _: code
        before = it.chain.latest
        result = await it.run(execution(receive(1, 2)))
        assert set(reasons(result)) == {1, 2}
        assert it.chain.latest - before < 20


async def test_a_node_that_refuses_everything_by_itself_ends_as_a_loss() -> None:
    async with bench() as it:
        it.chain.refuses_entry = lambda _: BY_NODE
        result = await it.run(execution(receive(1, 2)))
        assert reasons(result) == {1: Reason.TRANSACTION_LOST, 2: Reason.TRANSACTION_LOST}
        assert it.chain.latest <= 12 + MAX_ROUNDS * (12 + 4)
