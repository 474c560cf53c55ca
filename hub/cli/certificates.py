"""``ydhub cert``: look at certificates, renew them before they end, and revoke them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from ydhub.certificate.v1 import certificate_pb2, certificate_service_pb2

from hub.cli.clock import wall_clock
from hub.cli.connection import connect
from hub.cli.keys import make_key, request_for, write_pair
from hub.cli.options import command
from hub.cli.output import moment, show_list, show_one
from hub.core.certificate import parse_serial
from hub.core.errors import FieldInvalid
from hub.core.ids import parse_peer_id
from hub.core.time import Timestamp
from hub.wire.duration import parse_duration
from hub.wire.identity.certificate_file import read_certificate
from hub.wire.identity.spiffe import SpiffeId, peer_identity
from hub.wire.times import timestamp_to_proto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.cli.options import Run
    from hub.wire.identity.certificate_file import CertificateFile

NOT_YET: Final = 13
"""Exit code of ``needs-renewal`` where there is no need yet; what fails has the usual ones."""

_SERIAL: Final = re.compile(r"[0-9a-f:]{16,59}")
"""What is so long and hexadecimal is no peer's name; a shorter one is written ``serial:1f``."""

_FILE = click.Path(path_type=Path)


@click.group()
def cert() -> None:
    """Certificates: inspect, renew, revoke."""


@command(cert, "inspect", calls=False)
@click.argument("file", type=_FILE)
async def inspect(run: Run, *, file: Path) -> None:
    """Show what the certificate in FILE says."""
    found = read_certificate(file)
    shown = certificate_pb2.IssuedCertificate(
        serial=found.serial,
        identity=found.identity,
        expire_time=timestamp_to_proto(found.not_after),
    )
    show_one(run.output, shown, _lines(found))


@command(cert, "needs-renewal", calls=False)
@click.argument("file", type=_FILE)
@click.option(
    "--within", metavar="DURATION", help="Renew so long before the end; else in its last third."
)
async def needs_renewal(run: Run, *, file: Path, within: str | None) -> int:
    """Exit with 0 if the certificate in FILE should be renewed, with 13 if not yet.

    As in: ydhub cert needs-renewal FILE && ydhub cert renew ...
    """
    del run
    found = read_certificate(file)
    at = found.renews_at
    if within:
        at = Timestamp(max(0, found.not_after - parse_duration(within, "--within")))
    if wall_clock() >= at:
        click.echo(f"{file} should be renewed", err=True)
        return 0
    click.echo(f"{file} need not be renewed before {moment(timestamp_to_proto(at))}", err=True)
    return NOT_YET


@command(cert, "renew")
@click.option("--out-cert", type=_FILE, help="Certificate to write; else --cert is replaced.")
@click.option("--out-key", type=_FILE, help="Key to write; else --key is replaced.")
async def renew(run: Run, *, out_cert: Path | None, out_key: Path | None) -> None:
    """Get a new certificate, with a new key, for the identity of --cert and --key.

    Running processes take the new files up by themselves.
    """
    if (out_cert is None) != (out_key is None):
        raise FieldInvalid(field="--out-cert", problem="and --out-key go together")
    settings, made = run.settings(), make_key()
    request = certificate_service_pb2.RenewCertificateRequest(certificate_request=request_for(made))
    async with connect(settings) as hub:
        issued = (await hub.call(hub.certificates.RenewCertificate, request)).certificate
    write_pair(out_cert or settings.cert_file, out_key or settings.key_file, made, issued.chain)
    lines = [
        ("identity", issued.identity),
        ("serial", issued.serial),
        ("valid until", moment(issued.expire_time)),
        ("certificate", out_cert or settings.cert_file),
    ]
    show_one(run.output, issued, lines)


@command(cert, "revoke")
@click.argument("subject")
@click.option("--cause", required=True, help="Why, for the record.")
@click.option("--request-id", default="", help="Makes a repeated call one.")
async def revoke(run: Run, *, subject: str, cause: str, request_id: str) -> None:
    """Revoke SUBJECT: a serial number, a peer's name, or a SPIFFE URI.

    Of a peer or a URI all certificates count no more that it has by now. Live streams end at once.
    """
    request = certificate_service_pb2.RevokeCertificateRequest(cause=cause, request_id=request_id)
    settings = run.settings()
    if subject.startswith("serial:") or _SERIAL.fullmatch(subject.lower()):
        request.serial = parse_serial(subject.removeprefix("serial:"))
    elif "://" in subject:
        request.identity = str(SpiffeId.parse(subject))
    else:
        peer = parse_peer_id(subject.removeprefix("peers/"))
        own = SpiffeId.parse(read_certificate(settings.cert_file).identity)
        request.identity = str(peer_identity(own.trust_domain, peer))
    async with connect(settings) as hub:
        answer = await hub.call(hub.certificates.RevokeCertificate, request)
    found = answer.revocation
    done = "was revoked before" if answer.already_done else "is revoked"
    click.echo(f"{found.serial or found.identity} {done}", err=True)
    lines = [
        ("serial", found.serial),
        ("identity", found.identity),
        ("cause", found.cause),
        ("since", moment(found.revoke_time)),
    ]
    show_one(run.output, found, lines)


@command(cert, "revoked")
async def revoked(run: Run) -> None:
    """List what is revoked, oldest first."""
    request = certificate_service_pb2.ListRevocationsRequest()
    async with connect(run.settings()) as hub:
        pages = [page async for page in hub.all(hub.certificates.ListRevocations, request)]
    found = [one for page in pages for one in page.revocations]
    columns: dict[str, Callable[[certificate_pb2.Revocation], object]] = {
        "SERIAL": lambda one: one.serial,
        "IDENTITY": lambda one: one.identity,
        "SINCE": lambda one: moment(one.revoke_time),
        "CAUSE": lambda one: one.cause,
    }
    show_list(run.output, "revocations", found, columns)


def _lines(found: CertificateFile) -> Iterator[tuple[str, object]]:
    yield "identity", found.identity
    yield "serial", found.serial
    yield "issuer", found.issuer
    yield "valid from", moment(timestamp_to_proto(found.not_before))
    yield "valid until", moment(timestamp_to_proto(found.not_after))
    yield "renew from", moment(timestamp_to_proto(found.renews_at))
