"""Traces kept in memory, as many processes as a test plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hub.wire.otel import OpenTelemetry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class Spans:
    """The spans of every process that was made here, as they ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()

    def process(self, name: str) -> OpenTelemetry:
        """The tracing of one more process."""
        return OpenTelemetry(name, name, SimpleSpanProcessor(self._exporter))

    @property
    def ended(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    @property
    def begun(self) -> list[ReadableSpan]:
        """In the order in which they began."""
        return sorted(self.ended, key=lambda span: span.start_time or 0)


def process_of(span: ReadableSpan) -> str:
    return str(span.resource.attributes["service.name"])


def steps(spans: list[ReadableSpan]) -> list[tuple[str, str]]:
    """(process, stage) of each."""
    return [(process_of(span), span.name) for span in spans]


def trace_ids(spans: list[ReadableSpan]) -> set[int]:
    return {span.context.trace_id for span in spans if span.context is not None}
