"""Read what an adapter says of an execution: its words, as typed records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import LimitExceeded
from hub.wire.frames import MAX_ITEMS, ranges_from_proto
from relayer.chain_clients import read_heights
from relayer.refusals import read_refusal

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

    from hub.core.ids import ClientId
    from hub.core.ranges import RangeSet
    from hub.core.record import Refusal
    from relayer.chain_clients import ChainClients


def read_report(
    clients: ChainClients | None,
    client: ClientId,
    report: pb.ExecutionReport,
    sequences: RangeSet,
) -> tuple[RangeSet, list[tuple[int, Refusal]]]:
    """Which of *sequences* are executed, by whomever, and why others of them are not.

    What else the report names is nobody's. What the chain's *client* trusts now is noted. Raises
    ``Malformed``.
    """
    if len(report.refused) > MAX_ITEMS + 1:
        raise LimitExceeded(what="refusals of a report", count=len(report.refused), limit=MAX_ITEMS)
    executed = ranges_from_proto(report.executed) | ranges_from_proto(report.already_done)
    heights = read_heights(report.trusted_heights)
    executed &= sequences
    owed = sequences - executed
    refused: dict[int, Refusal] = {}
    for entry in report.refused:
        refusal = read_refusal(entry)
        for sequence in [entry.sequence] if entry.sequence else owed:
            if sequence in owed:
                refused.setdefault(sequence, refusal)
    if clients is not None:
        is_whole = any(not entry.sequence for entry in report.refused)
        if heights and not is_whole:
            clients.reported(client, heights)
        elif report.refused:
            # Whether its updates were made nobody knows.
            clients.forget(client)
    return executed, list(refused.items())
