"""What every service of the hub server stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.ports.clock import Clock
    from hub.ports.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The registry, the clock, and who is believed."""

    registry: Registry
    clock: Clock
    trust_domain: str
    version: str
    """Of the program."""
