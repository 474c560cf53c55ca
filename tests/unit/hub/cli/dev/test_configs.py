from __future__ import annotations

import stat
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain import config as simchain
from hub.cli.dev import addresses
from hub.cli.dev.addresses import Addresses
from hub.cli.dev.configs import BLOCK_INTERVAL, PORTS, chain_id, render, token, write, write_configs
from hub.cli.dev.layout import CHAINS, Layout
from hub.cli.settings import Given, resolve
from hub.core.time import MILLISECOND, Duration
from hub.server import config as server
from relayer import config as relayer

if TYPE_CHECKING:
    from pathlib import Path

ADDRESSES = Addresses(
    hub="127.0.0.1:1001",
    relayer="127.0.0.1:1002",
    metrics="127.0.0.1:1003",
    hub_metrics="127.0.0.1:1004",
    enrolment="127.0.0.1:1005",
    chains={peer: f"127.0.0.1:200{at}" for at, peer in enumerate(CHAINS)},
)
URL = "postgresql+asyncpg://postgres@/ydhub?host=%2Fnet"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path)
    write_configs(found, ADDRESSES, URL)
    return found


def test_each_program_reads_its_own_file(layout: Layout) -> None:
    hub = server.load(layout.config("hub"))
    assert (hub.listen, hub.database_url, hub.reflection) == (ADDRESSES.hub, URL, True)
    assert hub.metrics_port == 1004
    carrier = relayer.load(layout.config("relayer"))
    assert (carrier.listen, carrier.metrics_port) == (ADDRESSES.relayer, 1003)
    assert carrier.tls.key_file == str(layout.certs / "relayer.key")


@pytest.mark.parametrize("peer", CHAINS)
def test_each_chain_reads_its_own_file(layout: Layout, peer: str) -> None:
    chain = simchain.load(layout.config(peer))
    assert (chain.peer_id, chain.relayers) == (peer, [ADDRESSES.relayer])
    assert chain.chain.chain_id == chain_id(peer)
    assert tuple(chain.chain.ports) == PORTS
    assert {balance.denomination for balance in chain.chain.balances} == {token(peer)}
    assert set(chain.counterparties) == set(CHAINS) - {peer}
    assert all(
        file == str(layout.anchor(peer, other)) for other, file in chain.counterparties.items()
    )


@pytest.mark.parametrize("peer", CHAINS)
def test_a_chain_and_its_adapter_may_be_two_processes(tmp_path: Path, peer: str) -> None:
    layout = Layout(tmp_path)
    own = {one: f"127.0.0.1:300{at}" for at, one in enumerate(CHAINS)}
    write_configs(layout, replace(ADDRESSES, adapters=own), URL)
    chain = simchain.load(layout.config(peer))
    adapter = simchain.load(layout.config(f"{peer}-adapter"))
    assert (chain.role, adapter.role) == (simchain.Role.CHAIN, simchain.Role.ADAPTER)
    assert adapter.chain == chain.chain
    assert (chain.relayers, adapter.relayers) == ([], [ADDRESSES.relayer])
    assert adapter.chain_address == chain.listen == ADDRESSES.chains[chain.peer_id]
    assert adapter.directory == str(layout.adapter(peer)) != chain.directory
    known = addresses.read(layout.dev_file)
    assert known[f"{peer}-adapter"] == adapter.listen == own[chain.peer_id]


def test_chains_make_blocks_as_often_as_is_asked(layout: Layout) -> None:
    assert simchain.load(layout.config("suzhou")).block_interval == BLOCK_INTERVAL
    write_configs(layout, ADDRESSES, URL, Duration(40 * MILLISECOND))
    assert simchain.load(layout.config("suzhou")).block_interval_ms == 40


def test_the_command_line_finds_the_hub_and_the_chains(layout: Layout) -> None:
    settings = resolve(Given(directory=layout.directory))
    assert (settings.server, settings.chains) == (ADDRESSES.hub, dict(ADDRESSES.chains))
    assert (settings.cert_file, settings.key_file, settings.ca_file) == layout.certificate("admin")
    known = addresses.read(layout.dev_file)
    assert (known["hub"], known["relayer"]) == (ADDRESSES.hub, ADDRESSES.relayer)
    assert (known["metrics"], known["suzhou"]) == (ADDRESSES.metrics, "127.0.0.1:2001")


def test_files_are_their_owners_alone(layout: Layout) -> None:
    assert stat.S_IMODE(layout.config("hub").stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.config("hub").parent.stat().st_mode) == 0o700


def test_values_read_back_as_they_were(tmp_path: Path) -> None:
    values: dict[str, object] = {
        "text": 'a "quoted" \\ line\n杭州',
        "number": -7,
        "truth": True,
        "list": ["a", "b"],
        "rows": [{"a": "x", "b": 1}, {"a": "y", "b": 2}],
        "table": {"k": "v"},
    }
    write(tmp_path / "x.toml", values)
    assert tomllib.loads((tmp_path / "x.toml").read_text()) == values
    with pytest.raises(TypeError):
        render({"real": 0.5})
