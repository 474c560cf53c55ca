"""One attached stream: frames out in order with rising ids, frames in, and when it was last heard.

Source: protos/ydhub/relay/v1/relay_service.proto, Attach.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.ending import Ending
from hub.core.errors import HubError, ShuttingDown
from hub.core.time import Duration
from hub.wire.status import RemoteError, from_rpc_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.clock import Clock

    Call: TypeAlias = grpc.aio.StreamStreamCall[pb.AdapterFrame, pb.RelayerFrame]


class Stream:
    """The frames of one session."""

    def __init__(self, call: Call, clock: Clock) -> None:
        """The frames of *call*, which has just begun."""
        self._call = call
        self._ending = Ending(call)
        self._clock = clock
        self._sending = asyncio.Lock()
        self._last_id = 0
        self._heard_at = clock.monotonic()

    @property
    def silence(self) -> Duration:
        """How long nothing was heard (ns)."""
        return Duration(self._clock.monotonic() - self._heard_at)

    async def send(self, frame: pb.AdapterFrame, sent: Callable[[int], None] | None = None) -> int:
        """The id that *frame* goes out under; *sent* is told before any answer can come.

        Raises ``RemoteError`` or ``ShuttingDown`` when the stream is over.
        """
        async with self._sending:
            self._last_id += 1
            frame.frame_id = self._last_id
            if sent is not None:
                sent(self._last_id)
            try:
                await self._call.write(frame)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
                raise await self.end() from error
        return frame.frame_id

    async def receive(self) -> pb.RelayerFrame:
        """The next frame. Raises ``RemoteError`` or ``ShuttingDown`` when the stream is over."""
        try:
            frame: Any = await self._call.read()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise await self.end() from error
        if not isinstance(frame, pb.RelayerFrame):
            raise await self.end()
        self._heard_at = self._clock.monotonic()
        return frame

    async def end(self) -> HubError | RemoteError:
        """Why the stream is over; the relayer ended it in peace where there is no error."""
        status = await self._ending.status()
        return ShuttingDown() if status.code() is grpc.StatusCode.OK else from_rpc_error(status)

    def cancel(self) -> None:
        """The stream is over."""
        self._call.cancel()
