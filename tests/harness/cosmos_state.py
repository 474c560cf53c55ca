"""The state of a Cosmos chain as its nodes answer for it, in memory: a stand-in for ``CometNode``.

Keys of the store ``ibc`` with their proofs out of real trees, and gRPC lists paged as the SDK pages
them. It shares no code with the adapter.

Source: cosmos-sdk v0.53 types/query/pagination.go, filtered_pagination.go; ibc-go v10
modules/core/{02-client,04-channel/v2}/keeper/grpc_query.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from adapters.cosmos.rpc.records import Proven
from hub.core.codec.proto import bytes_field, message_field, read_fields, varint_field
from hub.core.errors import HeaderNotFound, TransactionRefused
from hub.core.ids import ChainId
from hub.light_clients.proofs.codec import encode_commitment_proof
from tests.harness.iavl import World, plant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from adapters.cosmos.rpc.node import CometNode
    from hub.light_clients.proofs.spec import CommitmentProof

STORE = "ibc"
CHAIN_ID = ChainId("suzhou-1")
DEFAULT_LIMIT = 100

Page = tuple[list[tuple[bytes, bytes]], bytes]
"""Entries, and the key where the next page begins."""


@dataclass
class CosmosState:
    """What a chain holds; answers are those of its newest state unless one is given by height."""

    items: dict[bytes, bytes] = field(default_factory=dict)
    states: dict[int, World] = field(default_factory=dict)
    """Provable states by height; one that is missing is pruned."""
    answers: dict[str, bytes | Callable[[bytes], bytes]] = field(default_factory=dict)
    """By path; a path that is missing is refused as unknown."""
    asked: list[tuple[str, bytes, int]] = field(default_factory=list)
    chain_id: ChainId = CHAIN_ID

    @property
    def node(self) -> CometNode:
        """This, for whoever asks no more than is here."""
        return cast("CometNode", self)

    def add_state(self, height: int, items: Mapping[bytes, bytes]) -> World:
        """The state that block *height* left, with *items* in its store."""
        world = World(
            {"bank": plant({b"k": b"v"}), STORE: plant(dict(items)), "staking": plant({b"s": b"v"})}
        )
        self.states[height] = world
        return world

    async def query(self, path: str, data: bytes, at: int = 0) -> bytes:
        (answer,) = await self.query_all(path, [data], at)
        return answer

    async def query_all(self, path: str, datas: Sequence[bytes], at: int = 0) -> tuple[bytes, ...]:
        self.asked += [(path, data, at) for data in datas]
        return tuple([self._answer(path, data, at) for data in datas])

    async def prove(self, store: str, keys: Sequence[bytes], at: int) -> tuple[Proven, ...]:
        self.asked += [(f"store/{store}/key", key, at) for key in keys]
        world = self.states.get(at)
        if world is None:
            raise HeaderNotFound(client=self.chain_id, height=at)
        held = dict(world.items(store))
        found: list[Proven] = []
        for key in keys:
            lower: CommitmentProof = (
                world.existence(store, key) if key in held else world.absence(store, key)
            )
            proofs = (
                encode_commitment_proof(lower),
                encode_commitment_proof(world.store_proof(store)),
            )
            found.append(Proven(held.get(key, b""), *proofs))
        return tuple(found)

    def list_sequences(self, marker: bytes) -> Callable[[bytes], bytes]:
        """``PacketCommitments``, *marker* 1, or ``PacketAcknowledgements``, *marker* 3."""

        def answer(request: bytes) -> bytes:
            client, page = _paged_request(request)
            entries, more = self._page(client + marker, page, lambda _: True)
            states = [
                bytes_field(1, client)
                + varint_field(2, int.from_bytes(key, "big"))
                + bytes_field(3, value)
                for key, value in entries
            ]
            return b"".join([message_field(1, one) for one in states]) + _page_response(2, more)

        return answer

    def list_heights(self, request: bytes) -> bytes:
        """``ConsensusStateHeights``; what is kept beside a consensus state is filtered out."""
        client, page = _paged_request(request)
        prefix = b"clients/" + client + b"/consensusStates/"
        entries, more = self._page(prefix, page, lambda key: b"/" not in key)
        heights = [[int(part) for part in key.split(b"-")] for key, _ in entries]
        messages = [varint_field(1, one[0]) + varint_field(2, one[1]) for one in heights]
        return b"".join([message_field(1, one) for one in messages]) + _page_response(2, more)

    def _answer(self, path: str, data: bytes, at: int) -> bytes:
        if path == f"store/{STORE}/key":
            return self.items.get(data, b"") if not at else self._stored_at(data, at)
        answer = self.answers.get(path)
        if answer is None:
            raise TransactionRefused(chain=self.chain_id, codespace="sdk", code=6, log="unknown")
        return answer if isinstance(answer, bytes) else answer(data)

    def _stored_at(self, key: bytes, at: int) -> bytes:
        if at not in self.states:
            raise HeaderNotFound(client=self.chain_id, height=at)
        return dict(self.states[at].items(STORE)).get(key, b"")

    def _page(
        self, prefix: bytes, page: dict[int, int | bytes], hits: Callable[[bytes], bool]
    ) -> Page:
        """Entries under *prefix*, without it, as ``Paginate`` cuts them."""
        every = sorted(
            (key.removeprefix(prefix), value)
            for key, value in self.items.items()
            if key.startswith(prefix)
        )
        start, limit, reverse = page.get(1, b""), page.get(3, DEFAULT_LIMIT), page.get(5, 0)
        assert isinstance(start, bytes)
        assert isinstance(limit, int)
        if reverse:
            at = next((i for i, (key, _) in enumerate(every) if key >= start), len(every))
            # The end is the key after the first one that is not below the start.
            assert not start or at != len(every) - 1, "the SDK's iterator panics behind its end"
            every = every[: at + 1][::-1] if start else every[::-1]
        else:
            every = [entry for entry in every if entry[0] >= start]
        found: list[tuple[bytes, bytes]] = []
        for entry in every:
            if len(found) == limit and (start or hits(entry[0])):
                return found, entry[0]
            if hits(entry[0]):
                found.append(entry)
        return found, b""


def _paged_request(request: bytes) -> tuple[bytes, dict[int, int | bytes]]:
    fields = {number: value for number, _, value in read_fields(request)}
    client, page = fields[1], fields[2]
    assert isinstance(client, bytes)
    assert isinstance(page, bytes)
    return client, {number: value for number, _, value in read_fields(page)}


def _page_response(number: int, more: bytes) -> bytes:
    return message_field(number, bytes_field(1, more))
