"""What the process is told, and what it answers: one JSON document a line, each answered by one."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.core.ids import PeerId  # noqa: TC001 - the decoder looks at the types


class Attach(msgspec.Struct, frozen=True, tag="attach", tag_field="do", forbid_unknown_fields=True):
    """Every adapter is to have its session."""

    addresses: dict[PeerId, str]
    """Where each peer's adapter dials."""
    files: dict[PeerId, tuple[str, str, str]]
    """Its certificate, key and CA file."""


class Measure(msgspec.Struct, frozen=True, tag="measure", tag_field="do"):
    """Single functions are to be measured."""


class Run(msgspec.Struct, frozen=True, tag="run", tag_field="do", forbid_unknown_fields=True):
    """The phase of that number is to be run."""

    phase: int


class Stop(msgspec.Struct, frozen=True, tag="stop", tag_field="do"):
    """The sessions are to be closed."""


Command = Attach | Measure | Run | Stop


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What the chains are, before anything is sent."""

    anchors: dict[PeerId, dict[str, Any]]
    """``ydhub.client.v1.Anchor`` in proto JSON."""
    packet_bytes: int
    """Of one canonical packet."""
    build_ms: int


class Attached(msgspec.Struct, frozen=True):
    """Every adapter has its session."""

    sessions: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What single functions cost."""

    functions_us: dict[str, float]
    """Microseconds of CPU time of one call, by name."""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What the adapters saw of one phase."""

    began_at: int
    """When the first frame was due (monotonic ns)."""
    acknowledged_at: int
    """When the last proven acknowledgement arrived (monotonic ns)."""
    latencies: list[tuple[int, int]]
    """(microseconds, packets), rising."""
    by_lane: list[list[tuple[int, int]]]
    """The same for each lane, in order; where there are few lanes."""
    refused: dict[str, int]
    """Frames with false proofs, by the reason of their refusal."""
    resent: int
    waited_ms: int
    """Before it began: for its part of the load to be built, and for a header to say so."""
    late_ms: float
    """How much later than intended the latest frame left the generator: its own part in it all."""


class Done(msgspec.Struct, frozen=True):
    """Nothing more to say."""


class Failed(msgspec.Struct, frozen=True):
    """A command could not be carried out."""

    failed: str
