from __future__ import annotations

import pytest

from adapters.cosmos.tx.answers import Effect, created_client, read_effects, sent_sequence
from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.core.errors import FieldInvalid, IdentifierInvalid

CREATED = bytes.fromhex(
    "12400a2b2f6962632e636f72652e636c69656e742e76312e4d7367437265617465436c69656e74526573706f6e73"
    "6512110a0f30372d74656e6465726d696e742d30"
)
SENT = bytes.fromhex(
    "12300a2a2f6962632e636f72652e6368616e6e656c2e76322e4d736753656e645061636b6574526573706f6e7365"
    "12020803"
)
ACKNOWLEDGED_BEFORE_AND_PAID = bytes.fromhex(
    "12350a2f2f6962632e636f72652e6368616e6e656c2e76322e4d736741636b6e6f776c656467656d656e74526573"
    "706f6e73651202080112260a242f636f736d6f732e62616e6b2e763162657461312e4d736753656e64526573706f"
    "6e7365"
)
TIMED_OUT_BEFORE_AND_PAID = bytes.fromhex(
    "122d0a272f6962632e636f72652e6368616e6e656c2e76322e4d736754696d656f7574526573706f6e7365120208"
    "0112260a242f636f736d6f732e62616e6b2e763162657461312e4d736753656e64526573706f6e7365"
)
"""All four as a chain of ibc-go v10.7.0 told them of a block."""

RECEIVED = "/ibc.core.channel.v2.MsgRecvPacketResponse"
TRANSFERRED = "/ibc.applications.transfer.v1.MsgTransferResponse"
UPDATED = "/ibc.core.client.v1.MsgUpdateClientResponse"
CLIENT = "/ibc.core.client.v1.MsgCreateClientResponse"


def answer(type_url: str, value: bytes = b"") -> bytes:
    """One message's answer, as it stands in the data of a transaction."""
    return message_field(2, bytes_field(1, type_url.encode()) + bytes_field(2, value))


def test_recorded_answers_are_read() -> None:
    assert created_client(CREATED, 0) == "07-tendermint-0"
    assert sent_sequence(SENT, 0) == 3
    assert read_effects(ACKNOWLEDGED_BEFORE_AND_PAID) == (Effect.NOOP, None)
    assert read_effects(TIMED_OUT_BEFORE_AND_PAID) == (Effect.NOOP, None)


def test_every_message_has_its_effect_in_order() -> None:
    data = b"".join(
        (
            answer(UPDATED),
            answer(RECEIVED, varint_field(1, 2)),
            answer(RECEIVED, varint_field(1, 1)),
            answer("/ibc.core.channel.v2.MsgAcknowledgementResponse", varint_field(1, 2)),
            answer("/ibc.core.channel.v2.MsgTimeoutResponse", varint_field(1, 3)),
            answer(CLIENT, bytes_field(1, b"07-tendermint-4")),
            answer("/another.chain.MsgRecvPacketResponse", varint_field(1, 9)),
        )
    )
    assert read_effects(data) == (
        None,
        Effect.SUCCESS,
        Effect.NOOP,
        Effect.SUCCESS,
        Effect.FAILURE,
        None,
        None,
    )
    assert created_client(data, 5) == "07-tendermint-4"


def test_a_transaction_without_messages_that_answer_has_no_effects() -> None:
    assert read_effects(b"") == ()


def test_the_sequence_of_each_transfer_is_told() -> None:
    data = b"".join([answer(TRANSFERRED, varint_field(1, sequence)) for sequence in (8, 300)])
    assert [sent_sequence(data, index) for index in (0, 1)] == [8, 300]


@pytest.mark.parametrize(
    "data",
    [
        answer(RECEIVED),
        answer(RECEIVED, varint_field(1, 4)),
        answer(RECEIVED, varint_field(1, 2**64 - 1)),
        answer(RECEIVED, varint_field(2, 2)),
        answer(RECEIVED, varint_field(1, 2) + varint_field(1, 2)),
        answer(RECEIVED, varint_field(1, 2) + varint_field(2, 1)),
        answer(RECEIVED, bytes_field(1, b"\x02")),
        answer(RECEIVED, b"\x08"),
        answer(RECEIVED, varint_field(1, 2))[:-1],
        message_field(1, b""),
        message_field(3, b""),
        varint_field(2, 7),
        message_field(2, varint_field(1, 7)),
        message_field(2, bytes_field(1, RECEIVED.encode()) + varint_field(2, 7)),
        message_field(2, bytes_field(1, RECEIVED.encode()) + bytes_field(3, b"x")),
        message_field(2, b"\xff"),
        b"\xff",
    ],
)
def test_what_is_not_written_as_the_chain_writes_it_is_refused(data: bytes) -> None:
    with pytest.raises(FieldInvalid):
        read_effects(data)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (CREATED[:-1], FieldInvalid),
        (SENT, FieldInvalid),
        (b"", FieldInvalid),
        (answer(CLIENT), IdentifierInvalid),
        (answer(CLIENT, varint_field(1, 7)), IdentifierInvalid),
        (answer(CLIENT, bytes_field(1, b"\xff-1")), IdentifierInvalid),
        (answer(CLIENT, bytes_field(1, b"client")), IdentifierInvalid),
    ],
)
def test_a_client_that_was_not_created_is_not_told(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        created_client(data, 0)


@pytest.mark.parametrize("index", [-1, 1, 2])
def test_a_message_that_is_not_there_has_no_answer(index: int) -> None:
    with pytest.raises(FieldInvalid):
        created_client(CREATED, index)
    with pytest.raises(FieldInvalid):
        sent_sequence(SENT, index)


def test_a_sequence_is_told_by_those_who_send_alone() -> None:
    with pytest.raises(FieldInvalid):
        sent_sequence(answer(RECEIVED, varint_field(1, 2)), 0)
    with pytest.raises(FieldInvalid):
        sent_sequence(answer(TRANSFERRED, bytes_field(1, b"7")), 0)
