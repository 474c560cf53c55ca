"""What a relayer knows when frames come in: one lane, verified roots, and the frames that are true.

The lane goes from suzhou, whose adapter sends packets, to hangzhou, whose adapter answers them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.client import ConsensusState
from hub.core.commitment import RECEIPT, commit_acknowledgement, commit_packet
from hub.core.height import Height
from hub.core.lane import LaneKey
from hub.core.packet import Acknowledgement, Packet
from hub.core.paths import acknowledgement_key, commitment_key, receipt_key
from hub.core.time import SECOND, Timestamp
from hub.light_clients.cometbft.client import CometBftClient
from hub.wire.frames import headers_to_proto
from hub.wire.packet import encode_acknowledgement, encode_packet
from relayer.verification import Root
from tests.fuzz.targets.header_samples import FAR, NEXT, TRUSTED
from tests.harness.cometbft import resigned
from tests.harness.iavl import World, plant
from tests.harness.packet_samples import OTHER_PAYLOAD, PAYLOAD

CLIENT: Final = CometBftClient()
PREFIX: Final = (b"ibc", b"")
LANE: Final = LaneKey.parse("suzhou~07-tendermint-0~hangzhou~07-tendermint-3")
TIMEOUT: Final = 1_900_000_000
"""Seconds; of every packet."""

PACKETS: Final = {
    sequence: Packet(
        sequence=sequence,
        source_client=LANE.source_client,
        destination_client=LANE.destination_client,
        timeout_timestamp=TIMEOUT,
        payloads=(replace(PAYLOAD, value=b"%d" % sequence), OTHER_PAYLOAD)[: 1 + sequence % 2],
    )
    for sequence in range(1, 41)
}
ANSWERS: Final = {
    sequence: Acknowledgement((b"answer %d" % sequence, b"\x01")[: 1 + sequence % 2])
    for sequence in range(1, 31)
}
SOURCE: Final = World(
    {
        "bank": plant({b"supply": b"7"}),
        "ibc": plant(
            {
                commitment_key(LANE.source_client, sequence): commit_packet(packet)
                for sequence, packet in PACKETS.items()
            }
        ),
    }
)
DESTINATION: Final = World(
    {
        "acc": plant({b"alice": b"1"}),
        "ibc": plant(
            {
                acknowledgement_key(LANE.destination_client, sequence): commit_acknowledgement(
                    answer
                )
                for sequence, answer in ANSWERS.items()
            }
            | {receipt_key(LANE.destination_client, sequence): RECEIPT for sequence in ANSWERS}
        ),
    }
)


def _root(root: bytes, number: int, seconds: int) -> Root:
    state = ConsensusState(
        height=Height(1, number),
        header_hash=bytes(32),
        time=Timestamp(seconds * SECOND),
        root=root,
        next_validators_hash=bytes(32),
    )
    return Root(CLIENT, PREFIX, state)


SOURCE_ROOTS: Final = {
    7: _root(DESTINATION.root, 7, TIMEOUT - 61),
    8: _root(SOURCE.root, 8, TIMEOUT - 60),
}
"""Each has one root that the frames' proofs do not end at."""

DESTINATION_ROOTS: Final = {
    11: _root(SOURCE.root, 11, TIMEOUT - 1),
    12: _root(DESTINATION.root, 12, TIMEOUT),
}
TRUSTED_HEIGHT: Final = TRUSTED.height
EQUIVOCATION: Final = resigned(NEXT, app_hash=bytes(32))
"""A second block of that height, which the chain's validators signed too."""


def height(number: int) -> client_pb2.Height:
    return client_pb2.Height(revision=1, number=number)


def packets(*sequences: int) -> pb.AdapterFrame:
    """A frame of packets, with their batch."""
    keys = [commitment_key(LANE.source_client, sequence) for sequence in sequences]
    return pb.AdapterFrame(
        frame_id=3,
        packets=pb.PacketBatch(
            lane=LANE.name,
            proof_height=height(8),
            packets=[encode_packet(PACKETS[sequence]) for sequence in sequences],
            proof_batch=SOURCE.batch("ibc", keys),
        ),
    )


def acknowledgements(*sequences: int) -> pb.AdapterFrame:
    """A frame of acknowledgements, with their batch."""
    keys = [acknowledgement_key(LANE.destination_client, sequence) for sequence in sequences]
    return pb.AdapterFrame(
        frame_id=4,
        acknowledgements=pb.AcknowledgementBatch(
            lane=LANE.name,
            proof_height=height(12),
            sequences=sequences,
            acknowledgements=[encode_acknowledgement(ANSWERS[one]) for one in sequences],
            proof_batch=DESTINATION.batch("ibc", keys),
        ),
    )


def absence(sequence: int) -> pb.AdapterFrame:
    """A frame that shows the absence of a receipt."""
    key = receipt_key(LANE.destination_client, sequence)
    return pb.AdapterFrame(
        frame_id=5,
        absence=pb.Absence(
            lane=LANE.name,
            sequence=sequence,
            proof_height=height(12),
            proof=DESTINATION.non_membership("ibc", key),
        ),
    )


def _headers() -> pb.AdapterFrame:
    return pb.AdapterFrame(frame_id=6, headers=headers_to_proto([NEXT.header, FAR.header]))


def _misbehaviour() -> pb.AdapterFrame:
    first, second = NEXT.header, EQUIVOCATION.header
    return pb.AdapterFrame(
        frame_id=7,
        misbehaviour=pb.Misbehaviour(
            peer="peers/suzhou",
            first=client_pb2.Header(content=first.content, validators=first.validators),
            second=client_pb2.Header(content=second.content, validators=second.validators),
            first_trusted_height=height(TRUSTED_HEIGHT),
            second_trusted_height=height(TRUSTED_HEIGHT),
        ),
    )


TRUE_FRAMES: Final = (
    packets(*range(5, 13)),
    packets(20),
    packets(1, 9, 17, 25, 33),
    acknowledgements(*range(3, 11)),
    acknowledgements(30),
    absence(31),
    absence(40),
    _headers(),
    _misbehaviour(),
)
