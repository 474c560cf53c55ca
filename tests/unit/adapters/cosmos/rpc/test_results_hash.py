from __future__ import annotations

from hashlib import sha256

from adapters.cosmos.rpc.results_hash import data_hash, results_hash
from hub.core.merkle import EMPTY_ROOT, root


def test_nothing_has_the_empty_root() -> None:
    assert data_hash([]) == EMPTY_ROOT
    assert results_hash([]) == EMPTY_ROOT


def test_transactions_stand_by_their_hashes() -> None:
    assert data_hash([b"a", b"b"]) == root([sha256(b"a").digest(), sha256(b"b").digest()])


def test_a_result_is_its_code_data_and_gas_in_protobuf_with_zeros_left_out() -> None:
    assert results_hash([(0, b"", 0, 0)]) == root([b""])
    assert results_hash([(5, b"\x01", 300, 7)]) == root(
        [b"\x08\x05\x12\x01\x01\x28\xac\x02\x30\x07"]
    )


def test_negative_gas_is_ten_bytes_of_twos_complement() -> None:
    assert results_hash([(0, b"", -1, 0)]) == root([b"\x28" + b"\xff" * 9 + b"\x01"])


def test_order_counts() -> None:
    assert results_hash([(1, b"", 0, 0), (0, b"", 0, 1)]) != results_hash(
        [(0, b"", 0, 1), (1, b"", 0, 0)]
    )
