"""``ydhub support bundle``: what somebody needs who helps from afar, in one file, without secrets.

Contents of packets are not in it, only what became of them; keys are never read.
"""

from __future__ import annotations

import io
import json
import os
import platform
import sys
import tarfile
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from ydhub.lane.v1 import lane_service_pb2
from ydhub.packet.v1 import packet_pb2, packet_service_pb2

from hub.cli.connection import connect
from hub.cli.doctor.command import examine, judge, summary
from hub.cli.doctor.gather import URL_VARIABLE, machine_clock
from hub.cli.options import command
from hub.cli.output import Output, as_dict, json_text, print_json
from hub.cli.redaction import redact, redact_value
from hub.core.errors import FieldInvalid, HubError
from hub.core.time import SECOND
from hub.wire.status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from hub.cli.connection import Connection
    from hub.cli.doctor.findings import Examined
    from hub.cli.options import Run

MAX_EXCEPTIONS: Final = 200
"""Packets of each kind of exception."""
MAX_LOG_LINES: Final = 2_000
MAX_LOG_BYTES: Final = 1024 * 1024
_KINDS: Final = packet_pb2.PacketException.Kind


@click.group()
def support() -> None:
    """Help from afar."""


@command(support, "bundle")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .tar.gz to write.")
@click.option(
    "--log", "logs", multiple=True, type=click.Path(path_type=Path), help="A log; its end."
)
@click.option(
    "--config", "configs", multiple=True, type=click.Path(path_type=Path), help="A TOML file."
)
@click.option("--database-url", default="", help="As for doctor.  [env: YDHUB_DATABASE_URL]")
async def bundle(
    run: Run,
    *,
    out: Path,
    logs: tuple[Path, ...],
    configs: tuple[Path, ...],
    database_url: str,
) -> None:
    """Write versions, doctor's findings, lanes, clients, exceptions, settings and ends of logs.

    The logs and settings of a development network are found by themselves. Nothing that looks like
    a secret is in it; look at it before you send it.
    """
    url = database_url or os.environ.get(URL_VARIABLE, "")
    seen = await examine(run, url, invariants=False, between_s=1)
    files = {"versions.json": _versions(seen), **_examined(seen), **await _asked(run)}
    logs = logs or tuple(sorted(run.directory.glob("logs/*.log")))
    configs = configs or tuple(sorted(run.directory.glob("config/*.toml")))
    texts = {f"logs/{file.name}": _end_of(file) for file in logs}
    files |= {f"config/{file.stem}.json": _settings(file) for file in configs}
    texts |= {name: json_text(redact_value(value)) for name, value in files.items()}
    try:
        size = write(out, texts, machine_clock() // SECOND)
    except OSError as error:
        raise FieldInvalid(field="--out", problem=f"{out}: {error.strerror}") from error
    if run.output is Output.JSON:
        print_json({"file": str(out), "contents": sorted(texts)})
    else:
        click.echo(f"{out}: {len(texts)} files, {size} bytes")


def write(out: Path, texts: Mapping[str, str], at: int) -> int:
    """*texts* by name are in the archive *out*, redacted, all of the time *at* (s); its bytes."""
    with tarfile.open(out, "w:gz") as archive:
        for name, text in sorted(texts.items()):
            content = redact(text).encode()
            entry = tarfile.TarInfo(f"ydhub-support/{name}")
            entry.size, entry.mtime, entry.mode = len(content), at, 0o600
            archive.addfile(entry, io.BytesIO(content))
    return out.stat().st_size


def without_contents(record: packet_pb2.PacketRecord) -> dict[str, Any]:
    """*record*, with the sizes of its payloads and answers in place of themselves."""
    shown = packet_pb2.PacketRecord()
    shown.CopyFrom(record)
    for payload in shown.packet.payloads:
        payload.value = b""
    shown.ClearField("acknowledgement")
    sizes = [len(payload.value) for payload in record.packet.payloads]
    return {**as_dict(shown), "payloadBytes": sizes}


def _versions(seen: Examined) -> dict[str, Any]:
    return {
        "ydhub": version("ydhub"),
        "hub": seen.hub_report.version if seen.hub_report is not None else "",
        "schema": seen.database.schema_revision if seen.database is not None else "",
        "postgresql": seen.database.server_version if seen.database is not None else "",
        "python": sys.version,
        "platform": platform.platform(),
    }


def _examined(seen: Examined) -> dict[str, Any]:
    findings = judge(seen)
    told = {"summary": summary(findings), "findings": [found.as_dict() for found in findings]}
    shown: dict[str, Message | None] = {"database": seen.database, "activity": seen.activity}
    files: dict[str, Any] = {
        f"{name}.json": as_dict(one) for name, one in shown.items() if one is not None
    }
    files["peers.json"] = [as_dict(peer) for peer in seen.peers or ()]
    files["clients.json"] = [as_dict(client) for client in seen.clients or ()]
    return {"doctor.json": told, **files}


async def _asked(run: Run) -> dict[str, Any]:
    """What the doctor does not look at; what cannot be asked is said so."""
    files: dict[str, Any] = {}
    try:
        async with connect(run.settings()) as hub:
            request = lane_service_pb2.ListLanesRequest()
            pages = [page async for page in hub.all(hub.lanes.ListLanes, request)]
            files["lanes.json"] = [as_dict(lane) for page in pages for lane in page.lanes]
            routes = await hub.call(hub.lanes.ListRoutes, lane_service_pb2.ListRoutesRequest())
            files["routes.json"] = [as_dict(route) for route in routes.routes]
            for name, kind in _KINDS.items():
                if kind:
                    short = name.removeprefix("KIND_").lower()
                    files[f"exceptions/{short}.json"] = await _exceptions(hub, kind)
    except (HubError, RemoteError) as error:
        files["not-asked.json"] = {"problem": str(error)}
    return files


async def _exceptions(
    hub: Connection, kind: packet_pb2.PacketException.Kind.ValueType
) -> list[dict[str, Any]]:
    request = packet_service_pb2.ListPacketsRequest(exception=kind)
    found: list[packet_pb2.PacketRecord] = []
    async for page in hub.all(hub.packets.ListPackets, request, limit=MAX_EXCEPTIONS):
        found += page.packets
        if len(found) >= MAX_EXCEPTIONS:
            break
    return [without_contents(record) for record in found[:MAX_EXCEPTIONS]]


def _settings(file: Path) -> Any:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return {"problem": f"{type(error).__name__}: {getattr(error, 'strerror', '') or 'no TOML'}"}


def _end_of(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - MAX_LOG_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"cannot be read: {error.strerror}\n"
    return "".join([f"{_redacted_line(line)}\n" for line in lines[-MAX_LOG_LINES:]])


def _redacted_line(line: str) -> str:
    """A line of JSON by its names too; any other as text."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    return json.dumps(redact_value(entry), ensure_ascii=False)
