from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.core.client import (
    Anchor,
    ChainClient,
    ClientStatus,
    ConsensusState,
    Fraction,
    HubClient,
    TrustOptions,
    check_anchor,
)
from hub.core.errors import AnchorInvalid
from hub.core.height import Height
from hub.core.ids import ChainId, ClientId, PeerId
from hub.core.time import SECOND, Duration, Timestamp
from tests.harness.anchors import make_anchor

ANCHOR = make_anchor()
LATEST = ConsensusState(
    height=Height(1, 121),
    header_hash=bytes([1]) * 32,
    time=Timestamp(1_000 * SECOND),
    root=bytes([2]) * 32,
    next_validators_hash=bytes([3]) * 32,
)
CLIENT = HubClient(
    peer=PeerId("hangzhou"), anchor=ANCHOR, is_frozen=False, frozen_cause="", latest=LATEST
)
EXPIRES_AT = LATEST.time + ANCHOR.options.trusting_period


def _options(**change: Any) -> Anchor:
    return replace(ANCHOR, options=replace(ANCHOR.options, **change))


@pytest.mark.parametrize(
    "anchor",
    [
        pytest.param(ANCHOR, id="sample"),
        pytest.param(_options(trust_level=Fraction(1, 3)), id="a-third"),
        pytest.param(_options(trust_level=Fraction(2, 6)), id="two-sixths"),
        pytest.param(_options(trust_level=Fraction(1, 1)), id="all"),
        pytest.param(_options(trusting_period=Duration(1)), id="shortest-period"),
        pytest.param(_options(max_clock_drift=Duration(0)), id="no-drift"),
        pytest.param(replace(ANCHOR, header_hash=bytes(31) + b"\x01"), id="nearly-zero-hash"),
        pytest.param(replace(ANCHOR, prefix=(b"ibc",)), id="store-alone"),
        pytest.param(replace(ANCHOR, prefix=(b"ibc", b"", b"", b"x")), id="longest-prefix"),
    ],
)
def test_an_anchor_within_its_bounds_passes(anchor: Anchor) -> None:
    check_anchor(anchor)


@pytest.mark.parametrize(
    ("anchor", "field"),
    [
        pytest.param(replace(ANCHOR, header_hash=b""), "header_hash", id="no-hash"),
        pytest.param(replace(ANCHOR, header_hash=bytes(32)), "header_hash", id="zero-hash"),
        pytest.param(replace(ANCHOR, header_hash=b"\x01" * 31), "header_hash", id="short-hash"),
        pytest.param(replace(ANCHOR, header_hash=b"\x01" * 33), "header_hash", id="long-hash"),
        pytest.param(
            replace(ANCHOR, next_validators_hash=bytes(32)), "next_validators_hash", id="zero-set"
        ),
        pytest.param(
            replace(ANCHOR, next_validators_hash=b"\x01" * 20),
            "next_validators_hash",
            id="short-set",
        ),
        pytest.param(_options(trust_level=Fraction(33, 100)), "trust_level", id="below-a-third"),
        pytest.param(_options(trust_level=Fraction(0, 1)), "trust_level", id="none"),
        pytest.param(_options(trust_level=Fraction(1, 0)), "trust_level", id="by-zero"),
        pytest.param(_options(trust_level=Fraction(0, 0)), "trust_level", id="zero-by-zero"),
        pytest.param(_options(trust_level=Fraction(-1, -2)), "trust_level", id="both-negative"),
        pytest.param(_options(trust_level=Fraction(4, 3)), "trust_level", id="over-all"),
        pytest.param(_options(trusting_period=Duration(0)), "trusting_period", id="no-period"),
        pytest.param(_options(trusting_period=Duration(-1)), "trusting_period", id="past-period"),
        pytest.param(_options(max_clock_drift=Duration(-1)), "max_clock_drift", id="past-drift"),
        pytest.param(replace(ANCHOR, prefix=()), "prefix", id="no-prefix"),
        pytest.param(replace(ANCHOR, prefix=(b"", b"ibc")), "prefix", id="nameless-store"),
        pytest.param(replace(ANCHOR, prefix=(b"ibc",) * 5), "prefix", id="prefix-over"),
    ],
)
def test_an_anchor_outside_one_bound_is_refused(anchor: Anchor, field: str) -> None:
    with pytest.raises(AnchorInvalid) as caught:
        check_anchor(anchor)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("client", "now", "status"),
    [
        (CLIENT, LATEST.time, ClientStatus.ACTIVE),
        (CLIENT, EXPIRES_AT - 1, ClientStatus.ACTIVE),
        (CLIENT, EXPIRES_AT, ClientStatus.EXPIRED),
        (CLIENT, EXPIRES_AT + 1, ClientStatus.EXPIRED),
        (replace(CLIENT, latest=None), 0, ClientStatus.PENDING),
        (replace(CLIENT, is_frozen=True), LATEST.time, ClientStatus.FROZEN),
        (replace(CLIENT, is_frozen=True), EXPIRES_AT, ClientStatus.FROZEN),
        (replace(CLIENT, is_frozen=True, latest=None), 0, ClientStatus.FROZEN),
    ],
)
def test_a_client_may_be_built_on_until_its_trust_ends(
    client: HubClient, now: int, status: ClientStatus
) -> None:
    assert client.status(Timestamp(now)) is status


def test_a_third_must_sign_unless_an_operator_asks_for_more() -> None:
    options = TrustOptions(trusting_period=Duration(1), max_clock_drift=Duration(0))
    assert options.trust_level == Fraction(1, 3)


def test_trust_ends_a_trusting_period_after_the_newest_header() -> None:
    assert CLIENT.expires_at == EXPIRES_AT
    assert replace(CLIENT, latest=None).expires_at == 0


def test_clients_are_named_below_their_peer() -> None:
    mirror = ChainClient(
        peer=PeerId("hangzhou"),
        client=ClientId("07-tendermint-2"),
        chain_id=ChainId("suzhou-1"),
        latest_height=Height(1, 9),
        is_frozen=False,
        options=ANCHOR.options,
        counterparty=None,
        counterparty_prefix=(b"ibc", b""),
    )
    assert CLIENT.name == "peers/hangzhou/client"
    assert mirror.name == "peers/hangzhou/clients/07-tendermint-2"
