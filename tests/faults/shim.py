"""A relayer towards an adapter and an adapter towards a relayer: it repeats what passes.

Whole deliveries come to the adapter again under execution ids of the shim's own, whose reports go
no further; frames of headers and items come to the relayer again under later frame ids, whose
verdicts go no further.

Source: reliability notes section 7.3 (R11).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc
from ydhub.relay.v1 import relay_pb2 as pb

from hub.wire.identity.credentials import channel_credentials, server_credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from random import Random

    from hub.cli.dev.layout import Layout

_SERVICE: Final = "ydhub.relay.v1.RelayService"
_METHOD: Final = "Attach"
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
)
_OURS: Final = 1 << 48
"""Execution ids of the shim's begin here."""
_SHOWN: Final = {"headers", "packets", "acknowledgements", "absence"}
TIMES: Final = 3
"""How often a delivery comes that is repeated."""


class Shim:
    """One listener before one relayer."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials, chance: Random) -> None:
        """In front of the relayer at *target*, whom it dials with *credentials*."""
        self._target = target
        self._credentials = credentials
        self._chance = chance
        self.address = ""
        self.deliveries = 0
        """Deliveries that were repeated."""
        self.frames = 0
        """Frames that were repeated."""
        self._next_execution = _OURS

    async def attach(self, frames: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """One session."""
        del context
        numbers: dict[int, int] = {}
        async with grpc.aio.secure_channel(
            self._target, self._credentials, options=_OPTIONS
        ) as channel:
            call = channel.stream_stream(
                f"/{_SERVICE}/{_METHOD}",
                request_serializer=pb.AdapterFrame.SerializeToString,
                response_deserializer=pb.RelayerFrame.FromString,
            )(self._out(frames, numbers))
            async for frame in call:
                for one in self._back(frame, numbers):
                    yield one

    async def _out(self, frames: AsyncIterator[Any], numbers: dict[int, int]) -> AsyncIterator[Any]:
        """The adapter's frames, some twice; *numbers* is what they were called, by new id."""
        newest = 0
        async for frame in frames:
            kind = frame.WhichOneof("body")
            if kind == "report" and frame.report.execution_id >= _OURS:
                # The relayer knows of no such execution; its ids must only rise.
                continue
            newest += 1
            numbers[newest] = frame.frame_id
            again = pb.AdapterFrame.FromString(frame.SerializeToString())
            frame.frame_id = newest
            yield frame
            if kind in _SHOWN and self._chance.randrange(4) == 0:
                newest += 1
                self.frames += 1
                again.frame_id = newest
                yield again

    def _back(self, frame: Any, numbers: dict[int, int]) -> list[Any]:
        """What the adapter hears instead of *frame*."""
        match frame.WhichOneof("body"):
            case "verdict":
                number = numbers.pop(frame.verdict.frame_id, 0)
                frame.verdict.frame_id = number
                return [frame] if number else []
            case "execution" if self._chance.randrange(2) == 0:
                self.deliveries += 1
                return [frame, *[self._again(frame) for _ in range(TIMES - 1)]]
            case _:
                return [frame]

    def _again(self, frame: Any) -> Any:
        copy = pb.RelayerFrame.FromString(frame.SerializeToString())
        copy.execution.execution_id = self._next_execution
        self._next_execution += 1
        return copy


@asynccontextmanager
async def shim(
    layout: Layout, target: str, relayer: str, city: str, chance: Random
) -> AsyncIterator[Shim]:
    """A shim before the relayer at *target*, with the certificates of *relayer* and of *city*."""
    made = Shim(target, channel_credentials(*layout.certificate(city)), chance)
    server = grpc.aio.server(options=_OPTIONS)
    handler = grpc.stream_stream_rpc_method_handler(
        made.attach,
        request_deserializer=pb.AdapterFrame.FromString,
        response_serializer=pb.RelayerFrame.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: handler}),)
    )
    port = server.add_secure_port("127.0.0.1:0", server_credentials(*layout.certificate(relayer)))
    made.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield made
    finally:
        await server.stop(0)
        await asyncio.sleep(0)
