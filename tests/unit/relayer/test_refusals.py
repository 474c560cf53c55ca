from __future__ import annotations

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import Reason
from relayer.refusals import MAX_DETAIL, read_refusal


def test_a_known_reason_is_typed_and_keeps_its_words() -> None:
    entry = pb.Refusal(reason="TIMEOUT_ELAPSED", detail="too late", retryable=False)
    found = read_refusal(entry)
    assert (found.reason, found.detail, found.is_final) == (
        Reason.TIMEOUT_ELAPSED,
        "too late",
        True,
    )


def test_an_unknown_reason_is_internal_with_the_word_in_the_detail() -> None:
    found = read_refusal(pb.Refusal(reason="OUT_OF_GAS", detail="21000", retryable=True))
    assert (found.reason, found.detail, found.is_final) == (
        Reason.INTERNAL,
        "OUT_OF_GAS: 21000",
        False,
    )


def test_what_a_log_or_the_registry_cannot_hold_is_left_out() -> None:
    found = read_refusal(pb.Refusal(reason="INTERNAL", detail="a\x00b\nc" + "x" * 9999))
    assert found.detail.startswith("a b c")
    assert len(found.detail) == MAX_DETAIL
