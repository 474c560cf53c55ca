from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from hub.light_clients.cometbft.types import (
    BlockIdFlag,
    CometHeader,
    KeyKind,
    PublicKey,
    SignedHeader,
)
from tests.harness.cometbft import make_chain, members

HASHED = 14


def test_numbers_are_those_of_the_protobuf_fields() -> None:
    # Source: CometBFT crypto/keys.proto; types.proto, BlockIDFlag.
    assert {kind.name: kind.value for kind in KeyKind} == {"ED25519": 1, "SECP256K1": 2}
    assert [flag.name for flag in sorted(BlockIdFlag)] == ["ABSENT", "COMMIT", "NIL"]


def test_header_has_the_hashed_fields_and_no_more() -> None:
    # The two protocols are one field of the protobuf.
    assert len(fields(CometHeader)) == HASHED + 1


def test_records_do_not_change_and_can_be_compared() -> None:
    one, other = (make_chain([members(1)])[0].signed for _ in range(2))
    assert isinstance(one, SignedHeader)
    assert one == other
    assert hash(one) == hash(other)
    with pytest.raises(FrozenInstanceError):
        PublicKey(KeyKind.ED25519, b"").data = b"x"  # type: ignore[misc]
