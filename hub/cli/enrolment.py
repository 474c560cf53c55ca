"""``ydhub peer invite`` and ``peer enroll``: a city's first certificate, by a one-time token."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import grpc
from ydhub.certificate.v1 import certificate_service_pb2, enrolment_service_pb2
from ydhub.certificate.v1.enrolment_service_pb2_grpc import EnrolmentServiceStub

from hub.cli.connection import connect
from hub.cli.keys import make_key, request_for, write_pair
from hub.cli.options import command
from hub.cli.output import moment, show_one
from hub.cli.resources import peer_name
from hub.core.errors import FieldInvalid
from hub.wire.duration import parse_duration
from hub.wire.identity.credentials import server_trust
from hub.wire.status import from_rpc_error
from hub.wire.times import duration_to_proto

if TYPE_CHECKING:
    from hub.cli.options import Run

MAX_TOKEN_BYTES = 1024
TIMEOUT_S = 10

_FILE = click.Path(path_type=Path)
_NEXT = (
    "next, at the city: ydhub peer enroll --hub HOST:PORT --hub-ca CA --token-file FILE"
    " --out-cert CERT --out-key KEY"
)


@click.group()
def enrolment() -> None:
    """The commands of enrolment, which stand under ``ydhub peer``."""


@command(enrolment, "invite")
@click.argument("name")
@click.option("--ttl", default="1h", show_default=True, help="How long the token counts.")
async def invite(run: Run, *, name: str, ttl: str) -> None:
    """Make a one-time token by which the city of the peer NAME gets its certificate.

    It is printed this once. Hand it over where nobody else reads it.
    """
    request = certificate_service_pb2.InvitePeerRequest(
        name=peer_name(name), ttl=duration_to_proto(parse_duration(ttl, "--ttl"))
    )
    async with connect(run.settings()) as hub:
        answer = await hub.call(hub.certificates.InvitePeer, request)
    lines = [("token", answer.token), ("counts until", moment(answer.expire_time))]
    show_one(run.output, answer, lines)
    click.echo(_NEXT, err=True)


@command(enrolment, "enroll", calls=False)
@click.option("--hub", "address", required=True, metavar="HOST:PORT", help="Where cities enrol.")
@click.option("--hub-ca", type=_FILE, required=True, help="The CA that the hub is judged by, PEM.")
@click.option(
    "--token-file", type=_FILE, required=True, help="Holds the administrator's token; - for stdin."
)
@click.option("--out-cert", type=_FILE, required=True, help="Certificate to write, PEM.")
@click.option("--out-key", type=_FILE, required=True, help="Key to make and write, PEM.")
async def enroll(
    run: Run,
    *,
    address: str,
    hub_ca: Path,
    token_file: Path,
    out_cert: Path,
    out_key: Path,
) -> None:
    """Get this city's first certificate, with a token of an administrator.

    The key is made here, and stays here.
    """
    made = make_key()
    request = enrolment_service_pb2.EnrolRequest(
        token=read_token(token_file), certificate_request=request_for(made)
    )
    async with grpc.aio.secure_channel(address, server_trust(hub_ca)) as channel:
        try:
            answer = await EnrolmentServiceStub(channel).Enrol(request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
    issued = answer.certificate
    write_pair(out_cert, out_key, made, issued.chain)
    lines = [
        ("identity", issued.identity),
        ("serial", issued.serial),
        ("valid until", moment(issued.expire_time)),
        ("certificate", out_cert),
        ("key", out_key),
    ]
    show_one(run.output, issued, lines)


def read_token(file: Path) -> str:
    """The token that *file* holds, or stdin for ``-``. Raises ``FieldInvalid``."""
    try:
        if str(file) == "-":
            content = sys.stdin.buffer.read(MAX_TOKEN_BYTES)
        else:
            with file.open("rb") as stream:
                content = stream.read(MAX_TOKEN_BYTES)
        token = content.decode("ascii").strip()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(file), problem=problem) from error
    except UnicodeDecodeError as error:
        raise FieldInvalid(field=str(file), problem="holds no token") from error
    if not token:
        raise FieldInvalid(field=str(file), problem="holds no token")
    return token
