from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.client import Fraction, Header
from hub.core.crypto.ed25519 import SlowChecks
from hub.core.errors import (
    AnchorMismatch,
    HeaderFromFuture,
    LimitExceeded,
    QuorumNotReached,
    SignatureInvalid,
    TrustExpired,
    ValidatorSetMismatch,
)
from hub.core.height import Height
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.cometbft.header import address, validators_hash
from hub.light_clients.cometbft.types import KeyKind, ValidatorSet
from hub.light_clients.cometbft.verify import MAX_SLOW_CHECKS, read_light_block, verify_votes
from hub.light_clients.interface import NeedsBisection, Verified
from tests.harness.cometbft import (
    ABSENT,
    DAY,
    DRIFT,
    Block,
    CountedSignatures,
    anchor_of,
    flip_bit,
    is_accepted,
    judge,
    make_block,
    make_chain,
    members,
    resigned,
    with_commit,
    with_entry,
)

if TYPE_CHECKING:
    from hub.light_clients.interface import Verdict

GROUP = members(10, 10, 10, 10)
TRUSTED, NEXT, FAR = make_chain([GROUP] * 3)
POWER_LIMIT = (2**63 - 1) // 8
ONE_THIRD = Fraction(1, 3)
CLIENT = CometBftClient()
ANCHOR = anchor_of(TRUSTED)
NOW = Timestamp(FAR.time + SECOND)


def verify(block: Block | Header, trusted: Block = TRUSTED, **how: Any) -> Verdict:
    return judge(block, trusted, **({"now": NOW} | how))


def accepted(block: Block, trusted: Block = TRUSTED, **how: Any) -> bool:
    return is_accepted(block, trusted, **({"now": NOW} | how))


def test_next_header_is_verified() -> None:
    assert accepted(NEXT)


def test_later_header_is_verified_by_skipping() -> None:
    assert accepted(FAR)


def test_trust_ends_with_the_trusting_period_to_the_nanosecond() -> None:
    end = TRUSTED.time + DAY
    assert accepted(NEXT, now=Timestamp(end - 1))
    for late in (end, end + 1):
        with pytest.raises(TrustExpired) as caught:
            verify(NEXT, now=Timestamp(late))
        assert caught.value.expires_at == end


def test_header_may_be_ahead_of_now_by_less_than_the_drift() -> None:
    assert accepted(NEXT, now=Timestamp(NEXT.time - DRIFT + 1))
    with pytest.raises(HeaderFromFuture):
        verify(NEXT, now=Timestamp(NEXT.time - DRIFT))


def test_header_one_nanosecond_later_than_the_trusted_is_late_enough() -> None:
    assert accepted(resigned(NEXT, time=TRUSTED.time + 1))


@pytest.mark.parametrize("block", [NEXT, FAR], ids=["next", "skipping"])
def test_exactly_two_thirds_are_no_quorum_and_one_more_is(block: Block) -> None:
    total_300 = members(100, 100, 99, 1)
    trusted, following, far = make_chain([total_300] * 3)
    signed = following if block is NEXT else far
    anchor = anchor_of(trusted)
    # Without the third and fourth 200 of 300 sign; without the third alone, 201.
    with pytest.raises(QuorumNotReached) as caught:
        verify(resigned(signed, absent=(2, 3)), trusted, anchor=anchor)
    assert (caught.value.signed, caught.value.total) == (200, 300)
    assert accepted(resigned(signed, absent=(2,)), trusted, anchor=anchor)


def _after_change(kept: int, level: Fraction = ONE_THIRD) -> tuple[Verdict, Block]:
    """A skip from a trusted set of power 300, of which members with *kept* power still sign."""
    old = (*members(kept, first=50), *members(300 - kept, first=60))
    new = (*members(kept, first=50), *members(1000, first=70))
    trusted, _, far = make_chain([old, old, new])
    anchor = anchor_of(trusted, trust_level=level)
    return verify(far, trusted, anchor=anchor), far


def test_exactly_one_third_of_the_trusted_power_is_too_little_and_one_more_is_enough() -> None:
    verdict, _ = _after_change(100)
    assert isinstance(verdict, NeedsBisection)
    assert verdict.shortfall.metadata == {
        "signed": "100",
        "total": "300",
        "numerator": "1",
        "denominator": "3",
    }
    verdict, far = _after_change(101)
    assert verdict == Verified(far.state)


def test_trust_level_is_the_anchors() -> None:
    verdict, far = _after_change(200, Fraction(2, 3))
    assert isinstance(verdict, NeedsBisection)
    verdict, far = _after_change(201, Fraction(2, 3))
    assert verdict == Verified(far.state)


def test_whole_trust_never_allows_a_skip_but_allows_the_next_header() -> None:
    anchor = anchor_of(TRUSTED, trust_level=Fraction(1, 1))
    assert isinstance(verify(FAR, anchor=anchor), NeedsBisection)
    assert accepted(NEXT, anchor=anchor)


def test_power_of_the_overlap_is_that_of_the_trusted_set_not_of_the_new_one() -> None:
    # The same key has 1 of 100 in the trusted set and nearly all in the new one.
    old = (*members(1, first=50), *members(99, first=60))
    trusted, _, far = make_chain([old, old, members(1000, first=50)])
    verdict = verify(far, trusted, anchor=anchor_of(trusted))
    assert isinstance(verdict, NeedsBisection)
    assert (verdict.shortfall.signed, verdict.shortfall.total) == (1, 100)


