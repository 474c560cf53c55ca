"""``ydhub-simchain``: an embedded city chain with its adapter."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

import structlog

from adapters.simchain.config import load
from adapters.simchain.process import run
from hub.core.errors import HubError


def main() -> None:
    """Runs the chain; exits with 0 after SIGTERM, 3 where it cannot start."""
    parser = argparse.ArgumentParser(prog="ydhub-simchain", description=__doc__)
    parser.add_argument("--config", required=True, help="TOML file; see adapters/simchain/config")
    arguments = parser.parse_args()
    try:
        config = load(arguments.config)
        set_up_logs(config.log_format)
        asyncio.run(run(config))
    except HubError as error:
        sys.stderr.write(f"ydhub-simchain: {error.reason}: {error}\n")
        sys.exit(3)


def set_up_logs(log_format: str) -> None:
    """One event a line on stderr, as JSON or for people."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    main()
