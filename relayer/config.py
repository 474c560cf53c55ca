"""What a relayer is told at its start: one TOML file, typed, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    import os


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PEM files of the process's own certificate, and of the CA that others are judged by."""

    cert_file: str
    key_file: str
    ca_file: str


class RelayerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A relayer's configuration."""

    name: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]{1,40}$")]
    """Its name in leases, logs and its SPIFFE identity ``/relayers/{name}``."""
    listen: str
    """Where adapters dial, host:port."""
    database_url: str
    """The registry; ``YDHUB_DATABASE_URL`` counts where this is empty.

    It may name the standbys too, ``postgresql://hub@db1:5432,db2:5432/ydhub``: the primary is used.
    """
    trust_domain: str
    """Of the SPIFFE identities that it believes."""
    tls: Tls
    require_synchronous_standby: bool = False
    """Whether nothing is accepted while no synchronous standby of the database has all of it."""
    advertise: str = ""
    """Where adapters reach it, host:port, as they write it; where it listens if empty."""
    metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """Loopback port of the Prometheus metrics; 0 serves none."""
    trace_endpoint: str = ""
    """Where OpenTelemetry traces go, as http://127.0.0.1:4317; empty keeps none."""
    verification_threads: Annotated[int, Meta(ge=1, le=64)] = 2
    """Threads of the verification pool; the signature libraries release the interpreter."""
    log_format: Literal["json", "console"] = "json"
    """``console`` is for people."""


def load(path: str | os.PathLike[str]) -> RelayerConfig:
    """The configuration in the file. Raises ``FieldInvalid`` naming the file and the key."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(path), problem=problem) from error
    try:
        return msgspec.toml.decode(content, type=RelayerConfig)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FieldInvalid(field=str(path), problem=f"is not valid: {error}") from error
