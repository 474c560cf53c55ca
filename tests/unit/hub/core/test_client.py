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
    check_recovery,
)
from hub.core.errors import AnchorInvalid, ClientActive
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


FROZEN = replace(CLIENT, is_frozen=True, frozen_cause="two truths", verified_height=121)
LATER = replace(ANCHOR, height=Height(1, 200))
NOW = LATEST.time


def test_a_frozen_an_expired_and_a_pending_client_may_start_again() -> None:
    check_recovery(FROZEN, LATER, NOW)
    check_recovery(CLIENT, LATER, Timestamp(EXPIRES_AT))
    check_recovery(replace(CLIENT, latest=None), LATER, NOW)
    shorter = replace(LATER, options=replace(ANCHOR.options, trusting_period=Duration(9)))
    check_recovery(FROZEN, shorter, NOW)
    with pytest.raises(ClientActive):
        check_recovery(CLIENT, LATER, NOW)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("height", {"height": Height(1, 121)}),
        ("height", {"height": Height(2, 200)}),
        ("chain_id", {"chain_id": ChainId("suzhou-1")}),
        ("client_type", {"client_type": "qbft"}),
        ("prefix", {"prefix": (b"ibc", b"other")}),
        ("header_hash", {"header_hash": bytes(32)}),
    ],
)
def test_an_anchor_of_another_chain_or_of_the_past_recovers_nothing(
    field: str, change: dict[str, Any]
) -> None:
    with pytest.raises(AnchorInvalid) as caught:
        check_recovery(FROZEN, replace(LATER, **change), NOW)
    assert caught.value.field == field


def test_an_anchor_lies_above_the_one_before_also_where_nothing_is_verified_yet() -> None:
    pending = replace(CLIENT, latest=None)
    check_recovery(pending, replace(ANCHOR, height=Height(1, ANCHOR.height.number + 1)), NOW)
    with pytest.raises(AnchorInvalid):
        check_recovery(pending, ANCHOR, NOW)


def test_a_client_that_stands_on_an_anchor_has_started_from_it() -> None:
    assert CLIENT.has_started(ANCHOR, NOW)
    assert replace(CLIENT, latest=None).has_started(ANCHOR, NOW)
    assert not CLIENT.has_started(LATER, NOW)
    assert not CLIENT.has_started(ANCHOR, Timestamp(EXPIRES_AT))
    assert not FROZEN.has_started(ANCHOR, NOW)


def test_the_record_of_a_recovery_names_both_anchors_and_what_was_wrong() -> None:
    detail = FROZEN.recovery_detail(LATER, NOW)
    assert "from 1-200" in detail
    assert f"was {ANCHOR.height}" in detail
    assert detail.endswith("FROZEN two truths")
