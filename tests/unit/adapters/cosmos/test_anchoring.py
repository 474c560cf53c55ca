from __future__ import annotations

import pytest

from adapters.cosmos.anchoring import anchor_of, peer_file, trust_options
from hub.core.client import Fraction
from hub.core.errors import (
    AnchorInvalid,
    ChainIdMismatch,
    ChainUnreachable,
    FieldInvalid,
    HeaderNotFound,
    HubError,
    IdentifierInvalid,
)
from hub.core.time import SECOND
from hub.wire import anchor_file
from tests.harness.comet_rpc import NOWHERE, ScriptedNode, served
from tests.harness.cometbft import make_chain, members

BLOCKS = make_chain([members(30, 20, 10)] * 6)
TRUST = trust_options("1/3", "336h", "10s")


async def file_of(node: str, **changed: object) -> str:
    fields = {
        "peer": "suzhou",
        "display_name": "Suzhou",
        "chain_id": "suzhou-1",
        "height": 0,
        "trust": TRUST,
        **changed,
    }
    return await peer_file(node, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("height", "number"), [(0, 6), (3, 3)])
async def test_the_file_holds_the_block_that_is_asked_for(height: int, number: int) -> None:
    async with served(ScriptedNode(BLOCKS)) as (url,):
        found = anchor_file.parse_peer((await file_of(url, height=height)).encode())
    state = BLOCKS[number - 1].state
    anchor = found.anchor
    assert anchor is not None
    assert (found.peer, anchor.chain_id) == ("suzhou", "suzhou-1")
    assert (anchor.height, anchor.header_hash) == (state.height, state.header_hash)
    assert anchor.next_validators_hash == state.next_validators_hash
    assert (anchor.options, anchor.prefix) == (TRUST, (b"ibc", b""))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"height": 99}, HeaderNotFound),
        ({"height": -1}, HubError),
        ({"chain_id": "hangzhou-1"}, ChainIdMismatch),
        ({"chain_id": "no chain"}, IdentifierInvalid),
        ({"peer": "No Peer"}, IdentifierInvalid),
    ],
)
async def test_what_cannot_be_has_its_own_error(
    change: dict[str, object], error: type[HubError]
) -> None:
    async with served(ScriptedNode(BLOCKS)) as (url,):
        with pytest.raises(error):
            await file_of(url, **change)


async def test_a_node_that_is_none_is_told() -> None:
    with pytest.raises(ChainUnreachable):
        await file_of(NOWHERE)
    with pytest.raises(FieldInvalid):
        await file_of("nowhere")


def test_trust_is_read_as_in_a_peer_file() -> None:
    assert TRUST.trust_level == Fraction(1, 3)
    assert (TRUST.trusting_period, TRUST.max_clock_drift) == (336 * 3600 * SECOND, 10 * SECOND)


@pytest.mark.parametrize(
    "level", ["", "1", "1/", "/3", "1/3/5", "-1/3", "1/x", "9" * 5000 + "/1", "¹/³"]
)
def test_a_level_that_is_none_is_told(level: str) -> None:
    with pytest.raises(FieldInvalid):
        trust_options(level, "336h", "10s")


@pytest.mark.parametrize("period", ["", "336", "h", "-1h"])
def test_a_period_that_is_none_is_told(period: str) -> None:
    with pytest.raises(FieldInvalid):
        trust_options("1/3", period, "10s")
    with pytest.raises(FieldInvalid):
        trust_options("1/3", "336h", period)


@pytest.mark.parametrize("level", ["1/0", "0/1", "1/4", "4/3"])
def test_a_level_that_trusts_too_little_is_no_anchor(level: str) -> None:
    with pytest.raises(AnchorInvalid):
        anchor_of(BLOCKS[0].state, "suzhou-1", trust_options(level, "336h", "10s"))
