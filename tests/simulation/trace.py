"""What happened in a run, line by line: times are of the simulation, so a repetition is the same.

A run that is not watched keeps a digest of the lines alone.
"""

from __future__ import annotations

from hashlib import sha256


class Trace:
    """The lines of one run."""

    def __init__(self, *, keep: bool = False) -> None:
        """No line yet; with *keep* the lines are there afterwards."""
        self.lines: list[str] = []
        self._keeps = keep
        self._digest = sha256()

    def note(self, now: int, who: str, what: str) -> None:
        """At *now* (ns) of the simulation *who* did *what*."""
        line = f"{now // 1_000_000:>9} ms  {who:<12} {what}"
        self._digest.update(line.encode())
        if self._keeps:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """What the lines come to, in 16 hex digits."""
        return self._digest.hexdigest()[:16]
