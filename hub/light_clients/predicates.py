"""The rules that the BFT light clients share, one function each, named as the rule's sentence.

Each returns nothing, or what it counted, when its rule holds, and raises the one error named after
the rule when it does not. None reads a clock: ``now`` is an argument. Shares of voting power are
compared as integers: a quorum decided in floating point is a quorum decided by rounding.

Source: ICS-07, validity predicate; CometBFT light/verifier.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.client import Fraction
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hub.core.client import Anchor, ConsensusState
    from hub.core.time import Duration, Timestamp

TWO_THIRDS = Fraction(2, 3)


def chain_id_matches(*, got: str, expected: str) -> None:
    """The header is of the chain that the client verifies. Raises ``ChainIdMismatch``."""
    if got != expected:
        raise ChainIdMismatch(got=got, expected=expected)


def protocol_is_known(*, got: int, expected: int) -> None:
    """The header has the block protocol verified here. Raises ``ProtocolVersionMismatch``."""
    if got != expected:
        raise ProtocolVersionMismatch(got=got, expected=expected)


def within_trusting_period(
    *, trusted_at: Timestamp, trusting_period: Duration, now: Timestamp
) -> None:
    """The trusted state may still be built on (all in ns). Raises ``TrustExpired``."""
    expires_at = trusted_at + trusting_period
    if now >= expires_at:
        raise TrustExpired(expires_at=expires_at, now=now)


def height_increases(*, got: int, trusted: int) -> None:
    """The header is above the trusted height. Raises ``HeightNotIncreasing``."""
    if got <= trusted:
        raise HeightNotIncreasing(got=got, trusted=trusted)


def time_increases(*, got: Timestamp, trusted: Timestamp) -> None:
    """The header is later than the trusted state (ns). Raises ``TimeNotIncreasing``."""
    if got <= trusted:
        raise TimeNotIncreasing(got=got, trusted=trusted)


def not_from_future(*, got: Timestamp, now: Timestamp, max_clock_drift: Duration) -> None:
    """The header is dated before now plus the drift (all in ns). Raises ``HeaderFromFuture``."""
    if got >= now + max_clock_drift:
        raise HeaderFromFuture(got=got, now=now, drift=max_clock_drift)


def validator_set_matches(*, got: bytes, expected: bytes) -> None:
    """The set hashes to what was named. Raises ``ValidatorSetMismatch``."""
    if got != expected:
        raise ValidatorSetMismatch(got=got.hex(), expected=expected.hex())


def commit_matches(field: str, *, got: bytes | int, expected: bytes | int) -> None:
    """The commit's *field* is the header's own. Raises ``CommitMismatch``."""
    if got != expected:
        raise CommitMismatch(field=field, got=_text(got), expected=_text(expected))


def signer_is_in_place(index: int, *, got: bytes, expected: bytes) -> None:
    """Entry *index* names the address of the key at that place. Raises ``SignerUnknown``."""
    if got != expected:
        raise SignerUnknown(index=index, got=got.hex(), expected=expected.hex())


def signers_are_distinct(signers: Sequence[bytes]) -> None:
    """No signer stands twice. Raises ``SignerDuplicate``."""
    first: dict[bytes, int] = {}
    for index, signer in enumerate(signers):
        if first.setdefault(signer, index) != index:
            raise SignerDuplicate(signer=signer.hex(), first=first[signer], second=index)


def powers_are_in_range(powers: Iterable[int], *, limit: int) -> int:
    """The total of *powers*, each at least 1, together at most *limit*.

    Raises ``VotingPowerInvalid``.
    """
    total = 0
    for power in powers:
        total += power
        if power < 1 or total > limit:
            raise VotingPowerInvalid(power=power if power < 1 else total, limit=limit)
    return total


def trusted_power_signed(*, signed: int, total: int, trust_level: Fraction) -> None:
    """More than *trust_level* of the trusted power signed. Raises ``NotEnoughTrust``."""
    if not more_than(trust_level, signed=signed, total=total):
        raise NotEnoughTrust(
            signed=signed,
            total=total,
            numerator=trust_level.numerator,
            denominator=trust_level.denominator,
        )


def quorum_signed(*, signed: int, total: int, quorum: Fraction = TWO_THIRDS) -> None:
    """More than *quorum* of the header's own set signed. Raises ``QuorumNotReached``."""
    if not more_than(quorum, signed=signed, total=total):
        raise QuorumNotReached(
            signed=signed,
            total=total,
            numerator=quorum.numerator,
            denominator=quorum.denominator,
        )


def more_than(share: Fraction, *, signed: int, total: int) -> bool:
    """Whether strictly more than *share* of *total* is *signed*."""
    return signed * share.denominator > total * share.numerator


def anchor_names(anchor: Anchor, state: ConsensusState, *, chain_id: str) -> None:
    """*state*, of *chain_id*, is the one that *anchor* names. Raises ``AnchorMismatch``."""
    pairs: tuple[tuple[str, str, str], ...] = (
        ("chain_id", chain_id, anchor.chain_id),
        ("height", str(state.height), str(anchor.height)),
        ("header_hash", state.header_hash.hex(), anchor.header_hash.hex()),
        (
            "next_validators_hash",
            state.next_validators_hash.hex(),
            anchor.next_validators_hash.hex(),
        ),
    )
    for field, got, expected in pairs:
        if got != expected:
            raise AnchorMismatch(field=field, got=got, expected=expected)


def find_conflict(new: ConsensusState, stored: Iterable[ConsensusState]) -> ConsensusState | None:
    """The first of *stored* that cannot be true beside *new*, or None.

    Two states contradict each other when they name two blocks of one height, or when the higher one
    is not later. To give the state stored at the height of *new*, and the nearest below and above,
    is enough. Source: ibc-go 07-tendermint misbehaviour_handle.go, CheckForMisbehaviour.
    """
    for state in stored:
        if contradict(new, state):
            return state
    return None


def contradict(one: ConsensusState, other: ConsensusState) -> bool:
    """Whether no honest chain holds both: two blocks of one height, or time that does not rise."""
    if one.height == other.height:
        return one.header_hash != other.header_hash
    lower, higher = (one, other) if one.height < other.height else (other, one)
    return higher.time <= lower.time


def _text(value: bytes | int) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
