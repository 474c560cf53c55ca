from __future__ import annotations

from adapters.sdk.chain import Item
from adapters.sdk.submission import Items, Refusal, Verdict
from hub.core.height import Height
from hub.core.lane import Side
from hub.core.ranges import RangeSet
from tests.harness.city import OUT


def refusal(sequence: int) -> Refusal:
    return Refusal(sequence=sequence, reason="LANE_PAUSED", detail="", retryable=True)


def test_items_show_their_sequences() -> None:
    items = Items(
        lane=OUT,
        side=Side.SOURCE,
        proof_height=Height(1, 2),
        items=(Item(3, b""), Item(4, b""), Item(9, b"")),
        proof_batch=b"",
    )
    assert items.sequences == RangeSet.of([3, 4, 9])


def test_a_frame_is_refused_as_a_whole_by_sequence_zero_alone() -> None:
    assert Verdict(frame_id=1).whole is None
    assert Verdict(frame_id=1, refused=(refusal(3),)).whole is None
    assert Verdict(frame_id=1, refused=(refusal(3), refusal(0))).whole == refusal(0)
