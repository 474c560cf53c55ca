"""What one attack did, as a line of the table, and whether what is promised of it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.faults.abuse.plan import Promise
    from tests.faults.abuse.victim import Felt

MIB: Final = 1024 * 1024
_MEDIAN, _WORST = 500, 990
HEADING: Final = (
    "listener   attack             did   p50 ms before/during   p99 ms before/during   "
    "MiB before/most/after   closed s   verdict"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One attack, and what others felt of it."""

    listener: str
    attack: str
    promise: Promise
    seen: dict[str, Any]
    """What the attacker says."""
    before: Felt
    during: Felt
    rss: tuple[int, int, int]
    """Bytes that the process holds: before, at most, after."""

    @property
    def problems(self) -> list[str]:
        """Promises that are broken."""
        found = []
        if self.during.failures:
            found.append(f"others failed: {dict(self.during.failures)}")
        p99 = self.during.quantile_ms(_WORST)
        if p99 >= max(self.promise.p99_ms, 2 * self.before.quantile_ms(_WORST)):
            found.append(f"p99 of others {p99:.0f} ms")
        grown = (self.rss[1] - self.rss[0]) // MIB
        if grown > self.promise.grows_mib:
            found.append(f"it grew by {grown} MiB")
        closed, left = self.seen.get("closed_s", 0), self.seen.get("left", 0)
        if self.promise.closed_s and (closed > self.promise.closed_s or left):
            found.append(f"{left} connections stay open, the last was closed after {closed:.0f} s")
        ended = self.seen.get("ended", {})
        if self.promise.ends and set(ended) != {self.promise.ends}:
            found.append(f"calls ended with {ended}")
        if not self.seen.get("did"):
            found.append("the attack did not happen")
        return found

    @property
    def line(self) -> str:
        """The table's line."""
        p50 = f"{self.before.quantile_ms(_MEDIAN):.1f}/{self.during.quantile_ms(_MEDIAN):.1f}"
        p99 = f"{self.before.quantile_ms(_WORST):.1f}/{self.during.quantile_ms(_WORST):.1f}"
        rss = "/".join(str(one // MIB) for one in self.rss)
        closed = f"{self.seen['closed_s']:.1f}" if "closed_s" in self.seen else "-"
        verdict = "; ".join(self.problems) or "holds"
        return (
            f"{self.listener:<10} {self.attack:<13} {self.seen.get('did', 0):>8} {p50:>22} "
            f"{p99:>22} {rss:>23} {closed:>10}   {verdict}"
        )
