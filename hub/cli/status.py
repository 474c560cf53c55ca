"""``ydhub status``: how the hub is, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from ydhub.hub.v1 import status_service_pb2

from hub.cli.connection import connect
from hub.cli.exit_codes import ExitCode
from hub.cli.options import command
from hub.cli.output import moment, show_one

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.cli.options import Run


@click.group()
def _top() -> None:
    """Holds the one command."""


@command(_top, "status")
async def status(run: Run) -> int:
    """How the hub is. Exits with 11 where an invariant of its registry is broken."""
    async with connect(run.settings()) as hub:
        found = await hub.call(hub.status.GetStatus, status_service_pb2.GetStatusRequest())
    show_one(run.output, found, _lines(found))
    broken = [invariant for invariant in found.invariants if invariant.violation_count]
    for invariant in broken:
        click.echo(f"broken: {invariant.name}, {invariant.violation_count} rows", err=True)
    return ExitCode.CORRUPT if broken else ExitCode.OK


def _lines(found: status_service_pb2.GetStatusResponse) -> Iterator[tuple[str, object]]:
    yield "version", found.version
    yield "schema", found.schema_revision
    yield "you are", found.caller
    yield "peers", found.peer_count
    yield "open lanes", found.open_lane_count
    yield "packets accepted", found.accepted_count
    yield "packets ended", found.ended_count
    yield "exceptions", found.exception_count
    for liar in found.disproven_reports:
        name = liar.peer.removeprefix("peers/")
        yield f"reports of {name}", f"{liar.reopened_count} disproven by its own chain"
    for relayer in found.relayers:
        held = ", ".join(peer.removeprefix("peers/") for peer in relayer.peers)
        yield f"relayer {relayer.name}", f"{held}, until {moment(relayer.lease_expire_time)}"
    if not found.relayers:
        yield "relayers", "none holds a lease"
    broken = sum(invariant.violation_count > 0 for invariant in found.invariants)
    unfinished = sum(i.unfinished and not i.violation_count for i in found.invariants)
    kept = len(found.invariants) - broken - unfinished
    short = f", {unfinished} not finished" if unfinished else ""
    yield "invariants", f"{kept} of {len(found.invariants)} hold of the newest records{short}"
