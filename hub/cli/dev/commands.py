"""``ydhub dev``: a development network on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Final

import click
from rich.table import Table
from ydhub.simchain.v1 import simchain_service_pb2 as simchain

from hub.cli.connection import connect
from hub.cli.dev.demo import Demo
from hub.cli.dev.layout import DISPLAY_NAMES, POSTGRES, PROCESSES
from hub.cli.dev.network import Network
from hub.cli.exit_codes import ExitCode
from hub.cli.options import command
from hub.cli.output import Output, print_json, print_table
from hub.cli.settings import Given, resolve
from hub.core.errors import FieldInvalid
from hub.core.ids import parse_peer_id
from hub.core.time import MILLISECOND
from hub.wire import anchor_file
from hub.wire.anchors import anchor_from_proto
from hub.wire.duration import parse_duration

if TYPE_CHECKING:
    from hub.cli.options import Run

FOLLOW_EVERY_S: Final = 0.2
LAST_LINES: Final = 100
MAX_MILLISECONDS: Final = 600_000
_ALL: Final = (POSTGRES, *PROCESSES)
_KINDS: Final = {
    name.removeprefix("KIND_").lower().replace("_", "-"): number
    for name, number in simchain.MisbehaveRequest.Kind.items()
    if number
}


@click.group()
def dev() -> None:
    """A development network on this machine."""


@command(dev, "up", calls=False)
async def up(run: Run) -> None:
    """Start a hub, a relayer and three chains, or what is missing of them."""
    network = Network(run.directory, _tell)
    chosen = await network.up()
    if run.output is Output.JSON:
        print_json(
            {
                "hub": chosen.hub,
                "relayer": chosen.relayer,
                "metrics": [chosen.hub_metrics, chosen.metrics],
                "chains": {str(peer): address for peer, address in chosen.chains.items()},
            }
        )
    file = run.directory / "anchors" / "hub" / "hangzhou.yaml"
    click.echo(f"next: ydhub peer register -f {file}    stop: ydhub dev down", err=True)


@command(dev, "down", calls=False)
async def down(run: Run) -> None:
    """Stop all of it; chains, database and keys stay for the next start."""
    await Network(run.directory, _tell).down()
    click.echo("nothing runs", err=True)


@command(dev, "status", calls=False)
async def status(run: Run) -> int:
    """Show what runs. Exits with 9 where something does not."""
    network = Network(run.directory, _tell)
    found = [await _state(network, name) for name in _ALL]
    if run.output is Output.JSON:
        print_json({"processes": found})
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("PROCESS", "STATE", "PID", "ADDRESS"):
            table.add_column(title)
        for entry in found:
            table.add_row(*[str(value) for value in entry.values()])
        print_table(table)
    well = all(entry["state"] in {"answers", "runs"} for entry in found)
    return ExitCode.OK if well else ExitCode.UNAVAILABLE


@command(dev, "logs", calls=False)
@click.argument("name", type=click.Choice(_ALL), required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as more is written, until interrupted.")
async def logs(run: Run, *, name: str | None, follow: bool) -> None:
    """Print the end of a process's log, or of all."""
    network = Network(run.directory, _tell)
    names = [name] if name else list(_ALL)
    for each in names:
        for line in network.last_lines(each, LAST_LINES):
            click.echo(line if name else f"{each:>9}  {line}")
    if follow:
        files = {each: network.layout.log(each) for each in names}
        await _follow(files, marked=name is None)


@command(dev, "demo", calls=False)
@click.option("--keep", is_flag=True, help="Leave the network running afterwards.")
async def demo(run: Run, *, keep: bool) -> int:
    """Show the main job from nothing in DIR/demo, and judge it by the chains' own ledgers."""
    directory = run.directory / "demo"
    await Network(directory, _tell).down()
    rmtree(directory, ignore_errors=True)
    network = Network(directory, _tell)
    try:
        await network.up()
        report = await Demo(network, resolve(Given(directory=directory)), _tell).run()
    finally:
        if not keep:
            await network.down()
    if run.output is Output.JSON:
        print_json({"shown": dict(report.lines), "failures": report.failures})
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for what, how in report.lines:
            table.add_row(what, how)
        print_table(table)
    for failure in report.failures:
        click.echo(f"FAILED  {failure}", err=True)
    click.echo("the demo failed" if report.failures else "everything held", err=True)
    return ExitCode.BUG if report.failures else ExitCode.OK


