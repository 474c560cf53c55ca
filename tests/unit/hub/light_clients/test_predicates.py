from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.client import ConsensusState, Fraction
from hub.core.errors import (
    AnchorMismatch,
    ChainIdMismatch,
    CommitMismatch,
    HeaderFromFuture,
    HeightNotIncreasing,
    NotEnoughTrust,
    ProtocolVersionMismatch,
    QuorumNotReached,
    SignerDuplicate,
    SignerUnknown,
    TimeNotIncreasing,
    TrustExpired,
    ValidatorSetMismatch,
    VotingPowerInvalid,
)
from hub.core.height import Height
from hub.core.time import Duration, Timestamp
from hub.light_clients import predicates
from tests.harness.cometbft import anchor_of, make_chain, members

STATE = ConsensusState(
    height=Height(1, 10),
    header_hash=b"\x01" * 32,
    time=Timestamp(1000),
    root=b"\x02" * 32,
    next_validators_hash=b"\x03" * 32,
)


def at(number: int, time: int, name: bytes = b"\x01", revision: int = 1) -> ConsensusState:
    return replace(
        STATE,
        height=Height(revision, number),
        time=Timestamp(time),
        header_hash=name * 32,
    )


def test_chain_id_matches() -> None:
    predicates.chain_id_matches(got="suzhou-1", expected="suzhou-1")
    with pytest.raises(ChainIdMismatch):
        predicates.chain_id_matches(got="suzhou-2", expected="suzhou-1")


def test_protocol_is_known() -> None:
    predicates.protocol_is_known(got=11, expected=11)
    with pytest.raises(ProtocolVersionMismatch):
        predicates.protocol_is_known(got=12, expected=11)


@pytest.mark.parametrize(("now", "holds"), [(109, True), (110, False), (111, False)])
def test_trusting_period_ends_at_its_last_nanosecond(now: int, *, holds: bool) -> None:
    def check() -> None:
        predicates.within_trusting_period(
            trusted_at=Timestamp(100), trusting_period=Duration(10), now=Timestamp(now)
        )

    if holds:
        check()
        return
    with pytest.raises(TrustExpired) as caught:
        check()
    assert (caught.value.expires_at, caught.value.now) == (110, now)


def test_height_increases() -> None:
    predicates.height_increases(got=6, trusted=5)
    for got in (5, 4):
        with pytest.raises(HeightNotIncreasing):
            predicates.height_increases(got=got, trusted=5)


def test_time_increases() -> None:
    predicates.time_increases(got=Timestamp(6), trusted=Timestamp(5))
    for got in (5, 4):
        with pytest.raises(TimeNotIncreasing):
            predicates.time_increases(got=Timestamp(got), trusted=Timestamp(5))


@pytest.mark.parametrize("drift", [0, 10])
def test_header_is_dated_before_now_and_drift(drift: int) -> None:
    how = {"now": Timestamp(100), "max_clock_drift": Duration(drift)}
    predicates.not_from_future(got=Timestamp(99 + drift), **how)  # type: ignore[arg-type]
    for got in (100 + drift, 101 + drift):
        with pytest.raises(HeaderFromFuture):
            predicates.not_from_future(got=Timestamp(got), **how)  # type: ignore[arg-type]


def test_set_hashes_to_what_was_named() -> None:
    predicates.validator_set_matches(got=b"a", expected=b"a")
    with pytest.raises(ValidatorSetMismatch):
        predicates.validator_set_matches(got=b"a", expected=b"")


def test_commit_error_tells_the_field_and_both_values() -> None:
    predicates.commit_matches("height", got=1, expected=1)
    with pytest.raises(CommitMismatch) as caught:
        predicates.commit_matches("height", got=1, expected=2)
    assert caught.value.metadata == {"field": "height", "got": "1", "expected": "2"}
    with pytest.raises(CommitMismatch) as caught:
        predicates.commit_matches("block hash", got=b"\x0a", expected=b"")
    assert (caught.value.got, caught.value.expected) == ("0a", "")


def test_signer_is_in_its_place() -> None:
    predicates.signer_is_in_place(3, got=b"a", expected=b"a")
    with pytest.raises(SignerUnknown) as caught:
        predicates.signer_is_in_place(3, got=b"a", expected=b"b")
    assert caught.value.index == 3


