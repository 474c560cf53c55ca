"""``ydhub route``: which ports a lane carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from ydhub.lane.v1 import lane_pb2, lane_service_pb2

from hub.cli.connection import connect
from hub.cli.options import command
from hub.cli.output import show_list, show_one, word
from hub.cli.resources import lane_name, route_name
from hub.wire.duration import format_duration, parse_duration
from hub.wire.times import duration_from_proto, duration_to_proto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.cli.options import Run


@click.group()
def route() -> None:
    """Policy: which ports a lane carries. A route that is not listed is denied."""


@command(route, "allow")
@click.argument("lane")
@click.argument("ports", metavar="PORT~PORT")
@click.option("--data-class", default="", help="Class of the data, as its steward states it.")
@click.option("--purpose", default="", help="What it is exchanged for.")
@click.option(
    "--max-payload", type=click.IntRange(min=0), default=0, help="Bytes; 0: no own limit."
)
@click.option("--max-timeout", default="0s", metavar="DURATION", help="0s: no limit.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def allow(
    run: Run,
    *,
    lane: str,
    ports: str,
    data_class: str,
    purpose: str,
    max_payload: int,
    max_timeout: str,
    request_id: str,
) -> None:
    """Carry packets of these ports on LANE from now on."""
    limit = parse_duration(max_timeout, "--max-timeout")
    wanted = lane_pb2.Route(
        action=lane_pb2.Route.ACTION_ALLOW,
        data_class=data_class,
        purpose=purpose,
        max_payload_bytes=max_payload,
        max_timeout=duration_to_proto(limit) if limit else None,
    )
    await _set(run, lane, ports, wanted, request_id)


@command(route, "deny")
@click.argument("lane")
@click.argument("ports", metavar="PORT~PORT")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def deny(run: Run, *, lane: str, ports: str, request_id: str) -> None:
    """Deny packets of these ports on LANE from now on; they end by timeout and refund."""
    wanted = lane_pb2.Route(action=lane_pb2.Route.ACTION_DENY)
    await _set(run, lane, ports, wanted, request_id)


@command(route, "list")
@click.argument("lane", default="")
async def list_(run: Run, *, lane: str) -> None:
    """List the routes of LANE, or of all."""
    async with connect(run.settings()) as hub:
        parent = await lane_name(hub, lane) if lane else ""
        request = lane_service_pb2.ListRoutesRequest(parent=parent)
        found = (await hub.call(hub.lanes.ListRoutes, request)).routes
    columns: dict[str, Callable[[lane_pb2.Route], object]] = {
        "LANE": lambda entry: _parts(entry)[0],
        "PORTS": lambda entry: _parts(entry)[1],
        "ACTION": _action,
        "MAX PAYLOAD": lambda entry: entry.max_payload_bytes or "",
        "MAX TIMEOUT": _limit,
        "CLASS": lambda entry: entry.data_class,
        "PURPOSE": lambda entry: entry.purpose,
    }
    show_list(run.output, "routes", found, columns)


async def _set(run: Run, lane: str, ports: str, wanted: lane_pb2.Route, request_id: str) -> None:
    async with connect(run.settings()) as hub:
        wanted.name = await route_name(hub, lane, ports)
        request = lane_service_pb2.SetRouteRequest(route=wanted, request_id=request_id)
        answer = await hub.call(hub.lanes.SetRoute, request)
    done = "was set before" if answer.already_done else "is set, for packets to come"
    click.echo(f"{answer.route.name} {done}", err=True)
    show_one(run.output, answer.route, _lines(answer.route))


def _parts(found: lane_pb2.Route) -> tuple[str, str]:
    lane, _, ports = found.name.removeprefix("lanes/").partition("/routes/")
    return lane, ports


def _action(found: lane_pb2.Route) -> str:
    return word(lane_pb2.Route.Action, found.action, "ACTION_")


def _limit(found: lane_pb2.Route) -> str:
    limit = duration_from_proto(found.max_timeout, "max_timeout")
    return format_duration(limit) if limit else ""


def _lines(found: lane_pb2.Route) -> Iterator[tuple[str, object]]:
    yield "name", found.name
    yield "action", _action(found)
    yield "data class", found.data_class
    yield "purpose", found.purpose
    yield "max payload", found.max_payload_bytes or ""
    yield "max timeout", _limit(found)
