"""``ydhub packet``: send, find and explain packets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import click
from ydhub.hub.v1 import watch_service_pb2
from ydhub.packet.v1 import packet_pb2, packet_service_pb2
from ydhub.simchain.v1 import simchain_service_pb2

from hub.cli import watching
from hub.cli.connection import connect
from hub.cli.options import command
from hub.cli.output import moment, show_list, show_one, word
from hub.cli.resources import lane_between, lane_name, packet_name
from hub.core.errors import AnswerOverdue, FieldInvalid, Reason
from hub.core.time import MILLISECOND, SECOND
from hub.wire.duration import parse_duration
from hub.wire.status import RemoteError
from hub.wire.times import duration_to_proto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.duration_pb2 import Duration as ProtoDuration

    from hub.cli.connection import Connection
    from hub.cli.options import Run
    from hub.core.time import Duration

ASK_EVERY_S: Final = 0.2
_STATES: Final = {
    name.removeprefix("PACKET_STATE_"): number
    for name, number in packet_pb2.PacketState.items()
    if number
}
_KINDS: Final = {
    name.removeprefix("KIND_"): number
    for name, number in packet_pb2.PacketException.Kind.items()
    if number and name.removeprefix("KIND_") not in _STATES
}
_RETRIED: Final = ("PARKED", "RETRY")
_NONE: Final = packet_pb2.PacketException.KIND_UNSPECIFIED
_ANY: Final = packet_pb2.PACKET_STATE_UNSPECIFIED
_ENDED: Final = frozenset(
    {
        packet_pb2.PACKET_STATE_COMPLETED,
        packet_pb2.PACKET_STATE_REFUNDED,
        packet_pb2.PACKET_STATE_SETTLED_ELSEWHERE,
    }
)


@click.group()
def packet() -> None:
    """Packets: send, find, explain."""


@command(packet, "send")
@click.option("--from", "source", required=True, metavar="PEER", help="Whose embedded chain sends.")
@click.option("--to", "destination", required=True, metavar="PEER")
@click.option("--sender", required=True, metavar="ACCOUNT", help="Who pays, on the source chain.")
@click.option("--receiver", required=True, metavar="ACCOUNT", help="On the destination chain.")
@click.option("--amount", required=True, type=click.IntRange(min=1), help="Whole units, each.")
@click.option("--token", required=True, metavar="DENOMINATION")
@click.option("--count", type=click.IntRange(1, 10_000), default=1, help="Packets to send.")
@click.option("--expires-in", default="10m", show_default=True, metavar="DURATION")
@click.option("--port", default="", help="Source port; another than transfer tests policy.")
@click.option("--memo", default="", help="Text carried along.")
@click.option("--chain", default="", metavar="HOST:PORT", help="Of the source chain's service.")
@click.option("--wait/--no-wait", "waits", default=False, help="Follow the last one to its end.")
@click.option("--wait-for", default="60s", show_default=True, metavar="DURATION")
async def send(
    run: Run,
    *,
    source: str,
    destination: str,
    sender: str,
    receiver: str,
    amount: int,
    token: str,
    count: int,
    expires_in: str,
    port: str,
    memo: str,
    chain: str,
    waits: bool,
    wait_for: str,
) -> None:
    """Send token transfers from an embedded chain of the development network."""
    settings = run.settings()
    lifetime = parse_duration(expires_in, "--expires-in")
    patience = parse_duration(wait_for, "--wait-for")
    address = chain or settings.chains.get(source.removeprefix("peers/"), "")
    if not address:
        raise FieldInvalid(field="--chain", problem=f"is not given, nor known of {source}")
    async with connect(settings) as hub, connect(settings, address) as city:
        lane = await lane_between(hub, source, destination)
        request = simchain_service_pb2.SendTransferRequest(
            client=lane.source_client,
            sender=sender,
            receiver=receiver,
            denomination=token,
            amount=amount,
            timeout_seconds=lifetime // SECOND,
            count=count,
            source_port=port,
            memo=memo,
        )
        sent = await city.call(city.simchain.SendTransfer, request)
        name = f"{lane.name}/packets/{sent.last_sequence}"
        if waits:
            await _follow(hub, name, patience)
    show_one(
        run.output,
        sent,
        [
            ("lane", lane.name),
            ("sequences", f"{sent.first_sequence} to {sent.last_sequence}"),
            ("height", sent.height),
        ],
    )
    click.echo(f"next: ydhub packet explain {name.removeprefix('lanes/')}", err=True)


@command(packet, "list")
@click.argument("lane", default="")
@click.option(
    "--state",
    type=click.Choice([*_STATES, *_KINDS], case_sensitive=False),
    default=None,
    help="Where packets stand, or which exception they have.",
)
@click.option("--older-than", default="", metavar="DURATION", help="In their exception, or at all.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@watching.option
@watching.resume_option
async def list_(
    run: Run,
    *,
    lane: str,
    state: str | None,
    older_than: str,
    limit: int,
    watch: bool,
    resume_token: str,
) -> None:
    """List the packets of LANE in order, or of all lanes.

    With --watch go on: with the packets of LANE, or with those of all lanes that are in a --state
    of parked, retry, hole or denied.
    """
    if watch:
        await _watch(run, lane, state or "", resume_token)
        return
    found: list[packet_pb2.PacketRecord] = []
    async with connect(run.settings()) as hub:
        request = packet_service_pb2.ListPacketsRequest(
            parent=await lane_name(hub, lane) if lane else "",
            state=_STATES.get(state or "", _ANY),
            exception=_KINDS.get(state or "", _NONE),
            older_than=_age(older_than),
        )
        async for page in hub.all(hub.packets.ListPackets, request, limit=limit):
            found += page.packets
            if len(found) >= limit:
                break
    columns = _columns() if lane else {"LANE": _lane, **_columns()}
    show_list(run.output, "packets", found[:limit], columns)


async def _watch(run: Run, lane: str, state: str, resume_token: str) -> None:
    kind = packet_pb2.PacketException.KIND_DENIED if state == "DENIED" else _KINDS.get(state, _NONE)
    if state and not kind:
        raise click.UsageError(f"--watch takes no --state {state}, only an exception")
    async with connect(run.settings()) as hub:
        parent = await lane_name(hub, lane) if lane else ""
    request = watch_service_pb2.WatchPacketsRequest(
        parent=parent, exception=kind, resume_token=resume_token
    )
    columns: dict[str, Callable[[packet_pb2.PacketRecord], object]] = {"LANE": _lane, **_columns()}
    await watching.follow(run, lambda hub: hub.watches.WatchPackets, request, "packet", columns)


def _columns() -> dict[str, Callable[[packet_pb2.PacketRecord], object]]:
    return {
        "SEQUENCE": lambda entry: entry.name.rpartition("/")[2],
        "STATE": _state,
        "PORTS": _ports,
        "ACCEPTED": lambda entry: moment(entry.accept_time),
        "ENDED": lambda entry: moment(entry.outcome_time),
        "EXCEPTION": _exception,
        "SINCE": lambda entry: moment(entry.exception.since_time),
    }


@command(packet, "retry")
@click.argument("names", nargs=-1)
@click.option(
    "--state", type=click.Choice(list(_RETRIED), case_sensitive=False), help="Instead of NAMES."
)
@click.option("--lane", default="", help="Only those of this lane.")
@click.option("--older-than", default="", metavar="DURATION", help="Only those that are so longer.")
@click.option("--max", "most", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be retried.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def retry(
    run: Run,
    *,
    names: tuple[str, ...],
    state: str | None,
    lane: str,
    older_than: str,
    most: int,
    dry_run: bool,
    request_id: str,
) -> None:
    """Try the packets NAMES again, as LANE/SEQUENCE, or those that --state and the rest choose.

    They are proven afresh. Nothing is executed twice: their destination decides by proof.
    """
    if bool(names) == bool(state) or (names and (lane or older_than)):
        raise click.UsageError("give either NAMES, or --state with --lane and --older-than")
    async with connect(run.settings()) as hub:
        request = packet_service_pb2.RetryPacketsRequest(
            names=[await packet_name(hub, name) for name in names],
            parent=await lane_name(hub, lane) if lane else "",
            exception=_KINDS.get(state or "", _NONE),
            older_than=_age(older_than),
            max_count=0 if names else most,
            validate_only=dry_run,
            request_id=request_id,
        )
        done = await hub.call(hub.packets.RetryPackets, request)
    verb = "would be retried" if dry_run else "retried"
    click.echo(f"{len(done.retried)} {verb}", err=True)
    for name in done.skipped:
        click.echo(f"{name} has nothing to retry", err=True)
    if done.has_more:
        click.echo("there are more; call again, or raise --max", err=True)
    lines = [(f"packet {at}", name) for at, name in enumerate(done.retried, 1)]
    show_one(run.output, done, lines)


def _age(text: str) -> ProtoDuration | None:
    return duration_to_proto(parse_duration(text, "--older-than")) if text else None


@command(packet, "get")
@click.argument("name")
async def get(run: Run, *, name: str) -> None:
    """Show the packet NAME, as LANE/SEQUENCE."""
    async with connect(run.settings()) as hub:
        request = packet_service_pb2.GetPacketRequest(name=await packet_name(hub, name))
        found = (await hub.call(hub.packets.GetPacket, request)).packet
    show_one(run.output, found, _lines(found))


@command(packet, "explain")
@click.argument("name")
async def explain(run: Run, *, name: str) -> None:
    """Tell the whole story of the packet NAME, and what it waits for."""
    async with connect(run.settings()) as hub:
        request = packet_service_pb2.ExplainPacketRequest(name=await packet_name(hub, name))
        story = await hub.call(hub.packets.ExplainPacket, request)
    show_one(run.output, story, _story_lines(story))


async def _follow(hub: Connection, name: str, patience: Duration) -> None:
    """The packet has ended; every change of its state is told. Raises ``AnswerOverdue``."""
    told = ""
    try:
        async with asyncio.timeout(patience / SECOND):
            while True:
                found = await _look(hub, name)
                now = _state(found) if found is not None else "not accepted yet"
                if now != told:
                    click.echo(f"{name}: {now}", err=True)
                    told = now
                if found is not None and found.state in _ENDED:
                    return
                await asyncio.sleep(ASK_EVERY_S)
    except TimeoutError:
        what = f"{name}, which goes on by itself,"
        raise AnswerOverdue(what=what, waited_ms=patience // MILLISECOND) from None


async def _look(hub: Connection, name: str) -> packet_pb2.PacketRecord | None:
    request = packet_service_pb2.GetPacketRequest(name=name)
    try:
        return (await hub.call(hub.packets.GetPacket, request)).packet
    except RemoteError as error:
        if error.reason is not Reason.PACKET_NOT_FOUND:
            raise
        return None


def _lane(found: packet_pb2.PacketRecord) -> str:
    return found.name.removeprefix("lanes/").partition("/")[0]


def _exception(found: packet_pb2.PacketRecord) -> str:
    if not found.exception.kind:
        return ""
    kind = word(packet_pb2.PacketException.Kind, found.exception.kind, "KIND_")
    return f"{kind}: {found.exception.reason}"


def _state(found: packet_pb2.PacketRecord) -> str:
    if found.state == _ANY:
        return "not seen"
    return word(packet_pb2.PacketState, found.state, "PACKET_STATE_")


def _ports(found: packet_pb2.PacketRecord) -> str:
    pairs = [f"{one.source_port}~{one.destination_port}" for one in found.packet.payloads]
    return ", ".join(pairs)


def _lines(found: packet_pb2.PacketRecord) -> Iterator[tuple[str, object]]:
    yield "name", found.name
    yield "state", _state(found)
    yield "ports", _ports(found)
    yield "payload", f"{sum(len(one.value) for one in found.packet.payloads)} bytes"
    yield "commitment", found.commitment.hex()
    yield "accepted", _proven(moment(found.accept_time), found.proof_height)
    yield "ended", _proven(moment(found.outcome_time), found.outcome_height)
    answers = [answer.hex() for answer in found.acknowledgement.app_acknowledgements]
    yield "answers", ", ".join(answers)
    if found.exception.kind:
        kind = word(packet_pb2.PacketException.Kind, found.exception.kind, "KIND_")
        yield "exception", f"{kind}: {found.exception.reason}: {found.exception.detail}"
        yield "since", moment(found.exception.since_time)
        yield "attempts", found.exception.attempts
        yield "next attempt", moment(found.exception.next_attempt_time)


def _story_lines(
    story: packet_service_pb2.ExplainPacketResponse,
) -> Iterator[tuple[str, object]]:
    yield "name", story.packet.name
    yield "state", _state(story.packet)
    for event in story.events:
        at = _proven(moment(event.time), event.proof_height)
        yield event.event, f"{event.detail}{f', {at}' if at else ''}"
    yield "waits for", story.waiting_for or "nothing: it has ended"


def _proven(at: str, height: int) -> str:
    return f"{at}, height {height}" if height else at
