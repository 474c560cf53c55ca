"""One state with every kind of proof, small enough to tamper with each byte of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.light_clients.proofs.codec import encode_merkle_proof
from tests.harness.iavl import World, join, leaf, plant

if TYPE_CHECKING:
    from hub.light_clients.proofs.spec import CommitmentProof, ExistenceProof

STORE = "ibc"
KEY_PREFIX = b"p/"
PREFIX = (STORE.encode(), KEY_PREFIX)

COUNT = 13
"""Keys of the sample store; the odd ones between them are absent."""


def key(number: int) -> bytes:
    """The key with that even *number*, as a verifier is asked for it: without the key prefix."""
    return b"lane\x01" + number.to_bytes(8, "big")


def value(number: int) -> bytes:
    return b"commitment %d" % number


PRESENT = [2 * number for number in range(1, COUNT + 1)]
WORLD = World(
    {
        "acc": plant({b"a": b"1"}),
        "bank": plant({b"b": b"2", b"c": b"3"}, newest=7),
        STORE: plant({KEY_PREFIX + key(n): value(n) for n in PRESENT}, newest=1000),
        "staking": plant({b"d": b"4"}, newest=2),
        "upgrade": plant({b"e": b"5"}, newest=3),
    }
)
ROOT = WORLD.root

MIDDLE = PRESENT[COUNT // 2]
"""A key with neighbours on both sides, and a path that turns both ways."""

TWO_LEAVES = World({STORE: join(leaf(b"p/b", b"1"), leaf(b"p/d", b"2"))})
ONE_LEAF = World({STORE: leaf(b"p/b", b"1")})


def lower(number: int = MIDDLE) -> ExistenceProof:
    """The proof of a present key in its store."""
    return WORLD.existence(STORE, KEY_PREFIX + key(number))


def upper() -> ExistenceProof:
    """The proof of the store in the map of stores."""
    return WORLD.store_proof(STORE)


def chained(*proofs: CommitmentProof) -> bytes:
    return encode_merkle_proof(proofs)


def leaves(*numbers: int) -> list[tuple[bytes, bytes]]:
    """The keys and values of *numbers*, as a batch is asked for them."""
    return [(key(number), value(number)) for number in numbers]


def batch(*numbers: int) -> bytes:
    """The batch of the keys with those *numbers*."""
    return WORLD.batch(STORE, [KEY_PREFIX + key(number) for number in numbers])
