from __future__ import annotations

import asyncio
from dataclasses import replace
from fractions import Fraction

import pytest

from adapters.cosmos.tx.codes import Kind
from adapters.cosmos.tx.messages import BankSend, Message, UpdateClient
from adapters.cosmos.tx.records import Refusal, Sent
from adapters.cosmos.tx.submitter import AGAIN_AFTER, MAX_TRIES, UNMEASURED, Submitter
from hub.core.errors import (
    ChainUnreachable,
    FieldInvalid,
    RateLimited,
    Reason,
    TransactionLost,
    TransactionRefused,
)
from hub.core.ids import ClientId
from tests.harness.clock import settle
from tests.harness.comet_node import unreachable
from tests.harness.cosmos_chain import MEMPOOL_FULL, OK, Code
from tests.harness.cosmos_executions import CLIENT, SETTINGS, Bench, bench

SEND = BankSend("cosmos1friend", (("stake", 1),))
UPDATE = UpdateClient(client=CLIENT, message=b"")
ACCOUNT = "/cosmos.auth.v1beta1.Query/AccountInfo"


async def send(it: Bench, count: int = 1, memo: str = "") -> list[Sent | Refusal]:
    """What becomes of *count* transactions, while blocks follow each other."""
    signer = it.submitter.signers[0]
    task = asyncio.ensure_future(it.submitter.send(signer, [[SEND]] * count, memo=memo))
    await it.chain.drive(task)
    return task.result()


def taken(results: list[Sent | Refusal]) -> list[Sent]:
    found = [one for one in results if isinstance(one, Sent)]
    assert len(found) == len(results)
    return found


async def ends(it: Bench, *sent: Sent) -> list[int]:
    """The codes of what blocks make of *sent*."""
    work = [asyncio.ensure_future(asyncio.shield(one.outcome)) for one in sent]
    await it.chain.drive(*work)
    return [task.result().code for task in work]


def codes(*script: Code) -> list[Code]:
    return list(script)


async def test_sequences_rise_over_concurrent_sends() -> None:
    async with bench() as it:
        work = [
            asyncio.ensure_future(it.submitter.send(it.submitter.signers[0], [[SEND]] * 3))
            for _ in range(20)
        ]
        await it.chain.drive(*work)
        sent = [one for task in work for one in taken(task.result())]
        assert [tx.sequence for tx in it.chain.arrived] == list(range(5, 65))
        assert set(await ends(it, *sent)) == {0}
        assert len(it.chain.called(ACCOUNT)) == 1


async def test_transactions_are_never_signed_twice_with_one_sequence_while_they_wait() -> None:
    async with bench() as it:
        first = taken(await send(it))
        refusals = codes(("sdk", 5))
        it.chain.refuses_entry = lambda _: refusals.pop() if refusals else OK
        [refused] = await it.submitter.send(it.submitter.signers[0], [[SEND]])
        assert isinstance(refused, Refusal)
        [again] = taken(await it.submitter.send(it.submitter.signers[0], [[SEND]]))
        assert [tx.sequence for tx in it.chain.arrived] == [5, 6, 6]
        assert await ends(it, *first, again) == [0, 0]


async def test_a_wrong_sequence_is_asked_for_when_nothing_is_under_way() -> None:
    async with bench() as it:
        it.gas.learned([SEND.type_url], 100_000)
        first = taken(await send(it))
        it.chain.mempool.clear()
        it.chain.advance(it.submitter.signers[0].key.address)
        it.chain.advance(it.submitter.signers[0].key.address)
        second = taken(await send(it))
        assert await ends(it, *second) == [0]
        with pytest.raises(TransactionLost):
            await first[0].outcome
        asked = len(it.chain.called(ACCOUNT))
        assert asked == 2, "not while the first could still be in a block"


async def test_another_process_with_the_same_key_is_followed() -> None:
    async with bench() as it:
        await ends(it, *taken(await send(it)))
        it.chain.advance(it.submitter.signers[0].key.address)
        assert await ends(it, *taken(await send(it))) == [0]


async def test_an_unanswered_broadcast_counts_as_sent_and_goes_again_as_the_same_bytes() -> None:
    async with bench() as it:
        it.gas.learned([SEND.type_url], 100_000)
        it.chain.failures["broadcast"].append(unreachable())
        sent = taken(await it.submitter.send(it.submitter.signers[0], [[SEND]] * 2))
        assert it.chain.arrived == []
        await it.blocks_pass(AGAIN_AFTER)
        assert await ends(it, *sent) == [0, 0]
        assert [tx.hash for tx in it.chain.arrived[:2]] == [one.hash for one in sent]


