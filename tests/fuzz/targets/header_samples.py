"""The chain whose headers are changed: four validators, a set that changes, and who trusts what."""

from __future__ import annotations

from hub.core.time import SECOND, Timestamp
from tests.harness.cometbft import anchor_of, make_block, make_chain, members, resigned

GROUP = members(30, 30, 25, 15)
HALF = (*GROUP[1:3], *members(40, 40, first=10))
STRANGERS = members(30, 30, 25, 15, first=30)
TRUSTED, NEXT, *_REST = make_chain([GROUP, GROUP, GROUP, HALF])
FAR, CHANGED = _REST
VALID = (
    NEXT,
    resigned(NEXT, absent={3}),
    make_block(NEXT.signed.header, GROUP, GROUP, nil={3}),
    FAR,
    resigned(FAR, absent={2}),
    CHANGED,
)
"""Two of them hold a quorum from which no vote can be missing."""

NOW = Timestamp(CHANGED.time + SECOND)
ANCHOR = anchor_of(TRUSTED)

TRUSTED_STATE = TRUSTED.state
TRUSTED_SET = TRUSTED.next_set
ENCODED = tuple((block, block.header) for block in VALID)
