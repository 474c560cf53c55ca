from __future__ import annotations

import re

import click
import pytest

from hub.cli.fixes import FIXES
from hub.cli.main import GROUPS, ydhub
from hub.core.errors import Reason


def test_every_reason_has_a_fix() -> None:
    assert set(FIXES) == set(Reason)
    assert all(fix and not fix.endswith(".") for fix in FIXES.values())


def commands_in(text: str) -> list[str]:
    return re.findall(r"`ydhub ([a-z]+(?: [a-z]+)?)", text)


@pytest.mark.parametrize("reason", FIXES)
def test_every_command_that_a_fix_names_exists(reason: Reason) -> None:
    for words in commands_in(FIXES[reason]):
        group, _, verb = words.partition(" ")
        assert group in GROUPS
        command = ydhub.get_command(click.Context(ydhub), group)
        if verb:
            assert isinstance(command, click.Group)
            assert verb in command.commands


def test_some_fixes_name_commands() -> None:
    assert sum(bool(commands_in(fix)) for fix in FIXES.values()) > 10
