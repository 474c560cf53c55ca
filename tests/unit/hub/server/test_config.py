from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import FieldInvalid
from hub.server.config import load

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
listen = "127.0.0.1:7443"
trust_domain = "ydhub.local"
[tls]
cert_file = "hub.crt"
key_file = "hub.key"
ca_file = "ca.crt"
"""


def test_a_file_says_what_has_no_default(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_text(TEXT)
    found = load(path)
    assert (found.listen, found.tls.key_file) == ("127.0.0.1:7443", "hub.key")
    assert (found.reflection, found.database_url, found.log_format) == (False, "", "json")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('listen = "127.0.0.1:7443"\n', "", "listen"),
        ('listen = "127.0.0.1:7443"', "listen = 7443", "$.listen"),
        ('listen = "127.0.0.1:7443"', 'listen = "x"\ncolour = "red"', "colour"),
        ('key_file = "hub.key"', "key_file = true", "$.tls.key_file"),
        ('listen = "127.0.0.1:7443"', 'listen = "x"\nlog_format = "xml"', "$.log_format"),
        ('listen = "127.0.0.1:7443"', 'listen = "x"\nnotice_s = -1', "$.notice_s"),
        ('listen = "127.0.0.1:7443"', 'listen = "x"\ndrain_s = 1000', "$.drain_s"),
        ("[tls]", "[tls", "line 4"),
    ],
)
def test_each_wrong_key_is_named(tmp_path: Path, old: str, new: str, where: str) -> None:
    path = tmp_path / "hub.toml"
    assert old in TEXT
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(FieldInvalid) as raised:
        load(path)
    assert raised.value.field == str(path)
    assert where in raised.value.problem


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid) as raised:
        load(tmp_path / "none.toml")
    assert raised.value.problem == "cannot be read: No such file or directory"
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FieldInvalid):
        load(path)
