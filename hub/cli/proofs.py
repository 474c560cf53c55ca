"""``ydhub proof``: fetch proof bundles, and verify them offline by your own anchors."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from ydhub.packet.v1 import packet_service_pb2

from hub.cli.bundles import AS_OF, moment, read_anchors, read_message, write_message
from hub.cli.clock import wall_clock
from hub.cli.connection import connect
from hub.cli.options import command
from hub.cli.output import Output, as_dict, print_json, show_one
from hub.cli.resources import packet_name
from hub.core.errors import FieldInvalid
from hub.core.time import whole_seconds
from hub.exchange.claims import ClaimedBundle, VerifiedBundle, verify_bundle
from hub.wire.names import parse_packet_name
from hub.wire.packet import decode_acknowledgement, decode_packet
from hub.wire.packets import claim_from_proto

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.cli.options import Run
    from hub.core.client import ConsensusState

_ANCHORS = click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Your own anchor file of a chain, named by its peer; once for each end.",
)


@click.group()
def proof() -> None:
    """Proof bundles: fetch, and verify offline."""


@command(proof, "fetch")
@click.argument("name")
@click.option("-O", "--out", type=click.Path(path_type=Path), help="File to write; else stdout.")
@_ANCHORS
async def fetch(run: Run, *, name: str, out: Path | None, anchors: tuple[Path, ...]) -> None:
    """Fetch what proves the packet NAME, from the hub's anchors or from your own."""
    starts = [
        packet_service_pb2.ChainStart(peer=f"peers/{peer}", height=anchor.height.number)
        for peer, anchor in read_anchors(anchors).items()
    ]
    async with connect(run.settings()) as hub:
        request = packet_service_pb2.GetPacketProofRequest(
            name=await packet_name(hub, name), starts=starts
        )
        bundle = await hub.call(hub.packets.GetPacketProof, request)
    if out is None:
        print_json(as_dict(bundle))
        return
    write_message(out, bundle)
    click.echo(f"{bundle.packet.name} is in {out}", err=True)
    click.echo(f"next: ydhub proof verify {out} --anchor YOUR-OWN-FILE ...", err=True)


@command(proof, "verify", calls=False)
@click.argument("file", type=click.Path(path_type=Path))
@_ANCHORS
@AS_OF
async def verify(run: Run, *, file: Path, anchors: tuple[Path, ...], as_of: str | None) -> None:
    """Verify the bundle in FILE, by your own anchors alone; nothing is asked of anyone."""
    if not anchors:
        raise FieldInvalid(field="--anchor", problem="is not given; your own anchors judge alone")
    message = read_message(file, packet_service_pb2.GetPacketProofResponse(), "proof bundle")
    at = moment(as_of) if as_of else wall_clock()
    bundle = _claimed(message)
    found = verify_bundle(bundle, read_anchors(anchors), as_of=at)
    if run.output is Output.JSON:
        print_json(_verdict(bundle, found))
        return
    show_one(run.output, message, _lines(bundle, found))


def _claimed(message: packet_service_pb2.GetPacketProofResponse) -> ClaimedBundle:
    """The bundle's claims, untrusted. Raises ``Malformed`` errors."""
    lane, sequence = parse_packet_name(message.packet.name)
    packet = decode_packet(message.packet.packet.SerializeToString(deterministic=True))
    if packet.sequence != sequence:
        raise FieldInvalid(field="packet.name", problem=f"is not of sequence {packet.sequence}")
    answered = None
    if message.packet.HasField("acknowledgement"):
        content = message.packet.acknowledgement.SerializeToString(deterministic=True)
        answered = decode_acknowledgement(content)
    return ClaimedBundle(
        lane=lane,
        packet=packet,
        acknowledgement=answered,
        commitment=claim_from_proto(message.commitment),
        outcome=claim_from_proto(message.outcome) if message.HasField("outcome") else None,
    )


def _lines(bundle: ClaimedBundle, found: VerifiedBundle) -> Iterable[tuple[str, object]]:
    yield "packet", f"{bundle.lane.name}/packets/{bundle.packet.sequence}"
    yield "committed", f"proven on peers/{bundle.lane.source_peer}, {_at(found.committed)}"
    if found.ended is None:
        yield "ended", "nothing is shown"
    else:
        yield _end(bundle), f"proven on peers/{bundle.lane.destination_peer}, {_at(found.ended)}"


def _verdict(bundle: ClaimedBundle, found: VerifiedBundle) -> dict[str, object]:
    verdict: dict[str, object] = {
        "packet": f"{bundle.lane.name}/packets/{bundle.packet.sequence}",
        "committed": _state(found.committed),
    }
    if found.ended is not None:
        verdict[_end(bundle).replace(" ", "_")] = _state(found.ended)
    return verdict


def _end(bundle: ClaimedBundle) -> str:
    return "acknowledged" if bundle.acknowledgement is not None else "not received in time"


def _at(state: ConsensusState) -> str:
    return f"height {state.height}, {_iso(state)}"


def _state(state: ConsensusState) -> dict[str, str]:
    return {"height": str(state.height), "time": _iso(state), "headerHash": state.header_hash.hex()}


def _iso(state: ConsensusState) -> str:
    return f"{datetime.fromtimestamp(whole_seconds(state.time), tz=UTC):%Y-%m-%dT%H:%M:%SZ}"
