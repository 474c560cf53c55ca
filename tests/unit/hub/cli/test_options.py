from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from hub.cli.options import command
from hub.cli.output import Output

if TYPE_CHECKING:
    from hub.cli.options import Run


@click.group()
def group() -> None:
    """Commands of this test."""


@command(group, "work")
@click.argument("name")
async def work(run: Run, *, name: str) -> int:
    """Prints what it was run with."""
    click.echo(f"{name} {run.output} {run.directory} {run.given.server} {run.given.timeout}")
    return 7 if run.output is Output.JSON else 0


@command(group, "offline", calls=False)
async def offline(run: Run) -> None:
    """Calls nobody."""


def test_a_command_is_run_with_what_was_given() -> None:
    words = ["work", "x", "--server", "h:1", "--dir", "d", "--timeout", "3s"]
    found = CliRunner().invoke(group, words, standalone_mode=False)
    assert found.output == f"x table {Path('d')} h:1 3s\n"
    assert found.return_value == 0
    found = CliRunner().invoke(group, [*words, "-o", "json"], standalone_mode=False)
    assert found.return_value == 7


def test_a_command_that_calls_nobody_has_no_options_for_it() -> None:
    assert "--server" not in CliRunner().invoke(group, ["offline", "--help"]).output
    assert CliRunner().invoke(group, ["offline", "--server", "h:1"]).exit_code == 2
    assert CliRunner().invoke(group, ["offline"], standalone_mode=False).return_value == 0
