"""Headers of a chain with four validators, adjacent and skipping."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from hub.core.errors import Reason
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.cometbft.codec import decode_signed_header, encode_validators
from hub.light_clients.cometbft.types import BlockIdFlag
from hub.light_clients.interface import NeedsBisection
from tests.fuzz.engine import ACCEPTED, SAME, Target
from tests.fuzz.targets.header_operators import OPERATORS
from tests.fuzz.targets.header_samples import (
    ANCHOR,
    NOW,
    TRUSTED_SET,
    TRUSTED_STATE,
    VALID,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Header
    from hub.light_clients.cometbft.types import CommitSignature
    from tests.harness.cometbft import Block

CLIENT: Final = CometBftClient()

_REASONS = frozenset(
    {
        Reason.CHAIN_ID_MISMATCH,
        Reason.COMMIT_MISMATCH,
        Reason.ENCODING_NOT_CANONICAL,
        Reason.HEADER_FROM_FUTURE,
        Reason.HEADER_UNPARSEABLE,
        Reason.HEIGHT_INVALID,
        Reason.HEIGHT_NOT_INCREASING,
        Reason.LIMIT_EXCEEDED,
        Reason.NOT_ENOUGH_TRUST,
        Reason.PROTOCOL_VERSION_MISMATCH,
        Reason.QUORUM_NOT_REACHED,
        Reason.SIGNATURE_INVALID,
        Reason.SIGNER_DUPLICATE,
        Reason.SIGNER_UNKNOWN,
        Reason.TIME_NOT_INCREASING,
        Reason.VALIDATOR_SET_MISMATCH,
        Reason.VOTING_POWER_INVALID,
    }
)


def target() -> Target:
    """Headers, as a relayer gets them from an adapter."""
    return Target("headers", OPERATORS, judge, _REASONS)


def judge(header: Header) -> str:
    """The light client's verdict, from the trusted block."""
    verdict = CLIENT.verify_header(ANCHOR, TRUSTED_STATE, TRUSTED_SET, header, now=NOW)
    if isinstance(verdict, NeedsBisection):
        raise verdict.shortfall
    return SAME if says_what_a_valid_one_says(header) else ACCEPTED


def says_what_a_valid_one_says(header: Header, blocks: Sequence[Block] = VALID) -> bool:
    """The same block by the same set, and every vote that counts is a genuine one.

    Votes of one commit are also valid in another commit for that block, with fewer or more of them;
    and what an entry that does not count carries besides means nothing.
    """
    signed = decode_signed_header(header.content)
    commit = signed.commit
    votes = [entry for entry in commit.signatures if entry.flag is BlockIdFlag.COMMIT]
    return any(
        block.signed.header == signed.header
        and encode_validators(block.validators) == header.validators
        and replace(block.signed.commit, signatures=()) == replace(commit, signatures=())
        and _votes(block).issuperset(votes)
        for block in blocks
    )


@cache
def _votes(block: Block) -> frozenset[CommitSignature]:
    """Every genuine vote for *block*, also from its other commits."""
    return frozenset(
        entry
        for other in (block, *VALID)
        if other.signed.header == block.signed.header
        for entry in other.signed.commit.signatures
        if entry.flag is BlockIdFlag.COMMIT
    )
