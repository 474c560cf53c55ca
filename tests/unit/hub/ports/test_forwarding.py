from __future__ import annotations

from hub.core.errors import Reason
from hub.ports.forwarding import MAX_BYTES, ForwardedAnswer


def test_an_answer_is_kept_as_it_is_up_to_its_limit() -> None:
    for size in (0, MAX_BYTES):
        answer = ForwardedAnswer(bytes(size))
        assert answer.bounded is answer


def test_of_one_that_is_too_large_the_reason_is_kept() -> None:
    kept = ForwardedAnswer(bytes(MAX_BYTES + 1)).bounded
    assert (kept.content, kept.reason) == (b"", Reason.LIMIT_EXCEEDED)
    assert str(MAX_BYTES + 1) in kept.detail
