"""Where the hub is and who calls: from options, or from the development network's own file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Duration
from hub.wire.duration import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

DEV_DIRECTORY: Final = ".ydhub"
DEV_FILE: Final = "dev.toml"
TIMEOUT: Final = Duration(10 * SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a command needs to call the hub."""

    server: str
    """host:port."""
    cert_file: Path
    key_file: Path
    ca_file: Path
    timeout: Duration
    """Of one call (ns)."""
    chains: Mapping[str, str] = field(default_factory=dict)
    """By peer: host:port of an embedded chain of the development network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was given on the command line; None where nothing was."""

    directory: Path = Path(DEV_DIRECTORY)
    server: str | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
    timeout: str | None = None


def resolve(given: Given) -> Settings:
    """What is given, the rest from the development network. Raises ``FieldInvalid``."""
    file = given.directory / DEV_FILE
    known = _read(file)
    hub, tls = _table(known, "hub", file), _table(known, "tls", file)

    def found(option: str, value: object, table: Mapping[str, Any], key: str) -> str:
        if value is not None:
            return str(value)
        if not isinstance(table.get(key), str):
            problem = f"is not given, and {file} does not say it; start one with `ydhub dev up`"
            raise FieldInvalid(field=option, problem=problem)
        return str(table[key])

    chains = _table(known, "chains", file)
    return Settings(
        server=found("--server", given.server, hub, "server"),
        cert_file=given.directory / found("--cert", _absolute(given.cert_file), tls, "cert"),
        key_file=given.directory / found("--key", _absolute(given.key_file), tls, "key"),
        ca_file=given.directory / found("--ca", _absolute(given.ca_file), tls, "ca"),
        timeout=parse_duration(given.timeout, "--timeout") if given.timeout else TIMEOUT,
        chains={peer: str(address) for peer, address in chains.items()},
    )


def _absolute(path: Path | None) -> Path | None:
    """A path of the command line is of the working directory, one of the file of the file's own."""
    return path.absolute() if path is not None else None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise FieldInvalid(field=str(file), problem=f"cannot be read: {error}") from error


def _table(known: Mapping[str, Any], name: str, file: Path) -> Mapping[str, Any]:
    table = known.get(name, {})
    if not isinstance(table, dict):
        raise FieldInvalid(field=f"{file}: {name}", problem="is not a table")
    return table
