from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from ydhub.relay.v1 import relay_pb2 as pb
from ydhub.relay.v1 import relay_service_pb2_grpc as service

from adapters.conformance.relay import Relay
from adapters.conformance.watch import FRAMES, Watch
from hub.core.errors import FieldInvalid, Reason, ShuttingDown
from hub.wire.status import RemoteError, from_rpc_error
from tests.harness.certificates import TRUST_DOMAIN, Certificates
from tests.harness.clock import ManualClock, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

METHOD = "/ydhub.relay.v1.RelayService/Attach"


class Listening:
    """A relay that can be dialled."""

    def __init__(self, certificates: Certificates) -> None:
        clock = ManualClock()
        self.watch = Watch(clock)
        self.relay = Relay(TRUST_DOMAIN, self.watch, clock)
        self.certificates = certificates
        self.port = 0

    @asynccontextmanager
    async def dialled(
        self, *, trust_domain: str = TRUST_DOMAIN, raw: bool = False
    ) -> AsyncIterator[Any]:
        credentials = self.certificates.channel("/peers/hangzhou", trust_domain=trust_domain)
        address = f"127.0.0.1:{self.port}"
        async with grpc.aio.secure_channel(address, credentials) as channel:
            attach: Any = (
                channel.stream_stream(METHOD) if raw else service.RelayServiceStub(channel).Attach
            )
            yield attach()


@pytest.fixture
async def listening(tmp_path: Path) -> AsyncIterator[Listening]:
    found = Listening(Certificates.make(tmp_path))
    credentials = found.certificates.server("/relayers/examiner")
    found.port = await found.relay.start("127.0.0.1:0", credentials)
    yield found
    await found.relay.stop()


async def test_frames_go_both_ways_until_the_examiner_ends_it(listening: Listening) -> None:
    async with listening.dialled() as call:
        await call.write(pb.AdapterFrame(frame_id=1, hello=pb.Hello(adapter="paper")))
        await until(lambda: listening.relay.arrived)
        [session] = listening.relay.arrived
        assert session.identity == f"spiffe://{TRUST_DOMAIN}/peers/hangzhou"
        assert session.hello.adapter == "paper"
        session.say(drain=pb.Drain())
        assert (await call.read()).HasField("drain")
        session.end(ShuttingDown())
        with pytest.raises(RemoteError) as caught:
            await _end(call)
        assert caught.value.reason is Reason.SHUTTING_DOWN
        await until(lambda: session.is_over)


async def test_an_adapter_that_goes_ends_its_session(listening: Listening) -> None:
    async with listening.dialled() as call:
        await call.write(pb.AdapterFrame(frame_id=1, hello=pb.Hello()))
        await until(lambda: listening.relay.arrived)
    await until(lambda: listening.relay.arrived[0].is_over)


async def test_a_stranger_is_not_taken(listening: Listening) -> None:
    async with listening.dialled(trust_domain="elsewhere.local") as call:
        with pytest.raises(RemoteError) as caught:
            await _end(call)
    assert caught.value.reason is Reason.CREDENTIALS_MISSING
    assert listening.relay.arrived == []


async def test_bytes_that_are_no_frame_are_a_breach(listening: Listening) -> None:
    async with listening.dialled(raw=True) as call:
        await call.write(b"\xff\xff\xff")
        await until(lambda: FRAMES in listening.watch.breaches)


async def test_a_port_that_is_taken_is_told(listening: Listening) -> None:
    clock = ManualClock()
    other = Relay(TRUST_DOMAIN, Watch(clock), clock)
    with pytest.raises(FieldInvalid):
        await other.start(f"127.0.0.1:{listening.port}", listening.certificates.server())
    await other.stop()


async def _end(call: Any) -> None:
    """Raises why the stream has ended."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
    initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    found = grpc.aio.AioRpcError(await call.code(), initial, trailing, await call.details())
    raise from_rpc_error(found)
