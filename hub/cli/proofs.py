"""``ydhub proof``: fetch proof bundles, and verify them offline by your own anchors."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from google.protobuf.json_format import Parse, ParseError
from ydhub.packet.v1 import packet_service_pb2

from hub.cli.clock import wall_clock
from hub.cli.connection import connect
from hub.cli.options import command
from hub.cli.output import Output, as_dict, json_text, print_json, show_one
from hub.cli.resources import packet_name
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Timestamp, whole_seconds
from hub.exchange.claims import ClaimedBundle, VerifiedBundle, verify_bundle
from hub.wire import anchor_file
from hub.wire.names import parse_packet_name
from hub.wire.packet import decode_acknowledgement, decode_packet
from hub.wire.packets import claim_from_proto

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hub.cli.options import Run
    from hub.core.client import Anchor, ConsensusState
    from hub.core.ids import PeerId

MAX_FILE_BYTES: Final = 64 * 1024 * 1024

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
        for peer, anchor in _read_anchors(anchors).items()
    ]
    async with connect(run.settings()) as hub:
        request = packet_service_pb2.GetPacketProofRequest(
            name=await packet_name(hub, name), starts=starts
        )
        bundle = await hub.call(hub.packets.GetPacketProof, request)
    if out is None:
        print_json(as_dict(bundle))
        return
    _write(out, json_text(as_dict(bundle)))
    click.echo(f"{bundle.packet.name} is in {out}", err=True)
    click.echo(f"next: ydhub proof verify {out} --anchor YOUR-OWN-FILE ...", err=True)


@command(proof, "verify", calls=False)
@click.argument("file", type=click.Path(path_type=Path))
@_ANCHORS
@click.option(
    "--as-of",
    metavar="TIME",
    help="Judge trust as of this time, as 2026-11-25T12:00:00Z; else as of now.",
)
async def verify(run: Run, *, file: Path, anchors: tuple[Path, ...], as_of: str | None) -> None:
    """Verify the bundle in FILE, by your own anchors alone; nothing is asked of anyone."""
    if not anchors:
        raise FieldInvalid(field="--anchor", problem="is not given; your own anchors judge alone")
    message = _read_bundle(file)
    at = _moment(as_of) if as_of else wall_clock()
    bundle = _claimed(message)
    found = verify_bundle(bundle, _read_anchors(anchors), as_of=at)
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


def _read_bundle(file: Path) -> packet_service_pb2.GetPacketProofResponse:
    """The bundle in *file*, or on stdin for ``-``. Raises ``FieldInvalid``."""
    try:
        if str(file) == "-":
            content = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with file.open("rb") as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(file), problem=problem) from error
    if len(content) > MAX_FILE_BYTES:
        raise FieldInvalid(field=str(file), problem=f"is over {MAX_FILE_BYTES} bytes")
    try:
        return Parse(content, packet_service_pb2.GetPacketProofResponse())
    except (ParseError, ValueError, RecursionError) as error:
        raise FieldInvalid(field=str(file), problem="is no proof bundle") from error


def _write(file: Path, text: str) -> None:
    """*file* holds *text*. Raises ``FieldInvalid``."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise FieldInvalid(field=str(file), problem=problem) from error


def _read_anchors(files: Iterable[Path]) -> Mapping[PeerId, Anchor]:
    """Anchors by peer. Raises ``FieldInvalid`` for one without a peer's name, or one too many."""
    anchors: dict[PeerId, Anchor] = {}
    for file in files:
        peer, anchor = anchor_file.read(file)
        if peer is None:
            raise FieldInvalid(field=f"{file}: name", problem="is missing")
        if peer in anchors:
            raise FieldInvalid(field=f"{file}: name", problem=f"is {peer} once more")
        anchors[peer] = anchor
    return anchors


def _moment(text: str) -> Timestamp:
    """*text* in ISO 8601 with its zone. Raises ``FieldInvalid``."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise FieldInvalid(field="--as-of", problem="is not a time") from error
    if at.tzinfo is None:
        raise FieldInvalid(field="--as-of", problem="has no zone; write Z for UTC")
    return Timestamp(int(at.timestamp()) * SECOND)


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
