"""A bundle that holds, and every single change to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.client import Header
from hub.core.errors import (
    AnchorMismatch,
    ConsensusStateMissing,
    FieldInvalid,
    HubError,
    LimitExceeded,
    MembershipNotProven,
    NotEnoughTrust,
    TimeoutNotReached,
    TrustExpired,
)
from hub.core.height import Height
from hub.core.ids import ClientId, PeerId
from hub.core.packet import Acknowledgement
from hub.core.time import SECOND, Timestamp
from hub.exchange import proofs
from hub.exchange.claims import MAX_CHAIN, ClaimedBundle, verify_bundle
from hub.wire.packet import decode_acknowledgement, decode_packet
from tests.harness.exchange import HANGZHOU, SUZHOU, Exchange

if TYPE_CHECKING:
    from hub.core.client import Anchor
    from hub.core.standing import ProvenClaim

DECODERS = proofs.Decoders(packet=decode_packet, acknowledgement=decode_acknowledgement)


class Sample:
    """A bundle of an acknowledged packet, and one of a packet that nobody received."""

    def __init__(self, exchange: Exchange, answered: ClaimedBundle, absent: ClaimedBundle) -> None:
        self.exchange = exchange
        self.answered = answered
        self.absent = absent
        self.anchors: dict[PeerId, Anchor] = {
            peer: exchange.anchor(peer) for peer in (HANGZHOU, SUZHOU)
        }
        self.as_of = Timestamp(exchange.path.now + SECOND)

    def verify(self, bundle: ClaimedBundle, **changes: Any) -> Any:
        anchors = changes.get("anchors", self.anchors)
        return verify_bundle(bundle, anchors, as_of=changes.get("as_of", self.as_of))


async def claimed(exchange: Exchange, sequence: int) -> ClaimedBundle:
    bundle = await proofs.fetch(exchange.registry, exchange.key, sequence, {}, DECODERS)
    stored, outcome = bundle.standing.stored, bundle.standing.outcome
    assert stored is not None
    assert outcome is not None
    return ClaimedBundle(
        lane=exchange.key,
        packet=decode_packet(stored.content),
        acknowledgement=decode_acknowledgement(outcome.content) if outcome.content else None,
        commitment=bundle.commitment,
        outcome=bundle.outcome,
    )


@pytest.fixture
async def sample() -> Sample:
    exchange = await Exchange.opened()
    exchange.grow(40)
    packets = exchange.send(2)
    (late,) = exchange.send(timeout=60)
    await exchange.accept([*packets, late])
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    await exchange.time_out(late)
    return Sample(exchange, await claimed(exchange, 1), await claimed(exchange, 3))


async def test_both_ends_are_shown_from_the_operators_own_anchors(sample: Sample) -> None:
    found = sample.verify(sample.answered)
    assert found.committed.height == sample.answered.commitment.proof_height
    assert found.ended.height == sample.answered.outcome.proof_height  # type: ignore[union-attr]
    assert sample.verify(sample.absent).ended is not None
    only_sent = replace(sample.answered, outcome=None)
    anchors = {HANGZHOU: sample.anchors[HANGZHOU]}
    assert sample.verify(only_sent, anchors=anchors).ended is None


async def test_an_anchor_within_the_chain_of_headers_is_enough(sample: Sample) -> None:
    headers = sample.answered.commitment.headers
    assert len(headers) > 2
    client = sample.exchange.registry.state
    number = next(
        height for height, stored in client.headers[HANGZHOU].items() if stored.header == headers[1]
    )
    anchors = {**sample.anchors, HANGZHOU: sample.exchange.anchor(HANGZHOU, number)}
    sample.verify(sample.answered, anchors=anchors)


async def test_anothers_anchor_shows_nothing(sample: Sample) -> None:
    with pytest.raises(FieldInvalid):
        sample.verify(sample.answered, anchors={HANGZHOU: sample.anchors[HANGZHOU]})
    swapped = {HANGZHOU: sample.anchors[SUZHOU], SUZHOU: sample.anchors[HANGZHOU]}
    with pytest.raises(AnchorMismatch):
        sample.verify(sample.answered, anchors=swapped)
    forged = replace(sample.anchors[HANGZHOU], header_hash=b"\x01" * 32)
    with pytest.raises(AnchorMismatch):
        sample.verify(sample.answered, anchors={**sample.anchors, HANGZHOU: forged})


async def test_time_is_the_callers(sample: Sample) -> None:
    anchor = sample.anchors[HANGZHOU]
    late = Timestamp(sample.as_of + anchor.options.trusting_period)
    with pytest.raises(TrustExpired):
        sample.verify(sample.answered, as_of=late)
    sample.verify(sample.answered)


def _claim(bundle: ClaimedBundle, name: str, **changes: Any) -> ClaimedBundle:
    claim: ProvenClaim = getattr(bundle, name)
    changed: dict[str, Any] = {name: replace(claim, **changes)}
    return replace(bundle, **changed)


@pytest.mark.parametrize("name", ["commitment", "outcome"])
async def test_a_claim_about_something_else_is_refused(sample: Sample, name: str) -> None:
    bundle = sample.answered
    claim: ProvenClaim = getattr(bundle, name)
    for changes, error in (
        ({"peer": PeerId("shanghai")}, FieldInvalid),
        ({"key": claim.key[:-1] + b"\x02"}, FieldInvalid),
        ({"value": b"\x01" * 32}, MembershipNotProven),
        ({"value": b""}, MembershipNotProven),
        ({"proof_height": Height(1, claim.proof_height.number - 1)}, ConsensusStateMissing),
        ({"headers": ()}, LimitExceeded),
        ({"headers": claim.headers * MAX_CHAIN}, LimitExceeded),
        ({"headers": claim.headers[:1]}, ConsensusStateMissing),
        ({"headers": claim.headers[1:]}, AnchorMismatch),
        ({"proof": b""}, HubError),
        ({"proof": claim.proof[:-1]}, HubError),
    ):
        with pytest.raises(error):
            sample.verify(_claim(bundle, name, **changes))


async def test_every_byte_of_a_proof_counts(sample: Sample) -> None:
    claim = sample.absent.outcome
    assert claim is not None
    for at in range(0, len(claim.proof), 7):
        flipped = bytearray(claim.proof)
        flipped[at] ^= 1
        with pytest.raises(HubError):
            sample.verify(_claim(sample.absent, "outcome", proof=bytes(flipped)))


async def test_headers_that_do_not_follow_are_refused(sample: Sample) -> None:
    claim = sample.answered.commitment
    first, last = claim.headers[0], claim.headers[-1]
    garbage = Header(content=b"\x00", validators=last.validators)
    with pytest.raises(HubError):
        sample.verify(_claim(sample.answered, "commitment", headers=(*claim.headers[:-1], garbage)))
    with pytest.raises(NotEnoughTrust):
        sample.verify(_claim(sample.answered, "commitment", headers=(first, last)))


async def test_the_packet_itself_is_what_is_judged(sample: Sample) -> None:
    packet = sample.answered.packet
    longer = replace(packet, timeout_timestamp=packet.timeout_timestamp + 1)
    with pytest.raises(MembershipNotProven):
        sample.verify(replace(sample.answered, packet=longer))
    other = replace(packet, destination_client=ClientId("07-tendermint-9"))
    with pytest.raises(FieldInvalid):
        sample.verify(replace(sample.answered, packet=other))
    with pytest.raises(FieldInvalid):
        sample.verify(replace(sample.answered, lane=sample.answered.lane.reverse))


async def test_an_outcome_is_not_another(sample: Sample) -> None:
    lie = Acknowledgement((b'{"result":"BQ=="}',))
    with pytest.raises(MembershipNotProven):
        sample.verify(replace(sample.answered, acknowledgement=lie))
    with pytest.raises(FieldInvalid):
        sample.verify(replace(sample.answered, acknowledgement=None))
    with pytest.raises(FieldInvalid):
        sample.verify(replace(sample.absent, acknowledgement=lie))


async def test_an_absence_before_the_timeout_shows_nothing() -> None:
    exchange = await Exchange.opened()
    (packet,) = exchange.send(timeout=600)
    await exchange.accept([packet])
    await exchange.absent(packet)
    sample = Sample(exchange, bundle := await claimed(exchange, 1), bundle)
    with pytest.raises(TimeoutNotReached):
        sample.verify(bundle)
