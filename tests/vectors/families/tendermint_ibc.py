"""A client update of ibc-go: client state, consensus state and the 07-tendermint Header, as bytes.

Source: ibc-go proto/ibc/lightclients/tendermint/v1/tendermint.proto; CometBFT
proto/tendermint/types/validator.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.core.client import Anchor, Header
from hub.core.codec.proto import LENGTH, VARINT, bytes_field, read_fields
from hub.core.height import Height
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.client import CLIENT_TYPE, CometBftClient
from hub.light_clients.cometbft.client_state import (
    ClientState,
    decode_client_state,
    decode_consensus_state,
)
from hub.light_clients.cometbft.codec import decode_signed_header, encode_validators
from hub.light_clients.cometbft.header import address, revision_of
from hub.light_clients.cometbft.types import KeyKind, PublicKey, Validator, ValidatorSet
from hub.light_clients.interface import NeedsBisection
from tests.vectors.cases import (
    INVALID_HEADER,
    NOT_ENOUGH_TRUST,
    SUCCESS,
    Question,
    Unreadable,
    under_judgment,
)
from tests.vectors.json_fields import from_hex, integer, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.core.client import ConsensusState

_CLIENT: Final = CometBftClient()
_HEADER_URL: Final = "/ibc.lightclients.tendermint.v1.Header"
_PREFIX: Final = (b"ibc", b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Update:
    """The fields of a 07-tendermint Header."""

    header: Header
    trusted_height: Height
    trusted_validators: bytes


def questions(content: dict[str, Any]) -> Iterator[Question]:
    """The one case of the file."""
    yield Question(
        case="update_client",
        expected=content.get("verdict", SUCCESS),
        ask=lambda: _judge(content),
        refusal=INVALID_HEADER,
        also=("0",),
    )


def read_client_state(content: bytes) -> ClientState:
    """A client state without its ``Any``; its proof specs are the pinned ones."""
    return decode_client_state(_any(b"/ibc.lightclients.tendermint.v1.ClientState", content))


def read_consensus_state(content: bytes, height: Height) -> ConsensusState:
    """A consensus state without its ``Any``."""
    return decode_consensus_state(
        _any(b"/ibc.lightclients.tendermint.v1.ConsensusState", content),
        height=height,
        header_hash=b"",
    )


def _judge(content: dict[str, Any]) -> str:
    message = content["update_client_message"]
    with under_judgment():
        update = _read_update(from_hex(message["client_message_hex"]))
        _stated("type_url", message.get("type_url", _HEADER_URL), _HEADER_URL)
        _stated("trusted height", update.trusted_height.number, integer(message["trusted_height"]))
        state = read_client_state(from_hex(content["client_state_hex"]))
        claimed = decode_signed_header(update.header.content).header
        _stated("new height", claimed.height, integer(message["new_height"]))
        now = _now(content, claimed.time)
    if state.is_frozen:
        raise Unreadable("the client is frozen")
    trusted = read_consensus_state(from_hex(content["consensus_state_hex"]), update.trusted_height)
    anchor = Anchor(
        client_type=CLIENT_TYPE,
        chain_id=state.chain_id,
        height=Height(revision_of(state.chain_id), update.trusted_height.number),
        header_hash=b"",
        next_validators_hash=trusted.next_validators_hash,
        options=state.options,
        prefix=_PREFIX,
    )
    verdict = _CLIENT.verify_header(
        anchor, trusted, update.trusted_validators, update.header, now=now
    )
    return NOT_ENOUGH_TRUST if isinstance(verdict, NeedsBisection) else SUCCESS


def _now(content: dict[str, Any], header_time: Timestamp) -> Timestamp:
    """When the update is judged: as the file says, else when it was made, else just after."""
    for holder in (content, content["update_client_message"], content.get("metadata") or {}):
        for name in ("now", "generated_at"):
            if name in holder:
                return moment(holder[name])
    return Timestamp(header_time + SECOND)


def _read_update(data: bytes) -> _Update:
    parts = _texts(data, {1, 2, 3, 4})
    height = dict.fromkeys((1, 2), 0)
    for number, wire_type, value in read_fields(parts[3]):
        if number not in height or wire_type != VARINT or not isinstance(value, int):
            raise ValueError(f"height has field {number}")
        height[number] = value
    return _Update(
        header=Header(content=parts[1], validators=encode_validators(_read_validators(parts[2]))),
        trusted_height=Height.parse(height[1], height[2]),
        trusted_validators=encode_validators(_read_validators(parts[4])),
    )


def _read_validators(data: bytes) -> ValidatorSet:
    """``tendermint.types.ValidatorSet``; its proposer and its total are under no hash."""
    validators: list[Validator] = []
    for number, _, value in read_fields(data):
        if number == 1 and isinstance(value, bytes):
            validators.append(_read_validator(value))
        elif number not in {2, 3}:
            raise ValueError(f"validator set has field {number}")
    return ValidatorSet(tuple(validators))


def _read_validator(data: bytes) -> Validator:
    stated, key, power = b"", None, 0
    for number, _, value in read_fields(data):
        if number == 1 and isinstance(value, bytes):
            stated = value
        elif number == 2 and isinstance(value, bytes):
            ((kind, _, bits),) = read_fields(value)
            key = PublicKey(KeyKind(kind), bytes(bits) if isinstance(bits, bytes) else b"")
        elif number == 3 and isinstance(value, int):
            power = value
        elif number != 4:
            raise ValueError(f"validator has field {number}")
    if key is None or address(key) != stated:
        raise ValueError("a validator's address is not its key's")
    return Validator(key, power)


def _texts(data: bytes, needed: set[int]) -> dict[int, bytes]:
    parts: dict[int, bytes] = {}
    for number, wire_type, value in read_fields(data):
        if number in parts or number not in needed or wire_type != LENGTH:
            raise ValueError(f"field {number} is unknown or stands twice")
        parts[number] = bytes(value) if isinstance(value, bytes) else b""
    if parts.keys() != needed:
        raise ValueError("a field is missing")
    return parts


def _any(url: bytes, content: bytes) -> bytes:
    return bytes_field(1, url) + bytes_field(2, content)


def _stated(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise Unreadable(f"{what} is {got!r}, stated {expected!r}")
