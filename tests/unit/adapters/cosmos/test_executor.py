from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.execution import ExecutionResult
from hub.core.errors import (
    FieldInvalid,
    LaneNotOpen,
    Reason,
    SequenceOutOfOrder,
)
from hub.core.ids import ClientId
from hub.core.paths import client_state_key, counterparty_key, receipt_key
from hub.core.ranges import RangeSet
from hub.light_clients.cometbft.client_state import decode_client_state, encode_client_state
from tests.harness.cosmos_executions import (
    CLIENT,
    acknowledge,
    bench,
    execution,
    freeze,
    inbound,
    receive,
    step,
    time_out,
)
from tests.harness.packet_samples import PACKET

if TYPE_CHECKING:
    from tests.harness.cosmos_chain import Code, CosmosChain

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


async def test_packets_are_received() -> None:
    async with bench() as it:
        result = await it.run(execution(receive(1, 2, 3)))
        assert result == ExecutionResult(executed=span(1, 2, 3))
        assert [tx.sequences for tx in it.chain.arrived] == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (acknowledge(1, 2), "MsgAcknowledgement"),
        (time_out(1), "MsgTimeout"),
        (receive(1, 2), "MsgRecvPacket"),
    ],
)
async def test_each_action_has_its_effect_by_its_own_message(action: object, kind: str) -> None:
    async with bench() as it:
        wanted = execution(action)  # type: ignore[arg-type]
        result = await it.run(wanted)
        assert result.executed == wanted.sequences
        assert set(it.chain.effects) == {(kind, one) for one in wanted.sequences}
        again = await it.run(wanted)
        assert (again.executed, again.already_done) == (RangeSet(), wanted.sequences)
        assert again.refused == ()
        assert once(it.chain)


async def test_what_others_did_between_is_already_done() -> None:
    async with bench() as it:
        await it.run(execution(receive(2)))
        result = await it.run(execution(receive(1, 2, 3)))
        assert result == ExecutionResult(executed=span(1, 3), already_done=span(2))


async def test_each_refused_packet_has_its_own_reason_and_its_neighbours_go_on() -> None:
    async with bench() as it:
        it.chain.refuses = {2: PROOF_FAILS, 4: PAYLOAD_INVALID, 5: ("nft", 9)}
        result = await it.run(execution(receive(1, 2, 3, 4, 5, 6)))
        assert result.executed == span(1, 3, 6)
        assert reasons(result) == {
            2: Reason.MEMBERSHIP_NOT_PROVEN,
            4: Reason.PACKET_INVALID,
            5: Reason.TRANSACTION_REFUSED,
        }
        assert [entry.sequence for entry in result.refused] == [2, 4, 5]


async def test_one_bad_message_of_256_is_found_by_simulation_and_costs_nothing_more() -> None:
    async with bench() as it:
        await it.run(execution(receive(300)))  # what it costs is known now
        it.chain.refuses = {77: PROOF_FAILS}
        result = await it.run(execution(receive(*range(1, 257))))
        assert result.executed == RangeSet.of([n for n in range(1, 257) if n != 77])
        assert reasons(result) == {77: Reason.MEMBERSHIP_NOT_PROVEN}
        assert len(it.chain.simulated) < 25
        assert len([tx for _, tx, _ in it.chain.landed]) == 3
        assert once(it.chain)


@pytest.mark.parametrize(("count", "is_all"), [(8, False), (9, True)])
async def test_more_than_eight_culprits_refuse_all(count: int, *, is_all: bool) -> None:
    async with bench() as it:
        it.chain.refuses = dict.fromkeys(range(11, 11 + count), PROOF_FAILS)
        result = await it.run(execution(receive(*range(1, 31))))
        found = set(reasons(result))
        assert found == ({0} if is_all else set(range(11, 11 + count)))
        assert bool(result.executed) is not is_all


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (FROZEN, Reason.CLIENT_FROZEN),
        (STATE_MISSING, Reason.CONSENSUS_STATE_MISSING),
        (("client", 4), Reason.CLIENT_NOT_FOUND),
    ],
)
@pytest.mark.parametrize("is_known", [False, True])
async def test_what_the_client_lacks_refuses_all_at_once(
    code: Code, reason: Reason, *, is_known: bool
) -> None:
    async with bench() as it:
        if is_known:
            await it.run(execution(receive(9)))
        before = len(it.chain.landed)
        it.chain.refuses_all = code
        result = await it.run(execution(receive(1, 2, 3)))
        assert (result.executed, reasons(result)) == (RangeSet(), {0: reason})
        assert len(it.chain.landed) - before == is_known


