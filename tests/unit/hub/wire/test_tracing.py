from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import FieldInvalid
from hub.wire import tracing
from hub.wire.otel import OpenTelemetry
from hub.wire.tracing import NO_SPAN, OFF, Stage, start

if TYPE_CHECKING:
    from hub.core.ranges import RangeSet


def unasked() -> RangeSet:
    raise AssertionError("nobody asks for sequences while tracing is off")


def test_without_an_endpoint_there_is_no_span_and_nothing_is_asked_for() -> None:
    found = start("", "ydhub-relayer", "east-1")
    assert found is OFF
    with found.stage(Stage.ACCEPT, "lanes/x", unasked, "00-...") as span:
        assert span is NO_SPAN
        with found.part(Stage.VERIFY, span) as part:
            assert part is NO_SPAN
    found.close()


def test_off_is_entered_again_and_again_and_hides_no_failure() -> None:
    with OFF.stage(Stage.ACCEPT, "", unasked), OFF.stage(Stage.DELIVER, "", unasked):
        pass
    with pytest.raises(KeyError), OFF.stage(Stage.ACCEPT, "", unasked):
        raise KeyError


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4317", "grpc://x", "localhost"])
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        start(endpoint, "ydhub-relayer", "east-1")
    assert caught.value.field == "trace_endpoint"


def test_where_the_library_is_not_installed_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "find_spec", lambda _: None)
    with pytest.raises(FieldInvalid, match=r"ydhub\[otel\]"):
        start("http://127.0.0.1:1", "ydhub-relayer", "east-1")


def test_with_an_endpoint_spans_are_kept() -> None:
    found = start("http://127.0.0.1:1", "ydhub-relayer", "east-1")
    assert isinstance(found, OpenTelemetry)
    found.close()
