"""What a run of the bench is asked to do."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.packet import MAX_PAYLOAD_BYTES
from hub.wire.frames import MAX_ITEMS

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run."""

    rates: tuple[int, ...] = (1000, 5000)
    """Packets a second of each open-loop phase, over all lanes."""
    seconds: int = 15
    """Length of an open-loop phase."""
    interval: int = 20
    """Milliseconds between the frames of one lane in open loop, unless they would be over full."""
    packets: int = 60_000
    """Packets of each closed-loop round, over all lanes."""
    rounds: int = 3
    window: int = 2048
    """Packets of one lane that may be under way in closed loop."""
    idle: int = 200
    """Packets that are sent one at a time."""
    batch: int = MAX_ITEMS
    """Most packets of a frame."""
    payload: int = 200
    """Bytes of a packet's payload; the packet has about 100 more."""
    peers: int = 2
    lanes: int = 2
    """Lanes that carry packets."""
    quiet: int = 0
    """Lanes that are open besides, and carry nothing."""
    relayers: int = 1
    keys: int = 1_000_000
    """Keys in each chain's store."""
    json: str = ""
    """File for the result; empty names it by date under results/."""


def parse(arguments: Sequence[str]) -> tuple[Options, tuple[str, str] | None]:
    """What *arguments* ask for: a run, or two result files to compare."""
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--rate", type=_count, action="append", help="packets/s of an open-loop phase; repeatable"
    )
    for name, text in _NUMBERS.items():
        kind = _number if name == "quiet" else _count
        parser.add_argument(f"--{name}", type=kind, default=getattr(default, name), help=text)
    parser.add_argument("--json", default="", metavar="FILE", help="where the result is written")
    parser.add_argument("--compare", nargs=2, metavar=("A", "B"), help="two result files, no run")
    given = parser.parse_args(arguments)
    if given.compare:
        return default, (given.compare[0], given.compare[1])
    options = Options(
        rates=tuple(given.rate or default.rates),
        json=given.json,
        **{name: getattr(given, name) for name in _NUMBERS},
    )
    problem = check(options)
    if problem:
        parser.error(problem)
    return options, None


def check(options: Options) -> str:
    """Why *options* cannot be run; empty if they can."""
    if not 1 <= options.batch <= MAX_ITEMS:
        return f"--batch is 1 to {MAX_ITEMS}"
    if options.payload > MAX_PAYLOAD_BYTES:
        return f"--payload is at most {MAX_PAYLOAD_BYTES}"
    if options.peers < 2:
        return "--peers is at least 2"
    if options.window < options.batch or options.window > 2 * 2048:
        return "--window is from the batch up to 4096"
    return ""


_NUMBERS = {
    "seconds": "length of an open-loop phase",
    "interval": "ms between the frames of a lane in open loop",
    "packets": "packets of each closed-loop round",
    "rounds": "closed-loop rounds; the median counts",
    "window": "packets of a lane under way in closed loop",
    "idle": "packets that are sent one at a time",
    "batch": "most packets of a frame",
    "payload": "bytes of a packet's payload",
    "peers": "city chains",
    "lanes": "lanes that carry packets",
    "quiet": "lanes that are open besides, and carry nothing",
    "relayers": "relayer processes, which the peers are dealt out to",
    "keys": "keys in each chain's store",
}


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def _count(text: str) -> int:
    number = _number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number
