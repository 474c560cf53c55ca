from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.directory import lock
from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from pathlib import Path


def test_one_process_uses_a_directory(tmp_path: Path) -> None:
    with lock(tmp_path / "state"), pytest.raises(FieldInvalid, match="in use"):
        lock(tmp_path / "state")


def test_a_directory_is_free_once_its_lock_is_closed(tmp_path: Path) -> None:
    lock(tmp_path / "state").close()
    with lock(tmp_path / "state"):
        assert (tmp_path / "state" / "lock").exists()
