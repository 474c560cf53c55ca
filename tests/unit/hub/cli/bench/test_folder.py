from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.cli.bench.folder import make_folder, save
from hub.cli.bench.result import read_result
from hub.core.errors import FieldInvalid
from tests.harness.bench import RESULT, RUN

if TYPE_CHECKING:
    from pathlib import Path


def test_a_result_has_its_own_folder_of_three_files(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "deep" / "results", RESULT.made_at, "my run")
    assert folder.name == "2026-11-25T170000Z-my-run"
    save(folder, RESULT)
    assert sorted(file.name for file in folder.iterdir()) == [
        "plot.svg",
        "result.json",
        "table.txt",
    ]
    save(folder, replace(RESULT, runs=(RUN, replace(RUN, name="two"))))
    assert [run.name for run in read_result(folder).runs] == ["one relayer", "two"]
    assert "== two:" in (folder / "table.txt").read_text()


def test_what_stands_there_already_is_never_overwritten(tmp_path: Path) -> None:
    make_folder(tmp_path, RESULT.made_at, "x")
    with pytest.raises(FieldInvalid) as raised:
        make_folder(tmp_path, RESULT.made_at, "x")
    assert "cannot be made" in raised.value.problem
