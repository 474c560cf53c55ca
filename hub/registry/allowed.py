"""Which pairs of ports an opening allows in each direction, and limits in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.ids import PortId
from hub.core.time import MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.core.lane import RateLimit


def allowed_ports(
    routes: Iterable[tuple[str, str]], *, reverse: bool
) -> list[tuple[PortId, PortId]]:
    """(source port, destination port) of each allowed route of a lane, or of its reverse."""
    pairs = [(PortId(source), PortId(destination)) for source, destination in routes]
    return [(b, a) for a, b in pairs] if reverse else pairs


def words_of(limit: RateLimit | None) -> str:
    """*limit* as the audit trail tells it."""
    if limit is None:
        return "no limit"
    period = limit.period // MILLISECOND
    return f"{limit.packets} packets each {period} ms, {limit.burst} at once"
