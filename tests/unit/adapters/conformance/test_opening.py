from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.conformance import opening
from adapters.conformance.check import Grade
from adapters.simchain.adapter import SimchainAdapter
from hub.core.lane import Side
from tests.harness.examined import EXAMINER, PEER, examined

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simchain.node import Node
    from hub.core.client import Anchor, ConsensusState
    from hub.core.ids import ClientId


class Cautious(SimchainAdapter):
    """Creates a client only together with the header that its anchor names."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.needs_anchor_header = True

    async def create_client(
        self, anchor: Anchor, state: ConsensusState | None, *, ordered: bool, opening: str
    ) -> ClientId:
        assert state is not None
        assert state.header_hash == anchor.header_hash
        return await super().create_client(anchor, state, ordered=ordered, opening=opening)


async def test_an_adapter_that_asks_for_its_anchors_header_is_given_it(tmp_path: Path) -> None:
    names = ("create_client", "anchor_header", "counterparty", "update_client")
    async with examined(tmp_path, adapter=Cautious) as city:
        results = await city.results(*names)
    assert {result.grade for result in results.values()} == {Grade.PASSED}


async def test_lanes_join_both_clients_and_are_opened_once(tmp_path: Path) -> None:
    async with examined(tmp_path) as city:
        lanes = await opening.lanes(city.exam)
        assert lanes is await opening.lanes(city.exam)
        key = lanes.out.key
        assert (key.source_peer, key.destination_peer) == (PEER, EXAMINER)
        assert (key.source_client, key.destination_client) == (
            lanes.here.client,
            city.exam.counterparty.client,
        )
        assert lanes.back.key == key.reverse
        assert (lanes.out.side, lanes.back.side) == (Side.SOURCE, Side.DESTINATION)
