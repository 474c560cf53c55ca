from __future__ import annotations

from typing import Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.misbehave import Forgery, equivocate, forge_header
from hub.core.lane import Side
from hub.wire.headers import header_to_proto
from tests.harness.exchange import ADMIN, HANGZHOU
from tests.harness.inbound import Working, reasons
from tests.harness.station import proto_height


class TestMisbehaviour:
    def frame(self, at: Working, peer: str = "", height: int = 0) -> pb.Misbehaviour:
        chain = at.board.left.chain
        height = height or chain.height
        return pb.Misbehaviour(
            peer=peer,
            first=header_to_proto(chain.light_block(height).header),
            second=header_to_proto(equivocate(chain, height).header),
            first_trusted_height=proto_height(height - 1),
            second_trusted_height=proto_height(height - 2),
        )

    @pytest.mark.parametrize("by_its_own", [True, False])
    async def test_two_headers_freeze_the_client_whoever_shows_them(
        self, at_work: Working, *, by_its_own: bool
    ) -> None:
        board = at_work.board
        peer = "" if by_its_own else "peers/hangzhou"
        adapter = board.left if by_its_own else board.right
        verdict = await adapter.verdict(misbehaviour=self.frame(at_work, peer))
        assert not verdict.refused
        assert len(await board.registry.clients.evidence(HANGZHOU)) == 1
        assert board.registry.state.lanes[1].sides[Side.SOURCE].stopped
        assert (await board.keeper(HANGZHOU)).hub_client.is_frozen

    async def test_once_frozen_more_of_it_is_not_taken(self, at_work: Working) -> None:
        """A chain's own validators can sign without end: one piece of evidence is enough."""
        board = at_work.board
        await board.right.verdict(misbehaviour=self.frame(at_work, "peers/hangzhou"))
        other = self.frame(at_work, "peers/hangzhou", board.left.chain.height - 1)
        assert reasons(await board.right.verdict(misbehaviour=other)) == [(0, "CLIENT_FROZEN")]
        assert len(await board.registry.clients.evidence(HANGZHOU)) == 1

    async def test_what_was_found_before_a_recovery_does_not_hide_what_is_found_now(
        self, at_work: Working
    ) -> None:
        board, clients = at_work.board, at_work.board.registry.clients
        await board.right.verdict(misbehaviour=self.frame(at_work, "peers/hangzhou"))
        board.exchange.grow(1)
        anchor = board.exchange.anchor(HANGZHOU, board.left.chain.height)
        await clients.recover(HANGZHOU, anchor, board.clock.now(), "mended", ADMIN)
        keeper = await board.keeper(HANGZHOU)
        await keeper.refresh()
        await keeper.begin()
        for _ in range(2):
            board.exchange.grow(1)
            await keeper.add([board.left.chain.light_block(board.left.chain.height).header])
        await clients.freeze(HANGZHOU, "a drill", None, ADMIN)
        await keeper.refresh()
        verdict = await board.right.verdict(misbehaviour=self.frame(at_work, "peers/hangzhou"))
        assert not verdict.refused
        assert len(await clients.evidence(HANGZHOU)) == 2

    async def test_the_same_evidence_freezes_once_also_before_the_recovery_is_heard_of(
        self, at_work: Working
    ) -> None:
        board, clients = at_work.board, at_work.board.registry.clients
        shown = self.frame(at_work, "peers/hangzhou")
        await board.right.verdict(misbehaviour=shown)
        board.exchange.grow(1)
        anchor = board.exchange.anchor(HANGZHOU, board.left.chain.height)
        await clients.recover(HANGZHOU, anchor, board.clock.now(), "mended", ADMIN)
        assert (await board.keeper(HANGZHOU)).hub_client.is_frozen, "it has not heard"
        assert reasons(await board.right.verdict(misbehaviour=shown)) == [(0, "CLIENT_PENDING")]
        assert not (await clients.hub_client(HANGZHOU)).is_frozen

    async def test_one_header_twice_or_a_forged_one_is_none(self, at_work: Working) -> None:
        board = at_work.board
        honest = self.frame(at_work)
        honest.second.CopyFrom(honest.first)
        assert reasons(await board.left.verdict(misbehaviour=honest)) == [
            (0, "MISBEHAVIOUR_NOT_PROVEN")
        ]
        for forgery in Forgery:
            chain = board.left.chain
            forged = self.frame(at_work)
            other = forge_header(chain, chain.height, forgery).header
            forged.second.CopyFrom(header_to_proto(other))
            assert (await board.right.verdict(misbehaviour=forged)).refused
        assert not (await board.keeper(HANGZHOU)).hub_client.is_frozen
        assert await board.registry.clients.evidence(HANGZHOU) == []

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"peer": "peers/nowhere"}, "CLIENT_NOT_FOUND"),
            ({"peer": "Not A Peer"}, "IDENTIFIER_INVALID"),
            ({"first_trusted_height": proto_height(900)}, "CONSENSUS_STATE_MISSING"),
            ({"second_trusted_height": proto_height(0)}, "HEIGHT_INVALID"),
        ],
    )
    async def test_what_names_nothing_that_is_known_is_told_so(
        self, at_work: Working, change: dict[str, Any], reason: str
    ) -> None:
        frame = self.frame(at_work)
        for field, value in change.items():
            if isinstance(value, str):
                setattr(frame, field, value)
            else:
                getattr(frame, field).CopyFrom(value)
        assert reasons(await at_work.board.left.verdict(misbehaviour=frame)) == [(0, reason)]
