from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.anchors import Anchors
from hub.core.errors import AnchorInvalid, AnchorMismatch, FieldInvalid, IdentifierInvalid
from hub.core.ids import PeerId
from hub.wire import anchor_file
from tests.harness.anchors import make_anchor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def anchors(tmp_path: Path) -> Anchors:
    for peer in ("suzhou", "shanghai"):
        anchor_file.write(tmp_path / f"{peer}.yaml", make_anchor(f"{peer}-1"), peer=PeerId(peer))
    return Anchors.of_files(
        {peer: tmp_path / f"{peer}.yaml" for peer in ("wuxi", "suzhou", "shanghai")}
    )


@pytest.mark.parametrize("name", ["suzhou", "peers/suzhou"])
def test_an_anchor_is_found_by_its_peer(anchors: Anchors, name: str) -> None:
    assert anchors.of_peer(name, "suzhou-1") == make_anchor("suzhou-1")


def test_an_anchor_is_found_by_its_chain_whatever_other_files_hold(anchors: Anchors) -> None:
    assert anchors.of_chain("shanghai-1") == make_anchor("shanghai-1")


def test_a_file_written_later_counts(anchors: Anchors, tmp_path: Path) -> None:
    with pytest.raises(FieldInvalid):
        anchors.of_peer("wuxi", "wuxi-1")
    anchor_file.write(tmp_path / "wuxi.yaml", make_anchor("wuxi-1"), peer=None)
    assert anchors.of_peer("wuxi", "wuxi-1") == make_anchor("wuxi-1")


def test_a_peer_without_a_file_has_no_anchor(anchors: Anchors) -> None:
    with pytest.raises(AnchorInvalid):
        anchors.of_peer("ningbo", "ningbo-1")


def test_a_chain_without_a_file_has_no_anchor(anchors: Anchors) -> None:
    with pytest.raises(AnchorInvalid):
        anchors.of_chain("ningbo-1")


def test_another_chain_than_the_files_is_refused(anchors: Anchors) -> None:
    with pytest.raises(AnchorMismatch):
        anchors.of_peer("suzhou", "suzhou-2")


def test_a_file_that_names_another_peer_is_refused(anchors: Anchors, tmp_path: Path) -> None:
    anchor_file.write(tmp_path / "suzhou.yaml", make_anchor("suzhou-1"), peer=PeerId("wuxi"))
    with pytest.raises(AnchorMismatch):
        anchors.of_peer("suzhou", "suzhou-1")


def test_a_name_that_is_no_peer_is_refused(anchors: Anchors) -> None:
    with pytest.raises(IdentifierInvalid):
        anchors.of_peer("Suzhou!", "suzhou-1")
    with pytest.raises(IdentifierInvalid):
        Anchors.of_files({"Suzhou!": "x"})
