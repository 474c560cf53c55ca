"""What a chain says of its accounts and its transactions, read without the adapter under test.

Source: cosmos-sdk proto/cosmos/bank/v1beta1/query.proto, proto/cosmos/auth/v1beta1/query.proto;
ibc-go modules/apps/transfer/types/denom.go (names of vouchers).
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from adapters.cosmos.tx.keys import encode_address
from hub.core.codec.proto import bytes_field, message_field, read_fields, varint_field
from tests.chains.cosmos.genesis import PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.chains.cosmos.network import CosmosNetwork

PAGE: Final = 10_000
"""Balances or denominations in one answer; no test has more."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as the next transaction of it must name it."""

    number: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a block did with a transaction."""

    height: int
    code: int
    """0: it took effect."""
    codespace: str
    log: str
    gas_wanted: int
    gas_used: int


async def query(network: CosmosNetwork, path: str, data: bytes, number: int = 0) -> bytes:
    """The answer of node *number*'s application to the gRPC query *path*."""
    params = {"path": path, "data": data.hex(), "height": "0", "prove": False}
    response = (await network.call("abci_query", params, number))["response"]
    assert response.get("code", 0) == 0, f"{path}: {response['log']}"
    return b64decode(response.get("value") or "")


async def balances(network: CosmosNetwork, address: str, number: int = 0) -> dict[str, int]:
    """What the account *address* has, by denomination."""
    data = bytes_field(1, address.encode()) + message_field(2, varint_field(3, PAGE))
    return _coins(await query(network, "/cosmos.bank.v1beta1.Query/AllBalances", data, number))


async def supply(network: CosmosNetwork, number: int = 0) -> dict[str, int]:
    """All that there is on the chain, by denomination."""
    data = message_field(1, varint_field(3, PAGE))
    return _coins(await query(network, "/cosmos.bank.v1beta1.Query/TotalSupply", data, number))


async def account(network: CosmosNetwork, address: str, number: int = 0) -> AccountState:
    """The account *address*, which the chain knows."""
    data = bytes_field(1, address.encode())
    answer = await query(network, "/cosmos.auth.v1beta1.Query/Account", data, number)
    base = _fields(_bytes(_fields(_bytes(_fields(answer)[1]))[2]))
    return AccountState(number=_int(base.get(3, 0)), sequence=_int(base.get(4, 0)))


async def commitments(network: CosmosNetwork, client: str, number: int = 0) -> set[int]:
    """Sequences that *client* sent and that have not ended."""
    path = "/ibc.core.channel.v2.Query/PacketCommitments"
    data = bytes_field(1, client.encode()) + message_field(2, varint_field(3, PAGE))
    entries = read_fields(await query(network, path, data, number))
    return {_int(_fields(_bytes(entry))[2]) for field, _, entry in entries if field == 1}


async def consensus_heights(network: CosmosNetwork, client: str, number: int = 0) -> set[int]:
    """Heights of the other chain that *client* trusts."""
    path = "/ibc.core.client.v1.Query/ConsensusStateHeights"
    data = bytes_field(1, client.encode()) + message_field(2, varint_field(3, PAGE))
    entries = read_fields(await query(network, path, data, number))
    return {_int(_fields(_bytes(entry))[2]) for field, _, entry in entries if field == 1}


async def next_client(network: CosmosNetwork, number: int = 0) -> int:
    """The number that the next client of the chain will have."""
    return int.from_bytes(await _stored(network, b"nextClientSequence", number), "big")


async def client_state(network: CosmosNetwork, client: str, number: int = 0) -> bytes:
    """What *client* is, as the chain stores it."""
    return await _stored(network, f"clients/{client}/clientState".encode(), number)


def escrow(client: str) -> str:
    """The account that holds what was sent away by *client* (port ``transfer``).

    Source: ibc-go modules/apps/transfer/types/keys.go (GetEscrowAddress).
    """
    name = f"ics20-1\0transfer/{client}".encode()
    return encode_address(PREFIX, sha256(name).digest()[:20])


async def settled(
    network: CosmosNetwork, hashes: Collection[bytes], since: int, number: int = 0
) -> dict[bytes, Settled]:
    """What blocks did with the transactions *hashes*, which none above *since* held before.

    Every block is read as it comes until the last of them was in one; the caller bounds the time.
    """
    found: dict[bytes, Settled] = {}
    height = since
    while len(found) < len(hashes):
        height += 1
        await network.wait_height(height + 1, number)
        block = await network.call("block", {"height": str(height)}, number)
        results = await network.call("block_results", {"height": str(height)}, number)
        raw = block["block"]["data"]["txs"] or ()
        for one, result in zip(raw, results["txs_results"] or (), strict=True):
            name = sha256(b64decode(one)).digest()
            if name in hashes:
                found[name] = _settled(height, result)
    return found


def voucher(client: str, denom: str) -> str:
    """The denomination that *denom* has where it came in by *client* (port ``transfer``)."""
    return f"ibc/{sha256(f'transfer/{client}/{denom}'.encode()).hexdigest().upper()}"


async def _stored(network: CosmosNetwork, key: bytes, number: int) -> bytes:
    """What stands at *key* of the store of IBC."""
    params = {"path": "store/ibc/key", "data": key.hex(), "height": "0", "prove": False}
    response = (await network.call("abci_query", params, number))["response"]
    return b64decode(response["value"] or "")


def _settled(height: int, result: dict[str, Any]) -> Settled:
    return Settled(
        height=height,
        code=int(result.get("code", 0)),
        codespace=result.get("codespace", ""),
        log=result.get("log", ""),
        gas_wanted=int(result["gas_wanted"]),
        gas_used=int(result["gas_used"]),
    )


def _coins(answer: bytes) -> dict[str, int]:
    coins = [_fields(_bytes(value)) for number, _, value in read_fields(answer) if number == 1]
    return {_bytes(coin[1]).decode(): int(_bytes(coin[2])) for coin in coins}


def _fields(data: bytes) -> dict[int, int | bytes]:
    return {number: value for number, _, value in read_fields(data)}


def _bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


def _int(value: int | bytes) -> int:
    assert isinstance(value, int)
    return value
