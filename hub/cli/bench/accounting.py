"""What processes have used so far, by the kernel's own count, and the difference of two readings.

Nothing is sampled and nothing is lost: CPU time is of all threads, and a server's includes its
children that have ended. A process that is gone counts nothing.

Bytes written are what a process handed to the kernel for files. The kernel's own count of bytes for
the disk is no measure: it takes a whole large folio for every page of it that was touched.

Source: proc(5): stat (utime, stime, cutime, cstime), status (VmRSS, VmHWM), io (wchar).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PROC: Final = Path("/proc")
_TICK_US: Final = 1_000_000 // os.sysconf("SC_CLK_TCK")
_PARENT, _OWN, _ENDED = 1, slice(11, 13), slice(13, 15)
"""Places behind the name in stat."""
_KILO: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a process, or several, have used up to now."""

    cpu_us: int = 0
    """CPU time, user and system."""
    written: int = 0
    """Bytes that it wrote to files."""
    memory: int = 0
    """Bytes of memory that it holds now."""
    peak: int = 0
    """Bytes of memory that it held at most."""

    def __add__(self, other: Use) -> Use:
        return Use(
            cpu_us=self.cpu_us + other.cpu_us,
            written=self.written + other.written,
            memory=self.memory + other.memory,
            peak=self.peak + other.peak,
        )


@dataclass(slots=True)
class Accounts:
    """Processes by name, each read whole."""

    readers: dict[str, Callable[[], Use]] = field(default_factory=dict)

    def add(self, name: str, number: int) -> None:
        """One process."""
        self.readers[name] = lambda: use_of(number)

    def add_children(self, name: str, number: int) -> None:
        """All processes below one, without itself; what ended ones used stays counted."""
        self.readers[name] = lambda: children_of(number)

    def add_server(self, name: str, number: int) -> None:
        """A server: the process and all below it, living or ended; what they share counts once."""
        self.readers[name] = lambda: server_use(number)

    def read(self) -> dict[str, Use]:
        """What each has used up to now."""
        return {name: reader() for name, reader in self.readers.items()}


def spent(before: Mapping[str, Use], after: Mapping[str, Use]) -> dict[str, Use]:
    """CPU time and bytes of each process in between; memory as it was at the end."""
    return {
        name: Use(
            cpu_us=now.cpu_us - before.get(name, Use()).cpu_us,
            written=now.written - before.get(name, Use()).written,
            memory=now.memory,
            peak=now.peak,
        )
        for name, now in after.items()
    }


def use_of(number: int) -> Use:
    """What the process of that number has used, without its children."""
    fields = _stat(number)
    if not fields:
        return Use()
    status = _fields(number, "status")
    return Use(
        cpu_us=sum(map(int, fields[_OWN])) * _TICK_US,
        written=int(_fields(number, "io").get("wchar", "0")),
        memory=_kilobytes(status, "VmRSS"),
        peak=_kilobytes(status, "VmHWM"),
    )


def children_of(number: int) -> Use:
    """What the children of the process, and theirs, have used; of ended ones the CPU time alone."""
    fields = _stat(number)
    ended = Use(cpu_us=sum(map(int, fields[_ENDED])) * _TICK_US) if fields else Use()
    total = ended
    for child in _below(number):
        total += use_of(child)
    return total


def server_use(number: int) -> Use:
    """What a server has used: the process and all below it; memory that they share counts once."""
    total = use_of(number) + children_of(number)
    memories = [_fields(each, "status") for each in (number, *_below(number))]
    shared = max([_kilobytes(memory, "RssShmem") for memory in memories], default=0)
    own = sum([_kilobytes(memory, "RssAnon") for memory in memories])
    return replace(total, memory=own + shared, peak=own + shared)


def parent(number: int) -> int:
    """The process that started the one of that number; 0 where there is none."""
    fields = _stat(number)
    return int(fields[_PARENT]) if fields else 0


def _below(number: int) -> list[int]:
    parents = {int(path.name): parent(int(path.name)) for path in _PROC.glob("[0-9]*")}
    found: list[int] = []
    level = {number}
    while level:
        level = {child for child, above in parents.items() if above in level}
        found += level
    return found


def _stat(number: int) -> list[str]:
    """The fields behind the name, which may hold anything."""
    return _read(number, "stat").rpartition(")")[2].split()


def _fields(number: int, file: str) -> dict[str, str]:
    lines = [line.partition(":") for line in _read(number, file).splitlines()]
    return {name: value.strip() for name, _, value in lines}


def _kilobytes(status: Mapping[str, str], name: str) -> int:
    return int(status.get(name, "0 kB").split()[0]) * _KILO


def _read(number: int, file: str) -> str:
    """What stands there; nothing where the process is gone, or is not ours to look into."""
    try:
        return (_PROC / str(number) / file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
