from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.config import CosmosConfig, load
from hub.core.errors import FieldInvalid, IdentifierInvalid

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
peer = "shanghai"
chain_id = "shanghai-1"
nodes = ["http://127.0.0.1:26657", "https://node.example/rpc"]
relayers = ["127.0.0.1:7100"]
directory = "state"
execution_credits = 16

[tls]
cert_file = "adapter.pem"
key_file = "/keys/adapter.key"
ca_file = "ca.pem"

[keys]
file = "keys.txt"

[transactions]
gas_price = "0.025uatom"

[counterparties]
hangzhou = "hangzhou.yaml"
"""


def config_of(tmp_path: Path, text: str = TEXT) -> CosmosConfig:
    file = tmp_path / "shanghai.toml"
    file.write_text(text)
    return load(file)


def test_a_file_is_read_with_defaults_and_its_paths_made_whole(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    assert (config.peer_id, config.chain) == ("shanghai", "shanghai-1")
    assert config.directory == str(tmp_path / "state")
    assert config.tls.cert_file == str(tmp_path / "adapter.pem")
    assert config.tls.key_file == "/keys/adapter.key"
    assert config.keys.file == str(tmp_path / "keys.txt")
    assert config.keys.address_prefix == "cosmos"
    assert config.counterparties == {"hangzhou": str(tmp_path / "hangzhou.yaml")}
    settings = config.settings
    assert (settings.denomination, settings.gas_price) == ("uatom", Fraction(1, 40))
    assert (settings.max_bytes, settings.max_gas) == (650_000, 60_000_000)
    assert settings.timeout_blocks == 12


def test_a_chain_that_asks_for_no_fee_needs_no_price(tmp_path: Path) -> None:
    settings = config_of(tmp_path, TEXT.replace('gas_price = "0.025uatom"', "")).settings
    assert (settings.denomination, settings.gas_price) == ("", Fraction(0))


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("execution_credits", 1, 1024),
        ("node_timeout_ms", 100, 120_000),
        ("max_bytes", 10_000, 700_000),
        ("max_gas", 100_000, 10**12),
        ("timeout_blocks", 2, 1000),
    ],
)
def test_every_bound_holds(tmp_path: Path, key: str, low: int, high: int) -> None:
    def with_value(value: int) -> str:
        if key in {"execution_credits", "node_timeout_ms"}:
            return TEXT.replace("execution_credits = 16", f"{key} = {value}")
        return TEXT.replace("[transactions]", f"[transactions]\n{key} = {value}")

    for value in (low, high):
        config_of(tmp_path, with_value(value))
    for value in (low - 1, high + 1):
        with pytest.raises(FieldInvalid) as caught:
            config_of(tmp_path, with_value(value))
        assert caught.value.field == str(tmp_path / "shanghai.toml")
        assert key in caught.value.problem


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('peer = "shanghai"', "", "peer"),
        ('relayers = ["127.0.0.1:7100"]', "relayers = []", "relayers"),
        ('"http://127.0.0.1:26657", "https://node.example/rpc"', "", "nodes"),
        ("http://127.0.0.1:26657", "127.0.0.1:26657", "nodes"),
        ("http://127.0.0.1:26657", "ftp://127.0.0.1:26657", "nodes"),
        ("http://127.0.0.1:26657", "http://127.0.0.1:26657/?a=b", "nodes"),
        ("http://127.0.0.1:26657", "http://a b", "nodes"),
        ('file = "keys.txt"', "", "keys"),
        ('file = "keys.txt"', 'file = "keys.txt"\naddress_prefix = ""', "address_prefix"),
        ('file = "keys.txt"', 'file = "keys.txt"\naddress_prefix = "Atom"', "address_prefix"),
        ('file = "keys.txt"', 'file = "keys.txt"\nsecret = "x"', "secret"),
        ("0.025uatom", "uatom", "gas_price"),
        ("0.025uatom", "0.025", "gas_price"),
        ("0.025uatom", "-1uatom", "gas_price"),
        ("0.025uatom", "0.025ua", "gas_price"),
        ("0.025uatom", "1" * 19 + "uatom", "gas_price"),
        ("execution_credits = 16", 'log_format = "xml"', "log_format"),
        ("execution_credits = 16", "execution_credit = 16", "execution_credit"),
        ("execution_credits = 16", 'execution_credits = "16"', "execution_credits"),
        ("[tls]", "[tsl]", "tsl"),
    ],
)
def test_what_cannot_be_is_told_with_its_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in TEXT
    with pytest.raises(FieldInvalid) as caught:
        config_of(tmp_path, TEXT.replace(old, new))
    assert told in caught.value.problem


@pytest.mark.parametrize("text", ["", "peer =", "\x00"])
def test_what_is_no_configuration_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(FieldInvalid):
        config_of(tmp_path, text)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid):
        load(tmp_path / "nothing.toml")
    with pytest.raises(FieldInvalid):
        load(tmp_path)


@pytest.mark.parametrize(
    "change", [('peer = "shanghai"', 'peer = "S H"'), ("shanghai-1", "no chain id")]
)
def test_names_that_are_none_are_told_when_the_file_is_read(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    with pytest.raises(IdentifierInvalid):
        config_of(tmp_path, TEXT.replace(*change))
