from __future__ import annotations

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    BacklogFull,
    BelowFirstSequence,
    ClientFrozen,
    CreditsSpent,
    EncodingNotCanonical,
    GapTooWide,
    GateChanged,
    HubError,
    IdentityNotAllowed,
    LanePaused,
    PacketDiffers,
    PacketNotFound,
    PacketUnsupported,
    RateLimited,
    RecordCorrupt,
    RegistryUnreachable,
    RootMismatch,
    SequenceRetired,
    TimeoutNotReached,
)
from hub.core.ranges import RangeSet
from hub.exchange.packets import Judgement
from relayer.verdicts import MAX_DETAIL, broken, refusal, verdict


def test_a_verdict_names_every_item_of_its_frame() -> None:
    frozen = ClientFrozen(client="peers/a/client", cause="x")
    judgement = Judgement(
        accepted=RangeSet.of([1, 2, 4]),
        already_done=RangeSet.of([5]),
        refused=((9, frozen),),
        denied=RangeSet.of([4]),
    )
    assert verdict(7, judgement) == pb.Verdict(
        frame_id=7,
        accepted=[pb.SequenceRange(first=1, last=2), pb.SequenceRange(first=4, last=4)],
        already_done=[pb.SequenceRange(first=5, last=5)],
        refused=[
            pb.Refusal(
                sequence=9,
                reason="CLIENT_FROZEN",
                detail="peers/a/client is frozen: x",
                retryable=True,
            )
        ],
    )


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (EncodingNotCanonical(what="packet"), False),
        (PacketDiffers(lane="l", sequence=1, got="a", stored="b"), False),
        (IdentityNotAllowed(identity="i", action="a"), False),
        (RecordCorrupt(what="w", stored="s", computed="c"), False),
        (BelowFirstSequence(lane="l", first=5, sequence=1), False),
        (SequenceRetired(lane="l", sequence=1), False),
        (PacketUnsupported(chain="c", problem="p"), False),
        (RootMismatch(got="a", expected="b"), True),
        (LanePaused(lane="l", cause="c"), True),
        (GapTooWide(lane="l", ranges=65, limit=64), True),
        (TimeoutNotReached(timeout=2, time=1), True),
        (GateChanged(lane="l", gate=1), True),
        (PacketNotFound(name="n"), True),
        (BacklogFull(lane="l", count=2, limit=1), True),
        (CreditsSpent(sent=2, credits=1), True),
        (RegistryUnreachable(problem="p"), True),
    ],
)
def test_only_what_can_never_help_is_refused_for_good(error: HubError, *, retryable: bool) -> None:
    assert refusal(0, error).retryable is retryable


def test_a_detail_is_cut() -> None:
    assert len(refusal(0, ClientFrozen(client="c", cause="x" * 5000)).detail) == MAX_DETAIL


def test_a_bug_of_ours_refuses_the_frame_for_now_and_says_nothing_of_itself() -> None:
    found = broken(3)
    assert found.frame_id == 3
    assert [(entry.sequence, entry.reason, entry.retryable) for entry in found.refused] == [
        (0, "INTERNAL", True)
    ]


def test_who_must_wait_is_told_how_long() -> None:
    told = refusal(3, RateLimited(what="route a~b", wait_ms=250))
    assert (told.retryable, told.wait_ms) == (True, 250)
    assert refusal(3, LanePaused(lane="lanes/a", cause="c")).wait_ms == 0
