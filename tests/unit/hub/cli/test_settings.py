from __future__ import annotations

from pathlib import Path

import pytest

from hub.cli.settings import TIMEOUT, Given, resolve
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND

DEV = """
[hub]
server = "127.0.0.1:7443"
[tls]
cert = "certs/admin.crt"
key = "certs/admin.key"
ca = "ca/ca.crt"
[chains]
hangzhou = "127.0.0.1:7001"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "dev.toml").write_text(DEV)
    return tmp_path


def test_a_development_network_says_everything(directory: Path) -> None:
    found = resolve(Given(directory=directory))
    assert found.server == "127.0.0.1:7443"
    assert found.cert_file == directory / "certs/admin.crt"
    assert found.ca_file == directory / "ca/ca.crt"
    assert (found.timeout, found.chains) == (TIMEOUT, {"hangzhou": "127.0.0.1:7001"})


def test_what_is_given_goes_first(directory: Path) -> None:
    given = Given(directory=directory, server="hub:1", key_file=Path("mine.key"), timeout="1m30s")
    found = resolve(given)
    assert (found.server, found.timeout) == ("hub:1", 90 * SECOND)
    assert found.key_file == Path("mine.key").absolute()
    assert found.cert_file == directory / "certs/admin.crt"


def test_everything_may_be_given(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    given = Given(
        directory=tmp_path / "none", server="h:1", cert_file=file, key_file=file, ca_file=file
    )
    assert resolve(given).chains == {}


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('server = "127.0.0.1:7443"', "", "--server"),
        ('key = "certs/admin.key"', "key = 7", "--key"),
        ('ca = "ca/ca.crt"', "", "--ca"),
        ("[hub]", "hub = 1\n[x]", "dev.toml: hub"),
        ("[hub]", "[hub", "dev.toml"),
    ],
)
def test_what_is_missing_or_wrong_is_named(directory: Path, old: str, new: str, field: str) -> None:
    (directory / "dev.toml").write_text(DEV.replace(old, new))
    with pytest.raises(FieldInvalid) as raised:
        resolve(Given(directory=directory))
    assert raised.value.field.endswith(field)


def test_a_timeout_is_a_duration(directory: Path) -> None:
    with pytest.raises(FieldInvalid) as raised:
        resolve(Given(directory=directory, timeout="soon"))
    assert raised.value.field == "--timeout"
