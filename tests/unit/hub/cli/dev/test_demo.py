from __future__ import annotations

from ydhub.packet.v1 import packet_pb2

from hub.cli.dev.demo import Report, seconds, word
from hub.core.time import MILLISECOND, SECOND


def test_what_does_not_hold_fails_the_demo() -> None:
    report = Report()
    report.note("peers", "3")
    assert report.failures == []
    report.note("forged header refused", "taken", holds=False)
    assert report.failures == ["forged header refused: taken"]
    assert report.lines == [("peers", "3"), ("forged header refused", "taken")]


def test_durations_and_states_are_told_in_words() -> None:
    assert seconds(12 * SECOND + 340 * MILLISECOND) == "12.3 s"
    assert word(packet_pb2.PACKET_STATE_REFUNDED) == "REFUNDED"
