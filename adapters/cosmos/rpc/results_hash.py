"""The two roots by which a header commits to transactions and to what they did.

``data_hash`` of header H covers the transactions of block H, by their hashes. ``last_results_hash``
of header H + 1 covers what block H made of each: code, data and gas; neither events nor logs.

Source: CometBFT types/tx.go (Txs.Hash), types/results.go (deterministicExecTxResult, ABCIResults);
proto/tendermint/abci/types.proto, ExecTxResult.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from hub.core.codec.proto import bytes_field, varint_field
from hub.core.merkle import root

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def data_hash(transactions: Iterable[bytes]) -> bytes:
    """The root over *transactions*, as the header of their block carries it."""
    return root([sha256(transaction).digest() for transaction in transactions])


def results_hash(results: Sequence[tuple[int, bytes, int, int]]) -> bytes:
    """The root over *results* (code, data, gas wanted, gas used), as the next header carries it."""
    return root([_result(*result) for result in results])


def _result(code: int, data: bytes, gas_wanted: int, gas_used: int) -> bytes:
    return b"".join(
        (
            varint_field(1, code),
            bytes_field(2, data),
            varint_field(5, gas_wanted),
            varint_field(6, gas_used),
        )
    )