@pytest.mark.parametrize(
    "lie",
    [
        lambda found: found[:-1],
        lambda found: (),
        lambda found: found * 2,
        lambda found: tuple(reversed(found)),
        lambda found: tuple([replace(one, hash=b"\x01" * 32) for one in found]),
    ],
)
async def test_answers_to_something_else_are_none(lie: object) -> None:
    async with bench() as it:
        it.gas.learned([SEND.type_url], 100_000)
        it.chain.answers = lie  # type: ignore[assignment]
        sent = taken(await send(it, 2))
        assert await ends(it, *sent) == [0, 0]


async def test_what_a_forgetful_node_lost_is_broadcast_again() -> None:
    async with bench() as it:
        sent = taken(await send(it, 3))
        it.chain.forget_mempool()
        assert await ends(it, *sent) == [0, 0, 0]
        assert {tx.hash for tx in it.chain.arrived} == {one.hash for one in sent}


async def test_a_broadcast_again_that_fails_stops_nothing() -> None:
    async with bench() as it:
        sent = taken(await send(it))
        it.chain.forget_mempool()
        it.chain.failures["broadcast"].append(unreachable())
        assert await ends(it, *sent) == [0]


async def test_what_is_taken_and_never_lands_is_lost_after_its_timeout_height() -> None:
    async with bench() as it:
        it.chain.loses = lambda _: True
        sent = taken(await send(it, 2))
        begun = it.chain.arrived[0].timeout_height - SETTINGS.timeout_blocks
        work = [asyncio.ensure_future(it.submitter.outcome(one)) for one in sent]
        await it.chain.drive(*work)
        assert [type(one.exception()) for one in work] == [TransactionLost, TransactionLost]
        assert it.chain.latest <= begun + SETTINGS.timeout_blocks + 3
        it.chain.loses = lambda _: False
        before = len(it.chain.arrived)
        assert await ends(it, *taken(await send(it))) == [0]
        assert len(it.chain.arrived) == before + 1, "its sequence was right at once"
        assert it.submitter.signers[0].under_way == []
        assert it.submitter._sent_at == {}
        assert it.submitter._tasks == set()


async def test_a_cancelled_sender_ends_nothing_that_is_under_way() -> None:
    async with bench() as it:
        it.gas.learned([SEND.type_url], 100_000)
        signer = it.submitter.signers[0]
        it.chain.is_mute = True
        sending = asyncio.ensure_future(it.submitter.send(signer, [[SEND]]))
        await settle()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert len(signer.under_way) == 1
        it.chain.is_mute = False
        [second] = taken(await send(it))
        waiting = asyncio.ensure_future(it.submitter.outcome(second))
        await settle()
        waiting.cancel()
        await settle()
        assert not second.outcome.cancelled()
        assert await ends(it, second) == [0]
        assert [tx.sequence for _, tx, _ in it.chain.landed] == [5, 6]


async def test_putting_off_does_not_wait_for_what_it_holds_up() -> None:
    async with bench() as it:
        sent = taken(await send(it, 2))
        it.chain.forget_mempool()  # so the next sequence is wrong
        begun = it.chain.latest
        third = taken(await send(it))
        assert await ends(it, *sent, *third) == [0, 0, 0]
        heights = [height for height, _, _ in it.chain.landed]
        assert heights[:2] == [begun + 1, begun + 1], "they were broadcast again at once"


@pytest.mark.parametrize("tries", [1, 3, MAX_TRIES - 1])
async def test_a_full_mempool_is_tried_again_block_by_block(tries: int) -> None:
    async with bench() as it:
        refusals = codes(*[MEMPOOL_FULL] * tries)
        it.chain.refuses_entry = lambda _: refusals.pop() if refusals else OK
        begun = it.chain.latest
        sent = taken(await send(it))
        assert it.chain.latest - begun >= tries
        assert await ends(it, *sent) == [0]


async def test_what_a_node_may_have_of_another_one_is_followed_and_not_signed_anew() -> None:
    async with bench() as it:
        it.chain.answers = lambda found: tuple(
            [replace(one, code=-32603, codespace="jsonrpc") for one in found]
        )
        sent = taken(await send(it, 2))
        assert await ends(it, *sent) == [0, 0]
        assert len(it.chain.landed) == 2


