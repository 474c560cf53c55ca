from __future__ import annotations

import json
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp
from ydhub.peer.v1 import peer_pb2

from hub.cli.output import Output, moment, show_list, show_one, word

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

PEERS = [peer_pb2.Peer(name="peers/a", display_name="杭州"), peer_pb2.Peer(name="peers/b" * 60)]
COLUMNS: dict[str, Callable[[peer_pb2.Peer], object]] = {
    "PEER": lambda peer: peer.name,
    "NAME": lambda peer: peer.display_name,
}


def test_a_table_is_neither_cut_nor_padded(capsys: pytest.CaptureFixture[str]) -> None:
    show_list(Output.TABLE, "peers", PEERS, COLUMNS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["PEER", "NAME"]
    assert lines[1].split() == ["peers/a", "杭州"]
    assert lines[2] == "peers/b" * 60


def test_a_value_is_text_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show_one(Output.TABLE, PEERS[0], [("name", "[red]x[/red]"), ("none", ""), ("zero", 0)])
    assert capsys.readouterr().out == "name  [red]x[/red]\nzero  0\n"


def test_json_is_proto_json_with_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    show_list(Output.JSON, "peers", PEERS[:1], COLUMNS)
    found = json.loads(capsys.readouterr().out)
    assert found["peers"][0]["displayName"] == "杭州"
    assert found["peers"][0]["attached"] is False
    show_one(Output.JSON, PEERS[0], [])
    assert json.loads(capsys.readouterr().out) == found["peers"][0]


def test_an_empty_list_is_one_too(capsys: pytest.CaptureFixture[str]) -> None:
    show_list(Output.JSON, "peers", [], COLUMNS)
    assert json.loads(capsys.readouterr().out) == {"peers": []}


def test_a_moment_is_utc_and_nothing_where_there_is_none() -> None:
    assert moment(Timestamp(seconds=1_790_000_000)) == "2026-09-21T14:13:20Z"
    assert moment(Timestamp()) == ""


def test_a_word_that_is_newer_than_us_is_a_number() -> None:
    assert word(peer_pb2.PeerState, peer_pb2.PEER_STATE_ACTIVE, "PEER_STATE_") == "ACTIVE"
    assert word(peer_pb2.PeerState, 99, "PEER_STATE_") == "99"
