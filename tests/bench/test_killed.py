"""A bench that is killed leaves none of its processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from hub.cli.bench.accounting import parent
from tests.harness.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = ("--rate", "200", "--seconds", "120", "--rounds", "0", "--idle", "0", "--keys", "2000")
WORKERS = ("--peers", "2", "--lanes", "2", "--relayers", "2")
KINDS = {"adapters.bench", "rehearse", "serve", "relayer", "run"}
"""What tells each process that a bench starts from the others; the last one is the database's."""


def words(number: int) -> list[str]:
    """The words of a living process's command; none of a dead one."""
    try:
        text = Path(f"/proc/{number}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.split("\0")


def processes() -> Iterator[int]:
    """Every process of the machine."""
    return (int(path.name) for path in Path("/proc").glob("[0-9]*"))


def started_by(bench: int, directory: str) -> dict[int, list[str]]:
    """What runs below *bench* or in *directory*, by its number."""
    found = {number: words(number) for number in processes() if number != bench}
    above = {number: parent(number) for number in found}
    level, below = {bench}, set[int]()
    while level:
        level = {number for number, over in above.items() if over in level}
        below |= level
    return {
        number: said
        for number, said in found.items()
        if said and (number in below or any(directory in word for word in said))
    }


@pytest.mark.timeout(240)
async def test_a_bench_that_is_killed_leaves_no_process() -> None:
    with TemporaryDirectory(prefix="ydhub-killed-") as directory:
        bench = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub.cli.main", "bench", *SMALL, *WORKERS),
            *("--results", directory),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": directory},
        )
        found: dict[int, list[str]] = {}
        try:
            async with asyncio.timeout(120):
                while not {word for said in found.values() for word in said} >= KINDS:
                    found = started_by(bench.pid, directory)
                    assert bench.returncode is None
                    await asyncio.sleep(0.1)
            server = [said for said in found.values() if said[0].endswith("bin/postgres")]
            assert len(server) == 1
        finally:
            bench.send_signal(signal.SIGKILL)
            await bench.wait()
        async with asyncio.timeout(60):
            while any(words(number) == said for number, said in found.items()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
