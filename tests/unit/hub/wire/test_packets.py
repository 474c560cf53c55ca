from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from ydhub.packet.v1 import packet_pb2 as pb
from ydhub.packet.v1 import packet_service_pb2 as service

from hub.core.client import Header
from hub.core.commitment import commit_packet
from hub.core.errors import FieldInvalid, HeightInvalid, IdentifierInvalid, Reason
from hub.core.height import Height
from hub.core.ids import PeerId
from hub.core.lane import LaneKey
from hub.core.lifecycle import PacketState
from hub.core.record import (
    ExceptionKind,
    OutcomeKind,
    PacketException,
    StoredOutcome,
    StoredPacket,
)
from hub.core.standing import PacketStanding, PacketStory, ProofBundle, ProvenClaim, StoryEvent
from hub.core.time import SECOND, Timestamp
from hub.wire import packets
from hub.wire.packet import encode_acknowledgement, encode_packet
from tests.harness.packet_samples import ACKNOWLEDGEMENT, PACKET

AT = Timestamp(1_800_000_000 * SECOND)
KEY = LaneKey.parse("hangzhou~07-tendermint-3~suzhou~besu-qbft-0")
STANDING = PacketStanding(
    lane=KEY,
    sequence=PACKET.sequence,
    stored=StoredPacket(
        sequence=PACKET.sequence,
        content=encode_packet(PACKET),
        timeout_timestamp=PACKET.timeout_timestamp,
        proof_id=1,
        accepted_at=AT,
    ),
    state=PacketState.ACCEPTED,
    proof_height=40,
    outcome=None,
    outcome_height=0,
    exception=None,
)
OUTCOME = StoredOutcome(
    outcome_index=0,
    sequence=PACKET.sequence,
    kind=OutcomeKind.ACKNOWLEDGEMENT,
    content=encode_acknowledgement(ACKNOWLEDGEMENT),
    proof_id=2,
    recorded_at=AT,
)
CLAIM = ProvenClaim(
    peer=PeerId("suzhou"),
    headers=(Header(content=b"h", validators=b"v"),),
    proof_height=Height(1, 50),
    key=b"key",
    value=b"value",
    proof=b"proof",
)


def test_a_record_has_the_packets_own_bytes_and_commitment() -> None:
    message = packets.record_to_proto(STANDING)
    assert message.name == f"{KEY.name}/packets/5"
    assert message.packet.SerializeToString(deterministic=True) == encode_packet(PACKET)
    assert message.commitment == commit_packet(PACKET)
    assert (message.accept_time.seconds, message.proof_height) == (AT // SECOND, 40)
    assert not message.HasField("outcome_time")
    assert not message.HasField("exception")


@pytest.mark.parametrize("state", PacketState)
def test_every_state_has_its_word_and_reads_back(state: PacketState) -> None:
    message = packets.record_to_proto(replace(STANDING, state=state))
    assert pb.PacketState.Name(message.state) == f"PACKET_STATE_{state}"
    assert packets.state_from_proto(message.state) is state


def test_no_state_means_all_and_an_unknown_one_is_refused() -> None:
    assert packets.state_from_proto(pb.PACKET_STATE_UNSPECIFIED) is None
    with pytest.raises(FieldInvalid):
        packets.state_from_proto(99)  # type: ignore[arg-type]


def test_an_outcome_is_shown_with_its_answers() -> None:
    message = packets.record_to_proto(replace(STANDING, outcome=OUTCOME, outcome_height=60))
    answers = tuple(message.acknowledgement.app_acknowledgements)
    assert answers == ACKNOWLEDGEMENT.app_acknowledgements
    assert (message.outcome_height, message.outcome_time.seconds) == (60, AT // SECOND)
    absence = msgspec.structs.replace(OUTCOME, kind=OutcomeKind.ABSENCE, content=b"")
    message = packets.record_to_proto(replace(STANDING, outcome=absence))
    assert not message.HasField("acknowledgement")
    assert message.HasField("outcome_time")


def test_a_hole_has_no_packet() -> None:
    message = packets.record_to_proto(replace(STANDING, stored=None, proof_height=0))
    assert not message.HasField("packet")
    assert not message.HasField("accept_time")
    assert message.commitment == b""


@pytest.mark.parametrize("kind", ExceptionKind)
def test_an_exception_says_what_it_asks_for(kind: ExceptionKind) -> None:
    exception = PacketException(
        sequence=5,
        kind=kind,
        reason=Reason.CHAIN_UNREACHABLE,
        detail="no gas",
        attempts=3,
        next_attempt_at=AT if kind is ExceptionKind.RETRY else None,
    )
    found = packets.record_to_proto(replace(STANDING, exception=exception)).exception
    assert pb.PacketException.Kind.Name(found.kind) == f"KIND_{kind}"
    assert (found.reason, found.detail, found.attempts) == ("CHAIN_UNREACHABLE", "no gas", 3)
    assert found.HasField("next_attempt_time") == (kind is ExceptionKind.RETRY)


def test_a_story_keeps_its_order_and_what_has_no_time() -> None:
    story = PacketStory(
        standing=STANDING,
        events=(
            StoryEvent(event="ACCEPT", detail="a", at=AT, proof_height=40),
            StoryEvent(event="DELIVER", detail="b", at=None, proof_height=0),
        ),
        waiting_for="the end",
    )
    message = packets.story_to_proto(story)
    assert [event.event for event in message.events] == ["ACCEPT", "DELIVER"]
    assert [event.HasField("time") for event in message.events] == [True, False]
    assert message.waiting_for == "the end"


def test_a_bundles_claims_read_back() -> None:
    bundle = ProofBundle(standing=STANDING, commitment=CLAIM, outcome=None)
    message = packets.bundle_to_proto(bundle)
    assert packets.claim_from_proto(message.commitment) == CLAIM
    assert not message.HasField("outcome")
    both = packets.bundle_to_proto(replace(bundle, outcome=replace(CLAIM, value=b"")))
    assert packets.claim_from_proto(both.outcome) == replace(CLAIM, value=b"")


def test_a_claim_names_a_peer_and_a_height() -> None:
    with pytest.raises(IdentifierInvalid):
        packets.claim_from_proto(service.ProvenClaim(peer="suzhou"))
    with pytest.raises(HeightInvalid):
        packets.claim_from_proto(service.ProvenClaim(peer="peers/suzhou"))


def test_starts_are_heights_by_peer() -> None:
    start = service.ChainStart(peer="peers/suzhou", height=9)
    assert packets.starts_from_proto([start]) == {"suzhou": 9}
    for height in (0, 2**63):
        with pytest.raises(FieldInvalid) as raised:
            packets.starts_from_proto([start, service.ChainStart(peer="peers/a", height=height)])
        assert raised.value.field == "starts[1].height"
    with pytest.raises(FieldInvalid):
        packets.starts_from_proto([start] * 17)
