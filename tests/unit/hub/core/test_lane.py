from __future__ import annotations

import pytest

from hub.core.errors import IdentifierInvalid
from hub.core.ids import ClientId, PeerId, PortId
from hub.core.lane import LaneKey, RouteKey

LANE = LaneKey(
    PeerId("hangzhou"), ClientId("07-tendermint-2"), PeerId("wuxi"), ClientId("besu-qbft-0")
)
TEXT = "hangzhou~07-tendermint-2~wuxi~besu-qbft-0"
ROUTE = RouteKey(LANE, PortId("transfer"), PortId("ledger"))


def test_a_lane_is_named_by_its_two_ends() -> None:
    assert str(LANE) == TEXT
    assert LANE.name == f"lanes/{TEXT}"


@pytest.mark.parametrize("text", [TEXT, f"lanes/{TEXT}"])
def test_a_lane_is_read_from_its_name(text: str) -> None:
    assert LaneKey.parse(text) == LANE


def test_the_reverse_lane_has_the_ends_exchanged() -> None:
    assert str(LANE.reverse) == "wuxi~besu-qbft-0~hangzhou~07-tendermint-2"
    assert LANE.reverse.reverse == LANE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "lane"),
        ("lanes/", "lane"),
        ("hangzhou~07-tendermint-2~wuxi", "lane"),
        (f"{TEXT}~", "lane"),
        (f"~{TEXT}", "lane"),
        (f"peers/{TEXT}", "peer id"),
        (f"lanes/lanes/{TEXT}", "peer id"),
        ("Hangzhou~07-tendermint-2~wuxi~besu-qbft-0", "peer id"),
        ("hangzhou~tendermint~wuxi~besu-qbft-0", "client id"),
        ("hangzhou~07-tendermint-2~~besu-qbft-0", "peer id"),
        ("hangzhou~07-tendermint-2~wuxi~besu-qbft", "client id"),
        (f"{TEXT}\n", "client id"),
    ],
)
def test_other_text_names_no_lane(text: str, kind: str) -> None:
    with pytest.raises(IdentifierInvalid) as caught:
        LaneKey.parse(text)
    assert caught.value.kind == kind


def test_a_route_is_named_by_its_lane_and_its_ports() -> None:
    assert ROUTE.name == f"lanes/{TEXT}/routes/transfer~ledger"


@pytest.mark.parametrize("text", [ROUTE.name, f"{TEXT}/routes/transfer~ledger"])
def test_a_route_is_read_from_its_name(text: str) -> None:
    assert RouteKey.parse(text) == ROUTE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "route"),
        (LANE.name, "route"),
        (f"{LANE.name}/routes/", "route"),
        (f"{LANE.name}/routes/transfer", "route"),
        (f"{LANE.name}/routes/transfer~", "port id"),
        (f"{LANE.name}/routes/~ledger", "port id"),
        (f"{LANE.name}/routes/transfer~ledger~x", "port id"),
        (f"{LANE.name}/routes/transfer~ledger/routes/a~b", "port id"),
        ("lanes/x/routes/transfer~ledger", "lane"),
    ],
)
def test_other_text_names_no_route(text: str, kind: str) -> None:
    with pytest.raises(IdentifierInvalid) as caught:
        RouteKey.parse(text)
    assert caught.value.kind == kind


def test_an_error_quotes_no_more_than_eighty_characters() -> None:
    for parse in (LaneKey.parse, RouteKey.parse):
        with pytest.raises(IdentifierInvalid) as caught:
            parse("x" * 10_000)
        assert caught.value.value == "x" * 80
