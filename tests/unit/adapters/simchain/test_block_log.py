from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simchain.block_log import (
    BlockLog,
    BlockRecord,
    FileLog,
    MemoryLog,
    decode_record,
    encode_record,
)
from hub.core.errors import RecordCorrupt
from hub.core.time import Timestamp

if TYPE_CHECKING:
    from pathlib import Path
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO

RECORD = BlockRecord(
    height=7,
    time=Timestamp(1_790_000_000_000_000_001),
    app_hash=b"a" * 32,
    transactions=(b"x", b""),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blocks.log"


def written(path: Path, *records: bytes) -> bytes:
    log = FileLog(path)
    for record in records:
        log.append(record)
    log.close()
    return path.read_bytes()


def reread(path: Path) -> list[bytes]:
    log = FileLog(path)
    try:
        return list(log.records())
    finally:
        log.close()


def test_record_survives_the_way_there_and_back() -> None:
    assert decode_record(encode_record(RECORD)) == RECORD


@pytest.mark.parametrize("data", [b"\xff", b"\x28\x01", b"\x0a\x01x", b"\x1a\x05x"])
def test_record_that_the_chain_did_not_write_is_corrupt(data: bytes) -> None:
    with pytest.raises(RecordCorrupt):
        decode_record(data)


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_log_returns_its_records_in_order(kind: str, path: Path) -> None:
    log: BlockLog = MemoryLog() if kind == "memory" else FileLog(path)
    assert list(log.records()) == []
    log.append(b"one")
    log.append(b"two" * 1000)
    assert list(log.records()) == [b"one", b"two" * 1000]
    if isinstance(log, FileLog):
        log.close()


def test_file_is_read_again_after_a_restart_and_goes_on(path: Path) -> None:
    written(path, b"one", b"two")
    written(path, b"three")
    assert reread(path) == [b"one", b"two", b"three"]


def test_file_cut_anywhere_keeps_its_whole_records_and_goes_on(path: Path) -> None:
    data = written(path, b"one", b"two", b"three")
    ends = [0, 19, 38, len(data)]
    for size in range(len(data)):
        path.write_bytes(data[:size])
        whole = sum(1 for end in ends[1:] if end <= size)
        assert reread(path) == [b"one", b"two", b"three"][:whole]
        written(path, b"after")
        assert reread(path) == [*[b"one", b"two", b"three"][:whole], b"after"]


def test_last_record_with_damage_is_cut_off(path: Path) -> None:
    data = written(path, b"one", b"two")
    path.write_bytes(data[:-1] + b"?")
    assert reread(path) == [b"one"]


def test_zeros_that_a_file_system_left_behind_are_cut_off(path: Path) -> None:
    data = written(path, b"one")
    path.write_bytes(data + bytes(4096))
    assert reread(path) == [b"one"]
    assert path.read_bytes() == data


@pytest.mark.parametrize("at", [0, 3, 4, 8, 16, 18])
def test_damage_before_other_records_is_no_cut(path: Path, at: int) -> None:
    data = bytearray(written(path, b"one", b"two"))
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(RecordCorrupt):
        FileLog(path)


@pytest.mark.parametrize("call", ["fsync", "write"])
def test_record_that_the_disk_refused_leaves_no_part_behind(
    path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = FileLog(path)
    log.append(b"one")
    fsync = os.fsync

    def failing(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        raise OSError(f"no space for {descriptor}")

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", failing)
    else:
        monkeypatch.setattr(log, "_file", Half(log._file))
    with pytest.raises(OSError, match="no space"):
        log.append(b"two")
    log.append(b"three")
    log.close()
    assert reread(path) == [b"one", b"three"]


class Half:
    """A file whose disk is full after ten bytes, once."""

    def __init__(self, file: FileIO) -> None:
        self.file = file
        self.writes = 0

    def write(self, data: bytes) -> int:
        self.writes += 1
        if self.writes == 2:
            raise OSError("no space")
        return self.file.write(data[:10])

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)


@pytest.mark.parametrize("is_kept", [False, True], ids=["written now", "opened again"])
def test_a_record_is_read_by_its_number(path: Path, *, is_kept: bool) -> None:
    records = [b"first", b"x" * 100_000, b"third"]
    log = FileLog(path)
    for record in records:
        log.append(record)
    if is_kept:
        log.close()
        log = FileLog(path)
    log.append(b"fourth")
    memory = MemoryLog()
    for record in [*records, b"fourth"]:
        memory.append(record)
    numbers = range(1, 5)
    assert [log.read(number) for number in numbers] == [*records, b"fourth"]
    assert [memory.read(number) for number in numbers] == [*records, b"fourth"]
    log.close()


@pytest.mark.parametrize("is_cut", [False, True], ids=["another byte", "shorter"])
def test_a_record_that_changed_on_the_disk_is_not_read(path: Path, *, is_cut: bool) -> None:
    log = FileLog(path)
    log.append(b"first")
    log.append(b"second")
    content = path.read_bytes()
    path.write_bytes(content[:-2] if is_cut else content[:-1] + b"x")
    assert log.read(1) == b"first"
    with pytest.raises(RecordCorrupt):
        log.read(2)
    log.close()
