"""Traces of packets across processes: off, and then next to free, unless an endpoint is configured.

A span stands for one stage of one frame, so of up to 256 packets of one lane. Its context travels
in the frame (``trace``, as W3C writes it), and each process remembers which packets it was of; so
the next stage of a packet continues its trace, and a stage of packets of several traces links to
all of them. A trace decides nothing: a context that is none is as good as no context.

    adapter       show            packets, or answers, go to the relayer
    relayer       accept          packets are judged: verify, store
                  deliver         an execution at the destination, until its report
    adapter       execute         what the chain made of it
    relayer       acknowledge     answers are judged: verify, store
                  settle          an execution at the source, until its report

Source: W3C Trace Context, "traceparent"; OpenTelemetry, "Links between spans".
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from hub.core.ranges import RangeSet

LIBRARY: Final = "opentelemetry"
EXTRA: Final = "ydhub[otel]"
KEEPER: Final = "hub.wire.otel"
"""The module that keeps traces."""


class Stage(StrEnum):
    """What a span stands for."""

    SHOW = "show"
    ACCEPT = "accept"
    DELIVER = "deliver"
    EXECUTE = "execute"
    ACKNOWLEDGE = "acknowledge"
    SETTLE = "settle"
    VERIFY = "verify"
    """Within accept and acknowledge."""
    STORE = "store"
    """Likewise."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stage that has begun."""

    context: str
    """How the next stage finds it, for the frame that leads there; empty while tracing is off."""


NO_SPAN: Final = Span("")
_NOTHING: Final = nullcontext(NO_SPAN)


class Tracing:
    """The traces of one process; this one keeps none."""

    def stage(
        self, stage: Stage, lane: str, sequences: Callable[[], RangeSet], before: str = ""
    ) -> AbstractContextManager[Span]:
        """A *stage* of *sequences* of a lane, which are asked for only while tracing is on.

        It continues *before*, the context that a frame brought, or what this process knows of them.
        """
        del stage, lane, sequences, before
        return _NOTHING

    def part(self, stage: Stage, of: Span) -> AbstractContextManager[Span]:
        """A part of the stage *of*."""
        del stage, of
        return _NOTHING

    def close(self) -> None:
        """Everything that is kept has been sent, or given up."""


OFF: Final = Tracing()


def start(endpoint: str, service: str, instance: str) -> Tracing:
    """The tracing of a process that is an *instance* of *service*; off where *endpoint* is empty.

    *endpoint* takes OTLP over gRPC, as http://127.0.0.1:4317. Raises ``FieldInvalid`` where it is
    no such address, or the library is not installed.
    """
    if not endpoint:
        return OFF
    if not endpoint.startswith(("http://", "https://")):
        raise FieldInvalid(field="trace_endpoint", problem="is not http://HOST:PORT or https://")
    if find_spec(LIBRARY) is None:
        raise FieldInvalid(field="trace_endpoint", problem=f"needs {EXTRA} to be installed")
    # Loading it costs a second, so it is loaded only where it is used.
    made: Tracing = import_module(KEEPER).exporting(endpoint, service, instance)
    return made
