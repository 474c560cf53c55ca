"""``ydhub-relayer``: verifies, records and routes packets between attached cities."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import sys
from typing import Final

from hub.wire.logs import set_up_logs  # before others that log

# isort: split
from hub.core.errors import HubError
from hub.wire import lifeline
from relayer.app import run
from relayer.config import load

M_ARENA_MAX: Final = -8
"""Of glibc's malloc.h."""


def main() -> None:
    """Runs the relayer; exits with 0 after a drain, 3 where it cannot start."""
    parser = argparse.ArgumentParser(prog="ydhub-relayer", description=__doc__)
    parser.add_argument("--config", required=True, help="TOML file; see relayer/config.py")
    parser.add_argument(lifeline.OPTION, action="store_true", help=lifeline.HELP)
    arguments = parser.parse_args()
    try:
        config = load(arguments.config)
        set_up_logs(config.log_format)
        spare_collector()
        share_heap()
        if arguments.ends_with_input:
            lifeline.hold()
        asyncio.run(run(config))
    except HubError as error:
        sys.stderr.write(f"ydhub-relayer: {error.reason}: {error}\n")
        sys.exit(3)


def spare_collector() -> None:
    """The cyclic collector never looks at what stands now, and seldom at what comes.

    Packets hold no cycles, so reference counts free them; looking at them all the same takes a
    tenth of a busy relayer's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def share_heap() -> None:
    """All threads take memory from one heap of the C library, where it has several.

    Else each has its own, and what was free in one is of no use to another: ten MB of a relayer
    that is busy. Source: mallopt(3), M_ARENA_MAX.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_ARENA_MAX, 1)


if __name__ == "__main__":
    main()
