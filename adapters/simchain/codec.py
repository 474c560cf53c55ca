"""Transactions as bytes: what their hash covers, and what the block log holds.

Every record is a protobuf message whose fields are the record's, in order, numbered from 1; the
shapes below are all there is. A packet's bytes are those of ``ydhub.packet.v1.Packet``.
"""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from adapters.simchain.messages import (
    AcknowledgePackets,
    CreateClient,
    Gone,
    Message,
    PassOverSequences,
    ReceivePackets,
    RegisterCounterparty,
    SendPacket,
    SubmitMisbehaviour,
    TimeOutPacket,
    Transaction,
    UpdateClient,
    UpdateStep,
)
from hub.core.client import Anchor, Fraction, Header, TrustOptions
from hub.core.codec.proto import (
    ProtoError,
    bytes_field,
    message_field,
    read_fields,
    varint_field,
)
from hub.core.errors import RecordCorrupt
from hub.core.height import Height
from hub.core.packet import Acknowledgement, Packet, Payload
from hub.core.record import SkippedLeaf

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class _Kind(NamedTuple):
    """How one kind of value is written, with its field's number, and read."""

    write: Callable[[int, Any], bytes]
    read: Callable[[Any], Any]
    empty: Any
    many: bool = False


def _as_bytes(value: object) -> bytes:
    """*value* is no number, of which ``bytes`` would make as many zeros. Raises ``TypeError``."""
    if not isinstance(value, bytes):
        raise TypeError("a number stands where bytes belong")
    return value


_NUMBER: Final = _Kind(varint_field, int, 0)
_FLAG: Final = _Kind(varint_field, bool, empty=False)
_BYTES: Final = _Kind(bytes_field, _as_bytes, b"")
_TEXT: Final = _Kind(lambda number, text: bytes_field(number, text.encode()), bytes.decode, "")


def _one(kind: type) -> _Kind:
    return _Kind(
        lambda number, value: message_field(number, _write(value)),
        lambda data: _read(kind, data),
        None,
    )


def _many(kind: type) -> _Kind:
    """Any number of records of a kind."""
    return _Kind(
        lambda number, values: b"".join([message_field(number, _write(v)) for v in values]),
        lambda data: _read(kind, data),
        (),
        many=True,
    )


_MANY_BYTES: Final = _Kind(
    lambda number, values: b"".join([message_field(number, value) for value in values]),
    _as_bytes,
    (),
    many=True,
)

_KINDS: Final[tuple[type[Message], ...]] = (
    CreateClient,
    RegisterCounterparty,
    UpdateClient,
    SubmitMisbehaviour,
    SendPacket,
    ReceivePackets,
    AcknowledgePackets,
    TimeOutPacket,
    PassOverSequences,
)
"""A message of the n-th kind, from 1, is field n of what stands for it in a transaction."""

_MESSAGES: Final = _Kind(
    lambda number, values: b"".join([message_field(number, _write_message(v)) for v in values]),
    lambda data: _read_message(data),  # noqa: PLW0108 - is defined below
    (),
    many=True,
)

