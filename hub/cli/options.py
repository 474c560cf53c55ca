"""Options that every command has, and how a command's own work is run under them."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

from hub.cli.output import Output
from hub.cli.settings import DEV_DIRECTORY, Given, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from hub.cli.settings import Settings

    P = ParamSpec("P")

_OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print."
)
_DIRECTORY = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(DEV_DIRECTORY),
    show_default=True,
    help="Of the development network, which the rest defaults to.",
)
_CALL = (
    click.option("--server", metavar="HOST:PORT", help="Where the hub is."),
    click.option("--cert", type=click.Path(path_type=Path), help="Your certificate, PEM."),
    click.option("--key", type=click.Path(path_type=Path), help="Its key, PEM."),
    click.option("--ca", type=click.Path(path_type=Path), help="The CA of the hub, PEM."),
    click.option("--timeout", metavar="DURATION", help="Of each call, as 10s.  [default: 10s]"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What a command is run with."""

    output: Output
    directory: Path
    given: Given

    def settings(self) -> Settings:
        """Where the hub is and who calls. Raises ``FieldInvalid``."""
        return resolve(self.given)


def command(
    group: click.Group, name: str, *, calls: bool = True
) -> Callable[[Callable[Concatenate[Run, P], Coroutine[Any, Any, int | None]]], click.Command]:
    """Makes a coroutine the command *name* of *group*; its first argument is a ``Run``.

    It has the options of every command, and with *calls* those of calling the hub. What it returns
    is the exit code, None means 0.
    """

    def decorate(
        work: Callable[Concatenate[Run, P], Coroutine[Any, Any, int | None]],
    ) -> click.Command:
        @functools.wraps(work)
        def run(
            *arguments: Any,
            output: str,
            directory: Path,
            server: str | None = None,
            cert: Path | None = None,
            key: Path | None = None,
            ca: Path | None = None,
            timeout: str | None = None,
            **options: Any,
        ) -> int:
            given = Given(
                directory=directory,
                server=server,
                cert_file=cert,
                key_file=key,
                ca_file=ca,
                timeout=timeout,
            )
            context = Run(Output(output), directory, given)
            return asyncio.run(work(context, *arguments, **options)) or 0

        wrapped: Callable[..., Any] = run
        for option in reversed((_OUTPUT, _DIRECTORY, *(_CALL if calls else ()))):
            wrapped = option(wrapped)
        return group.command(name)(wrapped)

    return decorate
