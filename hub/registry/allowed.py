"""Which pairs of ports an opening allows in each direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.ids import PortId

if TYPE_CHECKING:
    from collections.abc import Iterable


def allowed_ports(
    routes: Iterable[tuple[str, str]], *, reverse: bool
) -> list[tuple[PortId, PortId]]:
    """(source port, destination port) of each allowed route of a lane, or of its reverse."""
    pairs = [(PortId(source), PortId(destination)) for source, destination in routes]
    return [(b, a) for a, b in pairs] if reverse else pairs
