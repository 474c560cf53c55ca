"""What a Cosmos chain's own client of another chain is given, in ibc-go's words.

The hub's canonical light blocks hold what a hash covers and no more. ibc-go also wants the address
of each validator, a proposer and the total power; all three follow from the keys and powers, and
none has a say in verification.

Source: ibc-go v10 proto/ibc/lightclients/tendermint/v1/tendermint.proto; CometBFT 0.38
proto/tendermint/types/validator.proto, types/validator_set.go (ValidatorSetFromProto,
ValidateBasic: the proposer is one of the set).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.core.client import check_anchor
from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.core.errors import AnchorInvalid, ClientTypeUnknown, FieldInvalid, HubError
from hub.core.time import Duration
from hub.light_clients.cometbft.client import CLIENT_TYPE
from hub.light_clients.cometbft.client_state import (
    ClientState,
    decode_client_state,
    encode_client_state,
    encode_consensus_state,
)
from hub.light_clients.cometbft.codec import decode_signed_header
from hub.light_clients.cometbft.header import height_of, revision_of
from hub.light_clients.cometbft.validators import read_signers

if TYPE_CHECKING:
    from adapters.sdk.execution import UpdateStep
    from hub.core.client import Anchor, ConsensusState
    from hub.core.height import Height
    from hub.core.ids import ClientId

_HEADER_URL: Final = b"/ibc.lightclients.tendermint.v1.Header"
_MISBEHAVIOUR_URL: Final = b"/ibc.lightclients.tendermint.v1.Misbehaviour"
_SETS_REMEMBERED: Final = 16


def client_state_any(anchor: Anchor) -> bytes:
    """The state of a client that begins at *anchor*, as ``google.protobuf.Any``.

    Raises ``ClientTypeUnknown`` or ``AnchorInvalid``.
    """
    if anchor.client_type != CLIENT_TYPE:
        raise ClientTypeUnknown(client_type=anchor.client_type, known=CLIENT_TYPE)
    check_anchor(anchor)
    # Source: 07-tendermint client_state.go, Validate.
    if anchor.options.max_clock_drift == 0:
        raise AnchorInvalid(field="max_clock_drift", problem="is not positive")
    if anchor.height.revision != revision_of(anchor.chain_id):
        raise AnchorInvalid(field="height", problem="is not of the chain id's revision")
    state = ClientState(
        chain_id=anchor.chain_id,
        options=anchor.options,
        # The trusting period is usually two thirds of the unbonding period, and must be below it.
        unbonding_period=Duration(anchor.options.trusting_period * 3 // 2 + 1),
        latest_height=anchor.height,
        is_frozen=False,
    )
    encoded = encode_client_state(state)
    # What cannot be read again must not be written.
    try:
        is_readable = decode_client_state(encoded) == state
    except HubError:
        is_readable = False
    if not is_readable:
        raise AnchorInvalid(field="options", problem="are out of range")
    return encoded


def consensus_state_any(state: ConsensusState) -> bytes:
    """What a client begins with, as ``google.protobuf.Any``."""
    return encode_consensus_state(state)


def header_any(step: UpdateStep) -> bytes:
    """The header of *step* and from where to verify it, as ``google.protobuf.Any``.

    Raises ``FieldInvalid`` where no trusted height is named, or as reading a validator set does.
    """
    return _any(_HEADER_URL, _header(step))


def misbehaviour_any(client: ClientId, first: UpdateStep, second: UpdateStep) -> bytes:
    """Two headers that contradict each other, in either order, as ``google.protobuf.Any``.

    ibc-go wants the higher one first, and *client* named although it looks elsewhere for it.
    Raises as ``header_any``, or as reading a signed header does.

    Source: 07-tendermint misbehaviour.go, ValidateBasic.
    """
    if _height(first) < _height(second):
        first, second = second, first
    content = (
        bytes_field(1, client.encode())
        + message_field(2, _header(first))
        + message_field(3, _header(second))
    )
    return _any(_MISBEHAVIOUR_URL, content)


def _header(step: UpdateStep) -> bytes:
    """``ibc.lightclients.tendermint.v1.Header``."""
    if step.trusted_height is None:
        raise FieldInvalid(field="trusted_height", problem="is missing")
    trusted = varint_field(1, step.trusted_height.revision) + varint_field(
        2, step.trusted_height.number
    )
    return (
        message_field(1, step.header.content)
        + message_field(2, _validator_set(step.header.validators))
        + message_field(3, trusted)
        + message_field(4, _validator_set(step.trusted_validators))
    )


def _height(step: UpdateStep) -> Height:
    return height_of(decode_signed_header(step.header.content).header)


@lru_cache(maxsize=_SETS_REMEMBERED)
def _validator_set(data: bytes) -> bytes:
    """``tendermint.types.ValidatorSet`` of the set with the canonical bytes *data*.

    The first validator is named as proposer: any member will do. Raises as ``read_signers``.
    """
    signers = read_signers(data)
    validators = [
        bytes_field(1, address)
        + message_field(2, message_field(key.kind, key.data))
        + varint_field(3, power)
        for address, key, power in zip(signers.addresses, signers.keys, signers.powers, strict=True)
    ]
    return (
        b"".join([message_field(1, validator) for validator in validators])
        + message_field(2, validators[0])
        + varint_field(3, signers.total)
    )


def _any(url: bytes, content: bytes) -> bytes:
    return bytes_field(1, url) + bytes_field(2, content)
