"""``ydhub client evidence``: what is kept against a chain, exported and verified offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ydhub.client.v1 import client_pb2, client_service_pb2

from hub.cli.bundles import AS_OF, moment, read_anchors, read_message, write_message
from hub.cli.clock import wall_clock
from hub.cli.connection import connect
from hub.cli.options import command
from hub.cli.output import as_dict, print_json, show_list, show_one
from hub.cli.output import moment as shown_moment
from hub.cli.resources import client_name
from hub.core.errors import FieldInvalid, IdentifierInvalid
from hub.exchange import evidence as accusations
from hub.wire.clients import accused_sides
from hub.wire.names import parse_evidence_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.cli.options import Run
    from hub.core.client import ConsensusState
    from hub.exchange.evidence import ProvenMisbehaviour

_ANCHOR = click.option(
    "--anchor",
    type=click.Path(path_type=Path),
    help="Your own anchor file of the chain, named by its peer.",
)


@click.group()
def evidence() -> None:
    """Two truths of one chain that contradict each other."""


@command(evidence, "list")
@click.argument("name")
async def list_(run: Run, *, name: str) -> None:
    """List what is kept against the chain of the peer NAME."""
    async with connect(run.settings()) as hub:
        request = client_service_pb2.ListEvidenceRequest(parent=client_name(name))
        found = (await hub.call(hub.clients.ListEvidence, request)).evidence
    columns: dict[str, Callable[[client_pb2.Evidence], object]] = {
        "EVIDENCE": lambda entry: entry.name.removeprefix("peers/"),
        "REASON": lambda entry: entry.reason,
        "RECORDED": lambda entry: shown_moment(entry.record_time),
        "FIRST": lambda entry: f"{len(entry.first)} bytes",
        "SECOND": lambda entry: f"{len(entry.second)} bytes",
        "CARRIED TO": lambda entry: " ".join(
            [to.removeprefix("peers/") for to in entry.carried_to]
        ),
    }
    show_list(run.output, "evidence", found, columns)


@command(evidence, "export")
@click.argument("name")
@click.option("-O", "--out", type=click.Path(path_type=Path), help="File to write; else stdout.")
@_ANCHOR
async def export(run: Run, *, name: str, out: Path | None, anchor: Path | None) -> None:
    """Export the evidence NAME (peer, or peer/number; 1 if none) with what verifies it offline.

    Its headers begin at the lowest that the hub has verified, or at your own anchor.
    """
    start = next((a.height.number for a in read_anchors([anchor]).values()), 0) if anchor else 0
    request = client_service_pb2.GetEvidenceRequest(name=evidence_name(name), start=start)
    async with connect(run.settings()) as hub:
        found = await hub.call(hub.clients.GetEvidence, request)
    if out is None:
        print_json(as_dict(found))
        return
    write_message(out, found)
    click.echo(f"{found.evidence.name} is in {out}", err=True)
    click.echo(f"next: ydhub client evidence verify {out} --anchor YOUR-OWN-FILE", err=True)


@command(evidence, "verify", calls=False)
@click.argument("file", type=click.Path(path_type=Path))
@_ANCHOR
@AS_OF
async def verify(run: Run, *, file: Path, anchor: Path | None, as_of: str | None) -> None:
    """Verify the evidence in FILE, by your own anchor alone; nothing is asked of anyone.

    The newer the anchor, the sooner: headers before it do not count.
    """
    if anchor is None:
        raise FieldInvalid(field="--anchor", problem="is not given; your own anchor judges alone")
    message = read_message(file, client_service_pb2.GetEvidenceResponse(), "evidence")
    peer, _ = parse_evidence_name(message.evidence.name)
    anchors = read_anchors([anchor])
    if peer not in anchors:
        raise FieldInvalid(field="--anchor", problem=f"is not of peers/{peer}")
    at = moment(as_of) if as_of else wall_clock()
    first, second = accused_sides(message)
    found = accusations.verify(anchors[peer], first, second, as_of=at)
    show_one(run.output, message.evidence, _lines(message.evidence.name, found))


def evidence_name(text: str) -> str:
    """``peers/{peer}/client/evidence/{number}`` of *text*. Raises ``IdentifierInvalid``."""
    peer, _, rest = text.removeprefix("peers/").partition("/")
    number = rest.removeprefix("client/evidence/") or "1"
    if not number.isascii() or not number.isdigit():
        raise IdentifierInvalid(kind="evidence", value=text[:80], rule="PEER/NUMBER")
    return f"{client_name(peer)}/evidence/{int(number)}"


def _lines(name: str, found: ProvenMisbehaviour) -> Iterator[tuple[str, object]]:
    yield "evidence", name
    yield "shows", "two blocks of one chain that contradict each other"
    yield "first", _block(found.first)
    yield "second", _block(found.second)


def _block(state: ConsensusState) -> str:
    return f"height {state.height}, {state.header_hash.hex()}"
