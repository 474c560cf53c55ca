from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.client.v1 import client_pb2

from hub.cli import bundles
from hub.cli.bundles import moment, read_anchors, read_message, write_message
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND
from hub.wire import anchor_file
from tests.harness.registry import SUZHOU, anchor

if TYPE_CHECKING:
    from pathlib import Path


def test_a_message_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "header.json"
    message = client_pb2.Header(content=b"one", validators=b"two")
    write_message(file, message)
    assert read_message(file, client_pb2.Header(), "header") == message


@pytest.mark.parametrize("content", ["", "{", "[7]", '{"content": 7}', '{"unknown": 1}'])
def test_what_is_no_message_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "header.json"
    file.write_text(content)
    with pytest.raises(FieldInvalid) as caught:
        read_message(file, client_pb2.Header(), "header")
    assert caught.value.problem == "is no header"


def test_a_file_that_is_not_there_or_too_large_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FieldInvalid):
        read_message(tmp_path / "none", client_pb2.Header(), "header")
    with pytest.raises(FieldInvalid):
        write_message(tmp_path / "none" / "header.json", client_pb2.Header())
    monkeypatch.setattr(bundles, "MAX_FILE_BYTES", 3)
    file = tmp_path / "header.json"
    file.write_text("{   }")
    with pytest.raises(FieldInvalid) as caught:
        read_message(file, client_pb2.Header(), "header")
    assert "over 3 bytes" in caught.value.problem


def test_anchors_are_told_apart_by_their_peers(tmp_path: Path) -> None:
    named, nameless = tmp_path / "a.yaml", tmp_path / "b.yaml"
    anchor_file.write(named, anchor(), peer=SUZHOU)
    anchor_file.write(nameless, anchor(), peer=None)
    assert read_anchors([named]) == {SUZHOU: anchor()}
    with pytest.raises(FieldInvalid):
        read_anchors([nameless])
    with pytest.raises(FieldInvalid):
        read_anchors([named, named])


def test_a_moment_has_its_zone() -> None:
    assert moment("1970-01-02T01:00:00+01:00") == 86400 * SECOND
    for text in ("1970-01-02T01:00:00", "yesterday"):
        with pytest.raises(FieldInvalid):
            moment(text)
