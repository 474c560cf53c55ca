"""Whether a light block follows from a trusted state.

Work is bounded first and cheap before dear: shape, hashes, times, counts, then signatures. Every
signature for the block is verified, once, and none is skipped when a quorum is reached. A vote for
no block (NIL) does not count, and its signature is not looked at; its place and address are.

Source: CometBFT light/verifier.go (VerifyAdjacent, VerifyNonAdjacent), types/validation.go;
ICS-07, validity predicate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.core.client import ConsensusState
from hub.core.crypto import ed25519, secp256k1
from hub.core.crypto.ed25519 import SlowChecks
from hub.core.errors import AnchorMismatch, NotEnoughTrust, SignatureInvalid
from hub.light_clients import predicates
from hub.light_clients.cometbft.codec import MAX_VALIDATORS, decode_signed_header
from hub.light_clients.cometbft.header import VotePayload, header_hash, height_of
from hub.light_clients.cometbft.types import BlockIdFlag, KeyKind
from hub.light_clients.cometbft.validators import Signers, read_signers
from hub.light_clients.interface import NeedsBisection, Verified

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.core.client import Anchor, Header
    from hub.core.time import Timestamp
    from hub.light_clients.cometbft.types import CometHeader, Commit
    from hub.light_clients.interface import Verdict

BLOCK_PROTOCOL: Final = 11
"""Source: CometBFT version/version.go, BlockProtocol."""

MAX_SLOW_CHECKS: Final = MAX_VALIDATORS // 3
"""Ed25519 signatures of one header that libsodium refuses and ZIP-215 has to judge, 1 ms each.