async def test_a_transaction_of_what_was_done_before_asks_the_chain() -> None:
    async with bench() as it:
        await it.run(execution(receive(1, 2)))
        result = await it.run(execution(receive(1, 2)))
        assert result == ExecutionResult(already_done=span(1, 2))
        assert len(it.chain.landed) == 1


def _receipt(sequence: int) -> bytes:
    return receipt_key(CLIENT, sequence)


async def test_a_possible_duplicate_asks_the_chain_before_it_pays() -> None:
    async with bench() as it:
        await it.run(execution(receive(1)))
        result = await it.run(execution(receive(1, 2), possible_duplicate=True))
        assert result == ExecutionResult(executed=span(2), already_done=span(1))
        assert it.chain.landed[-1][1].sequences == [2]
        again = await it.run(execution(acknowledge(299), possible_duplicate=True))
        assert again == ExecutionResult(executed=span(299))
        again = await it.run(execution(acknowledge(299), possible_duplicate=True))
        assert again == ExecutionResult(already_done=span(299))


async def test_what_is_done_waits_for_no_turn_of_its_key() -> None:
    async with bench() as it:
        await it.run(execution(receive(1)))
        async with it.submitter.signers[0].turn:
            wanted = execution(receive(1), possible_duplicate=True)
            assert await it.executor.execute(wanted) == ExecutionResult(already_done=span(1))


async def test_updates_go_first_and_exactly_once() -> None:
    async with bench() as it:
        it.chain.refuses = {3: PROOF_FAILS}
        it.chain.needs_update = set(range(1, 60))
        result = await it.run(execution(receive(*range(1, 60)), step()))
        assert result.executed == RangeSet.of([n for n in range(1, 60) if n != 3])
        assert reasons(result) == {3: Reason.MEMBERSHIP_NOT_PROVEN}
        first = it.chain.landed[0][1]
        assert first.calls[0].kind == "MsgUpdateClient"
        assert it.chain.updates == 1
        assert result.trusted_heights


async def test_updates_alone_are_made() -> None:
    async with bench() as it:
        result = await it.run(execution(None, step()))
        assert (result.refused, it.chain.updates) == ((), 1)
        assert len(result.trusted_heights) == 2


async def test_updates_that_are_refused_refuse_all() -> None:
    async with bench() as it:
        it.chain.refuses_updates = ("client", 12)
        result = await it.run(execution(receive(1, 2), step()))
        assert reasons(result) == {0: Reason.HEADER_UNPARSEABLE}
        result = await it.run(execution(None, step()))
        assert reasons(result) == {0: Reason.HEADER_UNPARSEABLE}


async def test_executions_of_one_client_keep_their_order_under_concurrency() -> None:
    async with bench(keys=3) as it:
        work = [
            asyncio.ensure_future(it.executor.execute(execution(receive(n), execution_id=n)))
            for n in range(1, 60)
        ]
        await it.chain.drive(*work)
        order = [one for _, tx, _ in it.chain.landed for one in tx.sequences]
        assert order == list(range(1, 60))
        assert all(
            task.result() == ExecutionResult(executed=span(n + 1)) for n, task in enumerate(work)
        )


async def test_freezing_what_is_frozen_is_success() -> None:
    async with bench() as it:
        it.chain.refuses_updates = FROZEN
        result = await it.run(execution(freeze()))
        assert reasons(result) == {0: Reason.CLIENT_FROZEN}, "it only expired"
        state = decode_client_state(it.chain.store[client_state_key(CLIENT)])
        it.chain.store[client_state_key(CLIENT)] = encode_client_state(
            replace(state, is_frozen=True)
        )
        assert (await it.run(execution(freeze()))).refused == ()
        assert reasons(await it.run(execution(None, step()))) == {0: Reason.CLIENT_FROZEN}


