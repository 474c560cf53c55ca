from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import AnchorInvalid, FieldInvalid, HeightInvalid, IdentifierInvalid
from hub.wire import anchors
from tests.harness.anchors import make_anchor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ydhub.client.v1 import client_pb2 as pb

ANCHOR = make_anchor()


def test_an_anchor_reads_back() -> None:
    assert anchors.anchor_from_proto(anchors.anchor_to_proto(ANCHOR), "anchor") == ANCHOR


def _no_type(anchor: pb.Anchor) -> None:
    anchor.client_type = ""


def _long_type(anchor: pb.Anchor) -> None:
    anchor.client_type = "x" * 65


def _no_chain(anchor: pb.Anchor) -> None:
    anchor.chain_id = ""


def _no_height(anchor: pb.Anchor) -> None:
    anchor.ClearField("height")


def _far_height(anchor: pb.Anchor) -> None:
    anchor.height.number = 2**63


def _zero_hash(anchor: pb.Anchor) -> None:
    anchor.next_validators_hash = bytes(32)


def _no_level(anchor: pb.Anchor) -> None:
    anchor.options.ClearField("trust_level_denominator")


def _no_options(anchor: pb.Anchor) -> None:
    anchor.ClearField("options")


def _negative_drift(anchor: pb.Anchor) -> None:
    anchor.options.max_clock_drift.nanos = -1


def _no_prefix(anchor: pb.Anchor) -> None:
    anchor.ClearField("prefix")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_no_type, FieldInvalid),
        (_long_type, FieldInvalid),
        (_no_chain, IdentifierInvalid),
        (_no_height, HeightInvalid),
        (_far_height, HeightInvalid),
        (_zero_hash, AnchorInvalid),
        (_no_level, AnchorInvalid),
        (_no_options, AnchorInvalid),
        (_negative_drift, FieldInvalid),
        (_no_prefix, AnchorInvalid),
    ],
)
def test_an_anchor_that_starts_no_client_is_refused(
    change: Callable[[pb.Anchor], None], error: type[Exception]
) -> None:
    message = anchors.anchor_to_proto(ANCHOR)
    change(message)
    with pytest.raises(error):
        anchors.anchor_from_proto(message, "anchor")
