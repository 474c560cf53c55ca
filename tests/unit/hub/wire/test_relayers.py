from __future__ import annotations

from dataclasses import replace

import pytest
from ydhub.relayer.v1 import relayer_pb2 as pb

from hub.core.relayer import Relayer
from hub.core.time import SECOND, Timestamp
from hub.wire.relayers import relayer_to_proto

EAST = Relayer(
    relayer="east-1",
    address="east-1:9700",
    version="1.0",
    started_at=Timestamp(SECOND),
    heartbeat_at=Timestamp(2 * SECOND),
    is_alive=True,
    is_draining=False,
    sessions=3,
    revision=4,
)


def test_everything_is_told() -> None:
    found = relayer_to_proto(EAST)
    assert (found.name, found.address, found.version) == ("relayers/east-1", "east-1:9700", "1.0")
    assert (found.session_count, found.etag) == (3, "4")
    assert (found.start_time.seconds, found.heartbeat_time.seconds) == (1, 2)


@pytest.mark.parametrize(
    ("alive", "draining", "state"),
    [
        (True, False, pb.RELAYER_STATE_ACTIVE),
        (True, True, pb.RELAYER_STATE_DRAINING),
        (False, False, pb.RELAYER_STATE_GONE),
        (False, True, pb.RELAYER_STATE_GONE),
    ],
)
def test_one_that_says_nothing_is_gone_whatever_it_shall_do(
    *, alive: bool, draining: bool, state: pb.RelayerState.ValueType
) -> None:
    found = replace(EAST, is_alive=alive, is_draining=draining)
    assert relayer_to_proto(found).state == state
