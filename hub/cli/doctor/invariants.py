"""The invariants that were asked, one by one: for people as a table, for programs as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from hub.core.time import MILLISECOND, SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ydhub.hub.v1.status_service_pb2 import InvariantStatus

    from hub.cli.doctor.findings import Examined

_MICROSECOND: Final = MILLISECOND // 1000


def asked(seen: Examined) -> Sequence[InvariantStatus]:
    """The invariants, if they were asked."""
    if seen.database is None or not seen.invariants_asked:
        return ()
    return seen.database.invariants


def as_dict(one: InvariantStatus) -> dict[str, Any]:
    """For programs."""
    return {
        "name": one.name,
        "state": state(one),
        "brokenRows": one.violation_count,
        "samples": list(one.samples),
        "microseconds": _microseconds(one),
        "meaning": one.meaning,
    }


def state(one: InvariantStatus) -> str:
    """Whether it holds, in one word."""
    if one.violation_count:
        return "BROKEN"
    return "unfinished" if one.unfinished else "holds"


def table(found: Sequence[InvariantStatus]) -> Table:
    """One line for each; below one that is broken, some of the rows that break it."""
    shown = Table(box=None, pad_edge=False)
    for heading in ("INVARIANT", "STATE", "ROWS", "TOOK"):
        shown.add_column(heading, no_wrap=True, justify="right" if heading == "TOOK" else "left")
    shown.add_column("IT SAYS", overflow="fold")
    for one in found:
        took = f"{_microseconds(one) / 1000:.1f} ms"
        rows, meaning = str(one.violation_count), Text(one.meaning)
        shown.add_row(Text(one.name), state(one), rows, took, meaning)
        for sample in one.samples:
            shown.add_row("", "  row", "", "", Text(sample))
    return shown


def _microseconds(one: InvariantStatus) -> int:
    return (one.duration.seconds * SECOND + one.duration.nanos) // _MICROSECOND
