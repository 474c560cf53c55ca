"""What the gateway asks of an application behind a port.

Source: ibc-go v10 modules/core/api/module.go, IBCModule; 04-channel/v2 types/acknowledgement.go.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from hub.core.packet import Acknowledgement

if TYPE_CHECKING:
    from adapters.simchain.state import State
    from hub.core.packet import Packet, Payload

ERROR_ANSWER: Final = sha256(b"UNIVERSAL_ERROR_ACKNOWLEDGEMENT").digest()
"""The one answer that says: nothing of the packet was executed."""

ERROR_ACKNOWLEDGEMENT: Final = Acknowledgement((ERROR_ANSWER,))


class Application(Protocol):
    """One application; it raises a ``HubError`` to refuse, and then leaves no trace."""

    def on_send(self, state: State, packet: Packet, payload: Payload, signer: str) -> None:
        """*signer* sends *payload*; this chain commits to *packet*."""
        ...

    def on_receive(self, state: State, packet: Packet, payload: Payload) -> bytes:
        """The answer to *payload*, executed; not empty, and never ``ERROR_ANSWER``."""
        ...

    def on_acknowledge(self, state: State, packet: Packet, payload: Payload, answer: bytes) -> None:
        """*payload* was answered by *answer*, which is ``ERROR_ANSWER`` if it was not executed."""
        ...

    def on_time_out(self, state: State, packet: Packet, payload: Payload) -> None:
        """*payload* was not received in time, and never will be."""
        ...
