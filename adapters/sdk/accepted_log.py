"""The adapter's own evidence: what the relayer said is accepted, appended and synced to disk.

It says so by a verdict, or by a lane's cursor where a verdict was lost. Each answer is one line
of JSON, for an audit against the chains and the registry. A line that a crash cut is dropped when
the log is opened again; nothing but evidence depends on the log, so an answer that was not written
yet is only missing from it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.core.errors import HubError, RecordCorrupt
from hub.core.lane import LaneKey, Side
from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from hub.core.time import Timestamp


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line."""

    at: int
    """When the answer came, by the adapter's clock (ns since the epoch)."""
    relayer: str
    lane: str
    side: str
    """SOURCE for packets, DESTINATION for acknowledgements."""
    accepted: list[tuple[int, int]]
    """(first, last) of each range, both included."""


class AcceptedLog:
    """Accepted sequences by lane and side; written in the background, one sync for many lines."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """The log at *path*, which is made if it is not there. Raises ``RecordCorrupt``."""
        self._path = Path(path)
        self._accepted: dict[tuple[LaneKey, Side], RangeSet] = {}
        self._pending: list[bytes] = []
        self._writing = asyncio.Lock()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._end = 0
        self._load()
        self._file = self._path.open("ab", buffering=0)
        self._file.truncate(self._end)

    def accepted(self, lane: LaneKey, side: Side) -> RangeSet:
        """Sequences of *lane* that were said to be accepted."""
        return self._accepted.get((lane, side), EMPTY)

    def count(self, side: Side) -> int:
        """How many sequences of all lanes were said to be accepted."""
        return sum(len(found) for (_, at), found in self._accepted.items() if at is side)

    def append(
        self, *, relayer: str, lane: LaneKey, side: Side, sequences: RangeSet, at: Timestamp
    ) -> None:
        """The relayer said at *at* that *sequences* are accepted; ``flush`` makes it last."""
        answer = Answer(
            at=at,
            relayer=relayer,
            lane=lane.name,
            side=side,
            accepted=[(low, high - 1) for low, high in sequences.ranges],
        )
        self._note(answer)
        self._pending.append(msgspec.json.encode(answer) + b"\n")

    async def flush(self) -> None:
        """What was appended is on disk. Raises ``OSError``, and keeps it for the next try."""
        async with self._writing:
            if self._pending:
                await asyncio.to_thread(self._write)

    def close(self) -> None:
        """What was appended is on disk, and the file is closed. Raises ``OSError``."""
        try:
            self._write()
        finally:
            self._file.close()

    def _write(self) -> None:
        count = len(self._pending)
        lines = memoryview(b"".join(self._pending[:count]))
        try:
            while lines:
                lines = lines[self._file.write(lines) :]
            os.fsync(self._file.fileno())
        except OSError:
            # Half a line must not stay before the next try.
            self._file.truncate(self._end)
            raise
        self._end = self._file.seek(0, os.SEEK_END)
        del self._pending[:count]

    def _load(self) -> None:
        self._path.touch()
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._note(self._decoded(line))
                self._end += len(line)

    def _decoded(self, line: bytes) -> Answer:
        try:
            answer = msgspec.json.decode(line, type=Answer)
            LaneKey.parse(answer.lane)
            Side(answer.side)
        except (msgspec.MsgspecError, ValueError, HubError) as error:
            what = f"{self._path.name} at byte {self._end}"
            stored, computed = repr(line[:80]), str(error)
            raise RecordCorrupt(what=what, stored=stored, computed=computed) from error
        return answer

    def _note(self, answer: Answer) -> None:
        key = (LaneKey.parse(answer.lane), Side(answer.side))
        found = self._accepted.get(key, EMPTY)
        for first, last in answer.accepted:
            found |= RangeSet.span(first, last + 1)
        self._accepted[key] = found
