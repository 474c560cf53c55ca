from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.simchain import history
from adapters.simchain.messages import Transaction
from hub.core.time import SECOND, Timestamp
from tests.harness.simchain import START, chain_of, path_of

if TYPE_CHECKING:
    import pytest

    from adapters.simchain.chain import Chain


def grown(count: int) -> Chain:
    """A chain of that many blocks, each with one transaction."""
    chain = chain_of("hangzhou")
    for number in range(count):
        chain.submit(Transaction(signer=f"signer {number}", nonce=0, messages=()))
        chain.produce_block(Timestamp(START + number * SECOND))
    return chain


def test_old_blocks_go_and_their_headers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_BLOCKS", 3)
    chain, whole = grown(8), [block.light for block in map(grown(8).block, range(6, 9)) if block]
    assert [chain.block(height) is not None for height in range(1, 9)] == [False] * 5 + [True] * 3
    assert [chain.light_block(height) for height in (6, 7, 8)] == whole
    monkeypatch.undo()
    kept = grown(8)
    for height in range(1, 9):
        assert chain.light_block(height) == kept.light_block(height)


def test_result_goes_with_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_BLOCKS", 2)
    chain = chain_of("hangzhou")
    transaction = Transaction(signer="alice", nonce=0, messages=())
    tx_hash = chain.submit(transaction)
    chain.produce_block(START)
    chain.produce_block(START)
    assert chain.result(tx_hash) is not None
    chain.submit(transaction)
    chain.produce_block(START)
    result = chain.result(tx_hash)
    assert result is not None
    assert result.height == 3
    chain.produce_block(START)
    chain.produce_block(START)
    assert chain.result(tx_hash) is None


def test_busy_chain_keeps_fewer_blocks_and_always_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "MAX_EVENTS", 2)
    path = path_of().open()
    heights = []
    for _ in range(4):
        path.send(path.left)
        heights.append(path.left.height)
    kept = [height for height in heights if path.left.block(height) is not None]
    assert kept == heights[-2:]


def test_chain_without_a_block_has_no_last_one() -> None:
    chain = chain_of("hangzhou")
    assert (chain.height, chain.time) == (0, 0)
    assert chain.block(0) is None
