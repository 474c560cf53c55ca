from __future__ import annotations

import msgspec
import pytest

from adapters.bench.workload import LaneLoad, Pair, Phase, Slot, Workload, chain_id
from hub.core.ids import ClientId, PeerId

CLIENT, EAST, WEST = ClientId("07-tendermint-0"), PeerId("east"), PeerId("west")
PAIR = Pair(client=CLIENT, left=EAST, right=WEST)
WORKLOAD = Workload(
    peers=(EAST, WEST),
    pairs=(PAIR,),
    active=(1,),
    phases=(
        Phase(name="a", loads=(LaneLoad(lane=0, first=1, packets=5, frame=2, interval=7),)),
        Phase(name="b", loads=(), chunk=3),
    ),
    payload=10,
    keys=10,
)


def test_a_load_is_frames_the_last_with_what_is_left() -> None:
    load = LaneLoad(lane=0, first=11, packets=5, frame=2)
    assert load.slots == (Slot(11, 2), Slot(13, 2), Slot(15, 1))
    assert load.frames == 3
    assert LaneLoad(lane=0, first=1, packets=0, frame=2).slots == ()


def test_lanes_are_named_by_their_place_among_all() -> None:
    assert WORKLOAD.lanes == (PAIR.lanes[1],)
    assert PAIR.lanes[0].reverse == PAIR.lanes[1]
    with pytest.raises(IndexError):
        msgspec.structs.replace(WORKLOAD, active=(2,)).lanes  # noqa: B018 - raises


def test_a_phase_knows_its_packets_and_its_length() -> None:
    phase = WORKLOAD.phases[0]
    assert (phase.packets, phase.span) == (5, 21)
    assert (WORKLOAD.phases[1].packets, WORKLOAD.phases[1].span) == (0, 0)
    assert WORKLOAD.chunks == 4


def test_it_is_read_strictly() -> None:
    content = msgspec.json.encode(WORKLOAD)
    assert msgspec.json.decode(content, type=Workload) == WORKLOAD
    for wrong in (
        content.replace(b'"payload"', b'"paylaod"'),
        content.replace(b'"frame":2', b'"frame":257'),
        content.replace(b'"first":1', b'"first":0'),
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=Workload)


def test_a_chain_has_its_peers_name() -> None:
    assert chain_id(EAST) == "east-1"
