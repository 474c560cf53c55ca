"""``ydhub top``: what every lane does now, by the registry's numbers and their differences."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from ydhub.client.v1 import client_pb2, client_service_pb2
from ydhub.hub.v1 import status_service_pb2
from ydhub.lane.v1 import lane_pb2
from ydhub.packet.v1 import packet_pb2

from hub.cli.connection import connect
from hub.cli.doctor.findings import shown
from hub.cli.options import command
from hub.cli.output import Output, moment, print_json, print_table, word
from hub.core.time import SECOND
from hub.wire.duration import parse_duration
from hub.wire.times import timestamp_from_proto

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp
    from ydhub.hub.v1.status_service_pb2 import GetActivityResponse, LaneActivity

    from hub.cli.connection import Connection
    from hub.cli.options import Run

CLIENTS_EVERY: Final = 10
"""Looks at the lanes; the ends of clients' trust move slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRow:
    """One lane as it is shown."""

    lane: str
    state: str
    accepted_rate: float
    """Packets a second since the look before."""
    completed_rate: float
    open: int
    owed: int
    oldest_ns: int
    """Age of the oldest packet without an outcome; 0 where none waits."""
    exceptions: Mapping[str, int]
    """By kind."""
    trust_ends: Timestamp | None
    """Of the first of its clients whose trust ends."""

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "lane": self.lane,
            "state": self.state,
            "acceptedPerSecond": round(self.accepted_rate, 3),
            "completedPerSecond": round(self.completed_rate, 3),
            "open": self.open,
            "owed": self.owed,
            "oldestOpenSeconds": round(self.oldest_ns / SECOND, 3),
            "exceptions": dict(self.exceptions),
            "trustEnds": moment(self.trust_ends) if self.trust_ends is not None else "",
        }


@click.group()
def _top() -> None:
    """Holds the one command."""


@command(_top, "top")
@click.option("--once", is_flag=True, help="Print one look, and end.")
@click.option("--every", default="2s", show_default=True, metavar="DURATION", help="Between looks.")
async def top(run: Run, *, once: bool, every: str) -> None:
    """Show what every lane does: rates, what waits and since when, and when trust ends."""
    wait_s = parse_duration(every, "--every") / SECOND
    async with connect(run.settings()) as hub:
        if once:
            rows = await _look_twice(hub, wait_s)
            if run.output is Output.JSON:
                print_json({"lanes": [row.as_dict() for row in rows]})
            else:
                print_table(table_of(rows))
            return
        await _follow(hub, wait_s)


def rows_of(
    before: GetActivityResponse,
    now: GetActivityResponse,
    clients: Sequence[client_pb2.Client],
) -> list[LaneRow]:
    """Every lane of *now*, with its rates since *before*."""
    at = timestamp_from_proto(now.time)
    seconds = max(0.001, (at - timestamp_from_proto(before.time)) / SECOND)
    earlier = {lane.lane: lane for lane in before.lanes}
    ends = {client.name: client.expire_time for client in clients if client.expire_time.seconds}
    return [_row(lane, earlier.get(lane.lane, lane), seconds, at, ends) for lane in now.lanes]


def table_of(rows: Sequence[LaneRow]) -> Table:
    """*rows* as a table, and their sums."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("LANE", "STATE"):
        table.add_column(title, overflow="fold")
    for title in ("IN/s", "DONE/s", "OPEN", "OWED", "OLDEST"):
        table.add_column(title, justify="right")
    for title in ("EXCEPTIONS", "TRUST ENDS"):
        table.add_column(title)
    for row in rows:
        table.add_row(*[Text(cell) for cell in _cells(row)])
    return table


def summary(rows: Sequence[LaneRow]) -> str:
    """All lanes in one line."""
    accepted = sum([row.accepted_rate for row in rows])
    completed = sum([row.completed_rate for row in rows])
    oldest = max([row.oldest_ns for row in rows], default=0)
    parked = sum([row.exceptions.get("PARKED", 0) for row in rows])
    return (
        f"{len(rows)} lanes, {accepted:.1f} packets/s in, {completed:.1f} done, "
        f"{sum([row.open for row in rows])} open, the oldest {shown(oldest)}, {parked} parked"
    )


async def _look(hub: Connection) -> GetActivityResponse:
    request = status_service_pb2.GetActivityRequest()
    return await hub.call(hub.status.GetActivity, request)


async def _clients(hub: Connection) -> list[client_pb2.Client]:
    request = client_service_pb2.ListClientsRequest()
    pages = [page async for page in hub.all(hub.clients.ListClients, request)]
    return [client for page in pages for client in page.clients]


async def _look_twice(hub: Connection, wait_s: float) -> list[LaneRow]:
    before = await _look(hub)
    clients = await _clients(hub)
    await asyncio.sleep(wait_s)
    return rows_of(before, await _look(hub), clients)


async def _follow(hub: Connection, wait_s: float) -> None:
    """Shows one look after the other, until it is interrupted."""
    before, clients, looks = await _look(hub), await _clients(hub), 0
    with Live(console=Console(), screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(wait_s)
            looks += 1
            if looks % CLIENTS_EVERY == 0:
                clients = await _clients(hub)
            now = await _look(hub)
            rows = rows_of(before, now, clients)
            live.update(Group(Text(summary(rows), style="bold"), table_of(rows)), refresh=True)
            before = now


def _row(
    lane: LaneActivity,
    before: LaneActivity,
    seconds: float,
    at: int,
    ends: Mapping[str, Timestamp],
) -> LaneRow:
    oldest = (
        timestamp_from_proto(lane.oldest_open_time) if lane.HasField("oldest_open_time") else at
    )
    trust = [ends[name] for name in clients_of(lane.lane) if name in ends]
    return LaneRow(
        lane=lane.lane.removeprefix("lanes/"),
        state=_state(lane),
        accepted_rate=(lane.accepted_count - before.accepted_count) / seconds,
        completed_rate=(lane.completed_count - before.completed_count) / seconds,
        open=lane.open_count,
        owed=lane.owed_count,
        oldest_ns=max(0, at - oldest),
        exceptions={
            word(packet_pb2.PacketException.Kind, one.kind, "KIND_"): one.count
            for one in lane.exceptions
        },
        trust_ends=min(trust, key=timestamp_from_proto, default=None),
    )


def clients_of(lane: str) -> list[str]:
    """The four clients on which *lane* rests: the hub's, and the chains', of both ends."""
    source, source_client, destination, destination_client = lane.removeprefix("lanes/").split("~")
    return [
        f"peers/{source}/client",
        f"peers/{source}/clients/{source_client}",
        f"peers/{destination}/client",
        f"peers/{destination}/clients/{destination_client}",
    ]


def _state(lane: LaneActivity) -> str:
    if lane.source_stopped or lane.destination_stopped:
        return "STOPPED"
    return word(lane_pb2.LaneState, lane.state, "LANE_STATE_")


def _cells(row: LaneRow) -> list[str]:
    return [
        row.lane,
        row.state,
        f"{row.accepted_rate:.1f}",
        f"{row.completed_rate:.1f}",
        str(row.open),
        str(row.owed),
        shown(row.oldest_ns) if row.oldest_ns else "",
        " ".join([f"{kind}:{count}" for kind, count in row.exceptions.items()]),
        moment(row.trust_ends) if row.trust_ends is not None else "",
    ]
