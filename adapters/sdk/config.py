"""What every adapter's configuration file has in common: TOML, typed, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    import os

T = TypeVar("T", bound=msgspec.Struct)


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PEM files of the adapter's own certificate, and of the CA that others are judged by."""

    cert_file: str
    key_file: str
    ca_file: str

    def within(self, base: Path) -> Tls:
        """The same, with paths relative to *base* made whole."""
        return Tls(
            cert_file=str(base / self.cert_file),
            key_file=str(base / self.key_file),
            ca_file=str(base / self.ca_file),
        )


def read(path: str | os.PathLike[str], kind: type[T]) -> T:
    """The configuration of *kind* in the file.

    Raises ``FieldInvalid`` naming the file and the key.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(path), problem=problem) from error
    try:
        return msgspec.toml.decode(content, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise FieldInvalid(field=str(path), problem=f"is not valid: {error}") from error


def check_between(key: str, value: int, low: int, high: int) -> None:
    """*value* is *low* to *high*. Raises ``ValueError``, which ``read`` tells with the file."""
    if not low <= value <= high:
        raise ValueError(f"`{key}` is {value}, not {low} to {high}")
