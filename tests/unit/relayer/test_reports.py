from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import FrameInvalid, LimitExceeded, Reason
from hub.core.ids import ClientId
from hub.core.ranges import EMPTY, RangeSet
from hub.wire.frames import MAX_ITEMS
from relayer.reports import read_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.height import Height
    from hub.core.record import Refusal
    from relayer.chain_clients import ChainClients

CLIENT = ClientId("07-tendermint-0")
ASKED = RangeSet.of([1, 2, 3, 4])


class Noted:
    """Stands where chain clients would be told."""

    def __init__(self) -> None:
        self.heights: list[int] = []
        self.forgotten = 0

    def reported(self, client: ClientId, heights: Sequence[Height]) -> None:
        assert client == CLIENT
        self.heights = [height.number for height in heights]

    def forget(self, client: ClientId) -> None:
        assert client == CLIENT
        self.forgotten += 1


def read(
    report: pb.ExecutionReport, noted: Noted | None = None
) -> tuple[RangeSet, list[tuple[int, Refusal]]]:
    clients = cast("ChainClients | None", noted)
    return read_report(clients, CLIENT, report, ASKED)


def span(first: int, last: int) -> pb.SequenceRange:
    return pb.SequenceRange(first=first, last=last)


def test_executed_now_or_before_is_executed() -> None:
    report = pb.ExecutionReport(executed=[span(1, 2)], already_done=[span(4, 4)])
    assert read(report) == (RangeSet.of([1, 2, 4]), [])


def test_sequences_that_were_not_asked_for_are_nobodys() -> None:
    refused = [pb.Refusal(sequence=77, reason="INTERNAL")]
    report = pb.ExecutionReport(executed=[span(1, 900)], refused=refused)
    assert read(report) == (ASKED, [])


def test_a_refused_item_keeps_its_reason_and_one_that_is_executed_is_not_refused() -> None:
    refused = [
        pb.Refusal(sequence=1, reason="INTERNAL"),
        pb.Refusal(sequence=2, reason="TIMEOUT_ELAPSED", detail="late"),
    ]
    executed, found = read(pb.ExecutionReport(executed=[span(1, 1)], refused=refused))
    assert executed == RangeSet.of([1])
    assert [(sequence, refusal.reason) for sequence, refusal in found] == [
        (2, Reason.TIMEOUT_ELAPSED)
    ]


def test_a_refusal_of_the_whole_concerns_everything_not_executed_and_forgets_the_client() -> None:
    noted = Noted()
    refused = [pb.Refusal(reason="CLIENT_FROZEN", retryable=True)]
    executed, found = read(pb.ExecutionReport(executed=[span(3, 3)], refused=refused), noted)
    assert executed == RangeSet.of([3])
    assert [sequence for sequence, _ in found] == [1, 2, 4]
    assert noted.forgotten == 1


def test_trusted_heights_are_noted() -> None:
    noted = Noted()
    heights = [client_pb2.Height(revision=1, number=7), client_pb2.Height(revision=1, number=9)]
    read(pb.ExecutionReport(executed=[span(1, 4)], trusted_heights=heights), noted)
    assert (noted.heights, noted.forgotten) == ([7, 9], 0)


def test_an_empty_report_says_nothing_of_anything() -> None:
    assert read(pb.ExecutionReport()) == (EMPTY, [])


@pytest.mark.parametrize("bad", [span(0, 1), span(3, 2), span(1, 2**63)])
def test_a_range_that_is_none_is_refused(bad: pb.SequenceRange) -> None:
    with pytest.raises(FrameInvalid):
        read(pb.ExecutionReport(executed=[bad]))


def test_more_refusals_than_items_are_refused() -> None:
    refused = [pb.Refusal(sequence=1, reason="INTERNAL")] * (MAX_ITEMS + 2)
    with pytest.raises(LimitExceeded):
        read(pb.ExecutionReport(refused=refused))
