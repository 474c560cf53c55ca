from __future__ import annotations

from dataclasses import replace

from hub.core.relayer import Relayer
from hub.core.time import Timestamp

EAST = Relayer(
    relayer="east-1",
    address="127.0.0.1:9700",
    version="1.0",
    started_at=Timestamp(0),
    heartbeat_at=Timestamp(0),
    is_alive=True,
    is_draining=False,
    sessions=0,
    revision=1,
)


def test_a_relayers_resource_name_names_it() -> None:
    assert EAST.name == "relayers/east-1"


def test_adapters_are_sent_to_a_relayer_that_lives_and_does_not_drain() -> None:
    assert EAST.takes_sessions
    assert not replace(EAST, is_alive=False).takes_sessions
    assert not replace(EAST, is_draining=True).takes_sessions
