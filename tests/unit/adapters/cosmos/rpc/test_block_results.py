from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.cosmos.rpc.answers import BlockResultsAnswer
from adapters.cosmos.rpc.block_results import WANTED_EVENTS, read_results
from adapters.cosmos.rpc.records import BlockResults, Event
from adapters.cosmos.rpc.results_hash import results_hash
from hub.core.merkle import EMPTY_ROOT
from tests.harness.comet_json import event_json, results_json, tx_json

SENT = event_json("send_packet", packet_sequence="7", encoded_packet_hex="0a0b")


def read(answer: dict[str, Any], wanted: frozenset[str] = WANTED_EVENTS) -> BlockResults:
    decoder = msgspec.json.Decoder(BlockResultsAnswer, strict=False)
    return read_results(decoder.decode(msgspec.json.encode(answer)), wanted)


def test_a_transaction_is_read_whole() -> None:
    entry = tx_json(code=5, codespace="sdk", log="no funds", events=[SENT])
    (result,) = read(results_json(9, [entry])).transactions
    assert (result.code, result.codespace, result.log) == (5, "sdk", "no funds")
    assert (result.data, result.gas_wanted, result.gas_used) == (b"\x12\x02hi", 200_000, 91_234)
    expected = (("packet_sequence", "7"), ("encoded_packet_hex", "0a0b"))
    assert result.events == (Event("send_packet", expected),)


def test_events_of_other_kinds_are_passed_over() -> None:
    events = [event_json("coin_spent", amount="1"), SENT, event_json("tx", fee="")]
    found = read(results_json(9, [tx_json(events=events)], events))
    assert [event.kind for event in found.transactions[0].events] == ["send_packet"]
    assert [event.kind for event in found.events] == ["send_packet"]
    found = read(results_json(9, [tx_json(events=events)]), frozenset({"tx"}))
    assert [event.kind for event in found.transactions[0].events] == ["tx"]


def test_a_block_without_transactions_has_the_empty_root() -> None:
    found = read(results_json(9, []))
    assert (found.height, found.transactions, found.events) == (9, (), ())
    assert found.results_hash == EMPTY_ROOT


def test_the_root_is_over_all_transactions() -> None:
    entries = [tx_json(), tx_json(code=1, data=None, gas_used="0")]
    expected = results_hash([(0, b"\x12\x02hi", 200_000, 91_234), (1, b"", 200_000, 0)])
    assert read(results_json(9, entries)).results_hash == expected


def test_what_go_leaves_out_or_writes_as_null_is_empty() -> None:
    entry = {"code": 0, "data": None, "gas_wanted": "0", "gas_used": "0"}
    (result,) = read(results_json(9, [entry])).transactions
    assert (result.data, result.events, result.log, result.codespace) == (b"", (), "", "")
    written: list[dict[str, Any]] = [{}, {"attributes": None}, {"attributes": []}]
    for attributes in written:
        entry = tx_json(events=[{"type": "send_packet"} | attributes])
        (result,) = read(results_json(9, [entry])).transactions
        assert result.events == (Event("send_packet", ()),)


def test_a_log_is_cut() -> None:
    (result,) = read(results_json(9, [tx_json(log="x" * 5000)])).transactions
    assert result.log == "x" * 300


@pytest.mark.parametrize("attributes", [7, "x", [7], [{"key": 7}], {"key": "a"}])
def test_attributes_of_another_shape_are_refused(attributes: object) -> None:
    entry = tx_json(events=[{"type": "send_packet", "attributes": attributes}])
    with pytest.raises(ValueError, match="Expected"):
        read(results_json(9, [entry]))
