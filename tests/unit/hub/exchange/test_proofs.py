from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.core.commitment import commit_packet
from hub.core.errors import FieldInvalid, HeaderNotFound, PacketNotFound, ProofNotFound
from hub.core.paths import acknowledgement_key, commitment_key, receipt_key
from hub.core.ranges import RangeSet
from hub.core.record import SkippedLeaf
from hub.core.time import SECOND, Timestamp
from hub.exchange import proofs
from hub.exchange.claims import verify_claim
from hub.wire.packet import decode_acknowledgement, decode_packet
from tests.harness.exchange import ANCHOR_HEIGHT, HANGZHOU, SUZHOU, Exchange

if TYPE_CHECKING:
    from hub.core.standing import ProofBundle

DECODERS = proofs.Decoders(packet=decode_packet, acknowledgement=decode_acknowledgement)


async def fetch(exchange: Exchange, sequence: int, **starts: int) -> ProofBundle:
    return await proofs.fetch(exchange.registry, exchange.key, sequence, starts, DECODERS)  # type: ignore[arg-type]


@pytest.fixture
async def exchange() -> Exchange:
    return await Exchange.opened()


def now(exchange: Exchange) -> Timestamp:
    return Timestamp(exchange.path.now + SECOND)


async def test_every_packet_of_a_frame_has_a_proof_of_its_own(exchange: Exchange) -> None:
    packets = exchange.send(5)
    await exchange.accept(packets)
    anchor = exchange.anchor(HANGZHOU)
    for packet in packets:
        bundle = await fetch(exchange, packet.sequence)
        claim = bundle.commitment
        assert claim.key == commitment_key(packet.source_client, packet.sequence)
        assert claim.value == commit_packet(packet)
        assert verify_claim(anchor, claim, as_of=now(exchange)).height == claim.proof_height
        assert bundle.outcome is None


async def test_an_acknowledgement_is_proven_from_the_destinations_anchor(
    exchange: Exchange,
) -> None:
    packets = exchange.send(3)
    await exchange.accept(packets)
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    claim = (await fetch(exchange, 2)).outcome
    assert claim is not None
    assert (claim.peer, claim.key) == (
        SUZHOU,
        acknowledgement_key(exchange.key.destination_client, 2),
    )
    verify_claim(exchange.anchor(SUZHOU), claim, as_of=now(exchange))


async def test_a_timeout_is_proven_by_absence(exchange: Exchange) -> None:
    (packet,) = exchange.send(timeout=30)
    await exchange.accept([packet])
    await exchange.time_out(packet)
    claim = (await fetch(exchange, 1)).outcome
    assert claim is not None
    assert (claim.key, claim.value) == (receipt_key(packet.destination_client, 1), b"")
    state = verify_claim(exchange.anchor(SUZHOU), claim, as_of=now(exchange))
    assert state.time >= packet.timeout_timestamp * SECOND


async def test_the_chain_of_headers_skips_what_it_can(exchange: Exchange) -> None:
    exchange.grow(40)
    await exchange.accept(exchange.send())
    claim = (await fetch(exchange, 1)).commitment
    chain = exchange.path.left
    assert claim.headers[0] == chain.light_block(ANCHOR_HEIGHT).header
    assert claim.headers[-1] == chain.light_block(chain.height).header
    assert 2 < len(claim.headers) < chain.height // 2
    verify_claim(exchange.anchor(HANGZHOU), claim, as_of=now(exchange))


async def test_a_chain_may_begin_where_the_caller_trusts(exchange: Exchange) -> None:
    await exchange.accept(exchange.send())
    own = exchange.anchor(HANGZHOU, 5)
    claim = (await fetch(exchange, 1, hangzhou=5)).commitment
    verify_claim(own, claim, as_of=now(exchange))
    with pytest.raises(FieldInvalid):
        await fetch(exchange, 1, hangzhou=exchange.path.left.height + 1)
    with pytest.raises(HeaderNotFound):
        await fetch(exchange, 1, hangzhou=1)


async def test_too_few_stored_headers_lead_nowhere() -> None:
    exchange = await Exchange.opened()
    registry = exchange.registry
    exchange.grow(40)
    packets = exchange.send(2)
    await exchange.accept(packets)
    target = exchange.path.left.height
    headers = registry.state.headers[HANGZHOU]
    for number in list(headers):
        if ANCHOR_HEIGHT < number < target:
            del headers[number]
    with pytest.raises(HeaderNotFound):
        await fetch(exchange, 1)


async def test_leaves_that_were_not_taken_from_the_frame_count_too(exchange: Exchange) -> None:
    packets = exchange.send(4)
    await exchange.accept(packets[1:2])
    # The next frame shows all four; the second was there already.
    rest = [packet for packet in packets if packet.sequence != 2]
    await exchange.accept(rest, skipped=[SkippedLeaf(2, commit_packet(packets[1]))])
    for sequence in (1, 2, 3, 4):
        claim = (await fetch(exchange, sequence)).commitment
        verify_claim(exchange.anchor(HANGZHOU), claim, as_of=now(exchange))


async def test_contents_are_read_of_the_packets_own_frame_alone(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [exchange.send(2) for _ in range(3)]
    for frame in frames:
        await exchange.accept(frame)
    packets = [packet for frame in frames for packet in frame]
    await exchange.deliver(packets)
    for frame in frames:
        await exchange.acknowledge(frame)
    read: dict[str, RangeSet] = {}
    for name in ("packets", "outcomes"):
        port = getattr(exchange.registry, name)

        async def counted(
            lane: int, numbers: RangeSet, *most: int, name: str = name, method: Any = port.read
        ) -> Any:
            assert most
            read[name] = read.get(name, RangeSet()) | numbers
            return await method(lane, numbers, *most)

        monkeypatch.setattr(port, "read", counted)
    assert (await fetch(exchange, 3)).outcome is not None
    assert read == {"packets": RangeSet.of([3, 4]), "outcomes": RangeSet.of([2, 3])}


async def test_what_has_no_proof_says_so(exchange: Exchange) -> None:
    with pytest.raises(PacketNotFound):
        await fetch(exchange, 1)
    await exchange.settle_elsewhere(1)
    with pytest.raises(ProofNotFound):
        await fetch(exchange, 1)
    packets = exchange.send(3)[1:]
    await exchange.accept(packets)
    lane = exchange.registry.state.lanes[await exchange.lane_id()]
    del lane.packets[packets[1].sequence]
    with pytest.raises(ProofNotFound):
        await fetch(exchange, packets[0].sequence)