@command(dev, "misbehave")
@click.argument("peer")
@click.argument("kind", type=click.Choice(list(_KINDS)))
@click.option("--client", default="", metavar="ID", help="Whose lane, of the chain's own clients.")
@click.option("--for", "lasts", default="10s", show_default=True, help="How long; 0s ends it.")
async def misbehave(run: Run, *, peer: str, kind: str, client: str, lasts: str) -> None:
    """Make an embedded chain break the rules once; or, the last four, for a while."""
    settings = run.settings()
    if peer not in settings.chains:
        raise FieldInvalid(field="PEER", problem=f"is none of {', '.join(settings.chains)}")
    duration = parse_duration(lasts, "--for") // MILLISECOND
    if duration > MAX_MILLISECONDS:
        raise FieldInvalid(field="--for", problem="is over 10 minutes")
    request = simchain.MisbehaveRequest(kind=_KINDS[kind], client=client, duration_ms=duration)
    async with connect(settings, settings.chains[peer]) as chain:
        answer = await chain.call(chain.simchain.Misbehave, request)
    if run.output is Output.JSON:
        print_json({"reason": answer.reason, "detail": answer.detail})
    else:
        click.echo(f"{answer.reason} {answer.detail}".strip())


@command(dev, "anchor")
@click.argument("peer")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The file to write; YAML."
)
async def anchor(run: Run, *, peer: str, out: Path) -> None:
    """Write down the newest block of an embedded chain, as an operator does from its own node."""
    settings = run.settings()
    if peer not in settings.chains:
        raise FieldInvalid(field="PEER", problem=f"is none of {', '.join(settings.chains)}")
    async with connect(settings, settings.chains[peer]) as chain:
        answer = await chain.call(chain.simchain.GetAnchor, simchain.GetAnchorRequest())
    found = anchor_from_proto(answer.anchor, "anchor")
    name = parse_peer_id(peer)
    anchor_file.write(out, found, peer=name, display_name=DISPLAY_NAMES[name])
    if run.output is Output.JSON:
        print_json({"file": str(out), "height": str(found.height)})
    else:
        click.echo(f"{found.height} {found.header_hash.hex()}")


async def _state(network: Network, name: str) -> dict[str, object]:
    number = network.number(name)
    state = "stopped"
    if number is not None:
        state = "runs" if name == POSTGRES else "starts"
        if name != POSTGRES and await network.answers(name):
            state = "answers"
    address = network.addresses.get(name, "")
    return {"name": name, "state": state, "pid": number or "", "address": address}


async def _follow(files: dict[str, Path], *, marked: bool) -> None:
    """Whatever is written to *files* from now on, until interrupted. Raises ``FieldInvalid``."""
    places = {name: _size(file) for name, file in files.items()}
    if not any(file.exists() for file in files.values()):
        raise FieldInvalid(field="--dir", problem="holds no log")
    while True:
        for name, file in files.items():
            size = _size(file)
            if size < places[name]:  # begun anew
                places[name] = 0
            if size > places[name]:
                with file.open("rb") as stream:
                    stream.seek(places[name])
                    text = stream.read(size - places[name])
                # A line that is not whole yet waits.
                end = text.rfind(b"\n") + 1
                places[name] += end
                for line in text[:end].decode(errors="replace").splitlines():
                    click.echo(f"{name:>9}  {line}" if marked else line)
        await asyncio.sleep(FOLLOW_EVERY_S)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _tell(what: str, how: str) -> None:
    click.echo(f"  {what:<13} {how}", err=True)
