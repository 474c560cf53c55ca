from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.isolation import MAX_CULPRITS, Isolation
from adapters.cosmos.packet_messages import packet_messages
from adapters.cosmos.tx.codes import Kind, Subject
from adapters.cosmos.tx.messages import UpdateClient
from adapters.cosmos.tx.records import Refusal
from hub.core.errors import ChainUnreachable, Reason
from tests.harness.comet_node import unreachable
from tests.harness.cosmos_executions import CLIENT, PREFIX, Bench, bench, receive

if TYPE_CHECKING:
    from tests.harness.cosmos_chain import Code

FAILS: Code = ("commitment", 2)
UPDATE = UpdateClient(client=CLIENT, message=b"")
WHY = Refusal(Kind.REFUSED, unreachable())
EVERY = packet_messages(receive(*range(1, 129)), PREFIX)


async def search(
    it: Bench, count: int, *updates: UpdateClient, refusal: Refusal = WHY
) -> list[tuple[int, Reason]]:
    signer = it.submitter.signers[0]
    found = await Isolation(it.submitter).run(signer, updates, EVERY[:count], refusal, Subject())
    return [(sequence, error.reason) for sequence, error in found]


@pytest.mark.parametrize("culprit", [1, 2, 64, 65, 128])
async def test_one_culprit_is_found_wherever_it_stands(culprit: int) -> None:
    async with bench() as it:
        it.chain.refuses = {culprit: FAILS}
        assert await search(it, 128) == [(culprit, Reason.MEMBERSHIP_NOT_PROVEN)]
        assert len(it.chain.simulated) <= 2 * 7 + 1
        assert it.chain.arrived == []


async def test_where_all_would_pass_nobody_is_to_blame() -> None:
    async with bench() as it:
        assert await search(it, 128) == []
        assert len(it.chain.simulated) == 1


async def test_each_culprit_has_its_own_reason() -> None:
    async with bench() as it:
        it.chain.refuses = {3: FAILS, 90: ("channelv2", 9)}
        assert await search(it, 128) == [
            (3, Reason.MEMBERSHIP_NOT_PROVEN),
            (90, Reason.TIMEOUT_ELAPSED),
        ]


async def test_too_many_culprits_are_not_looked_for() -> None:
    async with bench() as it:
        it.chain.refuses = dict.fromkeys(range(1, 129), FAILS)
        assert await search(it, 128) == [(0, Reason.MEMBERSHIP_NOT_PROVEN)]
        assert len(it.chain.simulated) < 8 + 3 * MAX_CULPRITS


async def test_the_first_alone_is_looked_for_where_it_is_enough() -> None:
    async with bench() as it:
        it.chain.refuses = dict.fromkeys(range(77, 129), FAILS)
        signer = it.submitter.signers[0]
        found = await Isolation(it.submitter).run(
            signer, (), EVERY, WHY, Subject(), first_only=True
        )
        assert [sequence for sequence, _ in found] == [77]


async def test_one_message_alone_is_to_blame_itself() -> None:
    async with bench() as it:
        assert await search(it, 1) == [(1, Reason.CHAIN_UNREACHABLE)]
        assert await search(it, 0, UPDATE) == [(0, Reason.CHAIN_UNREACHABLE)]
        assert it.chain.simulated == []


async def test_updates_that_fail_are_to_blame_for_all() -> None:
    async with bench() as it:
        it.chain.refuses_updates = ("client", 12)
        assert await search(it, 5, UPDATE) == [(0, Reason.HEADER_UNPARSEABLE)]
        assert len(it.chain.simulated) == 1


async def test_packets_are_judged_behind_their_updates() -> None:
    async with bench() as it:
        it.chain.needs_update = {1, 2, 3}
        it.chain.refuses = {2: FAILS}
        assert await search(it, 3, UPDATE) == [(2, Reason.MEMBERSHIP_NOT_PROVEN)]


async def test_a_chain_that_does_not_tell_blames_nobody() -> None:
    async with bench() as it:
        it.chain.refuses = {2: FAILS}
        await search(it, 3)
        it.chain.failures["app/simulate"].append(unreachable())
        with pytest.raises(ChainUnreachable):
            await search(it, 3)
