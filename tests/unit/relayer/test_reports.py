from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import FrameInvalid, HeightInvalid, LimitExceeded, Reason
from hub.core.ranges import RangeSet
from hub.core.record import Refusal
from relayer.reports import read_report
from tests.harness.city import CLIENT
from tests.harness.station import proto_height

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.height import Height
    from hub.core.ids import ClientId

ASKED = RangeSet.span(10, 20)


class PaperClients:
    """What a chain's clients are told."""

    def __init__(self) -> None:
        self.forgotten: list[ClientId] = []
        self.trusted: list[int] = []

    def forget(self, client: ClientId) -> None:
        self.forgotten.append(client)

    def reported(self, client: ClientId, trusted: Sequence[Height]) -> None:
        assert client == CLIENT
        self.trusted = [height.number for height in trusted]


def read(clients: Any = None, **report: Any) -> tuple[RangeSet, list[tuple[int, Refusal]]]:
    return read_report(clients, CLIENT, pb.ExecutionReport(**report), ASKED)


def span(first: int, last: int) -> pb.SequenceRange:
    return pb.SequenceRange(first=first, last=last)


def refused(sequence: int, reason: str = "BACKLOG_FULL") -> pb.Refusal:
    return pb.Refusal(sequence=sequence, reason=reason, retryable=True)


LATER = Refusal(Reason.BACKLOG_FULL, "", is_final=False)


def test_what_was_done_now_or_before_is_done() -> None:
    executed, refusals = read(executed=[span(10, 12)], already_done=[span(15, 15)])
    assert executed == RangeSet.of([10, 11, 12, 15])
    assert refusals == []


def test_what_was_not_asked_for_is_nobodys() -> None:
    executed, refusals = read(
        executed=[span(1, 11), span(19, 2**62)], refused=[refused(5), refused(99), refused(2**63)]
    )
    assert executed == RangeSet.of([10, 11, 19])
    assert refusals == []


def test_what_is_done_is_not_refused_too() -> None:
    _, refusals = read(executed=[span(10, 18)], refused=[refused(12), refused(19)])
    assert refusals == [(19, LATER)]


def test_a_refusal_of_the_whole_is_one_of_each_that_is_not_done() -> None:
    executed, refusals = read(executed=[span(10, 17)], refused=[refused(0)])
    assert executed == RangeSet.span(10, 18)
    assert refusals == [(18, LATER), (19, LATER)]


def test_a_report_may_refuse_every_item_of_a_frame_and_the_whole() -> None:
    _, refusals = read(refused=[refused(number) for number in range(257)])
    assert len(refusals) == len(ASKED)
    with pytest.raises(LimitExceeded):
        read(refused=[refused(number) for number in range(258)])


def test_the_first_word_on_a_sequence_counts() -> None:
    _, refusals = read(refused=[refused(10), refused(10, "INTERNAL"), refused(0, "INTERNAL")])
    assert dict(refusals)[10].reason is Reason.BACKLOG_FULL
    assert dict(refusals)[11].reason is Reason.INTERNAL
    assert len(refusals) == len(ASKED)


def test_what_the_client_trusts_now_is_noted() -> None:
    clients = PaperClients()
    read(clients, executed=[span(10, 19)], trusted_heights=[proto_height(7), proto_height(9)])
    assert (clients.trusted, clients.forgotten) == ([7, 9], [])


@pytest.mark.parametrize(
    ("report", "forgotten"),
    [
        ({"refused": [refused(0)]}, 1),
        ({"refused": [refused(0)], "trusted_heights": [proto_height(7)]}, 1),
        ({"refused": [refused(12)]}, 1),
        ({"refused": [refused(12)], "trusted_heights": [proto_height(7)]}, 0),
        ({"executed": [span(10, 19)]}, 0),
    ],
)
def test_where_nobody_knows_whether_the_updates_were_made_the_client_is_asked_for_again(
    report: dict[str, Any], forgotten: int
) -> None:
    clients = PaperClients()
    read(clients, **report)
    assert clients.forgotten == [CLIENT] * forgotten


@pytest.mark.parametrize(
    ("report", "error"),
    [
        ({"executed": [span(5, 4)]}, FrameInvalid),
        ({"executed": [span(0, 4)]}, FrameInvalid),
        ({"already_done": [span(1, 2**63)]}, FrameInvalid),
        ({"executed": [span(n, n) for n in range(1, 600, 2)]}, LimitExceeded),
        ({"refused": [refused(1)] * 300}, LimitExceeded),
        ({"trusted_heights": [proto_height(1)] * 65}, LimitExceeded),
        ({"trusted_heights": [proto_height(0)]}, HeightInvalid),
    ],
)
def test_a_report_that_is_none_is_refused_and_notes_nothing(
    report: dict[str, Any], error: type[Exception]
) -> None:
    clients = PaperClients()
    with pytest.raises(error):
        read(clients, **report)
    assert (clients.trusted, clients.forgotten) == ([], [])
