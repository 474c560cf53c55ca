"""A lane's desk as an owner would have it that looks at the lane, and has no way out of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from relayer.switchboard import Ownership
from relayer.watches import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.ids import PeerId
    from relayer.runner import FlowRunner
    from relayer.switchboard import LaneDesk


def watch_lane(desk: LaneDesk, peer: PeerId, seeing: Watch[LaneDesk]) -> None:
    """*seeing* sees the lane now, and whenever it changes, as *peer*'s owner would.

    A way out that stands already stays.
    """
    ways = desk.standing(peer)
    nowhere = cast("Callable[[LaneDesk], FlowRunner]", lambda _: None)
    desk.owned(peer, Ownership(make=nowhere, watches=(seeing,), reader=Watch()))
    if desk.key.destination_peer == peer:
        desk.delivery = ways
    else:
        desk.settlement = ways