def test_duplicate_is_told_with_both_places() -> None:
    predicates.signers_are_distinct([b"a", b"b", b"c"])
    predicates.signers_are_distinct([])
    with pytest.raises(SignerDuplicate) as caught:
        predicates.signers_are_distinct([b"a", b"b", b"c", b"b"])
    assert (caught.value.first, caught.value.second) == (1, 3)


def test_powers_are_added_within_bounds() -> None:
    assert predicates.powers_are_in_range([1, 2, 3], limit=6) == 6
    assert predicates.powers_are_in_range([6], limit=6) == 6
    for powers, told in (
        ([1, 2, 4], 7),
        ([7], 7),
        ([0], 0),
        ([3, 0], 0),
        ([-1, 5], -1),
        ([6, 1], 7),
    ):
        with pytest.raises(VotingPowerInvalid) as caught:
            predicates.powers_are_in_range(powers, limit=6)
        assert (caught.value.power, caught.value.limit) == (told, 6)


def test_trust_and_quorum_are_strictly_more_than_their_share() -> None:
    third = Fraction(1, 3)
    predicates.trusted_power_signed(signed=101, total=300, trust_level=third)
    predicates.quorum_signed(signed=201, total=300)
    with pytest.raises(NotEnoughTrust):
        predicates.trusted_power_signed(signed=100, total=300, trust_level=third)
    with pytest.raises(QuorumNotReached) as caught:
        predicates.quorum_signed(signed=200, total=300)
    assert (caught.value.numerator, caught.value.denominator) == (2, 3)
    with pytest.raises(QuorumNotReached):
        predicates.quorum_signed(signed=3, total=4, quorum=Fraction(3, 4))


@given(
    signed=st.integers(0, 2**60),
    total=st.integers(1, 2**60),
    numerator=st.integers(1, 10**6),
    denominator=st.integers(1, 10**6),
)
def test_share_equals_the_floored_form_of_the_chains(
    signed: int, total: int, numerator: int, denominator: int
) -> None:
    # Source: CometBFT types/validation.go: tallied > total * numerator / denominator, rounded down.
    share = Fraction(numerator, denominator)
    floored = signed > total * numerator // denominator
    assert predicates.more_than(share, signed=signed, total=total) == floored


def test_anchor_names_one_state_of_one_chain() -> None:
    block = make_chain([members(1)])[0]
    anchor = anchor_of(block)
    predicates.anchor_names(anchor, block.state, chain_id="suzhou-1")
    with pytest.raises(AnchorMismatch) as caught:
        predicates.anchor_names(anchor, block.state, chain_id="suzhou-2")
    assert caught.value.field == "chain_id"
    for field, value in (
        ("height", Height(1, 2)),
        ("header_hash", b""),
        ("next_validators_hash", b""),
    ):
        other = replace(block.state, **{field: value})  # type: ignore[arg-type]
        with pytest.raises(AnchorMismatch) as caught:
            predicates.anchor_names(anchor, other, chain_id="suzhou-1")
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("one", "other", "conflict"),
    [
        (at(10, 100), at(10, 100), False),
        (at(10, 100), at(10, 100, b"\x09"), True),
        (at(10, 100), at(10, 101, b"\x09"), True),
        (at(10, 100), at(11, 101), False),
        (at(10, 100), at(11, 100), True),
        (at(10, 100), at(11, 99), True),
        (at(10, 100, revision=1), at(1, 101, revision=2), False),
        (at(10, 100, revision=1), at(1, 100, revision=2), True),
    ],
)
def test_states_contradict_by_block_or_by_time(
    one: ConsensusState, other: ConsensusState, *, conflict: bool
) -> None:
    assert predicates.contradict(one, other) == conflict
    assert predicates.contradict(other, one) == conflict


def test_first_conflict_is_found() -> None:
    stored = [at(9, 90), at(10, 100), at(11, 110)]
    assert predicates.find_conflict(at(10, 100), stored) is None
    assert predicates.find_conflict(at(10, 100), []) is None
    assert predicates.find_conflict(at(12, 105, b"\x09"), stored) == stored[2]
    assert predicates.find_conflict(at(10, 100, b"\x09"), stored) == stored[1]
    assert predicates.find_conflict(at(8, 95, b"\x09"), stored) == stored[0]
