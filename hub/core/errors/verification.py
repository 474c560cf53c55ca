"""Evidence that does not prove its claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hub.core.errors.base import VerificationFailed
from hub.core.errors.reasons import Reason


@dataclass(kw_only=True, eq=False)
class ChainIdMismatch(VerificationFailed):
    """A header names another chain than its client."""

    reason: ClassVar[Reason] = Reason.CHAIN_ID_MISMATCH
    template: ClassVar[str] = "header is of chain {got!r}, the client verifies {expected!r}"

    got: str
    expected: str


@dataclass(kw_only=True, eq=False)
class ProtocolVersionMismatch(VerificationFailed):
    """A header carries a block protocol that its client does not verify."""

    reason: ClassVar[Reason] = Reason.PROTOCOL_VERSION_MISMATCH
    template: ClassVar[str] = "block protocol {got}, the client verifies {expected}"

    got: int
    expected: int


@dataclass(kw_only=True, eq=False)
class HeightNotIncreasing(VerificationFailed):
    """A header is not above the trusted height."""

    reason: ClassVar[Reason] = Reason.HEIGHT_NOT_INCREASING
    template: ClassVar[str] = "height {got} is not above the trusted {trusted}"

    got: int
    trusted: int


@dataclass(kw_only=True, eq=False)
class TimeNotIncreasing(VerificationFailed):
    """A header is not later than the trusted one (ns)."""

    reason: ClassVar[Reason] = Reason.TIME_NOT_INCREASING
    template: ClassVar[str] = "time {got} ns is not after the trusted {trusted} ns"

    got: int
    trusted: int


@dataclass(kw_only=True, eq=False)
class HeaderFromFuture(VerificationFailed):
    """A header is dated beyond now plus the allowed drift (ns)."""

    reason: ClassVar[Reason] = Reason.HEADER_FROM_FUTURE
    template: ClassVar[str] = "time {got} ns is not before now {now} ns plus drift {drift} ns"

    got: int
    now: int
    drift: int


@dataclass(kw_only=True, eq=False)
class ValidatorSetMismatch(VerificationFailed):
    """A validator set does not hash to what the header or the trusted state names."""

    reason: ClassVar[Reason] = Reason.VALIDATOR_SET_MISMATCH
    template: ClassVar[str] = "validator set hashes to {got}, expected {expected}"

    got: str
    expected: str


@dataclass(kw_only=True, eq=False)
class CommitMismatch(VerificationFailed):
    """A commit is not for the header it comes with."""

    reason: ClassVar[Reason] = Reason.COMMIT_MISMATCH
    template: ClassVar[str] = "commit {field} is {got}, expected {expected}"

    field: str
    got: str
    expected: str


@dataclass(kw_only=True, eq=False)
class SignerUnknown(VerificationFailed):
    """A commit entry names an address that is not the validator's at its place."""

    reason: ClassVar[Reason] = Reason.SIGNER_UNKNOWN
    template: ClassVar[str] = "signature {index} names {got}, the set has {expected}"

    index: int
    got: str
    expected: str


@dataclass(kw_only=True, eq=False)
class SignerDuplicate(VerificationFailed):
    """One signer is counted twice."""

    reason: ClassVar[Reason] = Reason.SIGNER_DUPLICATE
    template: ClassVar[str] = "signer {signer} stands at {first} and again at {second}"

    signer: str
    first: int
    second: int


@dataclass(kw_only=True, eq=False)
class SignatureInvalid(VerificationFailed):
    """A signature that counts does not verify."""

    reason: ClassVar[Reason] = Reason.SIGNATURE_INVALID
    template: ClassVar[str] = "signature {index} of {signer} does not verify"

    index: int
    signer: str


@dataclass(kw_only=True, eq=False)
class VotingPowerInvalid(VerificationFailed):
    """A voting power is not positive, or the total is over its bound."""

    reason: ClassVar[Reason] = Reason.VOTING_POWER_INVALID
    template: ClassVar[str] = "voting power {power} is outside 1 to {limit}"

    power: int
    limit: int


@dataclass(kw_only=True, eq=False)
class QuorumNotReached(VerificationFailed):
    """Not more than the needed fraction of the header's own set signed."""

    reason: ClassVar[Reason] = Reason.QUORUM_NOT_REACHED
    template: ClassVar[str] = (
        "{signed} of {total} signed, more than {numerator}/{denominator} is needed"
    )

    signed: int
    total: int
    numerator: int
    denominator: int


@dataclass(kw_only=True, eq=False)
class NotEnoughTrust(VerificationFailed):
    """Not more than the trust level of the trusted set signed; bisect."""

    reason: ClassVar[Reason] = Reason.NOT_ENOUGH_TRUST
    template: ClassVar[str] = (
        "{signed} of {total} trusted power signed, more than {numerator}/{denominator} needed"
    )

    signed: int
    total: int
    numerator: int
    denominator: int


@dataclass(kw_only=True, eq=False)
class AnchorMismatch(VerificationFailed):
    """A header is not the one that the operator's anchor names."""

    reason: ClassVar[Reason] = Reason.ANCHOR_MISMATCH
    template: ClassVar[str] = "{field} is {got}, the anchor says {expected}"

    field: str
    got: str
    expected: str


@dataclass(kw_only=True, eq=False)
class RootMismatch(VerificationFailed):
    """A proof computes another root than the verified one."""

    reason: ClassVar[Reason] = Reason.ROOT_MISMATCH
    template: ClassVar[str] = "proof computes root {got}, verified is {expected}"

    got: str
    expected: str


@dataclass(kw_only=True, eq=False)
class ProofSpecViolated(VerificationFailed):
    """A proof breaks a rule of its pinned spec."""

    reason: ClassVar[Reason] = Reason.PROOF_SPEC_VIOLATED
    template: ClassVar[str] = "proof node {at}: {rule}"

    at: int
    rule: str


@dataclass(kw_only=True, eq=False)
class MembershipNotProven(VerificationFailed):
    """A proof does not show this value at this key."""

    reason: ClassVar[Reason] = Reason.MEMBERSHIP_NOT_PROVEN
    template: ClassVar[str] = "key {key}: {problem}"

    key: str
    problem: str


@dataclass(kw_only=True, eq=False)
class NonMembershipNotProven(VerificationFailed):
    """A proof does not show the absence of this key."""

    reason: ClassVar[Reason] = Reason.NON_MEMBERSHIP_NOT_PROVEN
    template: ClassVar[str] = "key {key}: {problem}"

    key: str
    problem: str


@dataclass(kw_only=True, eq=False)
class ProofBatchInvalid(VerificationFailed):
    """A proof batch breaks a rule of its own; nothing of it counts."""

    reason: ClassVar[Reason] = Reason.PROOF_BATCH_INVALID
    template: ClassVar[str] = "leaf {leaf}: {rule}"

    leaf: int
    rule: str


@dataclass(kw_only=True, eq=False)
class MisbehaviourNotProven(VerificationFailed):
    """Two headers do not contradict each other."""

    reason: ClassVar[Reason] = Reason.MISBEHAVIOUR_NOT_PROVEN
    template: ClassVar[str] = "{problem}"

    problem: str
