from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.core.errors import IdentifierInvalid
from hub.core.lane import LaneKey
from hub.wire import names

if TYPE_CHECKING:
    from collections.abc import Callable

LANE = "hangzhou~07-tendermint-0~suzhou~07-tendermint-1"
KEY = LaneKey.parse(LANE)


def test_every_name_is_read() -> None:
    assert names.parse_peer_name("peers/hangzhou") == "hangzhou"
    assert names.parse_client_name("peers/hangzhou/client") == ("hangzhou", None)
    native = names.parse_client_name("peers/hangzhou/clients/07-tendermint-0")
    assert native == ("hangzhou", "07-tendermint-0")
    assert names.parse_hub_client_name("peers/hangzhou/client") == "hangzhou"
    assert names.parse_lane_name(f"lanes/{LANE}") == KEY
    route = names.parse_route_name(f"lanes/{LANE}/routes/transfer~ledger")
    assert (route.lane, route.source_port, route.destination_port) == (KEY, "transfer", "ledger")
    assert names.parse_packet_name(f"lanes/{LANE}/packets/7") == (KEY, 7)
    assert names.parse_packet_name(f"lanes/{LANE}/packets/{2**63 - 1}")[1] == 2**63 - 1
    assert names.parse_opening_name("laneOpenings/12") == 12


@pytest.mark.parametrize(
    ("parse", "bad"),
    [
        (names.parse_peer_name, ["", "hangzhou", "peers/", "peers/a/b", "Peers/a", "peers/a\n"]),
        (names.parse_client_name, ["peers/a", "peers/a/clients", "peers/a/clients/x", "client"]),
        (names.parse_hub_client_name, ["peers/a/clients/07-tendermint-0", "peers/A/client"]),
        (names.parse_lane_name, [LANE, "lanes/", "lanes/a~b", f"lanes/lanes/{LANE}"]),
        (
            names.parse_route_name,
            [f"lanes/{LANE}", f"lanes/{LANE}/routes/a", f"lanes/lanes/{LANE}/routes/aa~bb"],
        ),
        (
            names.parse_packet_name,
            [
                f"lanes/{LANE}",
                f"lanes/{LANE}/packets/",
                f"lanes/{LANE}/packets/0",
                f"lanes/{LANE}/packets/07",
                f"lanes/{LANE}/packets/-1",
                f"lanes/{LANE}/packets/{2**63}",
                f"lanes/{LANE}/packets/\uff11",
                f"lanes/{LANE}/packets/1/packets/2",
            ],
        ),
        (names.parse_opening_name, ["12", "laneOpenings/", "laneOpenings/0", "laneOpenings/x"]),
    ],
)
def test_what_is_no_name_is_refused(parse: Callable[[str], Any], bad: list[str]) -> None:
    for name in bad:
        with pytest.raises(IdentifierInvalid):
            parse(name)
