"""What ibc-go takes: packets that no chain of this family can receive are refused before they cost.

Source: ibc-go v10 modules/core/04-channel/v2/types/packet.go (ValidateBasic) and
modules/core/24-host/validate.go, modules/core/02-client/types/keys.go (ParseClientIdentifier).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hub.core.errors import PacketUnsupported, TimeoutElapsed
from hub.core.time import whole_seconds

if TYPE_CHECKING:
    from hub.core.packet import Packet
    from hub.core.time import Timestamp

PAYLOADS: Final = 1
MAX_PAYLOAD_BYTES: Final = 256 * 1024
"""Of all payloads of a packet together."""

_CLIENT = re.compile(r"\w+([\w-]+\w)?-[0-9]{1,20}", re.ASCII)
_PORT = re.compile(r"[A-Za-z0-9._+\-#\[\]<>]{2,128}")


def check_packet(packet: Packet, chain: str, now: Timestamp) -> None:
    """*packet* can be received on *chain*, whose newest block is of the time *now*.

    Raises ``PacketUnsupported`` or ``TimeoutElapsed``.
    """
    problem = _problem(packet)
    if problem:
        raise PacketUnsupported(chain=chain, problem=problem)
    time = whole_seconds(now)
    if time >= packet.timeout_timestamp:
        raise TimeoutElapsed(timeout=packet.timeout_timestamp, time=time)


def _problem(packet: Packet) -> str:
    if len(packet.payloads) != PAYLOADS:
        return f"{len(packet.payloads)} payloads, it takes {PAYLOADS}"
    size = sum(len(payload.value) for payload in packet.payloads)
    if size > MAX_PAYLOAD_BYTES:
        return f"{size} bytes of payload, it takes {MAX_PAYLOAD_BYTES}"
    for client in (packet.source_client, packet.destination_client):
        if not _CLIENT.fullmatch(client):
            return f"client {client} is not of the form {{type}}-{{number}}"
    for payload in packet.payloads:
        for port in (payload.source_port, payload.destination_port):
            if not _PORT.fullmatch(port):
                return f"port {port} is no identifier of ICS-24"
    return ""
