"""``ydhub`` run in a thread, against a hub server of the test's own loop."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.testing import CliRunner

from hub.cli.dev.configs import write
from hub.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.hub_server import Served


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The words of each line of a table."""
        return [line.split() for line in self.out.splitlines()]


def run_command(*arguments: object, stdin: bytes | None = None) -> Ran:
    """Runs ``ydhub`` with *arguments* in a thread, which has no event loop yet; waits for it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_run, arguments, stdin).result()


def _run(arguments: tuple[object, ...], stdin: bytes | None) -> Ran:
    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    @click.help_option("--no-such-option")
    def whole(words: tuple[str, ...]) -> None:
        click.get_current_context().exit(run(list(words)))

    result = CliRunner().invoke(whole, ["--", *map(str, arguments)], input=stdin)
    return Ran(result.exit_code, result.stdout, result.stderr)


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody at the command line of a hub."""

    directory: Path

    @classmethod
    def at(cls, directory: Path, served: Served, identity: str, **chains: str) -> Desk:
        """The desk of *identity*, with the files that a development network writes."""
        certificate, key, ca = served.certificates.files(identity)
        values: dict[str, object] = {
            "hub": {"server": served.address},
            "tls": {"cert": str(certificate), "key": str(key), "ca": str(ca)},
            "chains": chains,
        }
        write(directory / "dev.toml", values)
        return cls(directory)

    async def __call__(self, *arguments: object, stdin: bytes | None = None) -> Ran:
        """What became of ``ydhub`` with *arguments*."""
        words = [*arguments, "--dir", self.directory]
        return await asyncio.to_thread(run_command, *words, stdin=stdin)
