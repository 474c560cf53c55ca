from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.connecting import connect
from adapters.sdk.clock import SystemClock
from hub.core.errors import ChainIdMismatch, ChainUnreachable, FieldInvalid
from tests.harness.comet_rpc import NOWHERE, ScriptedNode, served
from tests.harness.cometbft import make_chain, members
from tests.harness.cosmos_process import config_of

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS = make_chain([members(30, 20, 10)] * 6)


async def test_the_nodes_that_are_named_are_asked(tmp_path: Path) -> None:
    async with served(ScriptedNode(BLOCKS)) as urls:
        node = connect(config_of(tmp_path), [NOWHERE, *urls], SystemClock())
        assert (node.chain_id, (await node.status()).latest) == ("suzhou-1", 6)
        await node.close()


async def test_a_node_of_another_chain_is_told(tmp_path: Path) -> None:
    async with served(ScriptedNode(BLOCKS, chain_id="hangzhou-1")) as urls:
        node = connect(config_of(tmp_path), urls, SystemClock())
        with pytest.raises(ChainIdMismatch):
            await node.status()
        await node.close()


async def test_nothing_is_dialled_before_it_is_asked(tmp_path: Path) -> None:
    node = connect(config_of(tmp_path), [NOWHERE], SystemClock())
    with pytest.raises(ChainUnreachable):
        await node.status()
    await node.close()


def test_what_is_no_address_is_refused(tmp_path: Path) -> None:
    for urls in ([], ["nowhere"]):
        with pytest.raises(FieldInvalid):
            connect(config_of(tmp_path), urls, SystemClock())