async def test_what_a_full_node_refused_is_broadcast_again() -> None:
    async with bench() as it:
        refusals = codes(("jsonrpc", -32603), ("jsonrpc", -32603))
        it.chain.refuses_entry = lambda _: refusals.pop() if refusals else OK
        sent = taken(await send(it, 2))
        assert await ends(it, *sent) == [0, 0]
        assert len(it.chain.landed) == 2


async def test_a_mempool_with_room_for_one_takes_them_block_by_block() -> None:
    async with bench() as it:
        it.chain.refuses_entry = lambda _: MEMPOOL_FULL if it.chain.mempool else OK
        sent = taken(await send(it, 2 * MAX_TRIES))
        assert await ends(it, *sent) == [0] * 2 * MAX_TRIES


async def test_a_mempool_that_stays_full_is_told_and_not_blamed_on_the_messages() -> None:
    async with bench() as it:
        it.chain.refuses_entry = lambda _: MEMPOOL_FULL
        results = await send(it, 2)
        for refusal in results:
            assert isinstance(refusal, Refusal)
            assert isinstance(refusal.error, RateLimited)
            assert not refusal.is_judged
        assert it.submitter.signers[0].under_way == []


async def test_one_refused_transaction_does_not_stop_those_after_it() -> None:
    async with bench() as it:
        it.gas.learned([SEND.type_url], 100_000)
        it.gas.learned([UPDATE.type_url], 100_000)
        refuse_updates(it, ("client", 29))
        batches: list[list[Message]] = [[SEND], [UPDATE], [SEND]]
        first, second, third = await it.submitter.send(it.submitter.signers[0], batches)
        assert isinstance(second, Refusal)
        assert second.is_judged
        assert second.error.reason is Reason.CLIENT_FROZEN
        assert await ends(it, *taken([first, third])) == [0, 0]


def refuse_updates(it: Bench, code: Code) -> None:
    it.chain.refuses_entry = lambda tx: code if "MsgUpdateClient" in tx.kinds else OK


async def test_gas_is_simulated_once_and_then_learned() -> None:
    async with bench() as it:
        await ends(it, *taken(await send(it, 3)))
        assert len(it.chain.simulated) == 1
        assert {tx.gas_limit for tx in it.chain.arrived} == {150_000}
        it.chain.extra_gas = 20_000
        await ends(it, *taken(await send(it)))
        await ends(it, *taken(await send(it)))
        assert it.chain.arrived[-1].gas_limit == 175_000
        assert len(it.chain.simulated) == 1


async def test_gas_that_was_too_little_in_a_block_is_raised() -> None:
    async with bench() as it:
        it.chain.extra_gas = 60_000
        [sent] = taken(await send(it))
        task = asyncio.ensure_future(it.submitter.outcome(sent))
        await it.chain.drive(task)
        refusal = task.result()
        assert isinstance(refusal, Refusal)
        assert refusal.kind is Kind.OUT_OF_GAS
        assert refusal.error.metadata["limit"] == "150000"
        assert await ends(it, *taken(await send(it))) == [0]
        assert it.chain.arrived[-1].gas_limit == 225_000


async def test_gas_that_the_mempool_finds_too_little_is_raised_at_once() -> None:
    async with bench() as it:
        it.chain.refuses_entry = lambda tx: ("sdk", 11) if tx.gas_limit < 300_000 else OK
        assert await ends(it, *taken(await send(it))) == [0]


async def test_what_a_simulation_refuses_has_the_chains_own_code_and_costs_nothing() -> None:
    async with bench() as it:
        it.chain.refuses_updates = ("client", 29)
        [refusal] = await it.submitter.send(it.submitter.signers[0], [[UPDATE]])
        assert isinstance(refusal, Refusal)
        assert refusal.error.reason is Reason.CLIENT_FROZEN
        assert it.chain.arrived == []
        judged = await it.submitter.judge(it.submitter.signers[0], [UPDATE])
        assert judged is not None
        assert judged.error.reason is Reason.CLIENT_FROZEN
        assert await it.submitter.judge(it.submitter.signers[0], [SEND]) is None


async def test_a_simulation_with_a_wrong_sequence_blames_nobody() -> None:
    async with bench() as it:
        await ends(it, *taken(await send(it)))
        it.chain.advance(it.submitter.signers[0].key.address)
        task = asyncio.ensure_future(it.submitter.judge(it.submitter.signers[0], [SEND]))
        await it.chain.drive(task)
        assert task.result() is None


async def test_a_judgement_that_never_comes_ends() -> None:
    async with bench() as it:
        await ends(it, *taken(await send(it)))
        signer = it.submitter.signers[0]
        it.chain._next_sequences = _Moving()
        task = asyncio.ensure_future(it.submitter.judge(signer, [SEND]))
        for _ in range(MAX_TRIES + 2):
            await settle()
            it.chain.produce()
        await settle()
        assert isinstance(task.exception(), TransactionRefused)


