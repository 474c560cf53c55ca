from __future__ import annotations

from hub.core.invariants import BY_NAME, InvariantViolation
from hub.core.time import SECOND, Duration
from hub.wire.invariants import invariant_to_proto


def test_an_invariant_is_told_with_what_it_says() -> None:
    found = InvariantViolation("sequences_dense", 2, ("lane 1", "lane 2"), Duration(3 * SECOND))
    message = invariant_to_proto(found)
    assert (message.name, message.violation_count) == ("sequences_dense", 2)
    assert message.meaning == BY_NAME["sequences_dense"].meaning
    assert list(message.samples) == ["lane 1", "lane 2"]
    assert (message.duration.seconds, message.unfinished) == (3, False)


def test_what_was_not_finished_says_so() -> None:
    message = invariant_to_proto(InvariantViolation("of another version", 0, is_finished=False))
    assert (message.unfinished, message.meaning) == (True, "")
