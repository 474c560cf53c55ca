from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import FieldInvalid
from relayer.config import RelayerConfig, Tls, load

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
name = "east-1"
listen = "127.0.0.1:7100"
database_url = "postgresql://hub@127.0.0.1/hub"
trust_domain = "ydhub.local"
metrics_port = 9100
verification_threads = 3
log_format = "console"
[tls]
cert_file = "relayer.crt"
key_file = "relayer.key"
ca_file = "ca.crt"
"""


def written(directory: Path, text: str | bytes) -> Path:
    path = directory / "relayer.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_file_is_read_whole(tmp_path: Path) -> None:
    assert load(written(tmp_path, WHOLE)) == RelayerConfig(
        name="east-1",
        listen="127.0.0.1:7100",
        database_url="postgresql://hub@127.0.0.1/hub",
        trust_domain="ydhub.local",
        tls=Tls(cert_file="relayer.crt", key_file="relayer.key", ca_file="ca.crt"),
        metrics_port=9100,
        verification_threads=3,
        log_format="console",
    )


def test_what_has_a_default_may_be_left_out(tmp_path: Path) -> None:
    text = "\n".join(
        line
        for line in WHOLE.splitlines()
        if not line.startswith(("metrics", "verification", "log_format"))
    )
    config = load(written(tmp_path, text))
    assert (config.metrics_port, config.verification_threads, config.log_format) == (0, 2, "json")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('name = "east-1"', 'name = "east 1"', "$.name"),
        ('name = "east-1"', "", "name"),
        ("metrics_port = 9100", "metrics_port = 70000", "$.metrics_port"),
        ("metrics_port = 9100", 'metrics_port = "9100"', "$.metrics_port"),
        ("verification_threads = 3", "verification_threads = 0", "$.verification_threads"),
        ('log_format = "console"', 'log_format = "xml"', "$.log_format"),
        ('ca_file = "ca.crt"', "", "$.tls"),
        ("metrics_port = 9100", "metrics_prt = 9100", "metrics_prt"),
        ("[tls]", "[tls", "not valid"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    path = written(tmp_path, WHOLE.replace(old, new))
    with pytest.raises(FieldInvalid) as caught:
        load(path)
    assert caught.value.field == str(path)
    assert key in caught.value.problem


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid):
        load(written(tmp_path, b'name = "\xff"'))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid) as caught:
        load(tmp_path / "nowhere.toml")
    assert "cannot be read" in caught.value.problem
