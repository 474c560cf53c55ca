from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.cosmos.client_messages import (
    client_state_any,
    consensus_state_any,
    header_any,
    misbehaviour_any,
)
from adapters.sdk.execution import UpdateStep
from hub.core.client import Fraction
from hub.core.codec.proto import read_fields
from hub.core.errors import (
    AnchorInvalid,
    ClientTypeUnknown,
    FieldInvalid,
    HeaderUnparseable,
    SignerDuplicate,
)
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId
from hub.core.time import Duration
from hub.light_clients.cometbft.client_state import decode_client_state, decode_consensus_state
from hub.light_clients.cometbft.codec import encode_validators
from hub.light_clients.cometbft.types import KeyKind, ValidatorSet
from tests.harness.cometbft import Block, anchor_of, make_chain, members, resigned

GROUP = members(40, 30, 20)
NEXT = (*members(25, first=7), *members(35, first=9, kind=KeyKind.SECP256K1))
FIRST, SECOND = make_chain([GROUP, NEXT], first_height=5)
CLIENT = ClientId("07-tendermint-3")
TENDERMINT = b"/ibc.lightclients.tendermint.v1."


def step(block: Block, trusted: Block = FIRST) -> UpdateStep:
    return UpdateStep(
        trusted_height=trusted.state.height,
        trusted_validators=trusted.next_set,
        header=block.header,
    )


def fields(message: int | bytes) -> dict[int, int | bytes]:
    """The fields of *message*, none of which is repeated."""
    assert isinstance(message, bytes)
    found = list(read_fields(message))
    assert len({number for number, _, _ in found}) == len(found)
    return {number: value for number, _, value in found}


def repeated(message: int | bytes, field: int) -> list[int | bytes]:
    assert isinstance(message, bytes)
    return [value for number, _, value in read_fields(message) if number == field]


def content(message: bytes, kind: bytes) -> int | bytes:
    """What stands in an ``Any`` of that kind."""
    parts = fields(message)
    assert parts.keys() == {1, 2}
    assert parts[1] == TENDERMINT + kind
    return parts[2]


# Headers ------------------------------------------------------------------------------------------


def test_header_holds_the_signed_header_and_from_where_to_verify_it() -> None:
    header = fields(content(header_any(step(SECOND)), b"Header"))
    assert header.keys() == {1, 2, 3, 4}
    assert header[1] == SECOND.header.content
    assert fields(header[3]) == {1: 1, 2: 5}


@pytest.mark.parametrize("field", [2, 4])
def test_validators_have_the_addresses_that_their_keys_give(field: int) -> None:
    block = SECOND if field == 2 else FIRST
    found = fields_of_set(header_any(step(block, FIRST)), field)
    group = block.group if field == 2 else SECOND.group
    assert [one[1] for one in found] == [member.address for member in group]
    assert [one[3] for one in found] == [member.power for member in group]
    assert [fields(one[2]) for one in found] == [
        {member.kind.value: member.validator.public_key.data} for member in group
    ]


def fields_of_set(message: bytes, field: int) -> list[dict[int, int | bytes]]:
    header = fields(content(message, b"Header"))
    return [fields(one) for one in repeated(header[field], 1)]


def test_set_names_a_proposer_out_of_itself_and_its_total_power() -> None:
    header = fields(content(header_any(step(SECOND)), b"Header"))
    validators = repeated(header[2], 1)
    assert repeated(header[2], 2) == validators[:1]
    assert repeated(header[2], 3) == [60]


def test_header_without_a_trusted_height_is_refused() -> None:
    with pytest.raises(FieldInvalid):
        header_any(replace(step(SECOND), trusted_height=None))


def test_sets_that_are_none_are_refused() -> None:
    twice = ValidatorSet((GROUP[0].validator, GROUP[0].validator))
    for bad, error in ((b"", HeaderUnparseable), (encode_validators(twice), SignerDuplicate)):
        with pytest.raises(error):
            header_any(replace(step(SECOND), trusted_validators=bad))
        with pytest.raises(error):
            header_any(replace(step(SECOND), header=replace(SECOND.header, validators=bad)))


# Misbehaviour -------------------------------------------------------------------------------------


def test_misbehaviour_has_the_higher_header_first_whatever_the_order() -> None:
    trusted = make_chain([GROUP], first_height=4)[0]
    low = step(FIRST, trusted)
    high = step(SECOND, trusted)
    found = fields(content(misbehaviour_any(CLIENT, low, high), b"Misbehaviour"))
    assert found[1] == CLIENT.encode()
    assert found[2] == content(header_any(high), b"Header")
    assert found[3] == content(header_any(low), b"Header")
    assert misbehaviour_any(CLIENT, high, low) == misbehaviour_any(CLIENT, low, high)


def test_misbehaviour_at_one_height_keeps_both_headers() -> None:
    other = resigned(SECOND, app_hash=bytes(32))
    found = fields(content(misbehaviour_any(CLIENT, step(SECOND), step(other)), b"Misbehaviour"))
    assert found[2] == content(header_any(step(SECOND)), b"Header")
    assert found[3] == content(header_any(step(other)), b"Header")


def test_misbehaviour_of_what_is_no_header_is_refused() -> None:
    bad = replace(step(SECOND), header=replace(SECOND.header, content=b"\x0a"))
    with pytest.raises(HeaderUnparseable):
        misbehaviour_any(CLIENT, step(SECOND), bad)


# Client and consensus states ----------------------------------------------------------------------


def test_client_state_begins_at_the_anchor_and_unbonds_after_its_trust_ends() -> None:
    anchor = anchor_of(FIRST)
    state = decode_client_state(client_state_any(anchor))
    assert state.chain_id == anchor.chain_id
    assert state.options == anchor.options
    assert state.latest_height == anchor.height
    assert state.unbonding_period > state.options.trusting_period
    assert not state.is_frozen


def test_shortest_trusting_period_is_still_below_the_unbonding_period() -> None:
    state = decode_client_state(client_state_any(anchor_of(FIRST, trusting_period=Duration(1))))
    assert state.unbonding_period > 1


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("height", {"height": Height(2, 5)}),
        ("height", {"chain_id": ChainId("suzhou-2")}),
        ("prefix", {"prefix": ()}),
        ("header_hash", {"header_hash": bytes(32)}),
    ],
)
def test_anchor_that_starts_no_client_is_refused(field: str, change: dict[str, object]) -> None:
    with pytest.raises(AnchorInvalid) as refused:
        client_state_any(replace(anchor_of(FIRST), **change))  # type: ignore[arg-type]
    assert refused.value.field == field


def test_options_that_the_chain_would_refuse_are_refused() -> None:
    for bad in (
        anchor_of(FIRST, max_clock_drift=Duration(0)),
        anchor_of(FIRST, trusting_period=Duration(0)),
        anchor_of(FIRST, trusting_period=Duration(2**63 - 1)),
        anchor_of(FIRST, trust_level=Fraction(1, 4)),
    ):
        with pytest.raises(AnchorInvalid):
            client_state_any(bad)


def test_client_of_another_type_is_refused() -> None:
    with pytest.raises(ClientTypeUnknown):
        client_state_any(replace(anchor_of(FIRST), client_type="06-solomachine"))


def test_consensus_state_is_what_the_client_keeps_of_the_header() -> None:
    state = FIRST.state
    found = decode_consensus_state(
        consensus_state_any(state), height=state.height, header_hash=state.header_hash
    )
    assert found == state
