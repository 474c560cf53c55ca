"""Test chains start, carry transactions, lose nodes, change their validators, and leave nothing."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import aiohttp
import psutil
import pytest

from adapters.cosmos.tx.keys import write_new_keys
from adapters.cosmos.tx.messages import BankSend
from tests.chains.cosmos import ledger
from tests.chains.cosmos.genesis import PREFIX
from tests.chains.cosmos.network import CosmosNetwork
from tests.chains.cosmos.options import STAKE, ChainOptions
from tests.chains.cosmos.staking import powers, set_powers
from tests.chains.cosmos.user import CosmosUser, Refused
from tests.harness.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.cosmos.tx.keys import Key

COIN = "coin"
RICHES = 1_000_000
BEFORE = (100, 100, 10, 10)
AFTER = (0, 0, 10, 30)
GONE_WITHIN_S = 10


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> tuple[Key, ...]:
    return write_new_keys(tmp_path_factory.mktemp("users") / "keys", 2, PREFIX)


def options(users: tuple[Key, ...], powers: tuple[int, ...]) -> ChainOptions:
    return ChainOptions(powers=powers, balances={users[0].address: {COIN: RICHES}})


@pytest.fixture(scope="module")
def alone(
    tmp_path_factory: pytest.TempPathFactory, users: tuple[Key, ...]
) -> Iterator[CosmosNetwork]:
    directory = tmp_path_factory.mktemp("alone") / "chain"
    with CosmosNetwork(directory, "hangzhou", options(users, (100,))) as network:
        yield network


@pytest.fixture(scope="module")
def four(
    tmp_path_factory: pytest.TempPathFactory, users: tuple[Key, ...]
) -> Iterator[CosmosNetwork]:
    directory = tmp_path_factory.mktemp("four") / "chain"
    with CosmosNetwork(directory, "suzhou", options(users, BEFORE)) as network:
        yield network


async def test_a_chain_of_one_validator_moves_funds_and_mints_none(
    alone: CosmosNetwork, users: tuple[Key, ...]
) -> None:
    await alone.wait_ready()
    sender, receiver = (CosmosUser(alone, key) for key in users)
    before = await ledger.supply(alone)
    outcome = await sender.settle([BankSend(receiver.address, ((COIN, 1),))] * 50)
    assert outcome.code == 0, outcome.log
    assert await sender.balance(COIN) == RICHES - 50
    assert await receiver.balance(COIN) == 50
    assert await ledger.supply(alone) == before
    assert before[COIN] == RICHES


async def test_a_transaction_that_fails_in_its_block_says_why(
    alone: CosmosNetwork, users: tuple[Key, ...]
) -> None:
    await alone.wait_ready()
    sender = CosmosUser(alone, users[0])
    outcome = await sender.settle([BankSend(users[1].address, ((STAKE, 1),))])
    assert (outcome.codespace, outcome.code) == ("sdk", 5)


async def test_a_transaction_that_a_node_refuses_says_why(
    alone: CosmosNetwork, users: tuple[Key, ...]
) -> None:
    await alone.wait_ready()
    sender = CosmosUser(alone, users[0])
    with pytest.raises(Refused) as refused:
        await sender.submit([BankSend(users[1].address, ((COIN, 1),))], gas=1_000)
    assert (refused.value.codespace, refused.value.code) == ("sdk", 11)


async def test_transactions_are_not_indexed(alone: CosmosNetwork) -> None:
    await alone.wait_ready()
    with pytest.raises(AssertionError, match="indexing is disabled"):
        await alone.call("tx", {"hash": "AAAA"})


async def test_a_node_that_stands_still_answers_nothing_until_it_goes_on(
    alone: CosmosNetwork,
) -> None:
    await alone.wait_ready()
    alone.halt(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(alone.height(), 0.5)
    alone.resume(0)
    assert await alone.height() > 0


async def test_a_killed_node_comes_back_on_what_it_had_written(
    alone: CosmosNetwork, users: tuple[Key, ...]
) -> None:
    await alone.wait_ready()
    height = await alone.height()
    coins = await ledger.balances(alone, users[0].address)
    alone.kill(0)
    with pytest.raises(aiohttp.ClientError):
        await alone.height()
    alone.restart(0)
    await alone.wait_height(height + 2)
    assert await ledger.balances(alone, users[0].address) == coins


async def test_a_node_that_ended_in_order_comes_back(alone: CosmosNetwork) -> None:
    await alone.wait_ready()
    height = await alone.height()
    alone.end(0)
    alone.restart(0)
    await alone.wait_height(height + 2)


async def test_four_validators_go_on_without_one_and_take_it_back(
    four: CosmosNetwork, users: tuple[Key, ...]
) -> None:
    await four.wait_ready(2)
    assert await powers(four) == BEFORE
    four.kill(3)
    height = await four.height()
    sender = CosmosUser(four, users[0], number=2)
    outcome = await sender.settle([BankSend(users[1].address, ((COIN, 5),))])
    assert outcome.code == 0, outcome.log
    assert outcome.height > height
    four.restart(3)
    await four.wait_height(outcome.height + 1, 3)
    assert (await ledger.balances(four, users[1].address, 3))[COIN] == 5


async def test_a_validator_set_that_leaves_less_than_a_third_is_in_the_headers(
    four: CosmosNetwork,
) -> None:
    await four.wait_ready(2)
    height = await set_powers(four, AFTER)
    changed = [await _header(four, at) for at in (height - 1, height)]
    assert changed[0]["next_validators_hash"] == changed[1]["validators_hash"]
    assert changed[0]["validators_hash"] != changed[1]["validators_hash"]
    assert await powers(four, height - 1) == BEFORE
    assert sum(BEFORE[2:]) * 3 < sum(BEFORE)
    assert await powers(four, await set_powers(four, BEFORE)) == BEFORE


async def test_what_a_node_prunes_it_answers_no_more(tmp_path: Path) -> None:
    pruned = ChainOptions(
        block_ms=100, keeps_states=2, keeps_blocks=5, evidence_blocks=5, evidence_s=1, unbonding_s=2
    )
    with CosmosNetwork(tmp_path / "chain", "pruned", pruned) as network:
        await network.wait_height(25)
        params = {"path": "store/ibc/key", "data": "00", "height": "3", "prove": True}
        refused = (await network.call("abci_query", params))["response"]
        assert (refused["codespace"], refused["code"]) != ("", 0)
        with pytest.raises(AssertionError, match="lowest height"):
            await network.call("commit", {"height": "3"})


def test_nothing_of_a_chain_outlives_a_killed_test(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from tests.chains.cosmos.network import CosmosNetwork\n"
        "network = CosmosNetwork(pathlib.Path(sys.argv[1]), 'killed')\n"
        "network.start()\n"
        "print(network.pid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "chain")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        node = psutil.Process(int(test.stdout.readline()))
        test.send_signal(signal.SIGKILL)
    gone, left = psutil.wait_procs([node], GONE_WITHIN_S)
    assert (len(gone), left) == (1, [])


async def _header(network: CosmosNetwork, height: int) -> dict[str, str]:
    answer = await network.call("commit", {"height": str(height)})
    header: dict[str, str] = answer["signed_header"]["header"]
    return header
