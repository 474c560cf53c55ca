from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from adapters.simchain.bank import Balance
from adapters.simchain.config import Role, SimchainConfig, load
from hub.core.client import Fraction
from hub.core.errors import FieldInvalid, HubError, IdentifierInvalid
from hub.core.time import MILLISECOND, SECOND

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
peer = "hangzhou"
chain_id = "hangzhou-1"
seed = "s"
directory = "chains/hangzhou"
listen = "127.0.0.1:0"
relayers = ["127.0.0.1:7443"]
trust_domain = "ydhub.local"
block_interval_ms = 200

[tls]
cert_file = "certs/peer-hangzhou.crt"
key_file = "/keys/peer-hangzhou.key"
ca_file = "ca/ca.crt"

[counterparties]
suzhou = "anchors/hangzhou/suzhou.yaml"

[[balances]]
account = "alice"
denomination = "hzcoin"
amount = 1000
"""


def config_of(tmp_path: Path, text: str = TEXT) -> SimchainConfig:
    file = tmp_path / "hangzhou.toml"
    file.write_text(text)
    return load(file)


def test_a_file_is_read_with_defaults_and_its_paths_made_whole(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    assert (config.peer_id, config.block_interval) == ("hangzhou", 200 * MILLISECOND)
    assert config.directory == str(tmp_path / "chains/hangzhou")
    assert config.tls.cert_file == str(tmp_path / "certs/peer-hangzhou.crt")
    assert config.tls.key_file == "/keys/peer-hangzhou.key"
    assert config.counterparties == {"suzhou": str(tmp_path / "anchors/hangzhou/suzhou.yaml")}
    chain = config.chain
    assert (chain.chain_id, chain.seed, chain.ports) == ("hangzhou-1", b"s", ("transfer",))
    assert chain.balances == (Balance(account="alice", denomination="hzcoin", amount=1000),)
    options = config.trust_options
    assert options.trust_level == Fraction(1, 3)
    assert (options.trusting_period, options.max_clock_drift) == (336 * 3600 * SECOND, 10 * SECOND)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('peer = "hangzhou"', "", "peer"),
        ('seed = "s"', "seed = 3", "$.seed"),
        ('seed = "s"', 'seed = "s"\nsede = "s"', "sede"),
        ("block_interval_ms = 200", "block_interval_ms = 0", "block_interval_ms"),
        ("block_interval_ms = 200", "block_interval_ms = 60001", "block_interval_ms"),
        ("block_interval_ms = 200", "validator_count = 0", "validator_count"),
        ("block_interval_ms = 200", "validator_turn = -1", "validator_turn"),
        ("block_interval_ms = 200", "versions_kept = 1", "versions_kept"),
        ("block_interval_ms = 200", "execution_credits = 0", "execution_credits"),
        ("block_interval_ms = 200", 'log_format = "xml"', "log_format"),
        ('relayers = ["127.0.0.1:7443"]', "relayers = []", "relayers"),
        ("amount = 1000", "amount = 0", "amount"),
        ("amount = 1000", f"amount = {2**63}", "amount"),
        ("amount = 1000", "amount = 1000\nmemo = 1", "memo"),
        ("[tls]", "[tls", ""),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_with_its_name_and_key(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in TEXT
    with pytest.raises(FieldInvalid) as caught:
        config_of(tmp_path, TEXT.replace(old, new, 1))
    assert "hangzhou.toml" in caught.value.field
    assert told in caught.value.problem


CHAIN_TEXT = (
    TEXT.replace("peer =", 'role = "chain"\npeer =', 1)
    .replace('relayers = ["127.0.0.1:7443"]\n', "")
    .replace('[counterparties]\nsuzhou = "anchors/hangzhou/suzhou.yaml"\n', "")
)
ADAPTER_TEXT = TEXT.replace(
    "peer =", 'role = "adapter"\nchain_address = "127.0.0.1:7300"\npeer =', 1
).replace("block_interval_ms = 200\n", "")


def test_a_city_of_two_processes_has_two_files_of_one_chain(tmp_path: Path) -> None:
    whole = config_of(tmp_path)
    chain, adapter = config_of(tmp_path, CHAIN_TEXT), config_of(tmp_path, ADAPTER_TEXT)
    assert (whole.role, chain.role, adapter.role) == (Role.WHOLE, Role.CHAIN, Role.ADAPTER)
    assert chain.chain == adapter.chain == whole.chain
    assert (chain.relayers, adapter.chain_address) == ([], "127.0.0.1:7300")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TEXT.replace("peer =", 'role = "node"\npeer =', 1), "role"),
        (TEXT.replace("peer =", 'chain_address = "h:1"\npeer =', 1), "chain_address"),
        (TEXT.replace('relayers = ["127.0.0.1:7443"]\n', ""), "relayers"),
        (CHAIN_TEXT.replace("peer =", 'relayers = ["h:1"]\npeer =', 1), "relayers"),
        (CHAIN_TEXT.replace("peer =", 'chain_address = "h:1"\npeer =', 1), "chain_address"),
        (CHAIN_TEXT.replace("peer =", "execution_credits = 3\npeer =", 1), "execution_credits"),
        (CHAIN_TEXT.replace("peer =", 'trace_endpoint = "h:1"\npeer =', 1), "trace_endpoint"),
        (CHAIN_TEXT + '[counterparties]\nsuzhou = "s.yaml"\n', "counterparties"),
        (ADAPTER_TEXT.replace('relayers = ["127.0.0.1:7443"]\n', ""), "relayers"),
        (ADAPTER_TEXT.replace('chain_address = "127.0.0.1:7300"\n', ""), "chain_address"),
        (
            ADAPTER_TEXT.replace("peer =", "block_interval_ms = 3000\npeer =", 1),
            "block_interval_ms",
        ),
    ],
)
def test_a_key_that_does_not_fit_the_role_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        config_of(tmp_path, text)
    assert f"`{told}`" in caught.value.problem or f"$.{told}" in caught.value.problem


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid):
        load(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("peer", "Hangzhou!", IdentifierInvalid),
        ("chain_id", "", IdentifierInvalid),
        ("ports", ["x"], IdentifierInvalid),
    ],
)
def test_names_are_parsed_where_they_are_used(
    tmp_path: Path, field: str, value: object, error: type[HubError]
) -> None:
    config = msgspec.structs.replace(config_of(tmp_path), **{field: value})
    with pytest.raises(error):
        _ = (config.peer_id, config.chain)


@pytest.mark.parametrize("level", ["1", "a/b", "1/-3", "/"])
def test_a_trust_level_is_a_fraction(tmp_path: Path, level: str) -> None:
    config = config_of(tmp_path, TEXT + f'[trust]\ntrust_level = "{level}"\n')
    with pytest.raises(FieldInvalid):
        _ = config.trust_options
