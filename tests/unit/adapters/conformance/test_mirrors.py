from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance.demand import Failed
from adapters.conformance.follower import Follower
from adapters.conformance.mirrors import read
from adapters.sdk.wire.encode import clients_answer
from adapters.simchain.adapter import SimchainAdapter
from adapters.simchain.node import Node
from adapters.simchain.queries import anchor_at
from hub.core.time import SECOND, Timestamp
from tests.harness.clock import ManualClock
from tests.harness.simchain import TRUST, path_of

if TYPE_CHECKING:
    from hub.core.client import Header


class Shown:
    """A client that a chain has, and whoever is shown it."""

    def __init__(self) -> None:
        self.path = path_of().open()
        self.path.advance()
        self.chain = self.path.left
        clock = ManualClock(Timestamp(self.path.now + SECOND))
        self.follower = Follower(anchor_at(self.chain, 2, TRUST), self, clock)

    async def ask_header(self, number: int) -> Header:
        return self.chain.light_block(number).header

    async def answer(self) -> pb.Answer:
        await self.follower.add(self.chain.light_block(2).header)
        adapter = SimchainAdapter(Node(self.chain, ManualClock()))
        return clients_answer(await adapter.clients(self.path.client(self.chain), ""))


async def test_a_client_is_believed_by_its_proofs() -> None:
    shown = Shown()
    mirror = await read(await shown.answer(), shown.follower)
    assert mirror.client == shown.path.client(shown.chain)
    assert mirror.state.chain_id == "suzhou-1"
    assert mirror.state.options == TRUST
    assert mirror.counterparty is not None
    assert mirror.counterparty.client == shown.path.client(shown.path.right)
    assert mirror.trusted
    assert mirror.pending == 0


@pytest.mark.parametrize(
    "field",
    ["client", "client_state", "client_state_proof", "counterparty", "counterparty_proof"],
)
async def test_whatever_is_changed_in_it_is_seen(field: str) -> None:
    shown = Shown()
    answer = await shown.answer()
    client = answer.clients.clients[0]
    value = getattr(client, field)
    if isinstance(value, str):
        setattr(client, field, "07-tendermint-9")
    else:
        setattr(client, field, value[:-1] + bytes([value[-1] ^ 1]))
    with pytest.raises(Failed, match="proven under a header"):
        await read(answer, shown.follower)


async def test_trusted_heights_that_do_not_rise_are_seen() -> None:
    shown = Shown()
    answer = await shown.answer()
    answer.clients.clients[0].trusted_heights.add(revision=1, number=1)
    with pytest.raises(Failed, match="rise"):
        await read(answer, shown.follower)


async def test_an_answer_of_another_kind_or_count_is_seen() -> None:
    shown = Shown()
    answer = await shown.answer()
    answer.clients.clients.append(answer.clients.clients[0])
    for wrong in (answer, pb.Answer(clients=pb.ClientAnswer()), pb.Answer()):
        with pytest.raises(Failed):
            await read(wrong, shown.follower)
