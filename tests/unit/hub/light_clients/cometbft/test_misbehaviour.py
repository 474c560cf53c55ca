from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.client import Fraction
from hub.core.errors import (
    ChainIdMismatch,
    HeightNotIncreasing,
    MisbehaviourNotProven,
    NotEnoughTrust,
    QuorumNotReached,
    SignatureInvalid,
    TrustExpired,
    ValidatorSetMismatch,
)
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from tests.harness.cometbft import (
    DAY,
    Block,
    anchor_of,
    make_block,
    make_chain,
    make_header,
    members,
    resigned,
    with_entry,
)

if TYPE_CHECKING:
    from typing import Any

    from hub.core.client import Anchor

CLIENT = CometBftClient()
GROUP = members(10, 10, 10, 10)
TRUSTED, NEXT, FAR, LAST = make_chain([GROUP] * 4)
ANCHOR = anchor_of(TRUSTED)
NOW = Timestamp(LAST.time + SECOND)
OTHER = b"\x07" * 32


def prove(
    first: Block,
    second: Block,
    *,
    trusted: Block = TRUSTED,
    second_trusted: Block | None = None,
    anchor: Anchor = ANCHOR,
    now: Timestamp = NOW,
) -> None:
    """Raises unless the two prove misbehaviour, in this order and in the other."""
    sides = [
        (trust.state, trust.next_set, block.header)
        for trust, block in ((trusted, first), (second_trusted or trusted, second))
    ]
    CLIENT.verify_misbehaviour(anchor, sides[0], sides[1], now=now)
    CLIENT.verify_misbehaviour(anchor, sides[1], sides[0], now=now)


@pytest.mark.parametrize("block", [NEXT, FAR], ids=["next", "skipping"])
def test_two_blocks_of_one_height_are_misbehaviour(block: Block) -> None:
    prove(block, resigned(block, app_hash=OTHER))


def test_higher_block_that_is_not_later_is_misbehaviour() -> None:
    for time in (FAR.time, FAR.time - 1):
        prove(FAR, resigned(LAST, time=time))


def test_higher_block_that_is_later_is_none() -> None:
    for time in (FAR.time + 1, LAST.time):
        with pytest.raises(MisbehaviourNotProven):
            prove(FAR, resigned(LAST, time=time))


def test_one_block_twice_is_none_whoever_signed_it() -> None:
    with pytest.raises(MisbehaviourNotProven):
        prove(FAR, FAR)
    with pytest.raises(MisbehaviourNotProven):
        prove(FAR, resigned(FAR, absent=(0,)))


def test_sides_may_follow_from_different_states() -> None:
    prove(FAR, resigned(FAR, app_hash=OTHER), second_trusted=NEXT)


def test_fork_from_the_future_is_still_a_fork() -> None:
    prove(resigned(FAR, time=NOW + DAY), FAR)


def test_fork_dated_before_its_trusted_state_is_still_a_fork() -> None:
    prove(resigned(FAR, time=TRUSTED.time - DAY), FAR)


def test_fork_with_a_set_that_nobody_named_is_still_a_fork() -> None:
    # A third of the named set and a bit, and keys of their own, sign the very next height.
    faulty = (*GROUP[:2], *members(5, first=30))
    header = make_header(faulty, faulty, height=NEXT.height, time=NEXT.time)
    prove(NEXT, make_block(header, faulty, faulty))


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"absent": (0, 1)}, QuorumNotReached), ({"chain_id": "suzhou-2"}, ChainIdMismatch)],
)
def test_either_side_must_be_verified(changes: dict[str, Any], error: type[Exception]) -> None:
    bad = resigned(FAR, **({"app_hash": OTHER} | changes))
    for pair in ((FAR, bad), (bad, FAR)):
        with pytest.raises(error):
            prove(*pair)


@pytest.mark.parametrize("block", [NEXT, FAR], ids=["next", "skipping"])
def test_every_signature_of_both_sides_must_verify(block: Block) -> None:
    fork = resigned(block, app_hash=OTHER)
    for pair in (
        (block, with_entry(fork, 3, signature=bytes(64))),
        (with_entry(block, 3, signature=bytes(64)), fork),
    ):
        with pytest.raises(SignatureInvalid):
            prove(*pair)


def test_fork_of_the_next_block_by_its_named_set_is_proven_at_any_trust_level() -> None:
    whole = anchor_of(TRUSTED, trust_level=Fraction(1, 1))
    prove(NEXT, resigned(NEXT, app_hash=OTHER), anchor=whole)
    with pytest.raises(NotEnoughTrust):
        prove(FAR, resigned(FAR, app_hash=OTHER), anchor=whole)


def test_fork_of_the_next_block_needs_its_own_quorum() -> None:
    with pytest.raises(QuorumNotReached):
        prove(NEXT, resigned(NEXT, app_hash=OTHER, absent=(0, 1)))


def test_strangers_cannot_prove_anything() -> None:
    strangers = members(10, 10, 10, 10, first=40)
    for block in (NEXT, FAR):
        header = make_header(strangers, strangers, height=block.height, time=block.time)
        with pytest.raises(NotEnoughTrust):
            prove(block, make_block(header, strangers, strangers))


def test_trusted_state_may_not_have_expired() -> None:
    fork = resigned(FAR, app_hash=OTHER)
    prove(FAR, fork, now=Timestamp(TRUSTED.time + DAY - 1))
    with pytest.raises(TrustExpired):
        prove(FAR, fork, now=Timestamp(TRUSTED.time + DAY))


def test_sides_are_above_their_trusted_states() -> None:
    with pytest.raises(HeightNotIncreasing):
        prove(FAR, resigned(FAR, app_hash=OTHER), second_trusted=FAR)


def test_trusted_sets_are_the_named_ones() -> None:
    side = (TRUSTED.state, TRUSTED.next_set, FAR.header)
    other = make_chain([members(1, 2)])[0].next_set
    fork = (TRUSTED.state, other, resigned(FAR, app_hash=OTHER).header)
    with pytest.raises(ValidatorSetMismatch):
        CLIENT.verify_misbehaviour(ANCHOR, side, fork, now=NOW)
