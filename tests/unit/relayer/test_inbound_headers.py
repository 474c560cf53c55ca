from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.misbehave import Forgery, equivocate, forge_header
from hub.wire.frames import headers_to_proto
from tests.harness.clock import until
from tests.harness.exchange import HANGZHOU
from tests.harness.inbound import Working, numbers, reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor, VerifiedHeader
    from hub.ports.leases import Fence


class TestHeaders:
    async def test_the_heights_that_were_taken_are_told(self, at_work: Working) -> None:
        left, chain = at_work.board.left, at_work.board.left.chain
        at_work.board.exchange.grow(2)
        headers = [chain.light_block(number).header for number in (chain.height - 1, chain.height)]
        verdict = await left.show(*headers)
        assert numbers(verdict.accepted) == [chain.height - 1, chain.height]

    async def test_those_that_wait_are_stored_together_and_each_has_its_verdict(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left, board = at_work.board.left, at_work.board
        before, genuine = left.chain.height, board.registry.clients.add_headers
        written: list[list[int]] = []

        async def counted(fence: Fence, under: Anchor, verified: Sequence[VerifiedHeader]) -> None:
            written.append([one.state.height.number for one in verified])
            await genuine(fence, under, verified)

        monkeypatch.setattr(board.registry.clients, "add_headers", counted)
        board.exchange.grow(5)
        shown = [left.chain.light_block(height).header for height in range(before + 1, before + 6)]
        shown[3] = forge_header(left.chain, before + 4, Forgery.WRONG_KEYS).header
        ids = [left.say(headers=headers_to_proto([header])) for header in shown]
        await until(lambda: ids[-1] in left.verdicts)
        verdicts = [left.verdicts[number] for number in ids]
        assert [bool(verdict.refused) for verdict in verdicts] == [False] * 3 + [True, False]
        assert [numbers(verdict.accepted) for verdict in verdicts[:3]] == [
            [before + 1],
            [before + 2],
            [before + 3],
        ]
        assert written == [[before + 1, before + 2, before + 3], [before + 5]]

    async def test_a_bug_in_what_is_done_together_costs_no_session(
        self, at_work: Working, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left, board = at_work.board.left, at_work.board
        keeper = await board.keeper(HANGZHOU)

        async def bug(_: object) -> None:
            raise KeyError("a bug")

        monkeypatch.setattr(keeper, "climb", bug)
        board.exchange.grow(2)
        newest = left.chain.height
        shown = [left.chain.light_block(height).header for height in (newest - 1, newest)]
        assert numbers((await left.show(*shown)).accepted) == [newest - 1, newest]

    @pytest.mark.parametrize("forgery", list(Forgery))
    async def test_a_forged_header_is_refused_and_may_be_mended(
        self, at_work: Working, forgery: Forgery
    ) -> None:
        left = at_work.board.left
        at_work.board.exchange.grow(1)
        forged = forge_header(left.chain, left.chain.height, forgery).header
        verdict = await left.show(forged)
        assert [(entry.sequence, entry.retryable) for entry in verdict.refused] == [(0, True)]
        assert not (await left.show()).refused

    async def test_a_second_header_freezes_the_client_keeps_both_and_other_lanes_go_on(
        self, at_work: Working
    ) -> None:
        board = at_work.board
        left, right = board.left, board.right
        verdict = await left.show(equivocate(left.chain, left.chain.height).header)
        assert reasons(verdict) == [(0, "CONSENSUS_STATE_DIFFERS")]
        assert not verdict.refused[0].retryable
        assert len(await board.registry.clients.evidence(HANGZHOU)) == 1
        packets = board.exchange.send()
        verdict = await left.verdict(packets=left.packets(packets))
        assert reasons(verdict) == [(0, "CLIENT_FROZEN")]
        board.exchange.grow(1)
        assert not (await right.show()).refused

    async def test_no_headers_and_bytes_that_are_none_are_refused(self, at_work: Working) -> None:
        left = at_work.board.left
        assert reasons(await left.verdict(headers=pb.HeaderBatch())) == [(0, "FRAME_INVALID")]
        batch = pb.HeaderBatch(validator_sets=[b"\xff"])
        batch.headers.add(content=b"\xff")
        assert reasons(await left.verdict(headers=batch)) == [(0, "HEADER_UNPARSEABLE")]
