"""``ydhub peer``: admit city chains, show them, suspend them and let them go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ydhub.hub.v1 import watch_service_pb2
from ydhub.peer.v1 import peer_pb2, peer_service_pb2

from hub.cli import watching
from hub.cli.connection import connect
from hub.cli.enrolment import enrolment
from hub.cli.options import command
from hub.cli.output import moment, show_list, show_one, word
from hub.cli.resources import peer_name
from hub.core.errors import FieldInvalid
from hub.wire import anchor_file
from hub.wire.anchors import anchor_from_proto, anchor_to_proto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.cli.options import Run


@click.group()
def peer() -> None:
    """City chains that take part."""


for _command in enrolment.commands.values():
    peer.add_command(_command)


@command(peer, "register")
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    required=True,
    help="Name, display name and your own anchor of the chain; see hub/wire/anchor_file.py.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def register(run: Run, *, file: Path, dry_run: bool, request_id: str) -> None:
    """Register the city chain that a file describes."""
    found = anchor_file.read_peer(file)
    if found.peer is None:
        raise FieldInvalid(field=f"{file}: name", problem="is missing")
    request = peer_service_pb2.RegisterPeerRequest(
        peer=peer_pb2.Peer(
            name=f"peers/{found.peer}",
            display_name=found.display_name,
            anchor=anchor_to_proto(found.anchor),
        ),
        request_id=request_id,
        validate_only=dry_run,
    )
    async with connect(run.settings()) as hub:
        answer = await hub.call(hub.peers.RegisterPeer, request)
    done = "was registered before" if answer.already_done else "is registered"
    done = "would be registered" if dry_run and not answer.already_done else done
    click.echo(f"{answer.peer.name} {done}", err=True)
    show_one(run.output, answer.peer, _lines(answer.peer))


@command(peer, "list")
@watching.option
@watching.resume_option
async def list_(run: Run, *, watch: bool, resume_token: str) -> None:
    """List every peer."""
    if watch:
        wanted = watch_service_pb2.WatchPeersRequest(resume_token=resume_token)
        await watching.follow(run, lambda hub: hub.watches.WatchPeers, wanted, "peer", _columns())
        return
    async with connect(run.settings()) as hub:
        request = peer_service_pb2.ListPeersRequest()
        pages = [page async for page in hub.all(hub.peers.ListPeers, request)]
    peers = [found for page in pages for found in page.peers]
    show_list(run.output, "peers", peers, _columns())


def _columns() -> dict[str, Callable[[peer_pb2.Peer], object]]:
    return {
        "PEER": lambda found: found.name.removeprefix("peers/"),
        "NAME": lambda found: found.display_name,
        "STATE": _state,
        "CHAIN": lambda found: found.anchor.chain_id,
        "ADAPTER": lambda found: "attached" if found.attached else "away",
        "RELAYER": lambda found: found.relayer,
        "SINCE": lambda found: moment(found.create_time),
    }


@command(peer, "get")
@click.argument("name")
async def get(run: Run, *, name: str) -> None:
    """Show the peer NAME."""
    found = await _get(run, name)
    show_one(run.output, found, _lines(found))


@command(peer, "describe")
@click.argument("name")
async def describe(run: Run, *, name: str) -> None:
    """Show the peer NAME with the hub's anchor, to compare it with your own out of band."""
    found = await _get(run, name)
    anchor = anchor_file.describe(anchor_from_proto(found.anchor, "anchor"))
    show_one(
        run.output,
        found,
        [*_lines(found), *[(f"anchor.{key}", value) for key, value in anchor.items()]],
    )
    click.echo("compare the anchor with the city's own file, over another channel", err=True)


@command(peer, "suspend")
@click.argument("name")
@click.option("--cause", required=True, help="Why, for the record.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def suspend(run: Run, *, name: str, cause: str, request_id: str) -> None:
    """Stop the peer NAME: its session ends, its lanes accept and deliver nothing."""
    request = peer_service_pb2.SuspendPeerRequest(
        name=peer_name(name), cause=cause, request_id=request_id
    )
    async with connect(run.settings()) as hub:
        answer = await hub.call(hub.peers.SuspendPeer, request)
    done = "was suspended before" if answer.already_done else "is suspended"
    click.echo(f"{answer.peer.name} {done}", err=True)
    show_one(run.output, answer.peer, _lines(answer.peer))


@command(peer, "resume")
@click.argument("name")
@click.option("--cause", required=True, help="Why, for the record.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def resume(run: Run, *, name: str, cause: str, request_id: str) -> None:
    """Let the suspended peer NAME take part again; what was held is proven afresh."""
    request = peer_service_pb2.ResumePeerRequest(
        name=peer_name(name), cause=cause, request_id=request_id
    )
    async with connect(run.settings()) as hub:
        answer = await hub.call(hub.peers.ResumePeer, request)
    done = "took part before" if answer.already_done else "takes part again"
    click.echo(f"{answer.peer.name} {done}", err=True)
    show_one(run.output, answer.peer, _lines(answer.peer))


async def _get(run: Run, name: str) -> peer_pb2.Peer:
    async with connect(run.settings()) as hub:
        request = peer_service_pb2.GetPeerRequest(name=peer_name(name))
        return (await hub.call(hub.peers.GetPeer, request)).peer


def _state(found: peer_pb2.Peer) -> str:
    return word(peer_pb2.PeerState, found.state, "PEER_STATE_")


def _lines(found: peer_pb2.Peer) -> Iterator[tuple[str, object]]:
    yield "name", found.name
    yield "display name", found.display_name
    yield "state", _state(found)
    yield "suspended for", found.suspend_cause
    yield "chain", found.anchor.chain_id
    yield "identity", found.identity
    yield "adapter", "attached" if found.attached else "away"
    yield "relayer", found.relayer
    yield "since", moment(found.create_time)
    yield "etag", found.etag
