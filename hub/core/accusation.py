"""Half of a proof of misbehaviour: a header, and headers that lead below it from a trusted one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.core.client import Header


@dataclass(frozen=True, slots=True, kw_only=True)
class AccusedSide:
    """One of two headers that contradict each other, and what leads to it; untrusted."""

    header: Header
    chain: tuple[Header, ...]
    """Each follows from the one before; the last lies below ``header``."""
    next_validators: bytes
    """Canonical bytes of the set that the last of ``chain`` names as next."""
