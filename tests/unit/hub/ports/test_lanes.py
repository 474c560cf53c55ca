from __future__ import annotations

from hub.core.ids import PeerId
from hub.core.lane import Order
from hub.ports.lanes import Opening, OpeningPlan, OpeningState


def test_an_opening_is_named_by_its_number() -> None:
    plan = OpeningPlan(
        source=PeerId("hangzhou"),
        destination=PeerId("suzhou"),
        source_client=None,
        destination_client=None,
        from_sequence=0,
        order=Order.UNORDERED,
        allow_routes=(),
    )
    opening = Opening(
        number=7,
        plan=plan,
        state=OpeningState.RUNNING,
        step="",
        reason="",
        detail="",
        lanes=(),
    )
    assert opening.name == "laneOpenings/7"
