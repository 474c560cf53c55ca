from __future__ import annotations

from typing import TYPE_CHECKING

from relayer.watches import Watch

if TYPE_CHECKING:
    from relayer.switchboard import LaneDesk
    from tests.harness.station import Station


async def test_a_lane_is_looked_at_once_for_all_that_has_changed(wired: Station) -> None:
    watch: Watch[LaneDesk] = Watch()
    desk = await wired.desk()
    back = await wired.board.desk(wired.exchange.key.reverse)
    for seen in (back, desk, back):
        watch.see(seen)
    assert len(watch) == 2
    assert watch.take() == [desk, back]
    assert watch.take() == []


async def test_what_was_looked_at_otherwise_is_not_looked_at_again(wired: Station) -> None:
    watch: Watch[LaneDesk] = Watch()
    desk = await wired.desk()
    watch.see(desk)
    watch.drop(desk)
    watch.drop(desk)
    assert len(watch) == 0
