"""A validator set measured once: its addresses, its powers and its hash.

Headers of one chain mostly carry the same few sets, so the last ones read are remembered by their
bytes; reading is a pure function of them.

Source: CometBFT types/validator_set.go, ValidatorsByVotingPower and MaxTotalVotingPower.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.core.errors import HeaderUnparseable
from hub.light_clients.cometbft.codec import decode_validators
from hub.light_clients.cometbft.header import address, validators_hash
from hub.light_clients.predicates import powers_are_in_range, signers_are_distinct

if TYPE_CHECKING:
    from hub.light_clients.cometbft.types import PublicKey, ValidatorSet

MAX_TOTAL_POWER: Final = (2**63 - 1) // 8
_SETS_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Signers:
    """A validator set that keeps every rule of its own; place *i* is the same in all fields."""

    keys: tuple[PublicKey, ...]
    powers: tuple[int, ...]
    addresses: tuple[bytes, ...]
    total: int
    hash: bytes
    power_of: dict[bytes, int]
    """Voting power by the key's bytes: 32 are Ed25519, 33 secp256k1, so kinds cannot meet."""


@lru_cache(maxsize=_SETS_REMEMBERED)
def read_signers(data: bytes) -> Signers:
    """The set of *data*: ordered, no validator twice, powers in range; hashed.

    Raises ``LimitExceeded``, ``HeaderUnparseable``, ``EncodingNotCanonical``, ``SignerDuplicate``
    or ``VotingPowerInvalid``.
    """
    return measure(decode_validators(data))


def measure(validator_set: ValidatorSet) -> Signers:
    """*validator_set* with what follows from it. Raises as ``read_signers``."""
    keys = tuple([validator.public_key for validator in validator_set.validators])
    powers = tuple([validator.power for validator in validator_set.validators])
    total = powers_are_in_range(powers, limit=MAX_TOTAL_POWER)
    addresses = tuple([address(key) for key in keys])
    signers_are_distinct(addresses)
    places = [(-power, name) for power, name in zip(powers, addresses, strict=True)]
    if places != sorted(places):
        raise HeaderUnparseable(
            what="validator set", problem="is not in the order of power, then address"
        )
    power_of = {key.data: power for key, power in zip(keys, powers, strict=True)}
    return Signers(keys, powers, addresses, total, validators_hash(validator_set), power_of)
