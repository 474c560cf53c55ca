from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from adapters.sdk.config import Tls, check_between, read
from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from pathlib import Path


class _Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    count: int

    def __post_init__(self) -> None:
        check_between("count", self.count, 1, 3)


def test_a_file_is_read_as_its_kind(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("count = 3\n")
    assert read(file, _Sample).count == 3


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("count = 4", "count"),
        ("count = 0", "count"),
        ("count = 'many'", "count"),
        ("count = 1\nother = 2", "other"),
        ("", "count"),
        ("count = = 1", "is not valid"),
    ],
)
def test_what_is_wrong_is_told_with_the_file_and_the_key(
    tmp_path: Path, content: str, names: str
) -> None:
    file = tmp_path / "a.toml"
    file.write_text(content)
    with pytest.raises(FieldInvalid) as raised:
        read(file, _Sample)
    assert raised.value.field == str(file)
    assert names in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid, match="cannot be read"):
        read(tmp_path / "none.toml", _Sample)


def test_paths_are_relative_to_the_files_directory(tmp_path: Path) -> None:
    tls = Tls(cert_file="a.pem", key_file="sub/a.key", ca_file="/etc/ca.pem").within(tmp_path)
    assert tls == Tls(
        cert_file=str(tmp_path / "a.pem"),
        key_file=str(tmp_path / "sub/a.key"),
        ca_file="/etc/ca.pem",
    )