def test_bad_signature_of_a_trusted_validator_is_an_error_even_without_enough_trust() -> None:
    old = (*members(1, first=50), *members(99, first=60))
    trusted, _, far = make_chain([old, old, members(1000, first=50)])
    with pytest.raises(SignatureInvalid):
        verify(with_entry(far, 0, signature=bytes(64)), trusted, anchor=anchor_of(trusted))


def test_votes_for_nothing_and_absent_ones_do_not_hinder_a_quorum() -> None:
    group = members(10, 10, 10, 10, 1, 1)
    trusted, following, far = make_chain([group] * 3)
    for block in (following, far):
        voted = make_block(block.signed.header, group, group, absent=(4,), nil=(5,))
        assert accepted(voted, trusted, anchor=anchor_of(trusted))


def test_absent_entry_may_carry_a_time() -> None:
    group = members(10, 10, 10, 10)
    block = make_block(NEXT.signed.header, group, group, absent=(0,))
    at = block.signed.commit.signatures.index(ABSENT)
    assert accepted(with_entry(block, at, time=NEXT.time))


def test_round_above_zero_is_signed() -> None:
    assert accepted(make_block(NEXT.signed.header, GROUP, GROUP, round_=3))


def test_power_up_to_the_bound_is_accepted() -> None:
    group = members(POWER_LIMIT - 2, 1, 1)
    trusted, following = make_chain([group] * 2)
    assert accepted(following, trusted, anchor=anchor_of(trusted))


def test_set_of_512_is_accepted() -> None:
    group = members(*[1] * 512)
    trusted, following = make_chain([group] * 2)
    assert accepted(following, trusted, anchor=anchor_of(trusted))


@pytest.mark.parametrize(
    "group",
    [
        members(10, 10, 10, 10, kind=KeyKind.SECP256K1),
        (*members(10, 10), *members(10, 10, first=5, kind=KeyKind.SECP256K1)),
    ],
    ids=["secp256k1", "mixed"],
)
def test_other_kinds_of_keys(group: Any) -> None:
    trusted, following, far = make_chain([group] * 3)
    anchor = anchor_of(trusted)
    for block in (following, far):
        assert accepted(block, trusted, anchor=anchor)
        for at, entry in enumerate(block.signed.commit.signatures):
            tampered = with_entry(block, at, signature=flip_bit(entry.signature, 40))
            with pytest.raises(SignatureInvalid) as caught:
                verify(tampered, trusted, anchor=anchor)
            assert caught.value.index == at


def test_key_that_changed_its_kind_is_another_signer() -> None:
    old = members(10, 10, 10)
    new = members(10, 10, 10, kind=KeyKind.SECP256K1)
    trusted, _, far = make_chain([old, old, new])
    assert isinstance(verify(far, trusted, anchor=anchor_of(trusted)), NeedsBisection)


def test_signature_that_only_zip215_accepts_is_accepted() -> None:
    # A key and an R of small order: every message verifies with S = 0 by the cofactored equation.
    weak = members(10)[0]
    identity = (1).to_bytes(32, "little")
    point = replace(weak.validator.public_key, data=identity)
    header = replace(
        NEXT.signed.header,
        validators_hash=validators_hash(ValidatorSet((replace(weak.validator, public_key=point),))),
    )
    block = make_block(header, [weak], [weak])
    entry = replace(
        block.signed.commit.signatures[0], address=address(point), signature=identity + bytes(32)
    )
    block = replace(
        with_commit(block, signatures=(entry,)),
        validators=ValidatorSet((replace(weak.validator, public_key=point),)),
    )
    trusted = replace(TRUSTED.state, next_validators_hash=header.validators_hash)
    verdict = CLIENT.verify_header(ANCHOR, trusted, block.header.validators, block.header, now=NOW)
    assert verdict == Verified(block.state)
    with pytest.raises(LimitExceeded):
        verify_votes(read_light_block(block.header), (0,), SlowChecks(0))


def test_slow_checks_are_fewer_than_a_third_of_the_most_validators() -> None:
    assert 0 < MAX_SLOW_CHECKS < 512 / 3


def test_trusted_set_must_be_the_named_one() -> None:
    other = make_chain([members(1, 2, 3)])[0]
    for block in (NEXT, FAR):
        with pytest.raises(ValidatorSetMismatch):
            CLIENT.verify_header(ANCHOR, TRUSTED.state, other.next_set, block.header, now=NOW)


def test_trusted_state_must_be_of_the_chains_revision() -> None:
    for revision in (0, 2):
        trusted = replace(TRUSTED.state, height=Height(revision, 1))
        with pytest.raises(AnchorMismatch):
            CLIENT.verify_header(ANCHOR, trusted, TRUSTED.next_set, NEXT.header, now=NOW)


@pytest.mark.parametrize("block", [NEXT, FAR], ids=["next", "skipping"])
def test_every_signature_for_the_block_is_verified_exactly_once(
    block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = CountedSignatures(monkeypatch)
    assert accepted(block)
    assert sorted(counted.checked) == sorted(e.signature for e in block.signed.commit.signatures)


def test_strangers_signatures_are_not_verified_without_trust(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted, _, far = make_chain([GROUP, GROUP, members(*[10] * 20, first=40)])
    counted = CountedSignatures(monkeypatch)
    assert isinstance(verify(far, trusted), NeedsBisection)
    assert counted.checked == []
