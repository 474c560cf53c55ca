"""What a run of the bench is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs, urlsplit

from hub.core.errors import FieldInvalid
from hub.core.lane import Order
from hub.core.packet import MAX_PAYLOAD_BYTES

MAX_FRAME: Final = 256
"""Packets. Source: design section 5."""
MAX_WINDOW: Final = 4096
MAX_RATE: Final = 1_000_000
MAX_RELAYERS: Final = 16
MAX_PEERS: Final = 500
MAX_LANES: Final = 20_000


class Proofs(StrEnum):
    """How packets and acknowledgements are proven."""

    BATCH = "batch"
    """As many as are there in a frame, under one proof batch."""
    SINGLE = "single"
    """Each in a frame of its own, under its own path: what a chain without batches would send."""
    MIXED = "mixed"
    """Lanes in turn the one and the other."""


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
    rest: int = 0
    """Seconds without a packet, after the warm-up, whose CPU time is told: of headers,
    heartbeats and whatever else runs while nothing is sent."""
    minutes: int = 0
    """Slices of open loop at the first rate, one after the other; a soak."""
    slice_seconds: int = 60
    """Length of such a slice."""
    batch: int = MAX_FRAME
    """Most packets of a frame."""
    payload: int = 200
    """Bytes of a packet's payload; the packet has about 100 more."""
    peers: int = 2
    lanes: int = 2
    """Lanes that are open."""
    active: int = 0
    """Of these, lanes that carry packets; 0 means all."""
    relayers: int = 1
    keys: int = 1_000_000
    """Keys in each chain's store."""
    behind: int = 0
    """Packets that the active lanes have carried before."""
    family: str = "cometbft"
    """Of the chains' headers."""
    proofs: Proofs = Proofs.BATCH
    order: Order = Order.UNORDERED
    database_url: str = ""
    """A database of this machine to use; an embedded one if empty."""

    @property
    def carrying(self) -> int:
        """Lanes that carry packets."""
        return self.active or self.lanes


FAMILIES: Final = ("cometbft",)
"""Light clients that this build has, each with its proofs: of headers by commits of Ed25519
signatures, of packets by ICS-23 in an IAVL store under a simple Merkle map."""


def check(options: Options) -> None:
    """*options* can be run. Raises ``FieldInvalid``."""
    _check_bounds(options)
    if options.family not in FAMILIES:
        raise FieldInvalid(field="--family", problem=f"is none of {', '.join(FAMILIES)}")
    if options.window < options.batch:
        raise FieldInvalid(field="--window", problem=f"is below --batch, {options.batch}")
    if options.active > options.lanes:
        raise FieldInvalid(field="--active", problem=f"is over --lanes, {options.lanes}")
    if options.minutes and not options.rates:
        raise FieldInvalid(field="--rate", problem="is missing: a soak has one")
    if options.minutes == 0 and options.rounds == 0 and options.idle == 0 and not options.rates:
        raise FieldInvalid(field="--rounds", problem="is 0, and so is everything else")
    if options.database_url:
        _check_local(options.database_url)


def _check_bounds(options: Options) -> None:
    bounds = {
        "seconds": (1, 3600),
        "interval": (1, 60_000),
        "packets": (1, 10_000_000),
        "rounds": (0, 100),
        "window": (1, MAX_WINDOW),
        "idle": (0, 100_000),
        "rest": (0, 600),
        "minutes": (0, 10_000),
        "slice_seconds": (1, 600),
        "batch": (1, MAX_FRAME),
        "payload": (1, MAX_PAYLOAD_BYTES),
        "peers": (2, MAX_PEERS),
        "lanes": (1, MAX_LANES),
        "active": (0, MAX_LANES),
        "relayers": (1, MAX_RELAYERS),
        "keys": (1, 50_000_000),
        "behind": (0, 100_000_000),
    }
    for name, (low, high) in bounds.items():
        value = getattr(options, name)
        if not low <= value <= high:
            field = f"--{name.replace('_', '-')}"
            raise FieldInvalid(field=field, problem=f"is {value}, not {low:,} to {high:,}")
    for rate in options.rates:
        if not 1 <= rate <= MAX_RATE:
            raise FieldInvalid(field="--rate", problem=f"is {rate}, not 1 to {MAX_RATE:,}")


def _check_local(url: str) -> None:
    """The database is on this machine: its CPU time is counted by the kernel here.

    Raises ``FieldInvalid``.
    """
    parts = urlsplit(url)
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    if host in {"", "localhost"} or host.startswith("/"):
        return
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        problem = f"is at {host}: a bench runs on the loopback of one machine"
        raise FieldInvalid(field="--database-url", problem=problem)