async def test_misbehaviour_that_is_none_is_refused() -> None:
    async with bench() as it:
        assert reasons(await it.run(execution(freeze()))) == {0: Reason.MISBEHAVIOUR_NOT_PROVEN}
        it.chain.refuses_updates = ("client", 13)
        assert reasons(await it.run(execution(freeze()))) == {0: Reason.MISBEHAVIOUR_NOT_PROVEN}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"payloads": PACKET.payloads}, Reason.PACKET_UNSUPPORTED),
        ({"timeout_timestamp": 1_790_000_000}, Reason.TIMEOUT_ELAPSED),
    ],
)
async def test_what_the_chain_cannot_take_is_refused_before_any_cost(
    change: dict[str, Any], reason: Reason
) -> None:
    async with bench() as it:
        result = await it.run(execution(receive(1, inbound(2, **change))))
        assert (result.executed, reasons(result)) == (span(1), {2: reason})
        assert all(tx.sequences == [1] for tx in [*it.chain.simulated, *it.chain.arrived])


async def test_a_packet_that_was_received_in_time_is_done_and_not_too_late() -> None:
    async with bench() as it:
        it.chain.store[_receipt(1)] = b"\x02"
        late = inbound(1, timeout_timestamp=1_790_000_000)
        result = await it.run(execution(receive(late)))
        assert result == ExecutionResult(already_done=span(1))


async def test_in_order_nothing_after_a_refused_packet_is_executed() -> None:
    async with bench() as it:
        it.chain.refuses = {3: PROOF_FAILS}
        result = await it.run(execution(receive(1, 2, 3, 4, 5), in_order=True))
        assert result.executed == span(1, 2)
        assert [(entry.sequence, type(entry.error)) for entry in result.refused][1:] == [
            (4, SequenceOutOfOrder),
            (5, SequenceOutOfOrder),
        ]
        assert reasons(result)[3] is Reason.MEMBERSHIP_NOT_PROVEN


async def test_in_order_what_stands_before_many_culprits_is_executed() -> None:
    async with bench() as it:
        it.chain.refuses = dict.fromkeys(range(5, 40), PROOF_FAILS)
        result = await it.run(execution(receive(*range(1, 41)), in_order=True))
        assert result.executed == span(1, 2, 3, 4)
        found = reasons(result)
        assert found.pop(5) is Reason.MEMBERSHIP_NOT_PROVEN
        assert found == dict.fromkeys(range(6, 41), Reason.SEQUENCE_OUT_OF_ORDER)


async def test_in_order_what_its_timeout_ended_holds_nothing_up() -> None:
    async with bench() as it:
        late = inbound(2, timeout_timestamp=1_790_000_000)
        result = await it.run(execution(receive(1, late, 3), in_order=True))
        assert result.executed == span(1, 3)
        assert reasons(result) == {2: Reason.TIMEOUT_ELAPSED}


async def test_in_order_transactions_wait_for_each_other() -> None:
    async with bench() as it:
        it.chain.refuses = {40: PROOF_FAILS}
        result = await it.run(execution(receive(*range(1, 101)), in_order=True))
        assert result.executed == RangeSet.of(list(range(1, 40)))
        assert set(reasons(result)) == set(range(40, 101))
        heights = [height for height, _, _ in it.chain.landed]
        assert len(heights) == len(set(heights))


@pytest.mark.parametrize(
    "change",
    [
        {"packets": ()},
        {"contents": (b"x",)},
    ],
)
async def test_an_action_without_its_parts_is_refused(change: dict[str, object]) -> None:
    action = replace(receive(1, 2), **change)  # type: ignore[arg-type]
    async with bench() as it:
        with pytest.raises(FieldInvalid):
            await it.run(execution(action))
        with pytest.raises(FieldInvalid):
            await it.run(execution(replace(acknowledge(1), acknowledgements=())))
        with pytest.raises(FieldInvalid):
            await it.run(execution(None))


async def test_a_client_that_is_bound_to_none_executes_nothing() -> None:
    async with bench() as it:
        del it.chain.store[counterparty_key(CLIENT)]
        with pytest.raises(LaneNotOpen):
            await it.run(execution(receive(1)))
        assert (await it.run(execution(None, step()))).refused == ()


async def test_clients_of_several_keys_do_not_wait_for_each_other() -> None:
    async with bench(keys=4) as it:
        others = [ClientId(f"07-tendermint-{n}") for n in range(1, 9)]
        for other in others:
            it.chain.store[counterparty_key(other)] = it.chain.store[counterparty_key(CLIENT)]
        work = [
            asyncio.ensure_future(
                it.executor.execute(execution(receive(inbound(1, other)), client=other))
            )
            for other in others
        ]
        await it.chain.drive(*work)
        assert all(task.result().executed == span(1) for task in work)
        assert len({tx.signer for tx in it.chain.arrived}) > 1
