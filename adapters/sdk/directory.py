"""An adapter's own directory: one process uses it at a time."""

from __future__ import annotations

import fcntl
from typing import IO, TYPE_CHECKING

from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from pathlib import Path


def lock(directory: Path) -> IO[str]:
    """The lock of *directory*, which is made where it is not there; released with the process.

    Raises ``FieldInvalid`` where another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / "lock").open("w")
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        problem = f"{directory} is in use by another process"
        raise FieldInvalid(field="directory", problem=problem) from error
    return file