class _Moving(dict[str, int]):
    """Sequences that are others each time."""

    def __getitem__(self, address: str) -> int:
        return -1


@pytest.mark.parametrize(
    ("price", "gas", "fee"),
    [
        (Fraction(1, 40), 150_000, {"stake": 3_750}),
        (Fraction(1, 7), 150_000, {"stake": 21_429}),
        (Fraction(1, 10**18), 150_000, {"stake": 1}),
        (Fraction(0), 150_000, {}),
    ],
)
async def test_fees_are_rounded_up(price: Fraction, gas: int, fee: dict[str, int]) -> None:
    async with bench(gas_price=price) as it:
        await ends(it, *taken(await send(it)))
        assert it.chain.arrived[0].gas_limit == gas
        assert it.chain.fees == fee


async def test_several_keys_sign_each_for_its_own_clients() -> None:
    async with bench(keys=4) as it:
        clients = [ClientId(f"07-tendermint-{number}") for number in range(64)]
        signers = [it.submitter.signer_of(client) for client in clients]
        assert {one.key.address for one in signers} == {f"cosmos1key{n}" for n in range(1, 5)}
        assert signers == [it.submitter.signer_of(client) for client in clients]
        work = [asyncio.ensure_future(it.submitter.send(one, [[SEND]])) for one in signers]
        await it.chain.drive(*work)
        sent = [one for task in work for one in taken(task.result())]
        assert set(await ends(it, *sent)) == {0}


async def test_how_many_fit_follows_from_gas() -> None:
    async with bench(max_gas=1_000_000) as it:
        kind = SEND.type_url
        assert it.submitter.most([], kind, 256) == UNMEASURED
        assert it.submitter.most([], kind, 7) == 7
        it.gas.learned([kind], 120_000)
        most = it.submitter.most([], kind, 256)
        expected = it.gas.estimate([kind] * most)
        beyond = it.gas.estimate([kind] * (most + 1))
        assert expected is not None
        assert beyond is not None
        assert expected <= 1_000_000 < beyond
        assert it.submitter.most([], kind, 2) == 2
        it.gas.learned([kind], 10**9)
        assert it.submitter.most([], kind, 256) == 1


async def test_a_memo_and_a_timeout_height_stand_in_the_transaction() -> None:
    async with bench() as it:
        await send(it, memo="openings/1")
        tx = it.chain.arrived[0]
        assert (tx.memo, tx.timeout_height) == ("openings/1", 11 + SETTINGS.timeout_blocks)


async def test_nothing_is_signed_before_the_chain_is_followed() -> None:
    async with bench() as it:
        fresh = type(it.blocks)(it.chain, it.clock)
        submitter = Submitter(it.chain, fresh, it.submitter.signers, it.gas, SETTINGS)
        task = asyncio.ensure_future(submitter.send(it.submitter.signers[0], [[SEND]]))
        await settle()
        assert it.chain.arrived == []
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_chain_that_fails_between_two_batches_leaves_the_first_told() -> None:
    async with bench() as it:
        it.gas.learned([SEND.type_url], 100_000)
        it.chain.failures["app/simulate"].append(unreachable())
        signer = it.submitter.signers[0]
        first, second = await it.submitter.send(signer, [[SEND], [UPDATE]])
        assert isinstance(second, Refusal)
        assert not second.is_judged
        assert isinstance(second.error, ChainUnreachable)
        assert await ends(it, *taken([first])) == [0]
        it.chain.failures["app/simulate"].append(unreachable())
        with pytest.raises(ChainUnreachable):
            await it.submitter.send(signer, [[UPDATE]])


async def test_blocks_that_cannot_be_read_are_not_asked_for_without_a_pause() -> None:
    async with bench() as it:
        before = len(it.chain.calls)
        it.chain.failures["above"] += [unreachable() for _ in range(50)]
        it.chain.block()
        await settle()
        assert len(it.chain.calls) - before < 10


async def test_the_end_of_the_process_ends_what_follows_transactions() -> None:
    async with bench() as it:
        it.chain.loses = lambda _: True
        [sent] = taken(await send(it))
    assert sent.outcome.cancelled()


def test_a_submitter_without_keys_is_refused() -> None:
    with pytest.raises(FieldInvalid):
        Submitter(None, None, [], None, SETTINGS)  # type: ignore[arg-type]