_BATCH: Final = (_many(SkippedLeaf), _one(Height), _BYTES)
_SHAPES: Final[dict[type, tuple[_Kind, ...]]] = {
    Height: (_NUMBER, _NUMBER),
    Header: (_BYTES, _BYTES),
    Fraction: (_NUMBER, _NUMBER),
    TrustOptions: (_one(Fraction), _NUMBER, _NUMBER),
    Anchor: (_TEXT, _TEXT, _one(Height), _BYTES, _BYTES, _one(TrustOptions), _MANY_BYTES),
    Payload: (_TEXT, _TEXT, _TEXT, _TEXT, _BYTES),
    Packet: (_NUMBER, _TEXT, _TEXT, _NUMBER, _many(Payload)),
    Acknowledgement: (_MANY_BYTES,),
    SkippedLeaf: (_NUMBER, _BYTES),
    UpdateStep: (_one(Height), _BYTES, _one(Header)),
    CreateClient: (_one(Anchor), _FLAG, _TEXT),
    RegisterCounterparty: (_TEXT, _TEXT, _MANY_BYTES),
    UpdateClient: (_TEXT, _many(UpdateStep)),
    SubmitMisbehaviour: (_TEXT, _one(UpdateStep), _one(UpdateStep)),
    SendPacket: (_TEXT, _NUMBER, _many(Payload)),
    ReceivePackets: (_TEXT, _many(Packet), *_BATCH),
    AcknowledgePackets: (_TEXT, _many(Packet), _many(Acknowledgement), *_BATCH),
    TimeOutPacket: (_one(Packet), _one(Height), _BYTES),
    Gone: (_NUMBER, _BYTES),
    PassOverSequences: (_TEXT, _many(Gone), _NUMBER, _BYTES, _one(Height)),
    Transaction: (_TEXT, _NUMBER, _MESSAGES),
}
"""The kinds of each record's fields, in the order in which the record declares them."""

_NAMES: Final = {kind: tuple([field.name for field in fields(kind)]) for kind in _SHAPES}


def encode_transaction(transaction: Transaction) -> bytes:
    """The one encoding of *transaction*."""
    return _write(transaction)


def decode_transaction(data: bytes) -> Transaction:
    """The transaction of *data*, which ``encode_transaction`` wrote. Raises ``RecordCorrupt``."""
    return _decoded(Transaction, data)


def transaction_hash(data: bytes) -> bytes:
    """The 32 bytes that name the transaction with the bytes *data*."""
    return sha256(data).digest()


def encode_packet(packet: Packet) -> bytes:
    """The one encoding of *packet*: ``ydhub.packet.v1.Packet``."""
    return _write(packet)


def encode_anchor(anchor: Anchor) -> bytes:
    """The one encoding of *anchor*."""
    return _write(anchor)


def decode_anchor(data: bytes) -> Anchor:
    """The anchor of *data*, which ``encode_anchor`` wrote. Raises ``RecordCorrupt``."""
    return _decoded(Anchor, data)


def _decoded(kind: type[_T], data: bytes) -> _T:
    try:
        record: _T = _read(kind, data)
        again = _write(record)
    except (ProtoError, ValueError, TypeError, KeyError) as error:
        raise _corrupt(kind, data, str(error)) from error
    if again != data:
        raise _corrupt(kind, data, again.hex())
    return record


def _write(record: Any) -> bytes:
    kind = type(record)
    parts: list[bytes] = []
    for number, name in enumerate(_NAMES[kind]):
        value = getattr(record, name)
        parts.append(_SHAPES[kind][number].write(number + 1, value))
    return b"".join(parts)


def _read(kind: type, data: bytes) -> Any:
    shape, names = _SHAPES[kind], _NAMES[kind]
    values = {
        name: [] if field.many else field.empty for name, field in zip(names, shape, strict=True)
    }
    for number, _, value in read_fields(data):
        if not 1 <= number <= len(shape):
            raise ProtoError(f"field {number} is unknown")
        name, field = names[number - 1], shape[number - 1]
        if field.many:
            values[name].append(field.read(value))
        else:
            values[name] = field.read(value)
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def _write_message(message: Message) -> bytes:
    return message_field(_KINDS.index(type(message)) + 1, _write(message))


def _read_message(data: bytes) -> Message:
    for number, _, value in read_fields(data):
        if not isinstance(value, bytes) or not 1 <= number <= len(_KINDS):
            break
        message: Message = _read(_KINDS[number - 1], value)
        return message
    raise ProtoError("message is unknown")


def _corrupt(kind: type, data: bytes, computed: str) -> RecordCorrupt:
    what = kind.__name__
    return RecordCorrupt(what=what, stored=data.hex()[:200], computed=computed[:200])
