"""``ydhub lane``: open lanes, show them, stop them and let them go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import click
from ydhub.hub.v1 import watch_service_pb2
from ydhub.lane.v1 import lane_pb2, lane_service_pb2

from hub.cli import watching
from hub.cli.connection import connect
from hub.cli.options import command
from hub.cli.output import moment, show_list, show_one, word
from hub.cli.resources import lane_name, peer_name
from hub.core.errors import AnswerOverdue, Reason
from hub.core.time import MILLISECOND, SECOND
from hub.wire.duration import parse_duration
from hub.wire.status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.cli.connection import Connection
    from hub.cli.options import Run

ASK_EVERY_S: Final = 0.5
_ORDERS: Final = {
    "none": lane_pb2.ORDER_UNORDERED,
    "best-effort": lane_pb2.ORDER_BEST_EFFORT,
    "enforced": lane_pb2.ORDER_ENFORCED,
}


@click.group()
def lane() -> None:
    """Lanes between two chains, one for each direction."""


@command(lane, "open")
@click.option("--from", "source", required=True, metavar="PEER", help="Where packets are sent.")
@click.option("--to", "destination", required=True, metavar="PEER", help="Where they go.")
@click.option("--source-client", default="", metavar="ID", help="To adopt; else one is made.")
@click.option("--destination-client", default="", metavar="ID", help="To adopt; else one is made.")
@click.option("--from-sequence", type=click.IntRange(min=0), default=0, help="Else the next one.")
@click.option("--order", type=click.Choice(list(_ORDERS)), default="none", show_default=True)
@click.option("--allow", multiple=True, metavar="PORT~PORT", help="Routes to allow, both ways.")
@click.option(
    "--wait/--no-wait", "waits", default=True, help="Follow it until both lanes are open."
)
@click.option("--wait-for", default="120s", show_default=True, metavar="DURATION")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def open_(
    run: Run,
    *,
    source: str,
    destination: str,
    source_client: str,
    destination_client: str,
    from_sequence: int,
    order: str,
    allow: tuple[str, ...],
    waits: bool,
    wait_for: str,
    request_id: str,
) -> None:
    """Open the lane between two peers, and its reverse; asking again goes on where it stopped."""
    patience = parse_duration(wait_for, "--wait-for")
    request = lane_service_pb2.OpenLaneRequest(
        source_peer=peer_name(source),
        destination_peer=peer_name(destination),
        source_client=source_client,
        destination_client=destination_client,
        from_sequence=from_sequence,
        order=_ORDERS[order],
        allow_routes=allow,
        request_id=request_id,
    )
    async with connect(run.settings()) as hub:
        opening = (await hub.call(hub.lanes.OpenLane, request)).opening
        if waits:
            try:
                async with asyncio.timeout(patience / SECOND):
                    opening = await _follow(hub, opening)
            except TimeoutError:
                what = f"{opening.name}, which goes on by itself,"
                raise AnswerOverdue(what=what, waited_ms=patience // MILLISECOND) from None
    _check_opening(opening)
    show_one(run.output, opening, _opening_lines(opening))


@command(lane, "list")
@click.option("--peer", default="", help="Only lanes with this peer at an end.")
@watching.option
@watching.resume_option
async def list_(run: Run, *, peer: str, watch: bool, resume_token: str) -> None:
    """List every lane."""
    if watch:
        end = peer_name(peer) if peer else ""
        wanted = watch_service_pb2.WatchLanesRequest(peer=end, resume_token=resume_token)
        await watching.follow(run, lambda hub: hub.watches.WatchLanes, wanted, "lane", _columns())
        return
    request = lane_service_pb2.ListLanesRequest(peer=peer_name(peer) if peer else "")
    async with connect(run.settings()) as hub:
        pages = [page async for page in hub.all(hub.lanes.ListLanes, request)]
    lanes = [found for page in pages for found in page.lanes]
    show_list(run.output, "lanes", lanes, _columns())


def _columns() -> dict[str, Callable[[lane_pb2.Lane], object]]:
    return {
        "LANE": lambda found: found.name.removeprefix("lanes/"),
        "STATE": _state,
        "ORDER": _order,
        "ACCEPTED": lambda found: found.accepted_count,
        "PROVEN ENDS": lambda found: found.outcome_count,
        "COMPLETED": lambda found: found.completed_count,
        "EXCEPTIONS": lambda found: found.exception_count,
    }


@command(lane, "get")
@click.argument("name")
async def get(run: Run, *, name: str) -> None:
    """Show the lane NAME; PEER~PEER is enough where there is one."""
    async with connect(run.settings()) as hub:
        request = lane_service_pb2.GetLaneRequest(name=await lane_name(hub, name))
        found = (await hub.call(hub.lanes.GetLane, request)).lane
    show_one(run.output, found, _lines(found))


@command(lane, "pause")
@click.argument("name")
@click.option("--cause", required=True, help="Why, for the record.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def pause(run: Run, *, name: str, cause: str, request_id: str) -> None:
    """Stop acceptance and delivery on the lane NAME; outcomes go on."""
    async with connect(run.settings()) as hub:
        request = lane_service_pb2.PauseLaneRequest(
            name=await lane_name(hub, name), cause=cause, request_id=request_id
        )
        answer = await hub.call(hub.lanes.PauseLane, request)
    done = "was paused before" if answer.already_done else "is paused"
    click.echo(f"{answer.lane.name} {done}", err=True)
    show_one(run.output, answer.lane, _lines(answer.lane))


@command(lane, "drain")
@click.argument("name")
@click.option("--cause", required=True, help="Why, for the record.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def drain(run: Run, *, name: str, cause: str, request_id: str) -> None:
    """Let the lane NAME accept nothing new, and end what it has; then it is closed.

    A paused one delivers again by that, so only an administrator drains it.
    """
    async with connect(run.settings()) as hub:
        request = lane_service_pb2.DrainLaneRequest(
            name=await lane_name(hub, name), cause=cause, request_id=request_id
        )
        answer = await hub.call(hub.lanes.DrainLane, request)
    done = "was draining before" if answer.already_done else "drains"
    click.echo(f"{answer.lane.name} {done}", err=True)
    show_one(run.output, answer.lane, _lines(answer.lane))


@command(lane, "resume")
@click.argument("name")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def resume(run: Run, *, name: str, request_id: str) -> None:
    """Let the lane NAME go on; what was held is proven afresh."""
    async with connect(run.settings()) as hub:
        request = lane_service_pb2.ResumeLaneRequest(
            name=await lane_name(hub, name), request_id=request_id
        )
        answer = await hub.call(hub.lanes.ResumeLane, request)
    done = "was open before" if answer.already_done else "goes on"
    click.echo(f"{answer.lane.name} {done}", err=True)
    show_one(run.output, answer.lane, _lines(answer.lane))


async def _follow(hub: Connection, opening: lane_pb2.LaneOpening) -> lane_pb2.LaneOpening:
    """The opening once it is over; every change of what it does is told."""
    told = ""
    while True:
        now = f"{opening.step or 'waiting for a relayer'}"
        if opening.reason:
            now += f" ({opening.reason}: {opening.detail})"
        if now != told:
            click.echo(f"{opening.name}: {now}", err=True)
            told = now
        if opening.state != lane_pb2.LaneOpening.STATE_RUNNING:
            return opening
        await asyncio.sleep(ASK_EVERY_S)
        request = lane_service_pb2.GetLaneOpeningRequest(name=opening.name)
        opening = (await hub.call(hub.lanes.GetLaneOpening, request)).opening


def _check_opening(opening: lane_pb2.LaneOpening) -> None:
    """The opening has not failed. Raises ``RemoteError``."""
    if opening.state != lane_pb2.LaneOpening.STATE_FAILED:
        return
    known = opening.reason in {reason.value for reason in Reason}
    reason = Reason(opening.reason) if known else None
    raise RemoteError(code="FAILED_PRECONDITION", reason=reason, message=opening.detail)


def _state(found: lane_pb2.Lane) -> str:
    return word(lane_pb2.LaneState, found.state, "LANE_STATE_")


def _order(found: lane_pb2.Lane) -> str:
    return word(lane_pb2.Order, found.order, "ORDER_")


def _lines(found: lane_pb2.Lane) -> Iterator[tuple[str, object]]:
    yield "name", found.name
    yield "state", _state(found)
    yield "stopped for", found.pause_cause
    yield "order", _order(found)
    yield "first sequence", found.first_sequence
    yield "accepted", found.accepted_count
    yield "proven ends", found.outcome_count
    yield "completed", found.completed_count
    if found.reopened_count:
        yield "open again", found.reopened_count
    yield "exceptions", found.exception_count
    yield "since", moment(found.create_time)
    yield "etag", found.etag


def _opening_lines(opening: lane_pb2.LaneOpening) -> Iterator[tuple[str, object]]:
    yield "name", opening.name
    yield "state", word(lane_pb2.LaneOpening.State, opening.state, "STATE_")
    yield "step", opening.step
    yield "reason", opening.reason
    yield "detail", opening.detail
    for found in opening.lanes:
        yield "lane", found.name
