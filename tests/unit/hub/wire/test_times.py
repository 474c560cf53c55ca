from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration as ProtoDuration
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Duration, Timestamp
from hub.wire.times import (
    duration_from_proto,
    duration_to_proto,
    timestamp_from_proto,
    timestamp_to_proto,
)


@given(st.integers(-62_135_596_800 * SECOND, 253_402_300_799 * SECOND))
def test_a_timestamp_reads_back(at: int) -> None:
    message = timestamp_to_proto(Timestamp(at))
    assert 0 <= message.nanos < SECOND
    assert timestamp_from_proto(message) == at


@given(st.integers(0, 2**62))
def test_a_duration_reads_back(nanoseconds: int) -> None:
    message = duration_to_proto(Duration(nanoseconds))
    assert duration_from_proto(message, "f") == nanoseconds


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(-1, 0), (0, -1), (0, SECOND), (2**63 // SECOND, 0), (2**63 - 1, 0)]
)
def test_a_duration_out_of_range_names_its_field(seconds: int, nanos: int) -> None:
    with pytest.raises(FieldInvalid) as raised:
        duration_from_proto(ProtoDuration(seconds=seconds, nanos=nanos), "route.max_timeout")
    assert raised.value.field == "route.max_timeout"
