"""A CometBFT light client as it stands in another chain's state, in ibc-go's own bytes.

So one reader mirrors the clients of Cosmos chains and of our own gateways. Ours add one field,
``ordered``, to the counterparty; without it the bytes are ibc-go's.

Source: ibc-go v10 proto/ibc/lightclients/tendermint/v1/tendermint.proto (ClientState,
ConsensusState), ibc/core/client/v2/counterparty.proto (CounterpartyInfo); stored as
``google.protobuf.Any``; cosmos/ics23 proofs.proto (ProofSpec).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.core.client import ConsensusState, Fraction, TrustOptions
from hub.core.codec.proto import (
    ProtoError,
    bytes_field,
    message_field,
    read_fields,
    varint_field,
)
from hub.core.errors import EncodingNotCanonical, FieldInvalid, LimitExceeded
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId, parse_chain_id, parse_client_id
from hub.core.time import SECOND, Duration, Timestamp
from hub.light_clients.proofs.codec import encode_leaf_op
from hub.light_clients.proofs.spec import IAVL_SPEC, TENDERMINT_SPEC, HashOp, ProofSpec

_STATE_URL: Final = b"/ibc.lightclients.tendermint.v1.ClientState"
_CONSENSUS_URL: Final = b"/ibc.lightclients.tendermint.v1.ConsensusState"
_FROZEN: Final = Height(0, 1)
"""Source: 07-tendermint types/client_state.go, FrozenHeight."""
_NONE: Final = Height(0, 0)
_UPGRADE_PATH: Final = (b"upgrade", b"upgradedIBCState")

MAX_BYTES: Final = 4096
_SPEC_FIELD = 8
_UPGRADE_FIELD = 9
_STATE_FIELDS: Final = frozenset(range(1, 8))
_CONSENSUS_FIELDS: Final = frozenset({1, 2, 3})
_MAX_SECONDS: Final = (2**63 - 1) // SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientState:
    """The parameters and the progress of one light client."""

    chain_id: ChainId
    """The chain that it verifies."""
    options: TrustOptions
    unbonding_period: Duration
    """Nanoseconds within which the verified chain can punish a signer; over the trusting period."""
    latest_height: Height | None
    """The newest height it has a consensus state of; None while it has none."""
    is_frozen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterparty:
    """The client at the other end, as the chain's operator registered it."""

    client: ClientId
    prefix: tuple[bytes, ...]
    """The other chain's commitment prefix."""
    ordered: bool
    """Whether this gateway refuses every sequence but the next; no field of ibc-go's."""


def encode_client_state(state: ClientState) -> bytes:
    """The bytes that stand at ``client_state_key``."""
    level = state.options.trust_level
    content = (
        bytes_field(1, state.chain_id.encode())
        + message_field(2, varint_field(1, level.numerator) + varint_field(2, level.denominator))
        + message_field(3, _duration(state.options.trusting_period))
        + message_field(4, _duration(state.unbonding_period))
        + message_field(5, _duration(state.options.max_clock_drift))
        + message_field(6, _height(_FROZEN if state.is_frozen else _NONE))
        + message_field(7, _height(state.latest_height or _NONE))
        + b"".join([message_field(_SPEC_FIELD, spec) for spec in _SPECS])
        + b"".join([message_field(_UPGRADE_FIELD, element) for element in _UPGRADE_PATH])
    )
    return bytes_field(1, _STATE_URL) + bytes_field(2, content)


def decode_client_state(data: bytes) -> ClientState:
    """The client state of *data*, at most 4 KiB; its proof specs are the two pinned ones.

    Raises ``LimitExceeded``, ``FieldInvalid``, ``HeightInvalid``, ``IdentifierInvalid`` or
    ``EncodingNotCanonical``.
    """
    what = "client state"
    try:
        url, content = _any(data, what)
        if url != _STATE_URL:
            raise _bad(what, "is not of a 07-tendermint client")
        texts = _texts(content, what, _STATE_FIELDS)
        level, frozen = _numbers(texts[2], what), _numbers(texts[6], what)
        latest = _numbers(texts[7], what)
        state = ClientState(
            chain_id=parse_chain_id(texts[1].decode("ascii", "replace")),
            options=TrustOptions(
                trust_level=Fraction(level[0], level[1]),
                trusting_period=_nanoseconds(texts[3], what),
                max_clock_drift=_nanoseconds(texts[5], what),
            ),
            unbonding_period=_nanoseconds(texts[4], what),
            latest_height=Height.parse(*latest) if any(latest) else None,
            is_frozen=any(frozen),
        )
    except ProtoError as error:
        raise _bad(what, str(error)) from error
    # Other proof specs, another upgrade path or another frozen height do not come back the same.
    if encode_client_state(state) != data:
        raise EncodingNotCanonical(what=what)
    return state


def encode_counterparty(counterparty: Counterparty) -> bytes:
    """The bytes that stand at ``counterparty_key``."""
    return (
        b"".join([message_field(1, element) for element in counterparty.prefix])
        + bytes_field(2, counterparty.client.encode())
        + varint_field(3, counterparty.ordered)
    )


