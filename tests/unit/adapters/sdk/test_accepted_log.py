from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.accepted_log import AcceptedLog
from hub.core.errors import RecordCorrupt
from hub.core.lane import Side
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import Timestamp
from tests.harness.city import BACK, OUT

if TYPE_CHECKING:
    from pathlib import Path

    from hub.core.lane import LaneKey


def note(log: AcceptedLog, first: int, last: int, lane: LaneKey = OUT) -> None:
    side = Side.SOURCE if lane is OUT else Side.DESTINATION
    numbers = RangeSet.span(first, last + 1)
    log.append(relayer="r1", lane=lane, side=side, sequences=numbers, at=Timestamp(7))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "accepted.jsonl"


def test_one_answer_is_one_line(path: Path) -> None:
    log = AcceptedLog(path)
    note(log, 1, 256)
    log.close()
    assert path.read_text() == (
        '{"at":7,"relayer":"r1","lane":"lanes/hangzhou~07-tendermint-0~suzhou~07-tendermint-7",'
        '"side":"SOURCE","accepted":[[1,256]]}\n'
    )


async def test_what_is_flushed_is_there_after_a_restart(path: Path) -> None:
    log = AcceptedLog(path)
    note(log, 1, 5)
    note(log, 5, 9)
    note(log, 3, 4, BACK)
    await log.flush()
    again = AcceptedLog(path)
    assert again.accepted(OUT, Side.SOURCE) == RangeSet.span(1, 10)
    assert again.accepted(BACK, Side.DESTINATION) == RangeSet.span(3, 5)
    assert again.accepted(BACK, Side.SOURCE) == EMPTY
    assert again.count(Side.SOURCE) == 9
    assert again.count(Side.DESTINATION) == 2
    again.close()
    log.close()


async def test_appending_goes_on_after_a_restart(path: Path) -> None:
    for number in (1, 2, 3):
        log = AcceptedLog(path)
        note(log, number, number)
        log.close()
    log = AcceptedLog(path)
    assert log.count(Side.SOURCE) == 3
    log.close()


@pytest.mark.parametrize("kept", [1, 40, 90])
def test_a_line_that_a_crash_cut_is_dropped(path: Path, kept: int) -> None:
    log = AcceptedLog(path)
    note(log, 1, 5)
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:kept])
    log = AcceptedLog(path)
    assert log.count(Side.SOURCE) == 5
    note(log, 6, 6)
    log.close()
    log = AcceptedLog(path)
    assert log.count(Side.SOURCE) == 6
    log.close()


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"{}\n",
        b'{"at":7,"relayer":"r1","lane":"x","side":"SOURCE","accepted":[]}\n',
        b'{"at":7,"relayer":"r1","lane":"lanes/a~b-0~c~d-0","side":"NORTH","accepted":[]}\n',
    ],
    ids=["no record", "fields missing", "no lane", "no side"],
)
def test_a_damaged_line_is_told(path: Path, line: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(line)
    with pytest.raises(RecordCorrupt):
        AcceptedLog(path)


def contents(path: Path) -> bytes:
    return path.read_bytes()


async def test_a_full_disk_keeps_whole_lines_and_what_is_not_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AcceptedLog(path)
    note(log, 1, 1)
    await log.flush()
    before = contents(path)
    note(log, 2, 2)
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        await log.flush()
    assert contents(path) == before
    monkeypatch.setattr(os, "fsync", real)
    await log.flush()
    log.close()
    again = AcceptedLog(path)
    assert again.count(Side.SOURCE) == 2
    again.close()
