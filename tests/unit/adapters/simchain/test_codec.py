from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from adapters.simchain.codec import (
    decode_anchor,
    decode_transaction,
    encode_anchor,
    encode_packet,
    encode_transaction,
    transaction_hash,
)
from adapters.simchain.messages import (
    AcknowledgePackets,
    CreateClient,
    Gone,
    Message,
    PassOverSequences,
    ReceivePackets,
    RegisterCounterparty,
    SendPacket,
    SubmitMisbehaviour,
    TimeOutPacket,
    Transaction,
    UpdateClient,
    UpdateStep,
)
from hub.core.client import Header
from hub.core.codec.proto import message_field
from hub.core.errors import RecordCorrupt
from hub.core.height import Height
from hub.core.ids import ClientId, PortId
from hub.core.packet import Acknowledgement, Packet, Payload
from hub.core.record import SkippedLeaf
from hub.wire.packet import decode_packet
from hub.wire.packet import encode_packet as encode_wire_packet
from tests.harness.anchors import make_anchor

CLIENT, OTHER = ClientId("07-tendermint-0"), ClientId("07-tendermint-9")
PAYLOAD = Payload(
    source_port=PortId("transfer"),
    destination_port=PortId("transfer"),
    version="ics20-1",
    encoding="application/x-protobuf",
    value=b"\x00value",
)
PACKET = Packet(
    sequence=300,
    source_client=CLIENT,
    destination_client=OTHER,
    timeout_timestamp=1_790_000_000,
    payloads=(PAYLOAD, replace(PAYLOAD, value=b"second")),
)
STEP = UpdateStep(
    trusted_height=Height(1, 7),
    trusted_validators=b"set",
    header=Header(content=b"h", validators=b"v"),
)
ANSWERS = (Acknowledgement((b"one", b"two")), Acknowledgement((b"three",)))
SKIPPED = (SkippedLeaf(4, b"c" * 32), SkippedLeaf(5, b"d" * 32))
MESSAGES: tuple[Message, ...] = (
    CreateClient(anchor=make_anchor(), ordered=True, opening="openings/1"),
    CreateClient(anchor=make_anchor(), ordered=False, opening=""),
    RegisterCounterparty(client=CLIENT, counterparty=OTHER, prefix=(b"ibc", b"")),
    UpdateClient(client=CLIENT, steps=(STEP, replace(STEP, trusted_validators=b""))),
    UpdateClient(client=CLIENT, steps=()),
    SubmitMisbehaviour(client=CLIENT, first=STEP, second=STEP),
    SendPacket(client=CLIENT, timeout_timestamp=5, payloads=(PAYLOAD,)),
    ReceivePackets(
        client=OTHER,
        packets=(PACKET, replace(PACKET, sequence=301)),
        skipped=SKIPPED,
        proof_height=Height(1, 20),
        proof=b"batch",
    ),
    AcknowledgePackets(
        client=CLIENT,
        packets=(PACKET, replace(PACKET, sequence=301)),
        acknowledgements=ANSWERS,
        skipped=(),
        proof_height=Height(0, 20),
        proof=b"batch",
    ),
    TimeOutPacket(packet=PACKET, proof_height=Height(1, 20), proof=b"proof"),
    PassOverSequences(
        client=OTHER,
        gone=(Gone(3, b"absent"), Gone(7, b"")),
        next_sequence=9,
        next_sequence_proof=b"proof",
        proof_height=Height(1, 20),
    ),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_transaction_survives_the_way_there_and_back(message: Message) -> None:
    transaction = Transaction(signer="alice", nonce=3, messages=(message, message))
    assert decode_transaction(encode_transaction(transaction)) == transaction


def test_every_kind_of_message_has_a_sample_here() -> None:
    assert {type(message) for message in MESSAGES} == set(get_args(Message))


def test_transaction_of_all_messages_in_one_survives() -> None:
    transaction = Transaction(signer="r", nonce=0, messages=MESSAGES)
    assert decode_transaction(encode_transaction(transaction)) == transaction


def test_packet_is_in_the_bytes_of_the_wire() -> None:
    assert encode_packet(PACKET) == encode_wire_packet(PACKET)
    assert decode_packet(encode_packet(PACKET)) == PACKET


def test_anchor_survives_the_way_there_and_back() -> None:
    assert decode_anchor(encode_anchor(make_anchor())) == make_anchor()


def test_two_transactions_have_two_hashes() -> None:
    one = Transaction(signer="alice", nonce=1, messages=MESSAGES)
    hashes = {
        transaction_hash(encode_transaction(changed))
        for changed in (one, replace(one, nonce=2), replace(one, signer="bob"))
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\x20\x01",
        b"\x1a\x02\x4a\x00",
        b"\x1a\x02\x52\x00",
        b"\x1a\x00",
        b"\x1a\x02\x08\x01",
        b"\x10\x00",
        b"\x0a\x01\xff",
        b"\x0a\x00",
        b"\x08\x01",
        b"\x12\x01x",
    ],
)
def test_bytes_that_the_chain_did_not_write_are_corrupt(data: bytes) -> None:
    with pytest.raises(RecordCorrupt):
        decode_transaction(data)


def test_cut_transaction_is_corrupt() -> None:
    data = encode_transaction(Transaction(signer="r", nonce=1, messages=MESSAGES[6:7]))
    for size in range(1, len(data)):
        try:
            cut = decode_transaction(data[:size])
        except RecordCorrupt:
            continue
        # A cut between fields is another transaction, with another hash.
        assert encode_transaction(cut) == data[:size]


def test_a_number_where_bytes_belong_is_corrupt_and_makes_no_zeros() -> None:
    huge = b"\x80\x80\x80\x80\x80\x80\x80\x80\x08"  # 2^59 as a varint
    receive = ReceivePackets(
        client=CLIENT, packets=(), skipped=(), proof_height=Height(1, 1), proof=b"x"
    )
    data = encode_transaction(Transaction(signer="r", nonce=0, messages=(receive,)))
    # The proof, field 5, is the last: "2a 01 78".
    assert data.endswith(b"\x2a\x01x")
    inner = data[data.index(CLIENT.encode()) - 2 : -3] + b"\x28" + huge
    changed = b"\x0a\x01r" + message_field(3, message_field(6, inner))
    with pytest.raises(RecordCorrupt):
        decode_transaction(changed)