def decode_counterparty(data: bytes) -> Counterparty:
    """The counterparty of *data*, at most 4 KiB.

    Raises ``LimitExceeded``, ``FieldInvalid``, ``IdentifierInvalid`` or ``EncodingNotCanonical``.
    """
    what = "counterparty"
    if len(data) > MAX_BYTES:
        raise LimitExceeded(what=f"{what} bytes", count=len(data), limit=MAX_BYTES)
    prefix: list[bytes] = []
    client, ordered = b"", 0
    try:
        for number, wire_type, value in read_fields(data):
            match number, wire_type, value:
                case 1, 2, bytes():
                    prefix.append(value)
                case 2, 2, bytes():
                    client = value
                case 3, 0, int():
                    ordered = value
                case _:
                    raise _bad(what, f"field {number} is unknown")
    except ProtoError as error:
        raise _bad(what, str(error)) from error
    counterparty = Counterparty(
        client=parse_client_id(client.decode("ascii", "replace")),
        prefix=tuple(prefix),
        ordered=bool(ordered),
    )
    if encode_counterparty(counterparty) != data:
        raise EncodingNotCanonical(what=what)
    return counterparty


def encode_consensus_state(state: ConsensusState) -> bytes:
    """The bytes that stand at ``consensus_state_key``; height and header hash are not in them."""
    content = (
        message_field(1, _pair(*divmod(state.time, SECOND)))
        + message_field(2, bytes_field(1, state.root))
        + bytes_field(3, state.next_validators_hash)
    )
    return bytes_field(1, _CONSENSUS_URL) + bytes_field(2, content)


def decode_consensus_state(data: bytes, *, height: Height, header_hash: bytes) -> ConsensusState:
    """What *data* keeps of the header at *height* with *header_hash*, which are not in it.

    Raises ``LimitExceeded``, ``FieldInvalid`` or ``EncodingNotCanonical``.
    """
    what = "consensus state"
    try:
        url, content = _any(data, what)
        if url != _CONSENSUS_URL:
            raise _bad(what, "is not of a 07-tendermint client")
        texts = _texts(content, what, _CONSENSUS_FIELDS)
        root = [value for number, _, value in read_fields(texts[2]) if number == 1]
        state = ConsensusState(
            height=height,
            header_hash=header_hash,
            time=Timestamp(_nanoseconds(texts[1], what)),
            root=root[0] if root and isinstance(root[0], bytes) else b"",
            next_validators_hash=texts[3],
        )
    except ProtoError as error:
        raise _bad(what, str(error)) from error
    if encode_consensus_state(state) != data:
        raise EncodingNotCanonical(what=what)
    return state


def _spec(spec: ProofSpec) -> bytes:
    """``ics23.ProofSpec``; the SDK leaves the maximum depth out, which means 128."""
    inner = spec.inner
    shape = (
        bytes_field(1, b"\x00\x01")
        + varint_field(2, inner.child_size)
        + varint_field(3, inner.min_prefix)
        + varint_field(4, inner.max_prefix)
        + varint_field(6, HashOp.SHA256)
    )
    return message_field(1, encode_leaf_op(spec.leaf)) + message_field(2, shape)


_SPECS: Final = (_spec(IAVL_SPEC), _spec(TENDERMINT_SPEC))


def _duration(duration: Duration) -> bytes:
    """``google.protobuf.Duration``, and ``Timestamp``: their bytes are the same."""
    return _pair(*divmod(duration, SECOND))


def _height(height: Height) -> bytes:
    return _pair(height.revision, height.number)


def _pair(first: int, second: int) -> bytes:
    return varint_field(1, first) + varint_field(2, second)


def _any(data: bytes, what: str) -> tuple[bytes, bytes]:
    """The type URL and the content of a ``google.protobuf.Any``."""
    if len(data) > MAX_BYTES:
        raise LimitExceeded(what=f"{what} bytes", count=len(data), limit=MAX_BYTES)
    url = content = b""
    for number, wire_type, value in read_fields(data):
        match number, wire_type, value:
            case 1, 2, bytes():
                url = value
            case 2, 2, bytes():
                content = value
            case _:
                raise _bad(what, f"field {number} is unknown")
    return url, content


def _texts(content: bytes, what: str, needed: frozenset[int]) -> dict[int, bytes]:
    """The fields of *content*; of a repeated one the last."""
    texts: dict[int, bytes] = {}
    for number, _, value in read_fields(content):
        if not isinstance(value, bytes):
            raise _bad(what, f"field {number} is unknown")
        texts[number] = value
    missing = needed - texts.keys()
    if missing:
        raise _bad(what, f"field {min(missing)} is missing")
    return texts


def _numbers(message: bytes, what: str) -> tuple[int, int]:
    """Fields 1 and 2 of *message*, both integers."""
    numbers = {1: 0, 2: 0}
    for number, _, value in read_fields(message):
        if number not in numbers or not isinstance(value, int):
            raise _bad(what, f"field {number} is unknown")
        numbers[number] = value
    return numbers[1], numbers[2]


def _nanoseconds(message: bytes, what: str) -> Duration:
    seconds, nanos = _numbers(message, what)
    if seconds > _MAX_SECONDS or nanos >= SECOND:
        raise _bad(what, "a duration is out of range")
    return Duration(seconds * SECOND + nanos)


def _bad(what: str, problem: str) -> FieldInvalid:
    return FieldInvalid(field=what, problem=problem)
