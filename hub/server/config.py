"""What the hub server is told at its start: one TOML file, typed, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    import os


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PEM files of the server's own certificate, and of the CA that callers are judged by."""

    cert_file: str
    key_file: str
    ca_file: str


class IssuerFiles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PEM files of an issuing CA: its certificate, then those above it, and its key."""

    cert_file: str
    key_file: str
    days: Annotated[int, msgspec.Meta(ge=1, le=398)] = 30
    """How long what it signs is valid."""


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hub server's configuration."""

    listen: str
    """Where callers dial, host:port."""
    trust_domain: str
    """Of the SPIFFE identities that it believes."""
    tls: Tls
    database_url: str = ""
    """The registry; ``YDHUB_DATABASE_URL`` counts where this is empty.

    It may name the standbys too, ``postgresql://hub@db1:5432,db2:5432/ydhub``: the primary is used.
    """
    require_synchronous_standby: bool = False
    """Whether nothing is changed while no synchronous standby of the database has all of it."""
    reflection: bool = False
    """Whether callers may ask which services there are; for development."""
    notice_s: Annotated[int, msgspec.Meta(ge=0, le=60)] = 2
    """Seconds between the first sign of a stop (health) and no new calls."""
    drain_s: Annotated[int, msgspec.Meta(ge=0, le=300)] = 25
    """Seconds that calls under way have to end."""
    metrics_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """Loopback port of the Prometheus metrics; 0 serves none."""
    invariants_every_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 60
    """Seconds from one round of the invariants to the next; 0 asks none."""
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0
    """Days whose records stay; older ones are dropped once all of theirs has ended. 0 keeps all."""
    issuer: IssuerFiles | None = None
    """The CA that signs certificates for the hub; None where they come from elsewhere."""
    enrolment_listen: str = ""
    """Where cities enrol with an administrator's token, host:port; empty serves none."""
    log_format: Literal["json", "console"] = "json"


def load(path: str | os.PathLike[str]) -> ServerConfig:
    """The configuration in the file. Raises ``FieldInvalid`` naming the file and the key."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(path), problem=problem) from error
    try:
        return msgspec.toml.decode(content, type=ServerConfig)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FieldInvalid(field=str(path), problem=f"is not valid: {error}") from error
