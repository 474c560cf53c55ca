from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.errors import HeaderUnparseable, SignerDuplicate, VotingPowerInvalid
from hub.light_clients.cometbft.codec import encode_validators
from hub.light_clients.cometbft.header import address, validators_hash
from hub.light_clients.cometbft.types import KeyKind, ValidatorSet
from hub.light_clients.cometbft.validators import MAX_TOTAL_POWER, measure, read_signers
from tests.harness.cometbft import members, validator_set

GROUP = (*members(7, 9, 7, 8), *members(7, first=9, kind=KeyKind.SECP256K1))
SET = validator_set(GROUP)


def test_set_is_measured() -> None:
    signers = read_signers(encode_validators(SET))
    assert signers.keys == tuple(validator.public_key for validator in SET.validators)
    assert signers.powers == (9, 8, 7, 7, 7)
    assert signers.addresses == tuple(address(key) for key in signers.keys)
    assert signers.total == 38
    assert signers.hash == validators_hash(SET)
    assert signers.power_of == {v.public_key.data: v.power for v in SET.validators}


def test_equal_powers_stand_in_the_order_of_addresses() -> None:
    first, second, *rest = reversed(SET.validators)
    swapped = ValidatorSet((*reversed(rest), first, second))
    with pytest.raises(HeaderUnparseable):
        measure(swapped)


def test_higher_power_stands_first() -> None:
    with pytest.raises(HeaderUnparseable):
        measure(ValidatorSet((*SET.validators[1:], SET.validators[0])))


def test_validator_may_stand_once() -> None:
    validators = SET.validators
    for again in (validators[0], replace(validators[0], power=7)):
        with pytest.raises(SignerDuplicate) as caught:
            measure(ValidatorSet((*validators, again)))
        assert (caught.value.first, caught.value.second) == (0, 5)


@pytest.mark.parametrize("power", [0, -1, -(2**63)])
def test_power_is_positive(power: int) -> None:
    validators = (*SET.validators[:-1], replace(SET.validators[-1], power=power))
    with pytest.raises(VotingPowerInvalid) as caught:
        read_signers(encode_validators(ValidatorSet(validators)))
    assert caught.value.power == power


def test_total_power_has_a_bound() -> None:
    # Source: CometBFT types/validator_set.go, MaxInt64 / 8.
    assert MAX_TOTAL_POWER == 0x0FFF_FFFF_FFFF_FFFF
    assert measure(validator_set(members(MAX_TOTAL_POWER - 1, 1))).total == MAX_TOTAL_POWER
    with pytest.raises(VotingPowerInvalid):
        measure(validator_set(members(MAX_TOTAL_POWER, 1)))
