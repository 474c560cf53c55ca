from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from hub.cli import main as module
from hub.cli.main import GROUPS, INTERRUPTED, run, ydhub
from tests.harness.command_line import run_command

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command, by its words."""
    for name in GROUPS:
        found = ydhub.get_command(click.Context(ydhub), name)
        assert found is not None
        yield from commands_of(name, found)


def commands_of(words: str, found: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The commands of a group, or the command itself."""
    if not isinstance(found, click.Group):
        yield words, found
        return
    for verb, command in found.commands.items():
        yield from commands_of(f"{words} {verb}", command)


def test_every_group_is_what_its_table_says() -> None:
    for name, (_, text) in GROUPS.items():
        command = ydhub.get_command(click.Context(ydhub), name)
        assert command is not None
        assert command.name == name
        if isinstance(command, click.Group):
            assert (command.help or "").startswith(text.partition(":")[0].removesuffix("."))


@pytest.mark.parametrize(("words", "command"), list(commands()))
def test_every_command_prints_a_table_or_json_and_says_what_it_does(
    words: str, command: click.Command
) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"-o", "--output", "--dir"} <= options
    found = run_command(*words.split(), "--help")
    assert found.code == 0
    assert (command.help or "").partition("\n")[0].split()[0] in found.out


def test_the_version_is_told_without_loading_any_command() -> None:
    script = (
        "import sys; from hub.cli.main import run; code = run(['--version']);"
        "heavy = {'grpc', 'google.protobuf', 'rich', 'cryptography'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy or code else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.startswith("ydhub, version ")) == (0, True), done.stderr


@pytest.mark.parametrize("words", [["nonsense"], ["peer", "nonsense"], ["peer", "get"], ["--x"]])
def test_what_is_no_command_is_a_usage_error(words: list[str]) -> None:
    found = run_command(*words)
    assert (found.code, found.out) == (2, "")


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), INTERRUPTED), (click.Abort(), INTERRUPTED), (ValueError("bug"), 1)],
)
def test_whatever_ends_a_command_is_an_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(module.ydhub, "main", fail)
    assert run([]) == code


def test_main_exits_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run", lambda arguments: 9)
    with pytest.raises(SystemExit) as ended:
        module.main([])
    assert ended.value.code == 9
