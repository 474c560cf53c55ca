from __future__ import annotations

import pytest
from ydhub.client.v1 import client_service_pb2
from ydhub.lane.v1 import lane_service_pb2

from hub.core.errors import FieldInvalid
from hub.wire.requests import caller_of, parse_cause

LI = "spiffe://ydhub.local/admins/li"


def test_the_same_request_has_the_same_digest_and_another_another() -> None:
    request = lane_service_pb2.PauseLaneRequest(name="lanes/a", cause="x", request_id="r")
    same = lane_service_pb2.PauseLaneRequest(name="lanes/a", cause="x", request_id="r")
    first = caller_of(LI, request, "r")
    assert (first.identity, first.request_id, len(first.digest)) == (LI, "r", 32)
    assert caller_of(LI, same, "r") == first
    same.cause = "y"
    assert caller_of(LI, same, "r").digest != first.digest


def test_a_request_of_another_kind_is_another() -> None:
    # Both have the name as field 1 and the cause as field 2: the same bytes.
    pause = lane_service_pb2.PauseLaneRequest(name="n", cause="x")
    freeze = client_service_pb2.FreezeClientRequest(name="n", cause="x")
    assert pause.SerializeToString() == freeze.SerializeToString()
    assert caller_of(LI, pause, "").digest != caller_of(LI, freeze, "").digest


@pytest.mark.parametrize("request_id", ["x" * 65, "a b", "a\n", "杭", "\x7f"])
def test_a_request_id_is_short_and_printable(request_id: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        caller_of(LI, lane_service_pb2.PauseLaneRequest(), request_id)
    assert raised.value.field == "request_id"


def test_a_cause_is_a_short_printable_line() -> None:
    assert parse_cause("按命令 7") == "按命令 7"
    for text in ("", "x" * 257, "two\nlines", "\x1b[0m"):
        with pytest.raises(FieldInvalid):
            parse_cause(text)
