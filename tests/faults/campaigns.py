"""Programs of their own that belong to a run of faults: each is one line of the table.

Promotions of a standby and the simulation say themselves what they did; here counts whether they
ended well. One whose module is missing has failed.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.cli.clock import wall_clock
from hub.core.time import MILLISECOND
from tests.faults.trial import Result

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Campaign:
    """A module that is run, and with what."""

    name: str
    module: str
    arguments: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its result's."""
        return f"campaigns/{self.name}/1"


CAMPAIGNS: Final[Mapping[str, Campaign]] = {
    "promotions": Campaign(
        "20 promotions of a standby", "tests.faults.promotion", ("--count", "20")
    ),
    "seeds": Campaign("10,000 simulated seeds", "tests.simulation", ("--seeds", "10000")),
    "search": Campaign("exhaustive small scope", "tests.simulation", ("--search", "small")),
    "planted": Campaign("planted bugs are found", "tests.simulation", ("--planted",)),
}
"""By what they are asked for as."""


def carry_out(name: str) -> Result:
    """What became of it; it prints its own report."""
    campaign = CAMPAIGNS[name]
    began = wall_clock()
    done = subprocess.run([sys.executable, "-m", campaign.module, *campaign.arguments], check=False)
    return Result(
        kind="campaigns",
        fault=campaign.name,
        run=1,
        fired=True,
        recovery_ms=(wall_clock() - began) // MILLISECOND,
        problem="" if done.returncode == 0 else f"{campaign.module} ended with {done.returncode}",
    )
