"""A relayer of somebody else: it acts on two chains directly, and knows nothing of the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.cosmos import anchoring, proofs
from adapters.cosmos.blocks.events import read_facts
from adapters.cosmos.client_messages import client_state_any, consensus_state_any, header_any
from adapters.cosmos.rpc.node import CometNode
from adapters.cosmos.rpc.transport import Rpc
from adapters.cosmos.tx.messages import (
    AcknowledgePacket,
    CreateClient,
    ReceivePacket,
    RegisterCounterparty,
    UpdateClient,
)
from adapters.sdk.clock import SystemClock
from adapters.sdk.execution import UpdateStep
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId
from hub.core.paths import acknowledgement_key, commitment_key
from hub.light_clients.cometbft.client import CometBftClient
from tests.chains.cosmos import ledger
from tests.chains.cosmos.user import CosmosUser

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.cosmos.tx.keys import Key
    from adapters.cosmos.tx.messages import Message
    from tests.chains.cosmos.city import City

REVISION: Final = 1
TRUSTING_PERIOD: Final = "336h"


class End:
    """One chain, and the client there that verifies the other; its validators do not change."""

    def __init__(self, city: City, key: Key) -> None:
        """*key* signs what is done there."""
        self.city = city
        clock, chain = SystemClock(), ChainId(city.chain_id)
        self.node = CometNode(chain, Rpc(chain, [city.chain.rpc_url()], clock), clock)
        self.user = CosmosUser(city.chain, key)
        self.client = ClientId("")
        self.trusted = 0

    async def do(self, *messages: Message) -> None:
        """*messages* had their effect."""
        settled = await self.user.settle(messages)
        assert settled.code == 0, settled.log

    async def newest(self) -> int:
        """The newest header, with everything done before under it."""
        return await self.city.chain.wait_height(await self.city.chain.height() + 2)


class OtherRelayer:
    """Between two chains, with a key of one user on each."""

    def __init__(self, source: City, destination: City, number: int) -> None:
        """Nothing is connected; the users of this *number* pay."""
        self.source = End(source, source.users[number])
        self.destination = End(destination, destination.users[number])

    async def connect(self) -> None:
        """Each chain has a client of the other, and both are bound to each other."""
        for here, there in self._both():
            height = await there.newest()
            [header] = await there.node.headers([height])
            state = CometBftClient().read_header(header)
            trust = anchoring.trust_options("1/3", TRUSTING_PERIOD, "10s")
            anchor = anchoring.anchor_of(state, there.city.chain_id, trust)
            number = await ledger.next_client(here.city.chain)
            create = CreateClient(client_state_any(anchor), consensus_state_any(state))
            await here.do(create)
            here.client, here.trusted = ClientId(f"07-tendermint-{number}"), height
        for here, there in self._both():
            await here.do(RegisterCounterparty(here.client, there.client, anchoring.PREFIX))

    async def deliver(self, sequences: Sequence[int], since: int) -> None:
        """The destination has received *sequences*, which the source sent above height *since*."""
        packets = await self._sent(since)
        update, height = await self._update(self.destination, self.source)
        keys = [commitment_key(self.source.client, sequence) for sequence in sequences]
        shown = await proofs.prove(self.source.node, keys, height)
        received = [
            ReceivePacket(packet=packets[sequence], proof=one.proof, height=height)
            for sequence, one in zip(sequences, shown, strict=True)
        ]
        await self.destination.do(update, *received)

    async def acknowledge(self, sequences: Sequence[int], since: tuple[int, int]) -> None:
        """The source knows of *sequences*, sent and answered above these heights of both."""
        packets, written = await self._sent(since[0]), await self._written(since[1])
        update, height = await self._update(self.source, self.destination)
        keys = [acknowledgement_key(self.destination.client, sequence) for sequence in sequences]
        shown = await proofs.prove(self.destination.node, keys, height)
        acknowledged = [
            AcknowledgePacket(
                packet=packets[sequence],
                acknowledgement=written[sequence],
                proof=one.proof,
                height=height,
            )
            for sequence, one in zip(sequences, shown, strict=True)
        ]
        await self.source.do(update, *acknowledged)

    async def close(self) -> None:
        """Nothing is connected any more."""
        for end, _ in self._both():
            await end.node.close()

    def _both(self) -> Iterable[tuple[End, End]]:
        return ((self.source, self.destination), (self.destination, self.source))

    async def _update(self, here: End, there: End) -> tuple[UpdateClient, Height]:
        """What teaches *here* the newest header of *there*, and that header."""
        height = await there.newest()
        before, header = await there.node.headers([here.trusted, height])
        step = UpdateStep(
            trusted_height=Height(REVISION, here.trusted),
            trusted_validators=before.validators,
            header=header,
        )
        here.trusted = height
        return UpdateClient(here.client, header_any(step)), Height(REVISION, height)

    async def _sent(self, since: int) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for at in range(since + 1, await self.source.city.chain.height() + 1):
            facts = read_facts(await self.source.node.results(at))
            found |= facts.sent.get(self.source.client, {})
        return found

    async def _written(self, since: int) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for at in range(since + 1, await self.destination.city.chain.height() + 1):
            facts = read_facts(await self.destination.node.results(at))
            found |= facts.written.get(self.destination.client, {})
        return found
