"""Structured logs on stderr: one event a line, a fixed phrase whose facts are fields."""

from __future__ import annotations

import logging
import sys

import structlog

from hub.wire.log_stream import unfailing


def set_up_logs(log_format: str) -> None:
    """Events are lines of JSON, or columns for people where *log_format* is ``console``."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(unfailing(sys.stderr)),
    )
