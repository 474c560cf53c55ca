from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from hub.cli.bench import machine
from hub.core.time import SECOND, Timestamp

if TYPE_CHECKING:
    import pytest


def test_a_machine_is_its_processor_cores_memory_and_systems() -> None:
    told = machine.machine()
    assert f"Python {platform.python_version()}" in told
    assert " cores, " in told
    assert " GB, " in told
    assert machine.busy() >= 0
    assert machine.program()


def test_dates_are_utc() -> None:
    assert machine.made_at(Timestamp(1_800_000_000 * SECOND)) == "2027-01-15T08:00:00Z"


def test_outside_a_tree_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "__file__", "/nowhere/hub/cli/bench/machine.py")
    assert machine.commit() == ""
    monkeypatch.setattr(machine, "__file__", "/etc/passwd")
    assert machine.commit() == ""
