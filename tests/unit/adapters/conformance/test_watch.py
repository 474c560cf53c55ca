from __future__ import annotations

import asyncio

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance.demand import Failed
from adapters.conformance.watch import FRAMES, REASONS, Watch
from hub.core.time import SECOND
from tests.harness.clock import ManualClock, settle


def test_a_rule_is_seen_each_time_and_its_breaches_are_kept() -> None:
    watch = Watch(ManualClock())
    assert watch.hold(FRAMES, 1, "one", 1)
    assert not watch.hold(FRAMES, 0, "one", 0)
    assert watch.seen[FRAMES] == 2
    [breach] = watch.breaches[FRAMES]
    assert (breach.expected, breach.came) == ("one", "0")


async def test_whoever_waits_hears_of_it_or_fails_in_time() -> None:
    clock = ManualClock()
    watch, found = Watch(clock), list[int]()
    waiting = asyncio.ensure_future(watch.until(lambda: found, SECOND, "something"))
    await settle()
    watch.tell()
    await settle()
    assert not waiting.done()
    found.append(1)
    watch.tell()
    assert await waiting == [1]
    late = asyncio.ensure_future(watch.until(lambda: 0, SECOND, "more"))
    await settle()
    await clock.advance(SECOND)
    with pytest.raises(Failed) as caught:
        await late
    assert (caught.value.expected, caught.value.came) == ("more", "nothing of it within 1 s")


@pytest.mark.parametrize(
    ("frame", "holds"),
    [
        (pb.AdapterFrame(heartbeat=pb.Heartbeat()), True),
        (pb.AdapterFrame(packets=pb.PacketBatch(packets=[b"p"] * 256)), True),
        (pb.AdapterFrame(packets=pb.PacketBatch(packets=[b"p"] * 257)), False),
        (pb.AdapterFrame(packets=pb.PacketBatch(packets=[bytes(2**20)])), True),
        (pb.AdapterFrame(packets=pb.PacketBatch(packets=[b"p", bytes(2**20)])), False),
        (pb.AdapterFrame(packets=pb.PacketBatch(packets=[bytes(2**21)])), False),
        (pb.AdapterFrame(headers=pb.HeaderBatch(headers=[pb.SignedHeader()] * 257)), False),
        (
            pb.AdapterFrame(acknowledgements=pb.AcknowledgementBatch(sequences=range(1, 258))),
            False,
        ),
        (
            pb.AdapterFrame(
                answer=pb.Answer(headers=pb.HeaderBatch(headers=[pb.SignedHeader()] * 257))
            ),
            False,
        ),
        (
            pb.AdapterFrame(report=pb.ExecutionReport(trusted_heights=[client_pb2.Height()] * 65)),
            False,
        ),
    ],
)
def test_frames_keep_their_bounds(frame: pb.AdapterFrame, *, holds: bool) -> None:
    watch = Watch(ManualClock())
    watch.frame(frame)
    assert (FRAMES not in watch.breaches) is holds


@pytest.mark.parametrize(
    ("reason", "holds"), [("CLIENT_FROZEN", True), ("INTERNAL", False), ("", False), ("X", False)]
)
def test_reasons_are_of_the_closed_list(reason: str, *, holds: bool) -> None:
    refusal = pb.Refusal(reason=reason)
    for frame in (
        pb.AdapterFrame(answer=pb.Answer(refusal=refusal)),
        pb.AdapterFrame(report=pb.ExecutionReport(refused=[refusal])),
    ):
        watch = Watch(ManualClock())
        watch.frame(frame)
        assert watch.seen[REASONS] == 1
        assert (REASONS not in watch.breaches) is holds
