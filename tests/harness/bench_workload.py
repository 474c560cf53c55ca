"""A tiny workload of the bench: two chains, a lane each way."""

from __future__ import annotations

from typing import Final

import msgspec

from adapters.bench.workload import LaneLoad, Pair, Phase, Workload
from hub.core.ids import ClientId, PeerId

CLIENT, EAST, WEST = ClientId("07-tendermint-0"), PeerId("east"), PeerId("west")
TIMEOUT: Final = 1_900_000_000
"""Seconds."""
_BOTH: Final = (
    LaneLoad(lane=0, first=1, packets=5, frame=2),
    LaneLoad(lane=1, first=8, packets=3, frame=3),
)
WORKLOAD: Final = Workload(
    peers=(EAST, WEST),
    pairs=(Pair(client=CLIENT, left=EAST, right=WEST),),
    active=(0, 1),
    phases=(
        Phase(name="a", loads=_BOTH, window=4),
        Phase(name="b", loads=(LaneLoad(lane=0, first=6, packets=2, frame=2),), window=2),
    ),
    payload=33,
    keys=500,
)
PARTS: Final = msgspec.structs.replace(
    WORKLOAD,
    phases=(
        WORKLOAD.phases[0],
        msgspec.structs.replace(WORKLOAD.phases[1], chunk=1),
        Phase(name="c", loads=(LaneLoad(lane=0, first=8, packets=1, frame=1),), chunk=2, window=1),
    ),
)
"""The same in three parts."""
