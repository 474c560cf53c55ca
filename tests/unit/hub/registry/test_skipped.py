from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.core.record import SkippedLeaf
from hub.registry.skipped import decode_skipped, encode_skipped

LEAVES = st.lists(
    st.builds(SkippedLeaf, st.integers(0, 2**64 - 1), st.binary(max_size=40)), max_size=12
)


def test_a_leaf_is_its_sequence_a_length_and_its_commitment() -> None:
    content = encode_skipped([SkippedLeaf(258, b"ab"), SkippedLeaf(1, b"")])
    assert content == bytes(6) + b"\x01\x02\x02ab" + bytes(7) + b"\x01\x00"


def test_no_leaves_are_no_bytes() -> None:
    assert encode_skipped([]) == b""
    assert decode_skipped(b"") == ()


@given(LEAVES)
def test_what_is_encoded_is_decoded(leaves: list[SkippedLeaf]) -> None:
    assert decode_skipped(encode_skipped(leaves)) == tuple(leaves)
