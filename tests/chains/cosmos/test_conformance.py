"""The exam of the Cosmos adapter, before a live chain: the same items as for any other chain."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos import anchoring
from adapters.cosmos.tx.keys import write_new_keys
from tests.chains.cosmos.genesis import PREFIX
from tests.chains.cosmos.network import CosmosNetwork
from tests.chains.cosmos.options import STAKE, ChainOptions
from tests.harness.operator import PEER, Operator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "token"
HELD = 1_000_000


@asynccontextmanager
async def chain(operator: Operator) -> AsyncIterator[None]:
    """A live chain and its adapter, which dials the examiner; its anchor is known."""
    directory = operator.directory
    keys = write_new_keys(directory / "relayer.keys", 2, PREFIX)
    [user] = write_new_keys(directory / "user.keys", 1, PREFIX)
    balances = {key.address: {STAKE: HELD} for key in keys}
    options = ChainOptions(balances={**balances, user.address: {TOKEN: HELD, STAKE: HELD}})
    with CosmosNetwork(directory / "chain", PEER, options) as network:
        await network.wait_ready(3)
        await write_files(operator, network)
        async with operator.adapter(
            "adapters.cosmos", "run", "--config", str(directory / f"{PEER}.toml")
        ):
            yield


async def write_files(operator: Operator, network: CosmosNetwork) -> None:
    """The adapter's configuration, the chain's anchor, and its user, are in files."""
    directory = operator.directory
    certificate, key, ca = map(str, operator.certificates.files(f"/peers/{PEER}"))
    adapter: dict[str, object] = {
        "peer": PEER,
        "chain_id": network.chain_id,
        "nodes": list(network.rpc_urls),
        "relayers": [operator.exam_address],
        "directory": str(directory / "state"),
        "tls": {"cert_file": certificate, "key_file": key, "ca_file": ca},
        "keys": {"file": str(directory / "relayer.keys")},
        "counterparties": {"examiner": str(directory / "examiner.yaml")},
    }
    operator.write(f"{PEER}.toml", adapter)
    users: dict[str, object] = {
        "kind": "cosmos",
        "chain_id": network.chain_id,
        "nodes": list(network.rpc_urls),
        "keys_file": "user.keys",
        "denomination": TOKEN,
    }
    operator.write("sender.toml", users)
    text = await anchoring.peer_file(
        network.rpc_url(),
        peer=PEER,
        display_name=PEER,
        chain_id=network.chain_id,
        height=0,
        trust=anchoring.trust_options("1/3", "336h", "10s"),
    )
    (directory / f"{PEER}.yaml").write_text(text, encoding="utf-8")


@pytest.mark.timeout(600)
async def test_the_cosmos_adapter_passes_the_exam_of_every_adapter(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    assert (await operator.conformance("anchor", "--out", "examiner.yaml"))[0] == 0
    async with chain(operator):
        code, output = await operator.run("--junit", "results.xml")
    assert code == 0, output
