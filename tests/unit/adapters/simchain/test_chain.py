from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.block_log import FileLog, MemoryLog, decode_record, encode_record
from adapters.simchain.chain import Chain
from adapters.simchain.codec import encode_transaction
from adapters.simchain.messages import Transaction
from adapters.simchain.misbehave import Forgery, forge_header
from adapters.simchain.transfer_data import TransferData
from hub.core.errors import BacklogFull, HeaderNotFound, RecordCorrupt
from hub.core.time import MILLISECOND, SECOND, Timestamp
from hub.light_clients.cometbft.codec import encode_signed_header
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
    from collections.abc import Callable

    from adapters.simchain.block_log import BlockRecord

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


def header(chain: Chain, height: int) -> bytes:
    return encode_signed_header(chain.light_block(height).signed)


def test_another_node_makes_every_block_again() -> None:
    log = MemoryLog()
    chain, other = busy().left, chain_of("hangzhou", log)
    for height in range(1, chain.height + 1):
        block = other.follow(chain.record(height), header(chain, height))
        assert block == chain.block(height)
    assert other.ledger.outgoing == chain.ledger.outgoing
    assert other.ledger.incoming == chain.ledger.incoming
    assert list(other.stores["ibc"].items()) == list(chain.stores["ibc"].items())
    assert block_hashes(chain_of("hangzhou", log)) == block_hashes(chain)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: replace(record, height=record.height + 1),
        lambda record: replace(record, height=record.height - 1),
        lambda record: replace(record, time=Timestamp(record.time + 1)),
        lambda record: replace(record, app_hash=bytes(32)),
        lambda record: replace(record, transactions=()),
        lambda record: replace(record, transactions=record.transactions * 2),
        lambda record: replace(record, transactions=(b"\xff",)),
    ],
)
def test_a_block_that_leads_to_another_header_is_not_followed(
    change: Callable[[BlockRecord], BlockRecord],
) -> None:
    log = MemoryLog()
    path = path_of().open()
    path.send(path.left)
    chain, other = path.left, chain_of("hangzhou", log)
    last = next(
        height
        for height in range(chain.height, 0, -1)
        if decode_record(chain.record(height)).transactions
    )
    for height in range(1, last):
        other.follow(chain.record(height), header(chain, height))
    changed = encode_record(change(decode_record(chain.record(last))))
    before = block_hashes(other)
    with pytest.raises(RecordCorrupt):
        other.follow(changed, header(chain, last))
    assert (block_hashes(other), len(list(log.records()))) == (before, last - 1)
    other.follow(chain.record(last), header(chain, last))


def test_a_header_that_too_few_have_signed_is_not_followed() -> None:
    chain, other = chain_of("hangzhou"), chain_of("hangzhou")
    chain.produce_block(START)
    forged = forge_header(chain, 1, Forgery.TOO_FEW)
    with pytest.raises(RecordCorrupt):
        other.follow(chain.record(1), encode_signed_header(forged.signed))
    assert other.height == 0


def test_a_node_of_another_genesis_follows_nothing() -> None:
    chain, other = chain_of("hangzhou"), chain_of("hangzhou", seed=b"other")
    chain.produce_block(START)
    with pytest.raises(RecordCorrupt):
        other.follow(chain.record(1), header(chain, 1))


@pytest.mark.parametrize("height", [0, 2])
def test_a_block_that_is_not_there_has_no_record(height: int) -> None:
    chain = chain_of("hangzhou")
    chain.produce_block(START)
    with pytest.raises(HeaderNotFound):
        chain.record(height)


def test_a_transaction_waits_by_its_bytes_as_by_its_value() -> None:
    chain = chain_of("hangzhou")
    assert chain.submit_encoded(encode_transaction(EMPTY)) == chain.submit(EMPTY)
    assert len(chain.produce_block(START).results) == 1
    with pytest.raises(RecordCorrupt):
        chain.submit_encoded(b"\xff")


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
