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


def _options(*, calls: bool) -> list[click.Parameter]:
    """The options of every command, and with *calls* those of calling the hub."""
    path = click.Path(path_type=Path)
    directory = click.Path(path_type=Path, file_okay=False)
    called: list[click.Parameter] = [
        click.Option(["--server"], metavar="HOST:PORT", help="Where the hub is."),
        click.Option(["--cert"], type=path, help="Your certificate, PEM."),
        click.Option(["--key"], type=path, help="Its key, PEM."),
        click.Option(["--ca"], type=path, help="The CA of the hub, PEM."),
        click.Option(
            ["--timeout"], metavar="DURATION", help="Of each call, as 10s.  [default: 10s]"
        ),
    ]
    return [
        *(called if calls else []),
        click.Option(
            ["--dir", "directory"],
            type=directory,
            default=Path(DEV_DIRECTORY),
            show_default=True,
            help="Of the development network, which the rest defaults to.",
        ),
        click.Option(
            ["-o", "--output"],
            type=click.Choice(["table", "json"]),
            default="table",
            show_default=True,
            help="How to print.",
        ),
    ]


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

        made: click.Command = group.command(name)(run)
        made.params += _options(calls=calls)
        return made

    return decorate
