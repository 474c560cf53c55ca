from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.tx.messages import (
    AcknowledgePacket,
    BankSend,
    CreateClient,
    ReceivePacket,
    RegisterCounterparty,
    SendPacket,
    TimeOutPacket,
    Transfer,
    UpdateClient,
)
from hub.core.codec.proto import bytes_field, read_fields
from hub.core.height import Height
from hub.core.ids import ClientId, PortId
from hub.core.packet import Acknowledgement, Packet, Payload
from hub.wire.packet import encode_acknowledgement, encode_packet

if TYPE_CHECKING:
    from adapters.cosmos.tx.messages import Message

SIGNER = "cosmos1l3e9pgs3mmwuwrh95fecme0s0qtn2880f2jmfe"
CLIENT = ClientId("07-tendermint-3")
OTHER = ClientId("07-tendermint-12")
HEIGHT = Height(1, 300)
TIMEOUT = 1_795_399_768
PACKET = encode_packet(
    Packet(
        sequence=5,
        source_client=CLIENT,
        destination_client=OTHER,
        timeout_timestamp=TIMEOUT,
        payloads=(
            Payload(
                source_port=PortId("transfer"),
                destination_port=PortId("ledger"),
                version="v1",
                encoding="json",
                value=b"7",
            ),
        ),
    )
)
[PAYLOAD] = [value for number, _, value in read_fields(PACKET) if number == 5]
ACKNOWLEDGEMENT = encode_acknowledgement(Acknowledgement((b"\x01",)))


def light_client(name: str, content: bytes = b"") -> bytes:
    """A google.protobuf.Any of ibc-go's light client for CometBFT."""
    url = f"/ibc.lightclients.tendermint.v1.{name}"
    return bytes_field(1, url.encode()) + bytes_field(2, content)


PACKET_HEX = (
    "0a4c0805120f30372d74656e6465726d696e742d331a1030372d74656e6465726d696e742d313220d8c08ed806"
    "2a1f0a087472616e7366657212066c65646765721a02763122046a736f6e2a0137"
)
SIGNER_HEX = (
    "2d636f736d6f73316c336539706773336d6d777577726839356665636d6530733071746e3238383066326a6d6665"
)
TOKEN_HEX = "0a087472616e73666572120f30372d74656e6465726d696e742d331a0b0a057374616b651202313222"

WRITTEN_BY_IBC_GO: list[tuple[Message, str]] = [
    (
        CreateClient(
            light_client("ClientState", b"\x0a\x08suzhou-1"), light_client("ConsensusState")
        ),
        "0a390a2b2f6962632e6c69676874636c69656e74732e74656e6465726d696e742e76312e436c69656e745374"
        "617465120a0a0873757a686f752d3112300a2e2f6962632e6c69676874636c69656e74732e74656e6465726d"
        "696e742e76312e436f6e73656e73757353746174651a" + SIGNER_HEX,
    ),
    (
        UpdateClient(CLIENT, light_client("Header", b"\x1a\x00")),
        "0a0f30372d74656e6465726d696e742d33122c0a262f6962632e6c69676874636c69656e74732e74656e6465"
        "726d696e742e76312e48656164657212021a001a" + SIGNER_HEX,
    ),
    (
        RegisterCounterparty(CLIENT, OTHER, (b"ibc", b"")),
        "0a0f30372d74656e6465726d696e742d33120369626312001a1030372d74656e6465726d696e742d313222"
        + SIGNER_HEX,
    ),
    (
        ReceivePacket(PACKET, b"proof", HEIGHT),
        PACKET_HEX + "120570726f6f661a05080110ac0222" + SIGNER_HEX,
    ),
    (
        AcknowledgePacket(PACKET, ACKNOWLEDGEMENT, b"proof", HEIGHT),
        PACKET_HEX + "12030a01011a0570726f6f662205080110ac022a" + SIGNER_HEX,
    ),
    (
        TimeOutPacket(PACKET, b"proof", HEIGHT),
        PACKET_HEX + "120570726f6f661a05080110ac022a" + SIGNER_HEX,
    ),
    (
        SendPacket(CLIENT, TIMEOUT, (bytes(PAYLOAD),)),
        "0a0f30372d74656e6465726d696e742d3310d8c08ed8061a1f0a087472616e7366657212066c65646765721a"
        "02763122046a736f6e2a013722" + SIGNER_HEX,
    ),
    (
        Transfer(
            source_client=CLIENT,
            denom="stake",
            amount=12,
            receiver="there",
            timeout_timestamp=TIMEOUT,
            memo="m",
            encoding="application/json",
        ),
        TOKEN_HEX
        + SIGNER_HEX
        + "2a057468657265320038d8c08ed80642016d4a106170706c69636174696f6e2f6a736f6e",
    ),
    (
        Transfer(
            source_client=CLIENT,
            denom="stake",
            amount=12,
            receiver="there",
            timeout_timestamp=TIMEOUT,
        ),
        TOKEN_HEX + SIGNER_HEX + "2a057468657265320038d8c08ed806",
    ),
    (
        BankSend(SIGNER, (("coin", 1), ("stake", 500))),
        "0a" + SIGNER_HEX + "12" + SIGNER_HEX + "1a090a04636f696e1201311a0c0a057374616b65120335"
        "3030",
    ),
]
"""Bytes as ibc-go v10.7.0 itself wrote these messages again after reading them."""


@pytest.mark.parametrize(
    ("message", "written"), WRITTEN_BY_IBC_GO, ids=lambda value: type(value).__name__
)
def test_a_message_is_what_the_chain_itself_would_write(message: Message, written: str) -> None:
    assert message.encode(SIGNER).hex() == written


@pytest.mark.parametrize("message", [message for message, _ in WRITTEN_BY_IBC_GO])
def test_only_the_signer_changes_with_the_signer(message: Message) -> None:
    other = SIGNER[:-1] + "f"
    ours = message.encode(SIGNER).replace(SIGNER.encode(), other.encode(), 1)
    assert message.encode(other) == ours


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (ReceivePacket(PACKET, b"p", HEIGHT), 4),
        (AcknowledgePacket(PACKET, ACKNOWLEDGEMENT, b"p", HEIGHT), 5),
        (TimeOutPacket(PACKET, b"p", HEIGHT), 5),
    ],
)
def test_the_signer_stands_in_the_field_that_its_message_has_for_it(
    message: Message, number: int
) -> None:
    assert list(read_fields(message.encode(SIGNER)))[-1][::2] == (number, SIGNER.encode())


def test_a_height_without_revision_leaves_it_out() -> None:
    content = ReceivePacket(PACKET, b"p", Height(0, 7)).encode(SIGNER)
    fields = {number: value for number, _, value in read_fields(content)}
    assert fields[3] == b"\x10\x07"


def test_no_two_messages_have_one_type() -> None:
    urls = {type(message): message.type_url for message, _ in WRITTEN_BY_IBC_GO}
    assert len(set(urls.values())) == len(urls) == 9
    assert all(url.startswith("/") and ".Msg" in url for url in urls.values())
