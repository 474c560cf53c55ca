"""What a block did, out of the answer that tells it.

A block of 1,000 receives answers with 8 MB and 20,000 events. Those of kinds that nobody wants are
passed over by the decoder; what counts is decoded once.

Source: CometBFT 0.38 rpc/core/blocks.go, BlockResults; abci/types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from adapters.cosmos.rpc.answers import Attribute
from adapters.cosmos.rpc.records import MAX_LOG, BlockResults, Event, TxResult
from adapters.cosmos.rpc.results_hash import results_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.cosmos.rpc.answers import BlockResultsAnswer, EventAnswer, TxAnswer

WANTED_EVENTS: Final = frozenset(
    (
        "acknowledge_packet",
        "create_client",
        "send_packet",
        "timeout_packet",
        "write_acknowledgement",
    )
)
"""What an adapter of IBC follows. Source: ibc-go v10 04-channel/v2/types/events.go."""

_ATTRIBUTES: Final = msgspec.json.Decoder(tuple[Attribute, ...] | None)


def read_results(answer: BlockResultsAnswer, wanted: frozenset[str]) -> BlockResults:
    """What *answer* says, with events of *wanted* kinds alone. Raises ``ValueError``."""
    entries = answer.txs_results or ()
    transactions = tuple([_transaction(entry, wanted) for entry in entries])
    root = results_hash([(tx.code, tx.data, tx.gas_wanted, tx.gas_used) for tx in transactions])
    events = _events(answer.finalize_block_events, wanted)
    return BlockResults(answer.height, transactions, events, root)


def _transaction(entry: TxAnswer, wanted: frozenset[str]) -> TxResult:
    return TxResult(
        code=entry.code,
        codespace=entry.codespace,
        data=entry.data or b"",
        gas_wanted=entry.gas_wanted,
        gas_used=entry.gas_used,
        events=_events(entry.events, wanted),
        log=entry.log[:MAX_LOG],
    )


def _events(entries: Iterable[EventAnswer] | None, wanted: frozenset[str]) -> tuple[Event, ...]:
    return tuple([_event(entry) for entry in entries or () if entry.type in wanted])


def _event(entry: EventAnswer) -> Event:
    attributes = _ATTRIBUTES.decode(entry.attributes) or ()
    return Event(entry.type, tuple([(one.key, one.value) for one in attributes]))
