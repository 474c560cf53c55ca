from __future__ import annotations

import pytest
from ydhub.client.v1 import client_pb2 as pb

from hub.core.client import Header
from hub.core.errors import HeightInvalid
from hub.core.height import Height
from hub.wire import headers


def test_headers_and_heights_read_back() -> None:
    header = Header(content=b"content", validators=b"validators")
    assert headers.header_from_proto(headers.header_to_proto(header)) == header
    height = Height(3, 7)
    assert headers.height_from_proto(headers.height_to_proto(height)) == height


@pytest.mark.parametrize("bad", [pb.Height(), pb.Height(revision=2**63, number=1)])
def test_a_height_that_is_none_is_refused(bad: pb.Height) -> None:
    with pytest.raises(HeightInvalid):
        headers.height_from_proto(bad)
