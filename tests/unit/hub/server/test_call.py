from __future__ import annotations

from contextvars import copy_context

import pytest
from ydhub.lane.v1 import lane_service_pb2

from hub.core.errors import FieldInvalid
from hub.server.call import IDENTITY, author
from hub.wire.identity.spiffe import SpiffeId


def test_the_author_is_whoever_the_certificate_shows() -> None:
    def call() -> None:
        IDENTITY.set(SpiffeId("ydhub.local", "/admins/li"))
        request = lane_service_pb2.PauseLaneRequest(name="x", request_id="r")
        found = author(request, request.request_id)
        assert (found.identity, found.request_id) == ("spiffe://ydhub.local/admins/li", "r")
        with pytest.raises(FieldInvalid):
            author(request, "x" * 65)

    copy_context().run(call)


def test_nobody_is_the_author_of_a_call_that_was_not_authenticated() -> None:
    with pytest.raises(LookupError):
        copy_context().run(author, lane_service_pb2.PauseLaneRequest(), "")
