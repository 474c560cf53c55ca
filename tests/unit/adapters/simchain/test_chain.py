from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.block_log import FileLog, MemoryLog
from adapters.simchain.chain import Chain
from adapters.simchain.messages import Transaction
from adapters.simchain.transfer_data import TransferData
from hub.core.errors import BacklogFull, HeaderNotFound, RecordCorrupt
from hub.core.time import MILLISECOND, SECOND, Timestamp
from tests.harness.simchain import (
    LIGHT_CLIENT,
    START,
    Path,
    chain_of,
    config_of,
    holds,
    path_of,
)

if TYPE_CHECKING:
    import pathlib

EMPTY = Transaction(signer="relayer", nonce=0, messages=())


def busy(left: Chain | None = None) -> Path:
    """Two chains after some packets in both directions."""
    path = path_of(left).open()
    for source in (path.left, path.right):
        packets = [path.send(source), path.send(source, timeout=8), path.send(source)]
        path.advance()
        path.deliver(path.other(source), path.receive(source, packets[:1]))
        path.advance()
        path.deliver(source, path.acknowledge(source, packets[:1]))
        for _ in range(8):
            path.advance()
        path.deliver(source, path.time_out(source, packets[1]))
    return path


def block_hashes(chain: Chain) -> list[bytes]:
    blocks = [chain.light_block(height) for height in range(1, chain.height + 1)]
    return [block.hash for block in blocks]


def test_same_configuration_times_and_transactions_make_the_same_chain() -> None:
    assert block_hashes(busy().left) == block_hashes(busy().left)


def test_another_seed_makes_another_chain() -> None:
    other = Path(chain_of("hangzhou", seed=b"other"), chain_of("suzhou")).open()
    assert block_hashes(other.left) != block_hashes(path_of().open().left)


def test_chain_comes_back_from_its_log_as_it_was(tmp_path: pathlib.Path) -> None:
    log = FileLog(tmp_path / "blocks.log")
    path = busy(chain_of("hangzhou", log))
    log.close()
    again_log = FileLog(tmp_path / "blocks.log")
    again = chain_of("hangzhou", again_log)
    before = path.left
    assert block_hashes(again) == block_hashes(before)
    assert again.ledger.outgoing == before.ledger.outgoing
    assert again.ledger.incoming == before.ledger.incoming
    assert list(again.stores["bank"].items()) == list(before.stores["bank"].items())
    path.left = again
    packet = path.send(again)
    path.advance()
    assert path.deliver(path.right, path.receive(again, [packet])).error is None
    again_log.close()


def test_chain_cut_at_any_block_goes_on_from_there() -> None:
    log = MemoryLog()
    path = path_of(chain_of("hangzhou", log)).open()
    path.send(path.left)
    records = list(log.records())
    for count in range(len(records)):
        part = MemoryLog()
        for record in records[:count]:
            part.append(record)
        chain = chain_of("hangzhou", part)
        assert chain.height == count
        assert block_hashes(chain) == block_hashes(path.left)[:count]


def test_block_is_durable_before_anyone_hears_of_it() -> None:
    class Failing(MemoryLog):
        def append(self, record: bytes) -> None:
            raise OSError(f"disk is full, {len(record)} bytes")

    chain = chain_of("hangzhou", Failing())
    tx_hash = chain.submit(EMPTY)
    with pytest.raises(OSError, match="disk is full"):
        chain.produce_block(START)
    assert chain.height == 0
    assert chain.result(tx_hash) is None
    assert chain.is_pending(tx_hash)


@pytest.mark.parametrize(
    "config", [config_of("suzhou"), replace(config_of("hangzhou"), validator_turn=8)]
)
def test_log_of_another_chain_is_corrupt_here(config: object) -> None:
    log = MemoryLog()
    chain_of("hangzhou", log).produce_block(START)
    with pytest.raises(RecordCorrupt):
        Chain(config, LIGHT_CLIENT, log)  # type: ignore[arg-type]


def test_log_with_a_block_missing_is_corrupt() -> None:
    log = MemoryLog()
    chain = chain_of("hangzhou", log)
    for _ in range(3):
        chain.produce_block(START)
    first, _, third = log.records()
    holed = MemoryLog()
    for record in (first, third):
        holed.append(record)
    with pytest.raises(RecordCorrupt):
        chain_of("hangzhou", holed)


def test_time_never_stands_still_or_goes_back() -> None:
    chain = chain_of("hangzhou")
    times = [chain.produce_block(Timestamp(at)).time for at in (START, START, START - SECOND)]
    assert times == [START, START + MILLISECOND, START + 2 * MILLISECOND]


def test_state_of_a_block_stands_in_the_next_header() -> None:
    chain = chain_of("hangzhou")
    for number in range(4):
        chain.produce_block(Timestamp(START + number * SECOND))
    for height in range(2, 5):
        header = chain.light_block(height).signed.header
        assert header.app_hash == chain.stores.root(height - 1)


def test_result_is_known_by_hash_once_the_block_is_made() -> None:
    chain = chain_of("hangzhou")
    tx_hash = chain.submit(EMPTY)
    assert chain.submit(EMPTY) == tx_hash
    assert (chain.is_pending(tx_hash), chain.result(tx_hash)) == (True, None)
    block = chain.produce_block(START)
    assert not chain.is_pending(tx_hash)
    assert chain.result(tx_hash) == block.results[0]
    assert len(block.results) == 1
    assert chain.block(1) == block


def test_refused_transaction_shows_in_the_next_headers_results() -> None:
    def next_header(*, refused: bool) -> bytes:
        path = path_of().open()
        amount = 10**9 if refused else 1
        data = TransferData(
            denomination="hangzhoucoin", amount=amount, sender="alice", receiver="bob"
        )
        path.run(path.left, path.transfer(path.left, data), signer="alice")
        path.advance()
        return path.left.light_block(path.left.height).signed.header.last_results_hash

    assert next_header(refused=True) != next_header(refused=False)


def test_full_mempool_is_told() -> None:
    chain = chain_of("hangzhou", max_pending=1)
    chain.submit(EMPTY)
    chain.submit(EMPTY)
    with pytest.raises(BacklogFull):
        chain.submit(replace(EMPTY, signer="other"))


def test_block_that_is_not_there_is_not_found() -> None:
    chain = chain_of("hangzhou")
    chain.produce_block(START)
    for height in (-1, 0, 2):
        with pytest.raises(HeaderNotFound):
            chain.light_block(height)
        assert chain.block(height) is None


def test_preloaded_keys_are_there_from_the_first_block_on() -> None:
    items = [(b"07-tendermint-0\x01" + number.to_bytes(8, "big"), b"c") for number in range(100)]
    chain = Chain(config_of("hangzhou"), LIGHT_CLIENT, MemoryLog(), preload=items)
    chain.produce_block(START)
    assert len(chain.stores["ibc"]) > 100
    assert holds(chain, "alice", "hangzhoucoin") == 1_000_000
