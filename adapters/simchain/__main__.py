"""``ydhub-simchain``: an embedded city chain with its adapter."""

from __future__ import annotations

import argparse
import asyncio
import sys

from hub.wire.logs import set_up_logs  # before others that log

# isort: split
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


if __name__ == "__main__":
    main()
