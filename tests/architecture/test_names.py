"""Modules are named after what they hold, and every one of them can be imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.source_tree import PACKAGES, import_everything, python_files

EMPTY_NAMES = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}


def says_nothing(path: Path) -> bool:
    """A part of *path* is a name that could hold anything."""
    return any(part in EMPTY_NAMES for part in path.with_suffix("").parts)


def test_no_module_has_a_name_that_says_nothing() -> None:
    paths = python_files(*PACKAGES, "migrations", "tests", "protos")
    assert [str(path) for path in paths if says_nothing(path)] == []


@pytest.mark.parametrize("name", ["hub/core/utils.py", "hub/common/packet.py", "tests/helpers.py"])
def test_an_empty_name_is_found(name: str) -> None:
    assert says_nothing(Path(name))


def test_every_module_can_be_imported() -> None:
    import_everything()
