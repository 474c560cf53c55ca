from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service
from opentelemetry.trace import StatusCode
from structlog.testing import capture_logs

from hub.core.errors import LaneNotFound
from hub.core.ranges import EMPTY, RangeSet
from hub.wire.otel import MAX_FRAMES, MAX_LANES, MAX_LINKS, exporting
from hub.wire.tracing import NO_SPAN, Span, Stage
from tests.harness.spans import Spans, trace_ids

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from hub.wire.otel import OpenTelemetry

LANE = "lanes/a~b"


@pytest.fixture
def spans() -> Spans:
    return Spans()


def run(process: OpenTelemetry, kind: Stage, lane: str, sequences: RangeSet) -> None:
    with process.stage(kind, lane, lambda: sequences):
        pass


def number_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def stage(spans: Spans, first: int, end: int, before: str = "") -> str:
    """The context of a stage of one process, of packets from *first* up to *end*."""
    with spans.process("one").stage(
        Stage.SHOW, LANE, lambda: RangeSet.span(first, end), before
    ) as span:
        return span.context


def test_a_stage_says_which_packets_it_is_of(spans: Spans) -> None:
    context = stage(spans, 5, 8)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9a-f]", context)
    [span] = spans.ended
    assert span.name == "show"
    assert dict(span.attributes or {}) == {
        "ydhub.lane": LANE,
        "ydhub.first": 5,
        "ydhub.last": 7,
        "ydhub.count": 3,
    }
    assert span.parent is None


def test_a_stage_continues_the_context_that_a_frame_brought(spans: Spans) -> None:
    stage(spans, 1, 2, stage(spans, 1, 2))
    first, second = spans.ended
    assert second.parent is not None
    assert second.parent.span_id == number_of(first)
    assert len(trace_ids(spans.ended)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "00-" + "0" * 32 + "-" + "1" * 16 + "-01",
        "00-" + "1" * 32 + "-" + "0" * 16 + "-01",
        "00-" + "G" * 32 + "-" + "1" * 16 + "-01",
        "01-" + "1" * 32 + "-" + "1" * 16 + "-01",
        "00-" + "1" * 32 + "-" + "1" * 16 + "-01\n",
        "9" * 10_000,
    ],
)
def test_a_context_that_is_none_begins_a_trace(spans: Spans, text: str) -> None:
    stage(spans, 1, 2, text)
    assert spans.ended[0].parent is None


def test_a_process_knows_what_it_did_with_the_same_packets(spans: Spans) -> None:
    one = spans.process("one")
    for kind in (Stage.ACCEPT, Stage.DELIVER, Stage.ACKNOWLEDGE):
        run(one, kind, LANE, RangeSet.of([3]))
    accept, deliver, acknowledge = spans.ended
    assert [span.parent and span.parent.span_id for span in spans.ended] == [
        None,
        number_of(accept),
        number_of(deliver),
    ]
    assert acknowledge.links == ()


def test_a_stage_of_packets_of_several_traces_links_to_all(spans: Spans) -> None:
    one = spans.process("one")
    for low in (10, 1, 5):
        run(one, Stage.ACCEPT, LANE, RangeSet.span(low, low + 3))
    run(one, Stage.DELIVER, LANE, RangeSet.span(1, 12))
    ten, first, five, deliver = spans.ended
    assert deliver.parent is not None
    assert deliver.parent.span_id == number_of(first)
    linked = [link.context.span_id for link in deliver.links]
    assert linked == [number_of(five), number_of(ten)]


def test_other_lanes_and_other_processes_know_nothing_of_it(spans: Spans) -> None:
    one = spans.process("one")
    run(one, Stage.ACCEPT, LANE, RangeSet.of([1]))
    run(one, Stage.DELIVER, "lanes/b~a", RangeSet.of([1]))
    run(spans.process("two"), Stage.EXECUTE, LANE, RangeSet.of([1]))
    assert len(trace_ids(spans.ended)) == 3


def test_what_is_remembered_is_bounded(spans: Spans) -> None:
    one = spans.process("one")
    for number in range(1, MAX_FRAMES + MAX_LINKS + 10):
        run(one, Stage.ACCEPT, LANE, RangeSet.of([number]))
    run(one, Stage.DELIVER, LANE, RangeSet.span(1, 10_000))
    assert len(spans.ended[-1].links) == MAX_LINKS
    for number in range(MAX_LANES):
        run(one, Stage.ACCEPT, f"lanes/{number}", EMPTY)
    assert len(one._known._lanes) == MAX_LANES


def test_a_part_is_within_its_stage_and_without_one_it_is_not_kept(spans: Spans) -> None:
    one = spans.process("one")
    with (
        one.stage(Stage.ACCEPT, LANE, lambda: RangeSet.of([1])) as span,
        one.part(Stage.VERIFY, span) as part,
    ):
        assert part is NO_SPAN
    with one.part(Stage.STORE, NO_SPAN), one.part(Stage.STORE, Span("nonsense")):
        pass
    verify, accept = spans.ended
    assert (verify.name, accept.name) == ("verify", "accept")
    assert verify.parent is not None
    assert verify.parent.span_id == number_of(accept)


@pytest.mark.parametrize(
    ("failure", "told"),
    [(LaneNotFound(name="x"), "LANE_NOT_FOUND"), (RuntimeError("secret"), "RuntimeError")],
)
def test_a_failure_is_told_by_its_reason_and_passes_on(
    spans: Spans, failure: Exception, told: str
) -> None:
    with (
        pytest.raises(type(failure)),
        spans.process("one").stage(Stage.ACCEPT, LANE, lambda: EMPTY),
    ):
        raise failure
    [span] = spans.ended
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, told)


class Collector(service.TraceServiceServicer):
    """What takes traces, as an operator's own would."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def Export(  # noqa: N802 - the method's name in the contract
        self, request: pb.ExportTraceServiceRequest, context: object
    ) -> pb.ExportTraceServiceResponse:
        self.names += [
            span.name
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return pb.ExportTraceServiceResponse()


def test_spans_reach_the_endpoint_at_the_latest_when_the_process_ends() -> None:
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(1))
    service.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        found = exporting(f"http://127.0.0.1:{port}", "ydhub-relayer", "east-1")
        run(found, Stage.ACCEPT, LANE, RangeSet.of([1]))
        found.close()
    finally:
        server.stop(None)
    assert collector.names == ["accept"]


def test_traces_that_are_not_sent_are_told_in_the_log_and_keep_no_process_from_its_end() -> None:
    with capture_logs() as logs:
        found = exporting("http://127.0.0.1:1", "ydhub-relayer", "east-1")
        run(found, Stage.ACCEPT, LANE, RangeSet.of([1]))
        found.close()
    assert {entry["event"] for entry in logs} == {"traces_failed"}
