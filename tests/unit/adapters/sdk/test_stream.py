from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb
from ydhub.relay.v1 import relay_service_pb2_grpc as service

from adapters.sdk.client import Relayers
from adapters.sdk.stream import Stream
from hub.core.errors import PeerSuspended, Reason, ShuttingDown
from hub.core.time import SECOND
from hub.wire.status import RemoteError
from tests.harness.certificates import Certificates
from tests.harness.clock import ManualClock
from tests.harness.relayer import RelayedSession, ScriptedRelayer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HEARTBEAT = pb.AdapterFrame(heartbeat=pb.Heartbeat())


@asynccontextmanager
async def connected(tmp_path: Path) -> AsyncIterator[tuple[Stream, RelayedSession, ManualClock]]:
    certificates = Certificates.make(tmp_path)
    relayer = ScriptedRelayer()
    address = await relayer.start(certificates)
    cert_file, key_file, ca_file = map(str, certificates.files("/peers/hangzhou"))
    relayers = Relayers(
        addresses=[address], cert_file=cert_file, key_file=key_file, ca_file=ca_file
    )
    clock = ManualClock()
    async with relayers.channel(address, clock.now()) as channel:
        stream = Stream(service.RelayServiceStub(channel).Attach(), clock)
        await stream.send(HEARTBEAT)
        yield stream, await relayer.attached(), clock
    await relayer.stop()


async def test_frames_are_numbered_and_their_number_is_told_before_they_go(
    tmp_path: Path,
) -> None:
    async with connected(tmp_path) as (stream, session, _):
        told: list[int] = []
        numbers = [await stream.send(pb.AdapterFrame(), told.append) for _ in range(3)]
        assert numbers == told == [2, 3, 4]
        await session.heartbeat()
        assert [(await session.next()).frame_id for _ in range(3)] == [2, 3, 4]


async def test_silence_is_counted_from_the_last_frame(tmp_path: Path) -> None:
    async with connected(tmp_path) as (stream, session, clock):
        await clock.advance(SECOND)
        assert stream.silence == SECOND
        session.say(heartbeat=pb.Heartbeat())
        await stream.receive()
        assert stream.silence == 0


async def test_a_stream_that_ends_in_peace_says_so(tmp_path: Path) -> None:
    async with connected(tmp_path) as (stream, session, _):
        session.end()
        with pytest.raises(ShuttingDown):
            await stream.receive()
        with pytest.raises(ShuttingDown):
            await stream.send(HEARTBEAT)


async def test_a_stream_that_ends_with_an_error_tells_its_reason(tmp_path: Path) -> None:
    async with connected(tmp_path) as (stream, session, _):
        session.end(PeerSuspended(peer="peers/hangzhou"))
        for work in (stream.receive(), stream.send(HEARTBEAT)):
            with pytest.raises(RemoteError) as caught:
                await work
            assert caught.value.reason is Reason.PEER_SUSPENDED


async def send_until_it_fails(stream: Stream) -> None:
    while True:
        await stream.send(HEARTBEAT)


async def test_a_refusal_is_told_though_frames_are_written_after_it(tmp_path: Path) -> None:
    async with connected(tmp_path) as (stream, session, _):
        session.end(PeerSuspended(peer="peers/hangzhou"))
        with pytest.raises(RemoteError) as caught:
            await send_until_it_fails(stream)
        assert caught.value.reason is Reason.PEER_SUSPENDED


async def test_a_cancelled_stream_is_over(tmp_path: Path) -> None:
    async with connected(tmp_path) as (stream, session, _):
        stream.cancel()
        await session.gone()
        with pytest.raises(RemoteError):
            await stream.send(HEARTBEAT)
