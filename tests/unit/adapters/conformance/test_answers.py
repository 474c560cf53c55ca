from __future__ import annotations

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance.answers import demand_refusal, words
from adapters.conformance.demand import Failed
from hub.core.errors import Reason

REFUSED = pb.Answer(refusal=pb.Refusal(reason="HEADER_NOT_FOUND", detail="none at 9"))


def test_an_answer_is_told_by_its_kind_or_its_reason() -> None:
    assert words(REFUSED) == "HEADER_NOT_FOUND: none at 9"
    assert words(pb.Answer(proofs=pb.ProofAnswer())) == "an answer of proofs"


def test_a_refusal_is_demanded_by_its_reason() -> None:
    demand_refusal(REFUSED, Reason.FRAME_INVALID, Reason.HEADER_NOT_FOUND)
    for answer in (REFUSED, pb.Answer(), pb.Answer(clients=pb.ClientAnswer())):
        with pytest.raises(Failed):
            demand_refusal(answer, Reason.FRAME_INVALID)
