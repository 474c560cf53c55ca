"""Which pairs of ports an opening allows in each direction, and policies and limits in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hub.core.ids import PortId
from hub.core.time import MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.core.lane import RateLimit, Route


def allowed_ports(
    routes: Iterable[tuple[str, str]], *, reverse: bool
) -> list[tuple[PortId, PortId]]:
    """(source port, destination port) of each allowed route of a lane, or of its reverse."""
    pairs = [(PortId(source), PortId(destination)) for source, destination in routes]
    return [(b, a) for a, b in pairs] if reverse else pairs


def words_of_route(route: Route) -> str:
    """The policy of *route* as the audit trail tells it: all that it has, and nothing else."""
    words = [str(route.action)]
    for label, text in (("data class", route.data_class), ("purpose", route.purpose)):
        if text:
            # Quoted, so that no text passes for another part.
            words.append(f"{label} {json.dumps(text, ensure_ascii=False)}")
    if route.max_payload_bytes:
        words.append(f"payloads up to {route.max_payload_bytes} bytes")
    if route.max_timeout is not None:
        words.append(f"timeouts up to {route.max_timeout} ns")
    if route.limit is not None:
        words.append(words_of(route.limit))
    return "; ".join(words)


def words_of(limit: RateLimit | None) -> str:
    """*limit* as the audit trail tells it."""
    if limit is None:
        return "no limit"
    period = limit.period // MILLISECOND
    return f"{limit.packets} packets each {period} ms, {limit.burst} at once"
