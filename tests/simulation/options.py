"""What the command line of the simulation understands."""

from __future__ import annotations

import argparse
import os

WORKERS = min(2, os.cpu_count() or 1)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; with none of them, a hundred runs."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Exit 0: no promise is broken. 1: one is. The same seed is the same run.",
    )
    add = parser.add_argument
    add("--seeds", type=int, help="runs of the whole exchange")
    add("--walks", type=int, default=0, help="walks through the small exchange")
    add("--from", dest="first", type=int, default=0, help="the first seed")
    add("--search", choices=("small", "large"), help="all interleavings of the small exchange")
    add("--planted", nargs="?", const="all", help="plant bugs, and see each of them found")
    add("--seed", type=int, help="one run")
    add("--walk", type=int, help="one walk")
    add("--trace", action="store_true", help="with --seed or --walk: every line of it")
    add("--workers", type=int, default=WORKERS, help="processes that run at once")
    options = parser.parse_args(arguments)
    if not (options.walks or options.search or options.planted) and options.seeds is None:
        options.seeds = 100
    return options
