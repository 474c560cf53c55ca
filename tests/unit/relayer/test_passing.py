from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simchain.client_store import STORE
from hub.core.errors import AdapterOffline, NonMembershipNotProven
from hub.core.paths import next_sequence_receive_key
from hub.core.ranges import EMPTY, RangeSet
from relayer.passing import find_gone, next_to_receive, next_to_send
from tests.harness.exchange import HANGZHOU, SUZHOU
from tests.harness.station import proto_height

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

    from tests.harness.station import Station

ALL = RangeSet.span(1, 4)


async def refunded(board: Station) -> None:
    """Of three packets the second was refunded, and the hub has the header that shows it."""
    exchange, path = board.exchange, board.exchange.path
    [_, packet, _] = exchange.send(3, timeout=5)
    path.advance(10)
    path.advance()
    assert path.deliver(path.left, path.time_out(path.left, packet)).error is None
    path.advance()
    await board.know()


async def test_what_is_gone_is_found_with_its_proofs(wired: Station) -> None:
    await refunded(wired)
    found = await find_gone(wired.board, wired.exchange.key, ALL)
    assert found.sequences == RangeSet.of([2])
    assert found.height.number == wired.left.chain.height
    shown = wired.exchange.path.pass_over(wired.left.chain, 2)
    assert [(one.sequence, one.proof) for one in found.message.gone] == [
        (one.sequence, one.proof) for one in shown.gone
    ]
    assert found.message.next_sequence == shown.next_sequence == 4
    assert found.message.next_sequence_proof == shown.next_sequence_proof
    assert found.message.proof_height == proto_height(wired.left.chain.height)


async def test_what_stands_is_not_gone(wired: Station) -> None:
    wired.exchange.send(3)
    await wired.know()
    assert (await find_gone(wired.board, wired.exchange.key, ALL)).sequences == EMPTY


async def test_an_adapter_that_hides_a_packet_proves_nothing(wired: Station) -> None:
    wired.exchange.send(3)
    await wired.know()

    def hides(request: pb.Request) -> pb.Answer:
        found = wired.left.prove(request.proofs)
        found.proofs.values[0] = b""
        return found

    wired.left.answers = hides
    with pytest.raises(NonMembershipNotProven):
        await find_gone(wired.board, wired.exchange.key, ALL)


async def test_the_next_sequences_are_proven(wired: Station) -> None:
    wired.exchange.send(3)
    path, key = wired.exchange.path, wired.exchange.key
    await wired.know()
    assert await next_to_send(wired.board, HANGZHOU, key.source_client) == 4
    assert await next_to_receive(wired.board, SUZHOU, key.destination_client) == 1
    stored = next_sequence_receive_key(key.destination_client)
    path.right.state.set(STORE, stored, (7).to_bytes(8, "big"))
    path.advance()
    path.advance()
    await wired.know()
    assert await next_to_receive(wired.board, SUZHOU, key.destination_client) == 7


async def test_where_nobody_answers_nothing_is_known(wired: Station) -> None:
    await wired.know()
    del wired.board.sessions[SUZHOU]
    with pytest.raises(AdapterOffline):
        await next_to_receive(wired.board, SUZHOU, wired.exchange.key.destination_client)
