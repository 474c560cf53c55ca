"""Structured logs on stderr: one event a line, a fixed phrase whose facts are fields.

A process imports this module before others that log: then structlog finds no rich, which it takes
wherever it is installed, for exceptions on a terminal. Ours are formatted before they are rendered;
so rich and all that it brings would be four megabytes of a server for nothing.
"""

from __future__ import annotations

import logging
import sys

from hub.wire.log_stream import unfailing


def _load_without_rich() -> None:
    """Structlog is loaded; without rich, unless somebody uses one of the two already."""
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # what is None cannot be imported
    try:
        import structlog  # noqa: F401, PLC0415 - that is what this is for
    finally:
        del sys.modules["rich"]


_load_without_rich()

import structlog  # noqa: E402 - loaded just now


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
