"""What a Cosmos chain says of its own state, unproven: hints for the adapter, judged by no one.

Requests and answers are gRPC messages over ABCI query, written by hand for the fields that are
used. An answer may carry more fields than are known here; one that cannot be read tells nothing,
which is ``ChainUnreachable``. Every function raises that too when no node answers, and
``HeaderNotFound`` where the state *at* a height is not kept.

Source: cosmos-sdk v0.53 proto/cosmos/{auth,bank,base}, types/query/pagination.go and
baseapp/abci.go (Query); ibc-go v10 proto/ibc/core/{client/v1,channel/v2}/query.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from adapters.cosmos.query_answer import Answer, page_request
from hub.core.codec.proto import bytes_field, message_field
from hub.core.errors import (
    ChainUnreachable,
    ClientNotFound,
    HeightInvalid,
    HubError,
)
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.paths import (
    acknowledgement_key,
    client_state_key,
    commitment_key,
    next_sequence_send_key,
    receipt_key,
)
from hub.light_clients.cometbft.client import CLIENT_TYPE
from hub.light_clients.cometbft.client_state import decode_client_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.cosmos.rpc.node import CometNode

MAX_PAGE: Final = 1000
"""Entries asked for at once."""
MAX_CLIENTS_SEARCHED: Final = 2048
"""Of all clients of a chain, how many of the newest are looked at."""

_KEY: Final = "store/ibc/key"
_NEXT_CLIENT: Final = b"nextClientSequence"
"""Key of the number of the next client; present since genesis. Source: 02-client types/keys.go."""
_CLIENTS_AT_ONCE: Final = 128
_MAX_PAGES: Final = 64
"""Pages of heights that are read at most: a few are always enough."""
_SEQUENCE_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Account:
    """Where the signatures of one address stand."""

    number: int
    sequence: int
    """Of its next transaction, those in a mempool not counted."""


async def stored(node: CometNode, key: bytes, at: int = 0) -> bytes:
    """What stands at *key* of the store ``ibc`` in state *at* (0: newest); empty if nothing."""
    (value,) = await stored_all(node, [key], at)
    return value


async def stored_all(node: CometNode, keys: Sequence[bytes], at: int = 0) -> tuple[bytes, ...]:
    """As ``stored``, for each of *keys*."""
    return await node.query_all(_KEY, keys, at)


async def account(node: CometNode, address: str) -> Account:
    """The account of *address*. Raises ``TransactionRefused`` where the chain knows none."""
    path = "/cosmos.auth.v1beta1.Query/AccountInfo"
    answer = await _ask(node, path, bytes_field(1, address.encode()))
    info = answer.message(1)
    return Account(number=info.number(3), sequence=info.number(4))


async def simulate(node: CometNode, tx: bytes) -> int:
    """Gas that *tx* would use now. Raises what the chain would refuse it for.

    Asked of the application itself: the tx service's answer has no codes.
    """
    content = await node.query("app/simulate", tx)
    try:
        return msgspec.json.decode(content, type=_Simulation, strict=False).gas_info.gas_used
    except msgspec.DecodeError as error:
        raise _unreadable(node, "app/simulate", str(error)) from error


async def client_ids(node: CometNode, chain_id: str, limit: int = 64) -> tuple[ClientId, ...]:
    """The newest 07-tendermint clients that verify *chain_id*, at most *limit*, newest last.

    One that the hub could not mirror (other proof specs) is left out.
    """
    end = await _counter(node, _NEXT_CLIENT)
    lowest = max(0, end - MAX_CLIENTS_SEARCHED)
    found: list[ClientId] = []
    while end > lowest and len(found) < limit:
        start = max(lowest, end - _CLIENTS_AT_ONCE)
        clients = [ClientId(f"{CLIENT_TYPE}-{number}") for number in range(start, end)]
        states = await stored_all(node, [client_state_key(client) for client in clients])
        pairs = zip(reversed(clients), reversed(states), strict=True)
        found += [client for client, state in pairs if _verifies(state, chain_id)]
        end = start
    return tuple(reversed(found[:limit]))


async def trusted_heights(node: CometNode, client: ClientId, limit: int = 64) -> tuple[Height, ...]:
    """The newest heights that *client* has consensus states of, at most *limit*, newest last.

    Raises ``ClientNotFound``, or as reading a client state does.
    """
    state = await stored(node, client_state_key(client))
    if not state:
        raise ClientNotFound(name=client)
    found, more = await _heights(node, client, b"", 2 * limit)
    latest = decode_client_state(state).latest_height
    if more and latest:
        found = await _newest_heights(node, client, latest, limit)
    return tuple(sorted(found)[-limit:])


async def creator(node: CometNode, client: ClientId) -> str:
    """The address that created *client*; empty where none is recorded any more."""
    path = "/ibc.core.client.v1.Query/ClientCreator"
    return (await _ask(node, path, bytes_field(1, client.encode()))).text(1)


async def standing_commitments(
    node: CometNode, client: ClientId, first: int, limit: int, at: int = 0
) -> tuple[int, ...]:
    """Sequences from *first* on, at most *limit*, that stand committed by *client*; rising."""
    path = "/ibc.core.channel.v2.Query/PacketCommitments"
    return await _sequences(node, path, client, first, limit, at=at)


async def written_acknowledgements(
    node: CometNode, client: ClientId, first: int, limit: int, at: int = 0
) -> tuple[int, ...]:
    """Sequences from *first* on, at most *limit*, that *client* acknowledged; rising."""
    path = "/ibc.core.channel.v2.Query/PacketAcknowledgements"
    return await _sequences(node, path, client, first, limit, at=at)


async def commitments(
    node: CometNode, client: ClientId, sequences: Sequence[int], at: int = 0
) -> frozenset[int]:
    """Which of *sequences* stand committed by *client* in state *at*."""
    return await _present(node, client, sequences, commitment_key, at)


async def receipts(
    node: CometNode, client: ClientId, sequences: Sequence[int], at: int = 0
) -> frozenset[int]:
    """Which of *sequences* *client* has received in state *at*."""
    return await _present(node, client, sequences, receipt_key, at)


async def acknowledgements(
    node: CometNode, client: ClientId, sequences: Sequence[int], at: int = 0
) -> frozenset[int]:
    """Which of *sequences* *client* has acknowledged in state *at*."""
    return await _present(node, client, sequences, acknowledgement_key, at)


async def next_sequence_send(node: CometNode, client: ClientId, at: int = 0) -> int:
    """The sequence that *client* gives to its next packet; 1 before its first."""
    return await _counter(node, next_sequence_send_key(client), at) or 1


async def balance(node: CometNode, address: str, denom: str) -> int:
    """How much of *denom* is at *address*, in its smallest unit."""
    request = bytes_field(1, address.encode()) + bytes_field(2, denom.encode())
    return (await _ask(node, "/cosmos.bank.v1beta1.Query/Balance", request)).message(1).amount(2)


async def supply(node: CometNode, denom: str) -> int:
    """How much of *denom* there is on the chain, in its smallest unit."""
    request = bytes_field(1, denom.encode())
    return (await _ask(node, "/cosmos.bank.v1beta1.Query/SupplyOf", request)).message(1).amount(2)


class _GasInfo(msgspec.Struct, frozen=True, gc=False):
    gas_used: Annotated[int, msgspec.Meta(ge=0)]


class _Simulation(msgspec.Struct, frozen=True):
    gas_info: _GasInfo


async def _ask(node: CometNode, path: str, request: bytes, at: int = 0) -> Answer:
    return Answer(node.chain_id, path, await node.query(path, request, at))


async def _counter(node: CometNode, key: bytes, at: int = 0) -> int:
    """The big-endian number at *key*; 0 if nothing stands there."""
    value = await stored(node, key, at)
    if len(value) not in {0, _SEQUENCE_BYTES}:
        raise _unreadable(node, key.decode("ascii", "replace"), f"has {len(value)} bytes")
    return int.from_bytes(value, "big")


async def _present(
    node: CometNode,
    client: ClientId,
    sequences: Sequence[int],
    key: Callable[[ClientId, int], bytes],
    at: int,
) -> frozenset[int]:
    if not sequences:
        return frozenset()
    values = await stored_all(node, [key(client, sequence) for sequence in sequences], at)
    pairs = zip(sequences, values, strict=True)
    return frozenset([sequence for sequence, value in pairs if value])


async def _sequences(
    node: CometNode, path: str, client: ClientId, first: int, limit: int, *, at: int
) -> tuple[int, ...]:
    """The sequences of the ``PacketState`` entries of a paged list, from *first* on.

    The list lies in the order of its keys, which are the sequences: a page may begin at any.
    Source: ibc-go v10 modules/core/04-channel/v2/keeper/grpc_query.go.
    """
    found: list[int] = []
    key = first.to_bytes(_SEQUENCE_BYTES, "big")
    while key and len(found) < limit:
        page = page_request(key, min(limit - len(found), MAX_PAGE))
        request = bytes_field(1, client.encode()) + message_field(2, page)
        answer = await _ask(node, path, request, at)
        listed = [entry.number(2) for entry in answer.messages(1)]
        key = answer.next_key(2)
        for sequence in listed:
            if sequence < first:
                raise answer.unreadable("sequences do not rise")
            first = sequence + 1
        if key and not (listed and len(key) == _SEQUENCE_BYTES):
            raise answer.unreadable("there is a next page, but no entry, or no place of it")
        found += listed
    return tuple(found[:limit])


async def _newest_heights(
    node: CometNode, client: ClientId, latest: Height, limit: int
) -> list[Height]:
    """At least the *limit* newest heights, none after *latest*.

    They lie in the order of their text, where 99 comes after 100: those of as many digits as
    *latest* are read downwards, then those of one digit less, and so on.
    """
    found: list[Height] = []
    pages = 0
    top = latest.number
    while top and len(found) < limit:
        lowest = 10 ** (len(str(top)) - 1)
        key, end = str(Height(latest.revision, top)), str(Height(latest.revision, lowest))
        more = key.encode()
        while more >= end.encode() and len(found) < limit:
            start = more
            page, more = await _heights(node, client, start, 2 * limit, reverse=True)
            pages += 1
            if more >= start or pages > _MAX_PAGES:
                raise _unreadable(node, "consensus heights", "its pages do not end")
            found += [
                one
                for one in page
                if one.revision == latest.revision and lowest <= one.number <= top
            ]
        top = lowest - 1
    return found


async def _heights(
    node: CometNode, client: ClientId, key: bytes, limit: int, *, reverse: bool = False
) -> tuple[list[Height], bytes]:
    """One page of the heights of *client*'s consensus states, and where the next begins."""
    path = "/ibc.core.client.v1.Query/ConsensusStateHeights"
    page = page_request(key, limit, reverse=reverse)
    answer = await _ask(node, path, bytes_field(1, client.encode()) + message_field(2, page))
    try:
        heights = [Height.parse(one.number(1), one.number(2)) for one in answer.messages(1)]
    except HeightInvalid as error:
        raise answer.unreadable(str(error)) from error
    return heights, answer.next_key(2)


def _verifies(state: bytes, chain_id: str) -> bool:
    """Whether the client with that *state* verifies *chain_id*, in a form that the hub reads."""
    if chain_id.encode() not in state:
        return False
    try:
        return decode_client_state(state).chain_id == chain_id
    except HubError:
        return False


def _unreadable(node: CometNode, what: str, problem: str) -> ChainUnreachable:
    return ChainUnreachable(chain=node.chain_id, problem=f"answers {what}: {problem}")
