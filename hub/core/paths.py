"""Where on a chain a commitment, a receipt or an acknowledgement lies.

Source: ibc-go v10 modules/core/24-host/v2/packet_keys.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.core.height import Height
    from hub.core.ids import ClientId

_COMMITMENT = b"\x01"
_RECEIPT = b"\x02"
_ACKNOWLEDGEMENT = b"\x03"


def commitment_key(client: ClientId, sequence: int) -> bytes:
    """Key of a packet commitment on the source chain; *client* is the source client."""
    return client.encode() + _COMMITMENT + sequence.to_bytes(8, "big")


def receipt_key(client: ClientId, sequence: int) -> bytes:
    """Key of a packet receipt on the destination chain; *client* is the destination client."""
    return client.encode() + _RECEIPT + sequence.to_bytes(8, "big")


def acknowledgement_key(client: ClientId, sequence: int) -> bytes:
    """Key of an acknowledgement on the destination chain; *client* is the destination client."""
    return client.encode() + _ACKNOWLEDGEMENT + sequence.to_bytes(8, "big")


def next_sequence_send_key(client: ClientId) -> bytes:
    """Key of the next sequence that the source chain will give out for *client*.

    One slash, as a v10 chain stores it; v11 writes two, which is another key.
    """
    return b"nextSequenceSend/" + client.encode()


def next_sequence_receive_key(client: ClientId) -> bytes:
    """Key of the next sequence that a gateway which enforces order receives for *client*.

    IBC v2 has no order and no such key; the name is that of ICS-04's ordered channels.
    """
    return b"nextSequenceRecv//" + client.encode()


def client_state_key(client: ClientId) -> bytes:
    """Key of a light client's state. Source: ICS-24."""
    return b"clients/" + client.encode() + b"/clientState"


def consensus_state_key(client: ClientId, height: Height) -> bytes:
    """Key of what a light client keeps of the header at *height*. Source: ICS-24."""
    return b"clients/" + client.encode() + b"/consensusStates/" + str(height).encode()


def counterparty_key(client: ClientId) -> bytes:
    """Key of the client at the other end, and of its chain's commitment prefix.

    Source: ibc-go v10 modules/core/02-client/v2/types/keys.go, CounterpartyKey.
    """
    return b"clients/" + client.encode() + b"/counterparty"
