"""The state whose proofs are changed: six stores, one of them with a few hundred keys."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.harness.iavl import World, plant

_RNG = Random("proofs")
PREFIX: Final = (b"ibc", b"p/")
COUNT: Final = 400

KEYS: Final = [b"lane-0\x01" + (2 * number).to_bytes(8, "big") for number in range(1, COUNT + 1)]
"""As a verifier is asked for them, without the key prefix; rising, with room between them."""

VALUES: Final = {key: _RNG.randbytes(32) for key in KEYS}

WORLD: Final = World(
    {
        "ibc": plant(
            {PREFIX[1] + key: VALUES[key] for key in KEYS}, _RNG, newest=90_000, skewed=True
        ),
        **{
            name: plant({bytes([at]): name.encode() for at in range(1, 9)}, _RNG, newest=9)
            for name in ("acc", "bank", "mint", "staking", "upgrade")
        },
    }
)
ROOT: Final = WORLD.root
UPPER: Final = WORLD.store_proof("ibc")


def absent_beside(key: bytes) -> bytes:
    """The absent key right after *key*."""
    return key[:-8] + (int.from_bytes(key[-8:], "big") + 1).to_bytes(8, "big")
