"""The chain's validators: keys from a seed, and a set that changes on a schedule.

At every turn one validator leaves, one joins, and powers shift. The set of a height follows from
seed and height alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from nacl.signing import SigningKey

from hub.light_clients.cometbft.codec import encode_validators
from hub.light_clients.cometbft.header import address, validators_hash
from hub.light_clients.cometbft.types import KeyKind, PublicKey, Validator, ValidatorSet

if TYPE_CHECKING:
    from collections.abc import Sequence

_POWERS = range(100, 150)


@dataclass(frozen=True, slots=True)
class Signer:
    """A validator of a set, with its private key."""

    key: SigningKey
    validator: Validator
    address: bytes


@dataclass(frozen=True, slots=True)
class SignerSet:
    """The validators of one height, in the order of the set, and what names them."""

    signers: tuple[Signer, ...]
    content: bytes
    """The set's canonical bytes."""
    hash: bytes

    @property
    def total(self) -> int:
        """The voting power of all."""
        return sum(signer.validator.power for signer in self.signers)


@dataclass(frozen=True)
class Schedule:
    """Who validates when."""

    seed: bytes
    count: int
    """Validators of each set."""
    turn: int
    """Blocks from one change of the set to the next; 0 means it never changes."""

    def at(self, height: int) -> SignerSet:
        """The set that signs the block at *height*."""
        return _signer_set(self.seed, self.count, height // self.turn if self.turn else 0)


def signer(seed: bytes, number: int, power: int) -> Signer:
    """The validator with that number among all that a seed has."""
    key = SigningKey(sha256(b"validator" + seed + number.to_bytes(8, "big")).digest())
    public_key = PublicKey(KeyKind.ED25519, bytes(key.verify_key))
    return Signer(key, Validator(public_key, power), address(public_key))


def signer_set(signers: Sequence[Signer]) -> SignerSet:
    """The set of *signers*. Source: CometBFT types/validator_set.go, ValidatorsByVotingPower."""
    ordered = sorted(signers, key=lambda one: (-one.validator.power, one.address))
    validators = ValidatorSet(tuple([one.validator for one in ordered]))
    return SignerSet(tuple(ordered), encode_validators(validators), validators_hash(validators))


@lru_cache(maxsize=64)
def _signer_set(seed: bytes, count: int, turn: int) -> SignerSet:
    return signer_set(
        [signer(seed, number, _power(seed, turn, number)) for number in range(turn, turn + count)]
    )


def _power(seed: bytes, turn: int, number: int) -> int:
    digest = sha256(seed + turn.to_bytes(8, "big") + number.to_bytes(8, "big")).digest()
    return _POWERS[digest[0] % len(_POWERS)]
