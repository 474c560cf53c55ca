"""The blocks of a chain, durable one by one, so that a killed chain comes back as it was.

A record of the file is its length (4 bytes, big-endian), 4 bytes of the SHA-256 of that, 8 bytes of
the SHA-256 of its content, and the content. What follows the last whole record was being written
when the process died; nobody was told of it, so it is cut off. A damaged record with others behind
it is no such thing.
"""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from hub.core.codec.proto import (
    ProtoError,
    bytes_field,
    message_field,
    read_fields,
    varint_field,
)
from hub.core.errors import RecordCorrupt
from hub.core.time import Timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LENGTH_BYTES = 4
_SUM_BYTES = 8
_HEAD_BYTES = 2 * _LENGTH_BYTES + _SUM_BYTES


class BlockLog(Protocol):
    """Where blocks go before anyone hears of them."""

    def records(self) -> Iterator[bytes]:
        """Every record, in the order in which it was appended. Raises ``RecordCorrupt``."""
        ...

    def read(self, number: int) -> bytes:
        """The record that was appended as the *number*-th, from 1. Raises ``RecordCorrupt``."""
        ...

    def append(self, record: bytes) -> None:
        """*record* is durable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRecord:
    """What a block was made from."""

    height: int
    time: Timestamp
    app_hash: bytes
    """The root of the state before the block."""
    transactions: tuple[bytes, ...]


def encode_record(record: BlockRecord) -> bytes:
    """The bytes of *record*."""
    return (
        varint_field(1, record.height)
        + varint_field(2, record.time)
        + bytes_field(3, record.app_hash)
        + b"".join([message_field(4, data) for data in record.transactions])
    )


def decode_record(data: bytes) -> BlockRecord:
    """The record of *data*. Raises ``RecordCorrupt``."""
    height = time = 0
    app_hash = b""
    transactions: list[bytes] = []
    unknown = 0
    try:
        for number, _, value in read_fields(data):
            match number, value:
                case 1, int():
                    height = value
                case 2, int():
                    time = value
                case 3, bytes():
                    app_hash = value
                case 4, bytes():
                    transactions.append(value)
                case _:
                    unknown = number
    except ProtoError as error:
        raise RecordCorrupt(what="block", stored=data[:32].hex(), computed=str(error)) from error
    if unknown:
        raise RecordCorrupt(what="block", stored=data[:32].hex(), computed=f"field {unknown}")
    return BlockRecord(
        height=height,
        time=Timestamp(time),
        app_hash=app_hash,
        transactions=tuple(transactions),
    )


class MemoryLog:
    """A log that lives as long as the process: for simulation and tests."""

    def __init__(self) -> None:
        self._records: list[bytes] = []

    def records(self) -> Iterator[bytes]:
        """Every record, in order."""
        yield from list(self._records)

    def read(self, number: int) -> bytes:
        """The *number*-th record, from 1."""
        return self._records[number - 1]

    def append(self, record: bytes) -> None:
        """*record* is kept."""
        self._records.append(record)


class FileLog:
    """A log in one file, which one process writes."""

    def __init__(self, path: Path) -> None:
        """The log at *path*, which is made if it is not there. Raises ``RecordCorrupt``."""
        self._path = path
        if not path.exists():
            path.touch()
            _sync_directory(path.parent)
        self._end = 0
        self._starts = array("Q")
        for end, _ in self._scan():
            self._starts.append(self._end)
            self._end = end
        self._file = path.open("a+b", buffering=0)
        self._cut()

    def records(self) -> Iterator[bytes]:
        """Every record, in order. Raises ``RecordCorrupt``."""
        for _, content in self._scan():
            yield content

    def read(self, number: int) -> bytes:
        """The *number*-th record, from 1. Raises ``RecordCorrupt`` or ``OSError``."""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else self._end
        data = os.pread(self._file.fileno(), end - start, start)
        head, content = data[:_HEAD_BYTES], data[_HEAD_BYTES:]
        if len(data) < end - start or _sum(content, _SUM_BYTES) != head[-_SUM_BYTES:]:
            raise _corrupt(start, head)
        return content

    def append(self, record: bytes) -> None:
        """*record* is in the file, and the file on the disk; or the file is as it was.

        Raises ``OSError`` where the disk does; then nothing is known of what it holds.
        """
        length = len(record).to_bytes(_LENGTH_BYTES, "big")
        data = length + _sum(length, _LENGTH_BYTES) + _sum(record, _SUM_BYTES) + record
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
            os.fsync(self._file.fileno())
        except OSError:
            # A part of a record must not stand before the next one.
            self._cut()
            raise
        self._starts.append(self._end)
        self._end += len(data)

    def close(self) -> None:
        """The file is closed."""
        self._file.close()

    def _cut(self) -> None:
        """Nothing stands in the file behind its last whole record."""
        self._file.truncate(self._end)
        os.fsync(self._file.fileno())

    def _scan(self) -> Iterator[tuple[int, bytes]]:
        """Every whole record, with where it ends."""
        size = self._path.stat().st_size
        at = 0
        with self._path.open("rb") as file:
            while at + _HEAD_BYTES <= size:
                head = file.read(_HEAD_BYTES)
                length, length_sum = head[:_LENGTH_BYTES], head[_LENGTH_BYTES : 2 * _LENGTH_BYTES]
                if length_sum != _sum(length, _LENGTH_BYTES):
                    # Zeros are what a file system leaves where it had not written yet.
                    if any(head + file.read()):
                        raise _corrupt(at, head)
                    return
                at += _HEAD_BYTES + int.from_bytes(length, "big")
                content = file.read(at - file.tell())
                if _sum(content, _SUM_BYTES) != head[-_SUM_BYTES:]:
                    if at < size and any(file.read()):
                        raise _corrupt(at, head)
                    return
                yield at, content


def _sum(content: bytes, size: int) -> bytes:
    return sha256(content).digest()[:size]


def _corrupt(at: int, head: bytes) -> RecordCorrupt:
    return RecordCorrupt(what=f"block log at byte {at}", stored=head.hex(), computed="other sums")


def _sync_directory(path: Path) -> None:
    """That a file of the directory at *path* exists is durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
