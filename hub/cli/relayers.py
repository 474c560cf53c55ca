"""``ydhub relayer``: the relayer processes, and taking sessions from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from ydhub.relayer.v1 import relayer_pb2, relayer_service_pb2

from hub.cli.connection import connect
from hub.cli.options import command
from hub.cli.output import moment, show_list, show_one, word
from hub.cli.resources import relayer_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.cli.options import Run


@click.group()
def relayer() -> None:
    """Relayer processes, which carry the packets."""


@command(relayer, "list")
async def list_(run: Run) -> None:
    """List every relayer that ever ran."""
    async with connect(run.settings()) as hub:
        request = relayer_service_pb2.ListRelayersRequest()
        answer = await hub.call(hub.relayers.ListRelayers, request)
    columns = {
        "RELAYER": lambda found: found.name.removeprefix("relayers/"),
        "STATE": _state,
        "SESSIONS": lambda found: found.session_count,
        "ADDRESS": lambda found: found.address,
        "VERSION": lambda found: found.version,
        "SINCE": lambda found: moment(found.start_time),
    }
    show_list(run.output, "relayers", list(answer.relayers), columns)


@command(relayer, "get")
@click.argument("name")
async def get(run: Run, *, name: str) -> None:
    """Show the relayer NAME."""
    async with connect(run.settings()) as hub:
        request = relayer_service_pb2.GetRelayerRequest(name=relayer_name(name))
        found = (await hub.call(hub.relayers.GetRelayer, request)).relayer
    show_one(run.output, found, _lines(found))


@command(relayer, "drain")
@click.argument("name")
@click.option("--cause", required=True, help="Why, for the record.")
@click.option("--undo", is_flag=True, help="It takes sessions again.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def drain(run: Run, *, name: str, cause: str, undo: bool, request_id: str) -> None:
    """Have the relayer NAME hand over its sessions, and take none until --undo."""
    values = {"name": relayer_name(name), "cause": cause, "request_id": request_id}
    async with connect(run.settings()) as hub:
        if undo:
            undone = relayer_service_pb2.UndrainRelayerRequest(**values)
            back = await hub.call(hub.relayers.UndrainRelayer, undone)
            found, already = back.relayer, back.already_done
        else:
            wanted = relayer_service_pb2.DrainRelayerRequest(**values)
            gone = await hub.call(hub.relayers.DrainRelayer, wanted)
            found, already = gone.relayer, gone.already_done
    done = "takes sessions" if undo else "drains"
    before = "took sessions before" if undo else "drained before"
    click.echo(f"{found.name} {before if already else done}", err=True)
    show_one(run.output, found, _lines(found))


def _state(found: relayer_pb2.Relayer) -> str:
    return word(relayer_pb2.RelayerState, found.state, "RELAYER_STATE_")


def _lines(found: relayer_pb2.Relayer) -> Iterator[tuple[str, object]]:
    yield "name", found.name
    yield "state", _state(found)
    yield "sessions", found.session_count
    yield "address", found.address
    yield "version", found.version
    yield "since", moment(found.start_time)
    yield "heartbeat", moment(found.heartbeat_time)
    yield "etag", found.etag
