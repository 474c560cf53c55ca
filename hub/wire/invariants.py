"""What the invariants of the registry were found to be, to protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.hub.v1 import status_service_pb2 as pb

from hub.core.invariants import BY_NAME
from hub.wire.times import duration_to_proto

if TYPE_CHECKING:
    from hub.core.invariants import InvariantViolation


def invariant_to_proto(found: InvariantViolation) -> pb.InvariantStatus:
    """One invariant, with what it says."""
    known = BY_NAME.get(found.invariant)
    return pb.InvariantStatus(
        name=found.invariant,
        violation_count=found.count,
        meaning=known.meaning if known is not None else "",
        samples=found.samples,
        duration=duration_to_proto(found.took),
        unfinished=not found.is_finished,
    )
