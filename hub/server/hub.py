"""What every service of the hub server stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.exchange.enrolment import Enrolment

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.time import Duration
    from hub.ports.clock import Clock
    from hub.ports.issuer import Issuer
    from hub.ports.registry import Registry


def _nobody(method: str, reason: str, took: Duration) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The registry, the clock, and who is believed."""

    registry: Registry
    clock: Clock
    trust_domain: str
    version: str
    """Of the program."""
    issuer: Issuer | None = None
    """Signs certificates; None where they come from elsewhere."""
    heard: Callable[[str, str, Duration], None] = _nobody
    """Called when a call has ended: method, OK or the reason, how long it took (ns)."""

    @property
    def enrolment(self) -> Enrolment:
        """How cities get their certificates here."""
        return Enrolment(registry=self.registry, issuer=self.issuer, trust_domain=self.trust_domain)
