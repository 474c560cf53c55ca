"""The skipped leaves of a frame's proof as one column of bytes.

Each is its sequence in 8 bytes, the length of its commitment in one, and the commitment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.record import SkippedLeaf

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEQUENCE = 8


def encode_skipped(leaves: Iterable[SkippedLeaf]) -> bytes:
    """*leaves* as bytes."""
    return b"".join(
        [
            leaf.sequence.to_bytes(_SEQUENCE, "big")
            + len(leaf.commitment).to_bytes(1, "big")
            + leaf.commitment
            for leaf in leaves
        ]
    )


def decode_skipped(content: bytes) -> tuple[SkippedLeaf, ...]:
    """The leaves of *content*."""
    leaves: list[SkippedLeaf] = []
    at = 0
    while at < len(content):
        start = at + _SEQUENCE + 1
        end = start + content[start - 1]
        sequence = int.from_bytes(content[at : at + _SEQUENCE], "big")
        leaves.append(SkippedLeaf(sequence, content[start:end]))
        at = end
    return tuple(leaves)
