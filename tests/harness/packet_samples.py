"""One valid packet, to be changed in one place at a time."""

from __future__ import annotations

from hub.core.ids import ClientId, PortId
from hub.core.packet import Acknowledgement, Packet, Payload

PAYLOAD = Payload(
    source_port=PortId("transfer"),
    destination_port=PortId("ledger"),
    version="ics20-1",
    encoding="application/json",
    value=b'{"amount":"7"}',
)
OTHER_PAYLOAD = Payload(
    source_port=PortId("notary"),
    destination_port=PortId("archive"),
    version="v1",
    encoding="application/cbor",
    value=b"\xa0",
)
PACKET = Packet(
    sequence=5,
    source_client=ClientId("07-tendermint-3"),
    destination_client=ClientId("besu-qbft-0"),
    timeout_timestamp=1_795_399_768,
    payloads=(PAYLOAD, OTHER_PAYLOAD),
)
ACKNOWLEDGEMENT = Acknowledgement((b'{"result":"AQ=="}', b"\x01"))
