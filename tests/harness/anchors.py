"""Anchors that are valid in form; their hashes are of nothing."""

from __future__ import annotations

from hashlib import sha256

from hub.core.client import Anchor, Fraction, TrustOptions
from hub.core.height import Height
from hub.core.ids import ChainId
from hub.core.time import SECOND, Duration


def make_anchor(chain: str = "hangzhou-1", number: int = 120) -> Anchor:
    """An anchor of *chain* at 1-*number*."""
    return Anchor(
        client_type="07-tendermint",
        chain_id=ChainId(chain),
        height=Height(1, number),
        header_hash=sha256(f"header {chain} {number}".encode()).digest(),
        next_validators_hash=sha256(f"validators {chain}".encode()).digest(),
        options=TrustOptions(
            trust_level=Fraction(1, 3),
            trusting_period=Duration(336 * 3600 * SECOND),
            max_clock_drift=Duration(10 * SECOND),
        ),
        prefix=(b"ibc", b""),
    )
