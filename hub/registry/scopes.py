"""Of which records the invariants are asked: of all, or of a window that costs the same for ever.

A window has the newest sequences of some lanes and, of the same lanes, one older block that is
another one in each sweep; the newest proofs; and the newest headers of each peer. Every table that
grows with traffic is read by key within it, so that ten million packets behind it cost nothing.

Source: reliability notes, section 8 (asked every 60 s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.ports.registry import Sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LANES: Final = 128
"""Lanes of one window."""
BLOCK: Final = 256
"""Sequences of a lane that are newest in a window, and as many older ones."""
_PROOFS: Final = 4096
_HEADERS: Final = 32
"""Of each peer."""
_ABOVE: Final = 2**63 - 1
"""No sequence is as high; what lies above a lane's own count is looked at too."""

_ALL: Final = """
    SELECT lane_id, '{(,)}'::int8multirange AS span FROM lanes
"""
_WINDOWS: Final = "unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (lane_id, low, high)"
_SOME: Final = f"""
    SELECT lane_id, range_agg(int8range(low, high)) AS span FROM {_WINDOWS} GROUP BY lane_id
"""  # noqa: S608 - ours
_OF_WINDOW: Final = """(
    SELECT f.* FROM {windows}
    JOIN {table} f ON f.lane_id = w.lane_id AND f.sequence >= w.low AND f.sequence < w.high
)"""

TOPS: Final = """
SELECT s.lane_id, coalesce(max(upper(s.done)), 1) AS top
FROM (SELECT lane_id FROM lanes WHERE lane_id > $1 ORDER BY lane_id LIMIT $2) l
JOIN lane_sides s USING (lane_id)
GROUP BY s.lane_id ORDER BY s.lane_id
"""
"""Lanes after $1, $2 at most: how far each has come."""

WHOLE: Final[Mapping[str, str]] = {
    "scope": _ALL,
    "packets": "packets",
    "outcomes": "outcomes",
    "proofs": "proofs",
    "headers": "headers",
}
WINDOW: Final[Mapping[str, str]] = {
    "scope": _SOME,
    "packets": _OF_WINDOW.format(windows=_WINDOWS, table="packets"),
    "outcomes": _OF_WINDOW.format(windows=_WINDOWS, table="outcomes"),
    "proofs": f"""(
        SELECT * FROM proofs WHERE proof_id > (SELECT max(proof_id) FROM proofs) - {_PROOFS}
    )""",  # noqa: S608 - ours
    "headers": f"""(
        SELECT h.* FROM hub_clients c CROSS JOIN LATERAL (
            SELECT * FROM headers WHERE peer = c.peer ORDER BY height DESC LIMIT {_HEADERS}
        ) h
    )""",  # noqa: S608 - ours
}
"""What stands in a query for the names in braces; ``WINDOW`` takes three arrays of a window."""


@dataclass(frozen=True, slots=True)
class Window:
    """Ranges of sequences, by position: of which lane, from where, up to and without."""

    lanes: Sequence[int]
    lows: Sequence[int]
    highs: Sequence[int]


def window(sweep: Sweep, tops: Sequence[tuple[int, int]]) -> tuple[Window, Sweep]:
    """What to look at of lanes that have come as far as *tops* say, and what comes next.

    *tops* are (lane, first sequence above all that it counts), by lane.
    """
    ranges: list[tuple[int, int, int]] = []
    for lane, top in tops:
        newest = max(top - BLOCK, 1)
        ranges.append((lane, newest, _ABOVE))
        blocks = -(-(newest - 1) // BLOCK)
        if blocks:
            low = 1 + sweep.number % blocks * BLOCK
            ranges.append((lane, low, min(low + BLOCK, newest)))
    has_more = len(tops) == LANES
    after = Sweep(sweep.number, tops[-1][0]) if has_more else Sweep(sweep.number + 1)
    lanes, lows, highs = zip(*ranges, strict=True) if ranges else ((), (), ())
    return Window(lanes, lows, highs), after
