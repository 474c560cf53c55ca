from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.conformance.sender_config import CosmosUsers, SimchainUsers, read
from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from pathlib import Path

SIMCHAIN = """
kind = "simchain"
address = "127.0.0.1:1"
cert_file = "ada.crt"
key_file = "ada.key"
ca_file = "/etc/ca.crt"
sender = "alice"
denomination = "coin"
receiver = "bob"
"""
COSMOS = """
kind = "cosmos"
chain_id = "hangzhou-1"
nodes = ["http://127.0.0.1:26657"]
keys_file = "user.keys"
denomination = "uatom"
"""


def test_each_kind_is_read_with_paths_beside_its_file(tmp_path: Path) -> None:
    file = tmp_path / "sender.toml"
    file.write_text(SIMCHAIN)
    found = read(str(file))
    assert isinstance(found, SimchainUsers)
    assert (found.cert_file, found.ca_file) == (str(tmp_path / "ada.crt"), "/etc/ca.crt")
    file.write_text(COSMOS)
    other = read(str(file))
    assert isinstance(other, CosmosUsers)
    assert other.keys_file == str(tmp_path / "user.keys")


@pytest.mark.parametrize(
    "text",
    [
        SIMCHAIN.replace("simchain", "fabric"),
        SIMCHAIN.replace('kind = "simchain"', ""),
        SIMCHAIN + 'color = "red"\n',
        SIMCHAIN.replace('receiver = "bob"', ""),
        COSMOS.replace('["http://127.0.0.1:26657"]', "[]"),
        COSMOS + "fee = 5\n",
        "kind = ",
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sender.toml"
    file.write_text(text)
    with pytest.raises(FieldInvalid) as caught:
        read(str(file))
    assert caught.value.field == str(file)
