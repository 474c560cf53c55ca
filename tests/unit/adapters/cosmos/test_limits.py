from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.cosmos.limits import MAX_PAYLOAD_BYTES, check_packet
from hub.core.errors import HubError, PacketUnsupported, TimeoutElapsed
from hub.core.ids import ClientId, PortId
from hub.core.time import SECOND, Timestamp
from tests.harness.cosmos_executions import inbound
from tests.harness.packet_samples import PACKET, PAYLOAD

GOOD = inbound(1)
NOW = Timestamp((GOOD.timeout_timestamp - 1) * SECOND)


def payload(**changed: Any) -> dict[str, Any]:
    return {"payloads": (replace(PAYLOAD, **changed),)}


def test_a_packet_that_ibc_go_takes_passes() -> None:
    check_packet(GOOD, "suzhou-1", NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"payloads": ()},
        {"payloads": PACKET.payloads},
        payload(value=b"x" * (MAX_PAYLOAD_BYTES + 1)),
        payload(source_port=PortId("a")),
        payload(destination_port=PortId("a" * 129)),
        payload(destination_port=PortId("with space")),
        payload(source_port=PortId("with/slash")),
        {"source_client": ClientId("hangzhou")},
        {"destination_client": ClientId("hangzhou-")},
        {"source_client": ClientId("-0")},
        {"source_client": ClientId("a-" + "1" * 21)},
    ],
)
def test_a_packet_that_ibc_go_does_not_take_is_unsupported(change: dict[str, Any]) -> None:
    with pytest.raises(PacketUnsupported) as caught:
        check_packet(replace(GOOD, **change), "suzhou-1", NOW)
    assert caught.value.chain == "suzhou-1"


@pytest.mark.parametrize(
    "change",
    [
        payload(value=b"x" * MAX_PAYLOAD_BYTES),
        payload(source_port=PortId("ab"), destination_port=PortId("a" * 128)),
        payload(source_port=PortId("A.b_c+d-e#f[g]<h>")),
        {"source_client": ClientId("07-tendermint-18446744073709551615")},
        {"source_client": ClientId("a-0")},
    ],
)
def test_what_is_just_within_the_rules_passes(change: dict[str, Any]) -> None:
    check_packet(replace(GOOD, **change), "suzhou-1", NOW)


@pytest.mark.parametrize(
    ("late", "error"), [(-1, None), (0, None), (SECOND - 1, None), (SECOND, TimeoutElapsed)]
)
def test_a_timeout_elapses_with_its_second(late: int, error: type[HubError] | None) -> None:
    now = Timestamp(NOW + late)
    if error is None:
        check_packet(GOOD, "suzhou-1", now)
    else:
        with pytest.raises(error):
            check_packet(GOOD, "suzhou-1", now)
