"""Whether a machine has room for a run, said before it begins and not when memory is over."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from hub.cli.bench.options import Options
    from hub.cli.bench.plan import Plan

KEY_BYTES: Final = 700
"""Memory of a key in a tree while it is built."""
PACKET_BYTES: Final = 1400
"""Memory of a packet's share of its frames and of the acknowledgement's, without its payload."""
STORED_BYTES: Final = 1600
"""Disk of a packet, its outcome, their proofs and the database's log, without its payload."""
BUILT_TOGETHER: Final = 2
_BASE: Final = 500 * 2**20
_WAL: Final = 2 * 2**30
_GIGABYTE: Final = 1e9
_MEMINFO: Final = Path("/proc/meminfo")


def memory_needed(options: Options, plan: Plan) -> int:
    """Bytes of memory that the run takes at most, roughly: trees while they are built, frames."""
    parts: dict[int, int] = {}
    for phase in plan.phases:
        parts[phase.chunk] = parts.get(phase.chunk, 0) + phase.packets
    # While one part is sent, the next is built.
    largest = max(parts.values(), default=0) * (2 if len(parts) > 1 else 1)
    trees = min(options.peers, BUILT_TOGETHER if len(parts) == 1 else options.peers)
    keys = trees * max(options.keys, 2 * largest // options.peers)
    return _BASE + keys * KEY_BYTES + largest * (PACKET_BYTES + 2 * options.payload)


def disk_needed(options: Options, plan: Plan) -> int:
    """Bytes of disk that the database takes, roughly."""
    packets = plan.packets + options.behind
    return _WAL + packets * (STORED_BYTES + options.payload)


def check_room(options: Options, plan: Plan) -> None:
    """Memory and disk are enough for the run. Raises ``FieldInvalid``, which says how much is."""
    needed, free = memory_needed(options, plan), memory_free()
    if needed > free:
        raise FieldInvalid(
            field="--packets, --rate, --seconds, --keys or --peers",
            problem=f"needs about {_told(needed)} of memory, and {_told(free)} are free",
        )
    needed, free = disk_needed(options, plan), shutil.disk_usage(gettempdir()).free
    if needed > free:
        raise FieldInvalid(
            field="--packets, --rate, --minutes or --behind",
            problem=f"needs about {_told(needed)} in {gettempdir()}, and {_told(free)} are free",
        )


def memory_free() -> int:
    """Bytes of memory that programs can have now. Source: proc(5), meminfo: MemAvailable."""
    for line in _MEMINFO.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def _told(size: int) -> str:
    return f"{size / _GIGABYTE:.1f} GB"
