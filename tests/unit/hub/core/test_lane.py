from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.errors import IdentifierInvalid
from hub.core.ids import MAX_CLIENT_ID, MAX_PEER_ID, ClientId, PeerId, PortId
from hub.core.lane import (
    MAX_LANE_NAME,
    Lane,
    LaneKey,
    LaneSide,
    LaneState,
    LaneView,
    Order,
    RouteKey,
)
from hub.core.ranges import RangeSet
from hub.core.time import Timestamp

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


def test_no_lane_has_a_longer_name() -> None:
    peer, client = "p" * MAX_PEER_ID, "c" * (MAX_CLIENT_ID - 2) + "-0"
    longest = LaneKey.parse(f"{peer}~{client}~{peer}~{client}")
    assert len(longest.name) == MAX_LANE_NAME
    for text in (f"{peer}p~{client}~{peer}~{client}", f"{peer}~c{client}~{peer}~{client}"):
        with pytest.raises(IdentifierInvalid):
            LaneKey.parse(text)


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


def view_of(state: LaneState = LaneState.OPEN, **changes: object) -> LaneView:
    """A lane with three packets accepted, all ended, of which the outcomes are executed."""
    lane = Lane(
        lane_id=1,
        key=LANE,
        state=state,
        order=Order.UNORDERED,
        first_sequence=1,
        pause_cause="",
        created_at=Timestamp(1),
        revision=1,
    )
    three = RangeSet.span(1, 4)
    view = LaneView(
        lane=lane,
        source=LaneSide(epoch=1, gate=1, done=three, progress=RangeSet.span(0, 3)),
        destination=LaneSide(epoch=1, gate=1, done=three, outcome_count=3),
        source_stopped="",
        destination_stopped="",
        source_anchor=1,
        destination_anchor=1,
    )
    return replace(view, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("view", "accepts", "delivers"),
    [
        (view_of(), True, True),
        (view_of(LaneState.PAUSED), False, False),
        (view_of(LaneState.DRAINING), False, True),
        (view_of(LaneState.CLOSED), False, False),
        (view_of(source_stopped="frozen"), False, False),
        (view_of(destination_stopped="frozen"), True, False),
        (view_of(suspended=(LANE.source_peer,)), False, True),
    ],
)
def test_what_a_lane_does_follows_from_its_state_and_its_ends(
    view: LaneView, accepts: object, delivers: object
) -> None:
    assert (view.accepts, view.delivers) == (accepts, delivers)


def test_a_drained_lane_is_closed_once_all_has_ended_at_the_source() -> None:
    view = view_of(LaneState.DRAINING)
    assert view.is_settled
    assert view.state is LaneState.CLOSED
    owed = replace(view, source=replace(view.source, progress=RangeSet.span(0, 2)))
    waiting = replace(view, source=replace(view.source, done=RangeSet.span(1, 5)))
    for unfinished in (owed, waiting):
        assert not unfinished.is_settled
        assert unfinished.state is LaneState.DRAINING
    assert view_of().state is LaneState.OPEN


def test_what_others_settled_hinders_no_drain() -> None:
    more = RangeSet.span(1, 5)
    view = view_of(
        LaneState.DRAINING,
        source=LaneSide(epoch=1, gate=1, done=RangeSet.span(1, 4), progress=RangeSet.span(0, 4)),
        destination=LaneSide(epoch=1, gate=1, done=more, outcome_count=4),
    )
    assert view.state is LaneState.CLOSED


def test_a_lane_names_its_peers() -> None:
    assert LANE.peers == ("hangzhou", "wuxi")
