from __future__ import annotations

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import Reason
from hub.core.record import Refusal
from relayer.refusals import MAX_DETAIL, read_refusal


def test_a_refusal_is_read_with_its_reason_and_whether_it_may_pass() -> None:
    entry = pb.Refusal(sequence=5, reason="BACKLOG_FULL", detail="later", retryable=True)
    assert read_refusal(entry) == Refusal(Reason.BACKLOG_FULL, "later", is_final=False)
    entry.retryable = False
    assert read_refusal(entry).is_final


def test_a_reason_that_is_newer_than_this_build_is_kept_as_the_adapters_word() -> None:
    refusal = read_refusal(pb.Refusal(reason="FULL_MOON", detail="wait"))
    assert (refusal.reason, refusal.detail) == (Reason.INTERNAL, "FULL_MOON: wait")


@pytest.mark.parametrize("word", ["\x00", "\n", "\x1b[2J", "\u2028", "\ufeff"])
def test_what_a_log_or_a_database_cannot_hold_is_not_kept(word: str) -> None:
    detail = read_refusal(pb.Refusal(reason="INTERNAL", detail=f"杭{word}州")).detail
    assert detail.isprintable()
    assert (detail[0], detail[-1]) == ("杭", "州")


def test_an_adapters_words_are_cut() -> None:
    detail = read_refusal(pb.Refusal(reason="x" * 10_000, detail="y" * 10_000)).detail
    assert len(detail) == MAX_DETAIL
