"""Whether two headers prove that a chain contradicts itself.

Both must be signed by those whom a trusted state names, and no honest chain may hold both. Time is
judged more loosely than in an update, on purpose: a fork dated in the future, or before its trusted
state, is still a fork. That the trusted states have not expired is still asked, for past that
anyone may hold the old keys and sign at no cost.

Source: ibc-go 07-tendermint misbehaviour.go (ValidateBasic) and misbehaviour_handle.go
(verifyMisbehaviour, checkMisbehaviourHeader).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.errors import MisbehaviourNotProven
from hub.light_clients.cometbft.verify import (
    check_origin,
    is_adjacent,
    verify_quorum,
    verify_skipping,
)
from hub.light_clients.predicates import contradict

if TYPE_CHECKING:
    from hub.core.client import Anchor, ConsensusState
    from hub.core.time import Timestamp
    from hub.light_clients.cometbft.validators import Signers
    from hub.light_clients.cometbft.verify import LightBlock


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two headers, and the trusted state that it follows from."""

    trusted: ConsensusState
    trusted_signers: Signers
    """The set that ``trusted.next_validators_hash`` names."""
    block: LightBlock


def verify_misbehaviour(anchor: Anchor, first: Side, second: Side, *, now: Timestamp) -> None:
    """*first* and *second*, in either order, are both signed and contradict each other.

    Raises ``MisbehaviourNotProven``, another ``VerificationFailed`` or ``TrustExpired``.
    """
    one, other = first.block.state, second.block.state
    for side in (first, second):
        check_origin(anchor, side.trusted, side.trusted_signers, side.block, now=now)
    if not contradict(one, other):
        raise MisbehaviourNotProven(
            problem=f"at heights {one.height} and {other.height} stands one header, or time rises"
        )
    for side in (first, second):
        _verify_signers(anchor, side)


def _verify_signers(anchor: Anchor, side: Side) -> None:
    """The side's block is signed as an update would have to be.

    At the very next height a quorum of the named set is enough, as in an update; else, also where
    the set at that height is not the named one, the trust level is asked.
    """
    block = side.block
    is_named_set = block.signers.hash == side.trusted.next_validators_hash
    if is_adjacent(side.trusted, block) and is_named_set:
        verify_quorum(block)
    else:
        verify_skipping(anchor, side.trusted_signers, block)
