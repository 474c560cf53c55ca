"""Read what an adapter says of an execution or refuses: its words, as typed records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import Reason
from hub.core.record import Refusal
from hub.wire.frames import height_from_proto, ranges_from_proto

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

    from hub.core.ids import ClientId
    from hub.core.ranges import RangeSet
    from relayer.chain_clients import ChainClients

MAX_DETAIL = 512
"""Characters of an adapter's own words that are kept."""

_REASONS = {reason.value: reason for reason in Reason}


def read_report(
    clients: ChainClients | None,
    client: ClientId,
    report: pb.ExecutionReport,
    sequences: RangeSet,
) -> tuple[RangeSet, list[tuple[int, Refusal]]]:
    """Which of *sequences* are executed, by whomever, and why others are not.

    What the chain's *client* trusts now is noted. Raises ``Malformed``.
    """
    executed = ranges_from_proto(report.executed) | ranges_from_proto(report.already_done)
    refused: list[tuple[int, Refusal]] = []
    for entry in report.refused:
        refusal = read_refusal(entry)
        named = [entry.sequence] if entry.sequence else list(sequences - executed)
        refused += [(sequence, refusal) for sequence in named]
        if not entry.sequence and clients is not None:
            clients.forget(client)
    if clients is not None and report.trusted_heights:
        clients.reported(client, [height_from_proto(entry) for entry in report.trusted_heights])
    return executed & sequences, refused


def read_refusal(entry: pb.Refusal) -> Refusal:
    """The refusal; an unknown reason is INTERNAL with the adapter's word in the detail."""
    reason = _REASONS.get(entry.reason)
    detail = entry.detail if reason is not None else f"{entry.reason}: {entry.detail}"
    return Refusal(reason or Reason.INTERNAL, detail[:MAX_DETAIL], not entry.retryable)
