from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import FieldInvalid
from relayer.config import load

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
name = "east-1"
listen = "127.0.0.1:7000"
database_url = ""
trust_domain = "ydhub.local"
[tls]
cert_file = "relayer.crt"
key_file = "relayer.key"
ca_file = "ca.crt"
"""


def test_a_whole_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    file = tmp_path / "relayer.toml"
    file.write_text(WHOLE, encoding="utf-8")
    config = load(file)
    assert (config.name, config.listen, config.tls.ca_file) == (
        "east-1",
        "127.0.0.1:7000",
        "ca.crt",
    )
    assert (config.metrics_port, config.verification_threads, config.log_format) == (0, 2, "json")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "east-1"', 'nmae = "east-1"', "nmae"),
        ('name = "east-1"', 'name = "east 1"', "$.name"),
        ('name = "east-1"', "name = 7", "$.name"),
        ('database_url = ""', "metrics_port = 70000", "$.metrics_port"),
        ('database_url = ""', 'log_format = "xml"', "$.log_format"),
        ('ca_file = "ca.crt"', "", "$.tls"),
        ("[tls]", "[tls", "not valid"),
    ],
)
def test_each_mistake_names_the_file_and_the_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    file = tmp_path / "relayer.toml"
    file.write_text(WHOLE.replace(old, new), encoding="utf-8")
    with pytest.raises(FieldInvalid) as found:
        load(file)
    assert found.value.field == str(file)
    assert said in str(found.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid, match="cannot be read"):
        load(tmp_path / "none.toml")
