from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import AnchorInvalid, FieldInvalid, HeightInvalid, IdentifierInvalid
from hub.core.ids import PeerId
from hub.wire import anchor_file
from tests.harness.anchors import make_anchor

if TYPE_CHECKING:
    from pathlib import Path

ANCHOR = make_anchor()
TEXT = anchor_file.render(ANCHOR, peer=PeerId("hangzhou"), display_name="杭州")


def test_a_written_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "hangzhou.yaml"
    anchor_file.write(path, ANCHOR, peer=PeerId("hangzhou"), display_name="杭州")
    assert anchor_file.read(path) == ("hangzhou", ANCHOR)
    assert anchor_file.read_peer(path).display_name == "杭州"
    assert [entry.name for entry in tmp_path.iterdir()] == ["hangzhou.yaml"]


def test_a_file_may_leave_the_peer_out() -> None:
    found = anchor_file.parse_peer(anchor_file.render(ANCHOR, peer=None).encode())
    assert (found.peer, found.anchor) == (None, ANCHOR)


def test_bytes_that_are_no_text_stand_as_hexadecimal() -> None:
    anchor = replace(ANCHOR, prefix=(b"0x", b"\xff\x00"))
    assert anchor_file.parse_peer(anchor_file.render(anchor, peer=None).encode()).anchor == anchor


def test_digits_and_words_are_not_guessed_to_be_numbers_or_booleans() -> None:
    anchor = replace(ANCHOR, header_hash=bytes.fromhex("12" * 32))
    text = anchor_file.render(anchor, peer=None).replace("'", "")
    text = "name: no\ndisplay_name: 0o17\n" + text
    found = anchor_file.parse_peer(text.encode())
    assert (found.peer, found.display_name, found.anchor) == ("no", "0o17", anchor)


TAMPERINGS = [
    ("  chain_id: hangzhou-1\n", "", "anchor.chain_id"),
    ("  chain_id:", "  colour: red\n  chain_id:", "anchor.colour"),
    ("  trust_level: 1/3", "  trust_level: 0.33", "anchor.trust_level"),
    ("  trusting_period: 336h", "  trusting_period: 336", "anchor.trusting_period"),
    ("  max_clock_drift: 10s", "  max_clock_drift: [10s]", "anchor.max_clock_drift"),
    ("  height: 1-120", "  height: 1-0x78", "anchor.height"),
    (ANCHOR.header_hash.hex(), ANCHOR.header_hash.hex()[:-1], "anchor.header_hash"),
    (ANCHOR.header_hash.hex(), " ".join(["ab"] * 32), "anchor.header_hash"),
    ("  prefix:\n  - ibc\n  - ''\n", "  prefix: ibc\n", "anchor.prefix"),
    ("  - ibc\n", "  - 0xzz\n", "anchor.prefix[0]"),
    ("  - ibc\n", "  - {a: b}\n", "anchor.prefix[0]"),
    ("name: hangzhou\n", "name: [a]\n", "name"),
    ("display_name: 杭州", "display_name: " + "x" * 129, "display_name"),
    ("  height:", "  chain_id: other\n  height:", "file"),
    ("name: hangzhou\n", "name: &a hangzhou\nother: *a\n", "file"),
    ("name: hangzhou\n", "? [a]\n: b\n", "file"),
    ("name: hangzhou\n", "name: 'hangzhou\n", "file"),
    ("name: hangzhou\n", "name: \x00\n", "file"),
    ("name: hangzhou\n", "name: hangzhou\n---\n", "file"),
]


@pytest.mark.parametrize(("old", "new", "field"), TAMPERINGS)
def test_each_wrong_key_is_named(old: str, new: str, field: str) -> None:
    assert old in TEXT
    with pytest.raises(FieldInvalid) as raised:
        anchor_file.parse_peer(TEXT.replace(old, new).encode())
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("name: hangzhou\n", "name: Hangzhou\n", IdentifierInvalid),
        ("chain_id: hangzhou-1", "chain_id: ''", IdentifierInvalid),
        ("height: 1-120", "height: 1-0", HeightInvalid),
        ("trust_level: 1/3", "trust_level: 1/4", AnchorInvalid),
        ("trust_level: 1/3", "trust_level: 1/0", AnchorInvalid),
        (ANCHOR.header_hash.hex(), "00" * 32, AnchorInvalid),
        (ANCHOR.header_hash.hex(), "ab" * 20, AnchorInvalid),
        ("  - ibc\n  - ''\n", "  - ''\n", AnchorInvalid),
        ("trusting_period: 336h", "trusting_period: 0s", AnchorInvalid),
    ],
)
def test_an_anchor_that_cannot_start_a_client_is_refused(
    old: str, new: str, error: type[Exception]
) -> None:
    assert old in TEXT
    with pytest.raises(error):
        anchor_file.parse_peer(TEXT.replace(old, new).encode())


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"x", b"anchor: x", b"\xff\xfe\x00", b"#" * 70_000, b"[" * 5000]
)
def test_what_is_no_anchor_file_is_refused(content: bytes) -> None:
    with pytest.raises(FieldInvalid):
        anchor_file.parse_peer(content)


def test_an_error_in_a_file_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid) as missing:
        anchor_file.read(tmp_path / "none.yaml")
    assert missing.value.field.endswith("none.yaml")
    path = tmp_path / "bad.yaml"
    path.write_text(TEXT.replace("336h", "2 weeks"))
    with pytest.raises(FieldInvalid) as wrong:
        anchor_file.read(path)
    assert wrong.value.__notes__ == [f"in {path}"]
