"""What a run was made on, and of which program."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.core.time import SECOND

if TYPE_CHECKING:
    from hub.core.time import Timestamp

_GIBIBYTE: Final = 2**30


def made_at(now: Timestamp) -> str:
    """*now*, UTC."""
    return datetime.fromtimestamp(now // SECOND, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def machine() -> str:
    """Processor, cores, memory and systems."""
    memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIBIBYTE)
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory} GB, {platform.system()}"
        f" {platform.release()}, Python {platform.python_version()}"
    )


def program() -> str:
    """The version of ydhub."""
    return version("ydhub")


def commit() -> str:
    """The commit of the program's tree, with a plus where files differ; empty outside git."""
    if not _git("ls-files", Path(__file__).name):
        return ""  # installed, somewhere below another repository perhaps
    revision = _git("rev-parse", "--short", "HEAD")
    changed = "+" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return revision + changed if revision else ""


def busy() -> float:
    """Processes that wanted a core in the last minute."""
    return round(os.getloadavg()[0], 1)


def _git(*arguments: str) -> str:
    root = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            ["git", *arguments],  # noqa: S607 - whichever git there is
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
