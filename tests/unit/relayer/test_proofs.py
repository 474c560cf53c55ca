from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import RecordCorrupt
from hub.core.ranges import RangeSet
from relayer.proofs import stored_proof

if TYPE_CHECKING:
    from tests.harness.station import Station


async def test_the_proof_of_a_frame_is_found_by_its_number(wired: Station) -> None:
    exchange = wired.exchange
    await exchange.accept(exchange.send(3))
    lane_id = await exchange.lane_id()
    [packet, *_] = await wired.registry.packets.read(lane_id, RangeSet.of([1]))
    stored = await stored_proof(wired.registry, packet.proof_id)
    assert (stored.proof_id, stored.proof.leaf_count) == (packet.proof_id, 3)


async def test_a_proof_that_is_not_kept_is_damage(wired: Station) -> None:
    with pytest.raises(RecordCorrupt):
        await stored_proof(wired.registry, 99)
