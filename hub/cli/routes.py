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
from hub.wire.rates import format_rate, parse_rate
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


@command(route, "limit")
@click.argument("lane")
@click.argument("ports", metavar="PORT~PORT")
@click.option("--rate", default="", metavar="PACKETS/TIME", help="As 100/s, 10/m or 5/250ms.")
@click.option(
    "--burst", type=click.IntRange(min=1), help="Packets at once, after a rest; as many as --rate."
)
@click.option("--none", "is_none", is_flag=True, help="Take packets as they come.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def limit(
    run: Run,
    *,
    lane: str,
    ports: str,
    rate: str,
    burst: int | None,
    is_none: bool,
    request_id: str,
) -> None:
    """Take so many packets of these ports on LANE, from now on.

    A packet over the limit is not accepted yet, and takes no place in the lane: its adapter is told
    when to show it again.
    """
    if is_none == bool(rate) or (is_none and burst):
        raise click.UsageError("give either --rate, with --burst if you like, or --none")
    request = lane_service_pb2.LimitRouteRequest(request_id=request_id)
    if rate:
        packets, period = parse_rate(rate, "--rate")
        request.limit.packets = packets
        request.limit.period.CopyFrom(duration_to_proto(period))
        request.limit.burst = burst or packets
    async with connect(run.settings()) as hub:
        request.name = await route_name(hub, lane, ports)
        answer = await hub.call(hub.lanes.LimitRoute, request)
    done = "was limited so before" if answer.already_done else "is limited so, from now on"
    click.echo(f"{answer.route.name} {done}", err=True)
    show_one(run.output, answer.route, _lines(answer.route))


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
        "MAX TIMEOUT": _max_timeout,
        "RATE": _rate,
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


def _max_timeout(found: lane_pb2.Route) -> str:
    limit = duration_from_proto(found.max_timeout, "max_timeout")
    return format_duration(limit) if limit else ""


def _rate(found: lane_pb2.Route) -> str:
    if not found.HasField("limit"):
        return ""
    limit = found.limit
    period = duration_from_proto(limit.period, "limit.period")
    return f"{format_rate(limit.packets, period)}, {limit.burst} at once"


def _lines(found: lane_pb2.Route) -> Iterator[tuple[str, object]]:
    yield "name", found.name
    yield "action", _action(found)
    yield "data class", found.data_class
    yield "purpose", found.purpose
    yield "max payload", found.max_payload_bytes or ""
    yield "max timeout", _max_timeout(found)
    yield "rate", _rate(found)
