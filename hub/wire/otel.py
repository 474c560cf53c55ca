"""Traces kept by OpenTelemetry; the only module that knows the library, which is optional."""

from __future__ import annotations

import logging
import re
from collections import defaultdict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from hub.core.errors import HubError
from hub.wire.tracing import NO_SPAN, Span, Stage, Tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor

    from hub.core.ranges import RangeSet

MAX_LANES: Final = 1_024
MAX_FRAMES: Final = 256
"""Of one lane, whose packets' traces are remembered."""
MAX_LINKS: Final = 32
MAX_DETAIL: Final = 200
SEND_WITHIN_S: Final = 2
"""A collector that is away keeps no process from its end for longer."""

_log = structlog.get_logger()

_CONTEXT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class OpenTelemetry(Tracing):
    """The traces of one process."""

    def __init__(self, service: str, instance: str, processor: SpanProcessor) -> None:
        """Spans go to *processor*."""
        resource = Resource({"service.name": service, "service.instance.id": instance})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("ydhub")
        self._known = _Known()

    @contextmanager
    def stage(
        self, stage: Stage, lane: str, sequences: Callable[[], RangeSet], before: str = ""
    ) -> Iterator[Span]:
        """As the class above says."""
        items = sequences()
        nearest: dict[int, SpanContext] = {}  # by trace
        for context in map(_read, [before, *self._known.of(lane, items)]):
            if context is not None:
                nearest.setdefault(context.trace_id, context)
        found = list(nearest.values())
        attributes: dict[str, str | int] = {"ydhub.lane": lane, "ydhub.count": len(items)}
        if items:
            attributes |= {"ydhub.first": items.first, "ydhub.last": items.end - 1}
        links = [Link(one) for one in found[1 : 1 + MAX_LINKS]]
        span = self._tracer.start_span(
            str(stage), context=_within(found), attributes=attributes, links=links
        )
        begun = Span(_written(span.get_span_context()))
        self._known.note(lane, items, begun.context)
        with _ending(span):
            yield begun

    @contextmanager
    def part(self, stage: Stage, of: Span) -> Iterator[Span]:
        """As the class above says."""
        parent = _read(of.context)
        if parent is None:
            yield NO_SPAN
            return
        with _ending(self._tracer.start_span(str(stage), context=_within([parent]))):
            yield NO_SPAN

    def close(self) -> None:
        """As the class above says."""
        self._provider.shutdown()


def exporting(endpoint: str, service: str, instance: str) -> OpenTelemetry:
    """Traces that are sent to *endpoint*, in batches, by a thread of their own."""
    library = logging.getLogger("opentelemetry")
    if not library.handlers:
        library.addHandler(_Told())
        library.propagate = False
    is_plain = endpoint.startswith("http://")
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=is_plain, timeout=SEND_WITHIN_S)
    return OpenTelemetry(service, instance, BatchSpanProcessor(exporter))


class _Told(logging.Handler):
    """What the library complains of is told as everything is: traces that were not sent."""

    def emit(self, record: logging.LogRecord) -> None:
        """As a handler does."""
        _log.warning("traces_failed", detail=record.getMessage()[:MAX_DETAIL])


class _Known:
    """Which context the newest stage of a packet had, for the last packets of each lane."""

    def __init__(self) -> None:
        self._lanes: defaultdict[str, deque[tuple[RangeSet, str]]] = defaultdict(
            lambda: deque(maxlen=MAX_FRAMES)
        )

    def of(self, lane: str, items: RangeSet) -> list[str]:
        """Contexts of *items*, each once, that of the first item first."""
        first_of: dict[str, int] = {}
        left = items
        for known, context in reversed(self._lanes.get(lane, ())):
            both = left & known
            if both:
                first_of[context] = min(both.first, first_of.get(context, both.first))
                left -= known
        return sorted(first_of, key=first_of.__getitem__)

    def note(self, lane: str, items: RangeSet, context: str) -> None:
        """*items* are at *context* now."""
        if lane not in self._lanes and len(self._lanes) >= MAX_LANES:
            del self._lanes[next(iter(self._lanes))]
        self._lanes[lane].append((items, context))


@contextmanager
def _ending(span: trace.Span) -> Iterator[None]:
    """*span* ends with what is inside, and says why that failed."""
    try:
        yield
    except HubError as error:
        span.set_status(Status(StatusCode.ERROR, error.reason))
        raise
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        span.end()


def _within(found: Sequence[SpanContext]) -> Context:
    """The context of a span that continues the first of *found*, or begins a trace."""
    parent = found[0] if found else trace.INVALID_SPAN_CONTEXT
    return trace.set_span_in_context(NonRecordingSpan(parent))


def _read(text: str) -> SpanContext | None:
    """The context that *text* writes; None where it writes none."""
    match = _CONTEXT.fullmatch(text)
    if match is None:
        return None
    trace_id, span_id = int(match[1], 16), int(match[2], 16)
    if not (trace_id and span_id):
        return None
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(int(match[3], 16)))


def _written(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
