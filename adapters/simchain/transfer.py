"""Fungible tokens between chains: escrow at home, vouchers abroad, and back.

A chain's own tokens are kept in the escrow of the pair of clients they left through, so a chain
behind one client can never release what went through another. Vouchers are made on arrival and
unmade on return. What cannot be executed, or is not received in time, is refunded.

Source: ICS-20; ibc-go v10 modules/apps/transfer/v2/ibc_module.go and keeper/relay.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.simchain.application import ERROR_ANSWER
from adapters.simchain.bank import burn, mint, move
from adapters.simchain.events import TokensRefunded
from adapters.simchain.transfer_data import check_account, decode_transfer, hop
from hub.core.errors import FieldInvalid, IdentityNotAllowed, PacketInvalid

if TYPE_CHECKING:
    from adapters.simchain.state import State
    from hub.core.ids import ClientId, PortId
    from hub.core.packet import Packet, Payload

SUCCESS: Final = b'{"result":"AQ=="}'
"""Source: ibc-go v10 transfer, NewResultAcknowledgement([]byte{1})."""


def escrow_account(port: PortId, client: ClientId) -> str:
    """The account that holds what left through *port* and *client*; no user can have its name."""
    return f"escrow:{port}/{client}"


@dataclass(frozen=True, slots=True)
class Transfer:
    """The transfer application behind one port."""

    port: PortId

    def on_send(self, state: State, packet: Packet, payload: Payload, signer: str) -> None:
        """The sender's tokens go into escrow, or are burned if they are vouchers going home.

        Raises ``FieldInvalid``, ``EncodingNotCanonical`` or ``IdentityNotAllowed``.
        """
        self._check_ports(payload)
        data = decode_transfer(payload)
        check_account(data.sender, "sender")
        if data.sender != signer:
            raise IdentityNotAllowed(identity=signer, action=f"send tokens of {data.sender}")
        if data.denomination.startswith(hop(self.port, packet.source_client)):
            burn(state, data.sender, data.denomination, data.amount)
        else:
            escrow = escrow_account(self.port, packet.source_client)
            move(state, data.sender, escrow, data.denomination, data.amount)

    def on_receive(self, state: State, packet: Packet, payload: Payload) -> bytes:
        """The receiver has the tokens: out of escrow if they came home, else as vouchers.

        Raises ``FieldInvalid`` or ``EncodingNotCanonical``.
        """
        self._check_ports(payload)
        data = decode_transfer(payload)
        check_account(data.receiver, "receiver")
        home = hop(payload.source_port, packet.source_client)
        if data.denomination.startswith(home):
            denomination = data.denomination.removeprefix(home)
            escrow = escrow_account(self.port, packet.destination_client)
            move(state, escrow, data.receiver, denomination, data.amount)
        else:
            voucher = hop(self.port, packet.destination_client) + data.denomination
            mint(state, data.receiver, voucher, data.amount)
        return SUCCESS

    def on_acknowledge(self, state: State, packet: Packet, payload: Payload, answer: bytes) -> None:
        """The transfer is done, or refunded if it was not executed. Raises ``PacketInvalid``."""
        if answer == ERROR_ANSWER:
            self._refund(state, packet, payload)
        elif answer != SUCCESS:
            raise PacketInvalid(field="app_acknowledgements", problem="is no answer of a transfer")

    def on_time_out(self, state: State, packet: Packet, payload: Payload) -> None:
        """The transfer is refunded."""
        self._refund(state, packet, payload)

    def _refund(self, state: State, packet: Packet, payload: Payload) -> None:
        data = decode_transfer(payload)
        if data.denomination.startswith(hop(self.port, packet.source_client)):
            mint(state, data.sender, data.denomination, data.amount)
        else:
            escrow = escrow_account(self.port, packet.source_client)
            move(state, escrow, data.sender, data.denomination, data.amount)
        state.events.append(TokensRefunded(packet.source_client, packet.sequence))

    def _check_ports(self, payload: Payload) -> None:
        # A voucher's trace names one port, so both ends must be that one.
        if (payload.source_port, payload.destination_port) != (self.port, self.port):
            raise FieldInvalid(field="payload", problem=f"is not from {self.port} to {self.port}")
