from __future__ import annotations

from typing import Any

import pytest

from adapters.cosmos.rpc.node import NodeStatus
from hub.core.errors import ChainIdMismatch, ChainUnreachable, HubError
from tests.harness.comet_rpc import CHAIN, ScriptedNode, comet
from tests.harness.cometbft import make_chain, members

BLOCKS = make_chain([members(30, 20, 10)] * 6)


async def test_the_status_is_told() -> None:
    async with comet(ScriptedNode(BLOCKS)) as node:
        assert await node.status() == NodeStatus(CHAIN, 6, 1, is_catching_up=False)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"node_info": {"network": "suzhou-2"}}, ChainIdMismatch),
        ({"node_info": {}}, ChainUnreachable),
        ({"sync_info": {}}, ChainUnreachable),
        ({"sync_info": None}, ChainUnreachable),
    ],
)
async def test_a_status_that_cannot_be_has_its_own_error(
    fields: dict[str, Any], error: type[HubError]
) -> None:
    scripted = ScriptedNode(BLOCKS)
    async with comet(scripted) as node:
        await node.status()
        scripted.methods["status"] = lambda _: scripted.status() | fields
        with pytest.raises(error):
            await node.status()


async def test_a_status_that_is_refused_is_no_answer() -> None:
    scripted = ScriptedNode(BLOCKS)
    async with comet(scripted) as node:
        await node.status()
        scripted.methods["status"] = lambda _: None
        with pytest.raises(ChainUnreachable):
            await node.status()
        with pytest.raises(ChainUnreachable):
            await node.headers((9,))
