from __future__ import annotations

import pytest

from adapters.sdk.steps import Lane
from adapters.sdk.submission import Headers, Items, Refusal, Submission, Verdict
from adapters.simchain.misbehave import Misbehaviour
from adapters.simchain.offences import Offences
from adapters.simchain.queries import PREFIX, anchor_at
from adapters.simchain.switches import LASTING
from hub.core.commitment import commit_packet
from hub.core.errors import (
    FieldInvalid,
    HubError,
    LaneNotFound,
    ProofBatchInvalid,
    ProofNotFound,
    QuorumNotReached,
    RootMismatch,
)
from hub.core.ids import ClientId, PeerId
from hub.core.lane import LaneKey, Side
from hub.core.paths import commitment_key
from hub.core.ranges import RangeSet
from hub.wire.packet import decode_packet
from tests.harness.simchain import LIGHT_CLIENT, TRUST
from tests.harness.simcity import TwoCities

REFUSED = Refusal(sequence=0, reason="CLIENT_FROZEN", detail="", retryable=True)


class Listener:
    """A relayer that hears everything and believes it."""

    def __init__(self, cities: TwoCities) -> None:
        self.heard: list[Submission] = []
        self.verdict = Verdict(frame_id=1)
        left, right = cities.left, cities.right
        self.known = Lane(
            key=LaneKey(PeerId("hangzhou"), left.client, PeerId("suzhou"), right.client),
            side=Side.SOURCE,
            first=1,
            done=RangeSet.span(1, 4),
        )

    async def submit(self, submission: Submission) -> Verdict:
        self.heard.append(submission)
        return self.verdict

    def lane(self, client: ClientId, side: Side) -> Lane:
        if (client, side) != (self.known.client, Side.SOURCE):
            raise LaneNotFound(name=client)
        return self.known


@pytest.fixture
async def cities() -> TwoCities:
    """Three packets were sent in one block, and a fourth in a later one."""
    cities = await TwoCities().open()
    await cities.send(cities.left, 3)
    await cities.send(cities.left, 1)
    return cities


def heights(listener: Listener) -> list[int]:
    shown = [one for one in listener.heard if isinstance(one, Headers)]
    return [LIGHT_CLIENT.read_header(one.headers[0]).height.number for one in shown]


async def test_an_equivocation_shows_both_blocks_of_one_height(cities: TwoCities) -> None:
    listener, chain = Listener(cities), cities.left.chain
    await Offences(chain, listener).commit(Misbehaviour.EQUIVOCATE, None)
    assert heights(listener) == [chain.height, chain.height]
    first, second = (one.headers[0] for one in listener.heard if isinstance(one, Headers))
    assert first == chain.light_block(chain.height).header != second


async def test_an_equivocation_ends_where_even_the_genuine_block_is_refused(
    cities: TwoCities,
) -> None:
    listener = Listener(cities)
    listener.verdict = Verdict(frame_id=1, refused=(REFUSED,))
    verdict = await Offences(cities.left.chain, listener).commit(Misbehaviour.EQUIVOCATE, None)
    assert verdict.whole == REFUSED
    assert len(listener.heard) == 1


async def test_a_forged_header_is_signed_by_too_few(cities: TwoCities) -> None:
    listener, chain = Listener(cities), cities.left.chain
    await Offences(chain, listener).commit(Misbehaviour.FORGE_HEADER, None)
    [shown] = listener.heard
    assert isinstance(shown, Headers)
    number = chain.height - 1
    trusted = LIGHT_CLIENT.read_header(chain.light_block(number).header)
    validators = chain.config.schedule.at(chain.height).content
    with pytest.raises(QuorumNotReached):
        LIGHT_CLIENT.verify_header(
            anchor_at(chain, number, TRUST),
            trusted,
            validators,
            shown.headers[0],
            now=cities.clock.now(),
        )


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("kind", [Misbehaviour.FORGE_PROOF, Misbehaviour.REPLAY])
async def test_packets_shown_again_were_accepted_before_and_only_forged_ones_do_not_verify(
    cities: TwoCities, kind: Misbehaviour, *, by_name: bool
) -> None:
    listener, chain = Listener(cities), cities.left.chain
    client = cities.left.client if by_name else None
    await Offences(chain, listener).commit(kind, client)
    header, shown = listener.heard
    assert isinstance(header, Headers)
    assert isinstance(shown, Items)
    assert heights(listener) == [shown.proof_height.number]
    assert shown.sequences == RangeSet.span(1, 4), "the fourth was not accepted yet"
    packets = [decode_packet(item.content) for item in shown.items]
    leaves = [
        (commitment_key(cities.left.client, packet.sequence), commit_packet(packet))
        for packet in packets
    ]
    root = LIGHT_CLIENT.read_header(header.headers[0]).root
    errors: tuple[type[HubError], ...] = (RootMismatch, ProofBatchInvalid)
    if kind is Misbehaviour.REPLAY:
        LIGHT_CLIENT.verify_batch(root, PREFIX, leaves, shown.proof_batch)
    else:
        with pytest.raises(errors):
            LIGHT_CLIENT.verify_batch(root, PREFIX, leaves, shown.proof_batch)


async def test_nothing_can_be_replayed_before_something_was_accepted(cities: TwoCities) -> None:
    listener = Listener(cities)
    listener.known = Lane(key=listener.known.key, side=Side.SOURCE, first=1, done=RangeSet())
    with pytest.raises(ProofNotFound):
        await Offences(cities.left.chain, listener).commit(Misbehaviour.REPLAY, None)
    with pytest.raises(ProofNotFound):
        await Offences(cities.right.chain, listener).commit(Misbehaviour.REPLAY, None)
    offences = Offences(cities.left.chain, listener)
    with pytest.raises(LaneNotFound):
        await offences.commit(Misbehaviour.FORGE_PROOF, ClientId("07-tendermint-9"))


@pytest.mark.parametrize("kind", sorted(LASTING))
async def test_what_lasts_is_no_offence(cities: TwoCities, kind: Misbehaviour) -> None:
    listener = Listener(cities)
    with pytest.raises(FieldInvalid):
        await Offences(cities.left.chain, listener).commit(kind, None)
    assert listener.heard == []
