"""``ydhub client``: show light clients, stop them, and let them start again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ydhub.client.v1 import client_pb2, client_service_pb2
from ydhub.hub.v1 import watch_service_pb2

from hub.cli import watching
from hub.cli.connection import connect
from hub.cli.evidence import evidence
from hub.cli.options import command
from hub.cli.output import moment, show_list, show_one, word
from hub.cli.resources import client_name, peer_name
from hub.core.errors import FieldInvalid
from hub.wire import anchor_file
from hub.wire.anchors import anchor_to_proto
from hub.wire.duration import format_duration
from hub.wire.times import duration_from_proto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.cli.options import Run


@click.group()
def client() -> None:
    """Light clients: the hub's own, and those on chains."""


client.add_command(evidence)


@command(client, "list")
@click.option("--peer", default="", help="Only those of this peer.")
@watching.option
@watching.resume_option
async def list_(run: Run, *, peer: str, watch: bool, resume_token: str) -> None:
    """List every light client that the hub knows of."""
    if watch:
        parent = peer_name(peer) if peer else ""
        wanted = watch_service_pb2.WatchClientsRequest(parent=parent, resume_token=resume_token)
        await watching.follow(
            run, lambda hub: hub.watches.WatchClients, wanted, "client", _columns()
        )
        return
    request = client_service_pb2.ListClientsRequest(parent=peer_name(peer) if peer else "")
    async with connect(run.settings()) as hub:
        pages = [page async for page in hub.all(hub.clients.ListClients, request)]
    clients = [found for page in pages for found in page.clients]
    show_list(run.output, "clients", clients, _columns())


def _columns() -> dict[str, Callable[[client_pb2.Client], object]]:
    return {
        "CLIENT": lambda found: found.name.removeprefix("peers/"),
        "STATUS": _status,
        "VERIFIES": lambda found: found.chain_id,
        "HEIGHT": _height,
        "TRUST ENDS": lambda found: moment(found.expire_time),
        "OTHER END": lambda found: found.counterparty_client,
        "CAUSE": lambda found: found.frozen_cause,
    }


@command(client, "get")
@click.argument("name")
async def get(run: Run, *, name: str) -> None:
    """Show the light client NAME: a peer, or peer/native-id."""
    async with connect(run.settings()) as hub:
        request = client_service_pb2.GetClientRequest(name=client_name(name))
        found = (await hub.call(hub.clients.GetClient, request)).client
    show_one(run.output, found, _lines(found))


@command(client, "freeze")
@click.argument("name")
@click.option("--cause", required=True, help="Why, for the record.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def freeze(run: Run, *, name: str, cause: str, request_id: str) -> None:
    """Stop the hub's client of the peer NAME: nothing that its chain proves counts any more."""
    request = client_service_pb2.FreezeClientRequest(
        name=client_name(name), cause=cause, request_id=request_id
    )
    async with connect(run.settings()) as hub:
        answer = await hub.call(hub.clients.FreezeClient, request)
    done = "was frozen before" if answer.already_done else "is frozen"
    click.echo(f"{answer.client.name} {done}", err=True)
    show_one(run.output, answer.client, _lines(answer.client))


@command(client, "recover")
@click.argument("name")
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    required=True,
    help="Your own new anchor of the chain, later than everything verified.",
)
@click.option("--cause", required=True, help="Why, for the record.")
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def recover(
    run: Run, *, name: str, file: Path, cause: str, dry_run: bool, request_id: str
) -> None:
    """Let the hub's client of the peer NAME, frozen or expired, start again from a new anchor.

    Chain and prefix stay; trust options may change. What was held is proven afresh.
    """
    peer, anchor = anchor_file.read(file)
    if peer is not None and client_name(peer) != client_name(name):
        raise FieldInvalid(field=f"{file}: name", problem=f"is {peer}, not {name}")
    request = client_service_pb2.RecoverClientRequest(
        name=client_name(name),
        anchor=anchor_to_proto(anchor),
        cause=cause,
        request_id=request_id,
        validate_only=dry_run,
    )
    async with connect(run.settings()) as hub:
        answer = await hub.call(hub.clients.RecoverClient, request)
    done = "started from this anchor before" if answer.already_done else "starts from this anchor"
    done = "would start from this anchor" if dry_run and not answer.already_done else done
    click.echo(f"{answer.client.name} {done}, {anchor.height}", err=True)
    show_one(run.output, answer.client, _lines(answer.client))


def _status(found: client_pb2.Client) -> str:
    return word(client_pb2.ClientStatus, found.status, "CLIENT_STATUS_")


def _height(found: client_pb2.Client) -> str:
    height = found.latest.height
    return f"{height.revision}-{height.number}" if height.number else ""


def _lines(found: client_pb2.Client) -> Iterator[tuple[str, object]]:
    level = found.options
    yield "name", found.name
    yield "status", _status(found)
    yield "frozen for", found.frozen_cause
    yield "verifies", found.chain_id
    yield "height", _height(found)
    yield "header", found.latest.header_hash.hex()
    yield "header time", moment(found.latest.time)
    yield "trust ends", moment(found.expire_time)
    yield "trust level", f"{level.trust_level_numerator}/{level.trust_level_denominator}"
    period = duration_from_proto(level.trusting_period, "trusting_period")
    yield "trusting period", format_duration(period)
    yield "other end", found.counterparty_client