Only members of a trusted set get so far, and honest ones make no such signatures.
"""

_BLOCKS_REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class LightBlock:
    """A header, its commit and the set that signed, found to belong together.

    No signature of it is verified.
    """

    header: CometHeader
    commit: Commit
    signers: Signers
    votes: tuple[int, ...]
    """The places that signed for the block, rising."""
    state: ConsensusState


@lru_cache(maxsize=_BLOCKS_REMEMBERED)
def read_light_block(header: Header) -> LightBlock:
    """*header* decoded, every hash recomputed, the set and the commit matched to it.

    The last ones read are remembered: bisection comes back to its target. Raises ``Malformed`` or
    ``VerificationFailed``.
    """
    signed = decode_signed_header(header.content)
    content, commit = signed.header, signed.commit
    predicates.protocol_is_known(got=content.block_protocol, expected=BLOCK_PROTOCOL)
    signers = read_signers(header.validators)
    predicates.validator_set_matches(got=signers.hash, expected=content.validators_hash)
    digest = header_hash(content)
    predicates.commit_matches("height", got=commit.height, expected=content.height)
    predicates.commit_matches("block hash", got=commit.block_id.hash, expected=digest)
    predicates.commit_matches(
        "entries", got=len(commit.signatures), expected=len(signers.addresses)
    )
    votes: list[int] = []
    for index, entry in enumerate(commit.signatures):
        if entry.flag is BlockIdFlag.ABSENT:
            continue
        predicates.signer_is_in_place(index, got=entry.address, expected=signers.addresses[index])
        if entry.flag is BlockIdFlag.COMMIT:
            votes.append(index)
    state = ConsensusState(
        height=height_of(content),
        header_hash=digest,
        time=content.time,
        root=content.app_hash,
        next_validators_hash=content.next_validators_hash,
    )
    return LightBlock(content, commit, signers, tuple(votes), state)


def verify_light_block(
    anchor: Anchor,
    trusted: ConsensusState,
    trusted_signers: Signers,
    block: LightBlock,
    *,
    now: Timestamp,
) -> Verdict:
    """Whether *block* follows from *trusted*, by one step or by skipping.

    *trusted_signers* is the set that ``trusted.next_validators_hash`` names; checked. Raises
    ``VerificationFailed`` or ``TrustExpired``.
    """
    options = anchor.options
    check_origin(anchor, trusted, trusted_signers, block, now=now)
    predicates.time_increases(got=block.state.time, trusted=trusted.time)
    predicates.not_from_future(
        got=block.state.time, now=now, max_clock_drift=options.max_clock_drift
    )
    try:
        if is_adjacent(trusted, block):
            verify_adjacent(trusted, block)
        else:
            verify_skipping(anchor, trusted_signers, block)
    except NotEnoughTrust as shortfall:
        return NeedsBisection(shortfall)
    return Verified(block.state)


def check_origin(
    anchor: Anchor,
    trusted: ConsensusState,
    trusted_signers: Signers,
    block: LightBlock,
    *,
    now: Timestamp,
) -> None:
    """*block* is of the anchor's chain and above *trusted*, which may still be built on.

    Raises ``ChainIdMismatch``, ``AnchorMismatch``, ``TrustExpired``, ``HeightNotIncreasing`` or
    ``ValidatorSetMismatch``.
    """
    predicates.chain_id_matches(got=block.header.chain_id, expected=anchor.chain_id)
    revision = block.state.height.revision
    if trusted.height.revision != revision:
        raise AnchorMismatch(
            field="trusted revision", got=str(trusted.height.revision), expected=str(revision)
        )
    predicates.within_trusting_period(
        trusted_at=trusted.time, trusting_period=anchor.options.trusting_period, now=now
    )
    predicates.height_increases(got=block.state.height.number, trusted=trusted.height.number)
    predicates.validator_set_matches(
        got=trusted_signers.hash, expected=trusted.next_validators_hash
    )


def is_adjacent(trusted: ConsensusState, block: LightBlock) -> bool:
    """Whether *block* is the very next one after *trusted*."""
    return block.state.height.number == trusted.height.number + 1


def verify_adjacent(trusted: ConsensusState, block: LightBlock) -> None:
    """The set that *trusted* names for the next block signed *block* with a quorum.

    Raises ``ValidatorSetMismatch``, ``QuorumNotReached`` or ``SignatureInvalid``.
    """
    predicates.validator_set_matches(got=block.signers.hash, expected=trusted.next_validators_hash)
    verify_quorum(block)


def verify_skipping(anchor: Anchor, trusted_signers: Signers, block: LightBlock) -> None:
    """Enough of the trusted set signed *block*, and so did a quorum of its own set.

    The own set comes last, for its size is the sender's choice. Raises ``NotEnoughTrust``,
    ``QuorumNotReached`` or ``SignatureInvalid``.
    """
    slow = SlowChecks(MAX_SLOW_CHECKS)
    shared = shared_votes(trusted_signers, block)
    verify_votes(block, shared, slow)
    predicates.trusted_power_signed(
        signed=power_of(trusted_signers, block, shared),
        total=trusted_signers.total,
        trust_level=anchor.options.trust_level,
    )
    verify_quorum(block, already=frozenset(shared), slow=slow)


def verify_quorum(
    block: LightBlock, already: frozenset[int] = frozenset(), slow: SlowChecks | None = None
) -> None:
    """More than two thirds of the block's own set signed it, and every such signature verifies.

    Those at the places *already* are known to. Raises ``QuorumNotReached`` or
    ``SignatureInvalid``.
    """
    predicates.quorum_signed(
        signed=sum([block.signers.powers[index] for index in block.votes]),
        total=block.signers.total,
    )
    rest = [index for index in block.votes if index not in already]
    verify_votes(block, rest, slow or SlowChecks(MAX_SLOW_CHECKS))


def verify_votes(block: LightBlock, places: Iterable[int], slow: SlowChecks) -> None:
    """The signatures at *places* are their keys' over the block. Raises ``SignatureInvalid``.

    Raises ``LimitExceeded`` when *slow* is spent.
    """
    payload = VotePayload.of(block.header.chain_id, block.commit)
    keys, entries = block.signers.keys, block.commit.signatures
    for index in places:
        key, entry = keys[index], entries[index]
        message = payload.at(entry.time)
        if key.kind is KeyKind.ED25519:
            verified = ed25519.verify_zip215(key.data, message, entry.signature, slow)
        else:
            verified = secp256k1.verify(key.data, message, entry.signature)
        if not verified:
            raise SignatureInvalid(index=index, signer=entry.address.hex())


def shared_votes(trusted_signers: Signers, block: LightBlock) -> list[int]:
    """The places of *block* that signed for it with a key of the trusted set."""
    power_of_key, keys = trusted_signers.power_of, block.signers.keys
    return [index for index in block.votes if keys[index].data in power_of_key]


def power_of(trusted_signers: Signers, block: LightBlock, places: Iterable[int]) -> int:
    """The power in the trusted set of the keys at *places* of *block*."""
    keys = block.signers.keys
    return sum([trusted_signers.power_of[keys[index].data] for index in places])


def overlap(trusted_signers: Signers, block: LightBlock) -> tuple[int, int]:
    """How much power of the trusted set claims to have signed *block*, and the set's total.

    Counted without verifying a signature: for planning, never for a verdict.
    """
    shared = shared_votes(trusted_signers, block)
    return power_of(trusted_signers, block, shared), trusted_signers.total


def links_to(parent: LightBlock, child: LightBlock) -> bool:
    """Whether *child* names *parent* as the block before it.

    If *child* is verified, so is *parent* then, whatever its age and whoever signed it. Source:
    CometBFT light/verifier.go, VerifyBackwards.
    """
    return (
        parent.header.chain_id == child.header.chain_id
        and parent.header.height + 1 == child.header.height
        and parent.header.time < child.header.time
        and parent.state.header_hash == child.header.last_block_id.hash
    )
