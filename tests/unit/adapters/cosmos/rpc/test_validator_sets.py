from __future__ import annotations

from typing import Any

import pytest

from hub.core.errors import (
    ChainUnreachable,
    HeaderUnparseable,
    HubError,
    LimitExceeded,
    ValidatorSetMismatch,
)
from tests.harness.comet_json import validators_json
from tests.harness.comet_rpc import ScriptedNode, comet
from tests.harness.cometbft import Member, make_chain, members

GROUP, OTHERS = members(30, 20, 10), members(7, 7, first=10)
BLOCKS = make_chain([GROUP] * 3 + [OTHERS] * 3)


async def test_validators_are_asked_for_once_a_set() -> None:
    scripted = ScriptedNode(BLOCKS)
    async with comet(scripted) as node:
        await node.headers(range(1, 7))
        await node.headers(range(1, 7))
    assert [params["height"] for params in scripted.calls("validators")] == ["1", "4"]


async def test_a_set_of_hundreds_is_asked_for_page_by_page() -> None:
    group = tuple([Member(at, 500 - at) for at in range(230)])
    (block,) = make_chain([group])
    scripted = ScriptedNode([block])
    async with comet(scripted) as node:
        assert await node.headers((1,)) == (block.header,)
    assert [params["page"] for params in scripted.calls("validators")] == ["1", "2", "3"]


async def test_only_the_last_sets_are_remembered() -> None:
    blocks = make_chain([members(at, first=at) for at in range(1, 36)])
    scripted = ScriptedNode(blocks)
    async with comet(scripted) as node:
        await node.headers(range(1, 36))
        await node.headers((35, 1))
    assert len(scripted.calls("validators")) == 36


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"validators": []}, HeaderUnparseable),
        ({"validators": None}, HeaderUnparseable),
        ({"total": "513"}, LimitExceeded),
        ({"total": "4"}, ValidatorSetMismatch),
        ({"total": "9" * 30}, ChainUnreachable),
        ({"validators": [{}]}, ChainUnreachable),
    ],
)
async def test_pages_that_cannot_be_have_their_own_error(
    fields: dict[str, Any], error: type[HubError]
) -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods["validators"] = lambda _: validators_json(BLOCKS[2]) | fields
    async with comet(scripted) as node:
        with pytest.raises(error):
            await node.headers((3,))
    assert len(scripted.calls("validators")) <= 6


async def test_a_set_that_has_its_hash_counts_whatever_total_is_told() -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods["validators"] = lambda _: validators_json(BLOCKS[2]) | {"total": "0"}
    async with comet(scripted) as node:
        assert await node.headers((3,)) == (BLOCKS[2].header,)


async def test_a_node_that_does_not_show_a_set_is_asked_again() -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods["validators"] = lambda _: None
    async with comet(scripted) as node:
        with pytest.raises(ChainUnreachable):
            await node.headers((3,))
