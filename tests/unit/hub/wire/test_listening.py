"""What the options do is seen in tests/rpc/test_listening.py and by ``make abuse``."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from hub.wire.listening import CONTROL, ENROLMENT, SESSIONS, options

LISTENERS = {"control": CONTROL, "enrolment": ENROLMENT, "sessions": SESSIONS}


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_listener_sets_each_limit_once(listener: str) -> None:
    found = LISTENERS[listener]
    assert len(dict(found)) == len(found)
    assert dict(options(receive=1, send=2, streams=3, connections=4)).keys() <= dict(found).keys()
    assert dict(found)["grpc.max_metadata_size"] < dict(found)["grpc.absolute_max_metadata_size"]


def test_the_library_knows_every_option_by_its_name() -> None:
    (core,) = Path(grpc.__file__).parent.glob("_cython/cygrpc*.so")
    content = core.read_bytes()
    names = {name for listener in LISTENERS.values() for name, _ in listener}
    assert {name for name in names if name.encode() + b"\0" not in content} == set()


def test_who_shows_nothing_has_the_least() -> None:
    least = dict(ENROLMENT)
    for name in ("max_concurrent_streams", "max_receive_message_length"):
        assert least[f"grpc.{name}"] < dict(CONTROL)[f"grpc.{name}"]
