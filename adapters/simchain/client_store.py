"""Where light clients stand in the provable store ``ibc``.

Client state, counterparty and consensus states: ibc-go's bytes under ICS-24's keys. Beside them,
in keys of our own under ``clients/{id}/``: the anchor, the opening it was created for, whether it
is ordered, its trusted heights (8 bytes each, rising) and the hash of each header.

Source: ICS-24; ibc-go v10 modules/core/24-host, 02-client/types/keys.go (nextClientSequence).
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from adapters.simchain.codec import decode_anchor, encode_anchor
from hub.core.errors import ClientNotFound, ConsensusStateMissing
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.paths import client_state_key, consensus_state_key, counterparty_key
from hub.light_clients.cometbft.client_state import (
    ClientState,
    Counterparty,
    decode_client_state,
    decode_consensus_state,
    decode_counterparty,
    encode_client_state,
    encode_consensus_state,
    encode_counterparty,
)

if TYPE_CHECKING:
    from adapters.simchain.state import State
    from hub.core.client import Anchor, ConsensusState

STORE: Final = "ibc"
MAX_TRUSTED_HEIGHTS: Final = 4096
"""Consensus states kept for one client; beyond that the oldest goes."""

_NEXT = b"nextClientSequence"

# Pure functions of few different bytes, which every packet asks for.
_read_client_state = lru_cache(maxsize=256)(decode_client_state)
_read_counterparty = lru_cache(maxsize=256)(decode_counterparty)
_read_consensus_state = lru_cache(maxsize=1024)(decode_consensus_state)
_NUMBER_BYTES = 8


def new_client_id(state: State, client_type: str) -> ClientId:
    """The next id that no client has yet."""
    number = int.from_bytes(state.get(STORE, _NEXT) or b"", "big")
    state.set(STORE, _NEXT, (number + 1).to_bytes(_NUMBER_BYTES, "big"))
    return ClientId(f"{client_type}-{number}")


def client_ids(state: State, client_type: str) -> list[ClientId]:
    """Every client of the one type that there is, by number."""
    count = int.from_bytes(state.get(STORE, _NEXT) or b"", "big")
    return [ClientId(f"{client_type}-{number}") for number in range(count)]


def client_state(state: State, client: ClientId) -> ClientState:
    """The state of *client*. Raises ``ClientNotFound``."""
    return _read_client_state(_needed(state, client, client_state_key(client)))


def put_client_state(state: State, client: ClientId, value: ClientState) -> None:
    """The state of *client* is *value*."""
    state.set(STORE, client_state_key(client), encode_client_state(value))


def counterparty(state: State, client: ClientId) -> Counterparty | None:
    """The registered counterparty of *client*, if there is one."""
    data = state.get(STORE, counterparty_key(client))
    return None if data is None else _read_counterparty(data)


def put_counterparty(state: State, client: ClientId, value: Counterparty) -> None:
    """The counterparty of *client* is *value*."""
    state.set(STORE, counterparty_key(client), encode_counterparty(value))


def anchor(state: State, client: ClientId) -> Anchor:
    """The anchor that *client* was created from. Raises ``ClientNotFound``."""
    return decode_anchor(_needed(state, client, _key(client, "anchor")))


def put_anchor(state: State, client: ClientId, value: Anchor) -> None:
    """*client* is created from *value*."""
    state.set(STORE, _key(client, "anchor"), encode_anchor(value))


def is_ordered(state: State, client: ClientId) -> bool:
    """Whether *client* was created as one end of an ordered pair."""
    return state.get(STORE, _key(client, "ordered")) is not None


def put_ordered(state: State, client: ClientId) -> None:
    """*client* is one end of an ordered pair."""
    state.set(STORE, _key(client, "ordered"), b"\x01")


def opened(state: State, opening: str) -> ClientId | None:
    """The client that was created for *opening*, if there is one."""
    data = state.get(STORE, b"openings/" + opening.encode())
    return None if data is None else ClientId(data.decode())


def opening(state: State, client: ClientId) -> str:
    """The opening that *client* was created for; empty if for none."""
    return (state.get(STORE, _key(client, "opening")) or b"").decode()


def put_opening(state: State, client: ClientId, value: str) -> None:
    """*client* was created for the opening *value*, not empty."""
    state.set(STORE, _key(client, "opening"), value.encode())
    state.set(STORE, b"openings/" + value.encode(), client.encode())


def heights(state: State, client: ClientId) -> list[int]:
    """Numbers of the heights that *client* has consensus states of, rising."""
    data = state.get(STORE, _key(client, "trustedHeights")) or b""
    return [
        int.from_bytes(data[at : at + _NUMBER_BYTES], "big")
        for at in range(0, len(data), _NUMBER_BYTES)
    ]


def find_consensus_state(state: State, client: ClientId, height: Height) -> ConsensusState | None:
    """What *client* keeps of the header at *height*, if anything."""
    key = consensus_state_key(client, height)
    data = state.get(STORE, key)
    if data is None:
        return None
    header_hash = state.get(STORE, key + b"/headerHash") or b""
    return _read_consensus_state(data, height=height, header_hash=header_hash)


def consensus_state(state: State, client: ClientId, height: Height) -> ConsensusState:
    """What *client* keeps of the header at *height*. Raises ``ConsensusStateMissing``."""
    found = find_consensus_state(state, client, height)
    if found is None:
        raise ConsensusStateMissing(client=client, height=height.number)
    return found


def around(state: State, client: ClientId, height: Height) -> list[ConsensusState]:
    """The consensus states of *client* at *height* and next below and above it, where there are."""
    numbers = heights(state, client)
    at = bisect_left(numbers, height.number)
    return [
        consensus_state(state, client, Height(height.revision, number))
        for number in numbers[max(at - 1, 0) : at + 2]
    ]


def add_consensus_state(state: State, client: ClientId, value: ConsensusState) -> None:
    """*client* keeps *value*, at a height that it had none of; the oldest goes if it must."""
    numbers = heights(state, client)
    numbers.insert(bisect_left(numbers, value.height.number), value.height.number)
    key = consensus_state_key(client, value.height)
    state.set(STORE, key, encode_consensus_state(value))
    state.set(STORE, key + b"/headerHash", value.header_hash)
    while len(numbers) > MAX_TRUSTED_HEIGHTS:
        gone = consensus_state_key(client, Height(value.height.revision, numbers.pop(0)))
        state.remove(STORE, gone)
        state.remove(STORE, gone + b"/headerHash")
    data = b"".join([number.to_bytes(_NUMBER_BYTES, "big") for number in numbers])
    state.set(STORE, _key(client, "trustedHeights"), data)


def _needed(state: State, client: ClientId, key: bytes) -> bytes:
    data = state.get(STORE, key)
    if data is None:
        raise ClientNotFound(name=client)
    return data


def _key(client: ClientId, name: str) -> bytes:
    return f"clients/{client}/{name}".encode()
