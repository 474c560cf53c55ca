from __future__ import annotations

import pytest

from hub.core.errors import (
    BelowFirstSequence,
    ClientFrozen,
    ConsensusStateMissing,
    HubError,
    IdentityNotAllowed,
    LanePaused,
    PacketDiffers,
    PacketInvalid,
    Reason,
    RecordCorrupt,
    RegistryUnreachable,
    RootMismatch,
    SequenceRetired,
)
from hub.core.ranges import RangeSet
from hub.exchange.packets import Judgement
from relayer.verdicts import MAX_DETAIL, broken, refusal, verdict


def test_a_verdict_names_its_frame_and_every_item() -> None:
    judgement = Judgement(
        accepted=RangeSet.of([1, 2, 3, 7]),
        already_done=RangeSet.of([4]),
        refused=((5, BelowFirstSequence(lane="lanes/x", first=6, sequence=5)),),
    )
    found = verdict(9, judgement)
    assert found.frame_id == 9
    assert [(r.first, r.last) for r in found.accepted] == [(1, 3), (7, 7)]
    assert [(r.first, r.last) for r in found.already_done] == [(4, 4)]
    assert [(r.sequence, r.reason) for r in found.refused] == [(5, "BELOW_FIRST_SEQUENCE")]


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (PacketInvalid(field="sequence", problem="is not positive"), False),
        (PacketDiffers(lane="x", sequence=1, got="a", stored="b"), False),
        (IdentityNotAllowed(identity="peers/x", action="speak"), False),
        (BelowFirstSequence(lane="x", first=2, sequence=1), False),
        (SequenceRetired(lane="x", sequence=1), False),
        (RecordCorrupt(what="x", stored="a", computed="b"), False),
        (RootMismatch(got="a", expected="b"), True),
        (ConsensusStateMissing(client="x", height=1), True),
        (LanePaused(lane="x", cause="y"), True),
        (ClientFrozen(client="x", cause="y"), True),
        (RegistryUnreachable(problem="down"), True),
    ],
)
def test_only_what_time_or_better_evidence_can_mend_is_worth_trying_again(
    error: HubError, *, retryable: bool
) -> None:
    found = refusal(0, error)
    assert (found.reason, found.retryable) == (error.reason, retryable)


def test_a_long_detail_is_cut() -> None:
    found = refusal(1, RegistryUnreachable(problem="x" * 9999))
    assert len(found.detail) == MAX_DETAIL


def test_a_bug_of_ours_refuses_the_whole_frame_and_tells_nothing() -> None:
    [refused] = broken(4).refused
    assert (refused.sequence, refused.reason, refused.retryable) == (0, Reason.INTERNAL, True)
