"""What a block did to packets, read from the events of its results.

No hash covers events: they tell where to look. What they claim is proven by keys under a header's
root before anyone believes it. Events of transactions that failed tell of nothing, for their state
was rolled back. IBC v1 has events of the same kinds, and events of an application whose state was
rolled back keep their kind under renamed attributes; both lack the attributes of IBC v2 and are
passed over.

Source: ibc-go v10 modules/core/04-channel/v2/{types,keeper}/events.go,
modules/core/internal/errors/errors.go.
"""

from __future__ import annotations

from binascii import unhexlify
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hub.core.codec.proto import bytes_field, varint_field
from hub.core.errors import RecordCorrupt
from hub.core.ids import ClientId
from hub.core.packet import MAX_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.cosmos.rpc.records import BlockResults, Event

SEND: Final = "send_packet"
WRITE_ACKNOWLEDGEMENT: Final = "write_acknowledgement"
ACKNOWLEDGE: Final = "acknowledge_packet"
TIME_OUT: Final = "timeout_packet"

_SOURCE: Final = "packet_source_client"
_DESTINATION: Final = "packet_dest_client"
_SEQUENCE: Final = "packet_sequence"
_PACKET: Final = "encoded_packet_hex"
_ACKNOWLEDGEMENT: Final = "encoded_acknowledgement_hex"
_SEQUENCE_DIGITS: Final = 20
ENTRY_BYTES: Final = 120
"""What Python keeps beside each content: its object, its number, its place."""
_SHOWN: Final = 80
"""Characters of a wrong value that an error tells."""

Contents = dict[ClientId, dict[int, bytes]]
"""Canonical bytes by own client and sequence."""


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What one block did, by the chain's own clients."""

    height: int
    sent: Contents = field(default_factory=dict)
    """Packets sent; sequences in the order of the events."""
    written: Contents = field(default_factory=dict)
    """Acknowledgements written of packets received."""
    settled: dict[ClientId, set[int]] = field(default_factory=dict)
    """Packets whose commitment was deleted: acknowledged, or timed out."""

    @property
    def active(self) -> frozenset[ClientId]:
        """Clients with packets sent or acknowledgements written."""
        return frozenset(self.sent.keys() | self.written.keys())

    @property
    def size(self) -> int:
        """Bytes that all contents take in memory, about."""
        every = (*self.sent.values(), *self.written.values())
        return sum([sum(map(len, each.values())) + ENTRY_BYTES * len(each) for each in every])


def read_facts(results: BlockResults) -> BlockFacts:
    """What the block of *results* did.

    Raises ``RecordCorrupt`` for an event of IBC v2 that is malformed or contradicts another.
    """
    facts = BlockFacts(results.height)
    for event in _events(results):
        if event.kind in _READERS:
            _READERS[event.kind](facts, dict(event.attributes))
    return facts


def _events(results: BlockResults) -> Iterator[Event]:
    for transaction in results.transactions:
        if transaction.code == 0:
            yield from transaction.events
    yield from results.events


def _read_sent(facts: BlockFacts, attributes: dict[str, str]) -> None:
    if _is_v2(attributes):
        source, destination, sequence = _key(facts, attributes)
        content = _bytes(facts, attributes, _PACKET)
        # A packet begins with what names it; the rest of it is the commitment's to prove.
        name = varint_field(1, sequence) + bytes_field(2, source.encode())
        if not content.startswith(name + bytes_field(3, destination.encode())):
            raise _corrupt(facts, _PACKET, content[: len(name)].hex(), name.hex())
        _put(facts, facts.sent, source, sequence, content)


def _read_written(facts: BlockFacts, attributes: dict[str, str]) -> None:
    if _is_v2(attributes):
        _, destination, sequence = _key(facts, attributes)
        content = _bytes(facts, attributes, _ACKNOWLEDGEMENT)
        _put(facts, facts.written, destination, sequence, content)


def _read_settled(facts: BlockFacts, attributes: dict[str, str]) -> None:
    if _is_v2(attributes):
        source, _, sequence = _key(facts, attributes)
        facts.settled.setdefault(source, set()).add(sequence)


_READERS: Final = {
    SEND: _read_sent,
    WRITE_ACKNOWLEDGEMENT: _read_written,
    ACKNOWLEDGE: _read_settled,
    TIME_OUT: _read_settled,
}


def _is_v2(attributes: dict[str, str]) -> bool:
    return _SOURCE in attributes or _PACKET in attributes


def _key(facts: BlockFacts, attributes: dict[str, str]) -> tuple[ClientId, ClientId, int]:
    """Source client, destination client and sequence."""
    text = attributes.get(_SEQUENCE, "")
    is_number = text.isascii() and text.isdecimal() and len(text) <= _SEQUENCE_DIGITS
    sequence = int(text) if is_number else 0
    if not 1 <= sequence <= MAX_SEQUENCE:
        raise _corrupt(facts, _SEQUENCE, text, "a sequence")
    source = _client(facts, attributes, _SOURCE)
    return source, _client(facts, attributes, _DESTINATION), sequence


def _client(facts: BlockFacts, attributes: dict[str, str], name: str) -> ClientId:
    """The client as it is written: a name that the hub refuses has no lane, and harms nobody."""
    text = attributes.get(name, "")
    if not text or not text.isascii():
        raise _corrupt(facts, name, text, "a client id")
    return ClientId(text)


def _bytes(facts: BlockFacts, attributes: dict[str, str], name: str) -> bytes:
    text = attributes.get(name, "")
    try:
        content = unhexlify(text)
    except ValueError:
        content = b""
    if not content:
        raise _corrupt(facts, name, text, "bytes in hexadecimal")
    return content


def _put(
    facts: BlockFacts, contents: Contents, client: ClientId, sequence: int, content: bytes
) -> None:
    stored = contents.setdefault(client, {}).setdefault(sequence, content)
    if stored != content:
        raise _corrupt(facts, f"{client} sequence {sequence}", stored.hex(), content.hex())


def _corrupt(facts: BlockFacts, what: str, stored: str, computed: str) -> RecordCorrupt:
    return RecordCorrupt(
        what=f"event of block {facts.height}, {what}",
        stored=repr(stored[:_SHOWN]),
        computed=computed[:_SHOWN],
    )
