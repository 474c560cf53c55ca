"""What the generated stub and servicer see of the simulated network: grpc.aio's own shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self

import grpc

from hub.core.ids import PeerId

if TYPE_CHECKING:
    from collections.abc import Callable

    from ydhub.relay.v1 import relay_pb2 as pb

    from tests.simulation.network import Network, Wire


class SimChannel:
    """A channel of *city*'s adapter to one address."""

    def __init__(self, network: Network, city: str, address: str) -> None:
        self._dial: Callable[[], Wire | None] = lambda: network.dial(city, address)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def get_state(self, *, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """The call tells whether anybody answers."""
        del try_to_connect
        return grpc.ChannelConnectivity.READY

    def stream_stream(self, *_: object, **__: object) -> Any:
        """As the stub asks for."""
        return lambda: SimCall(self._dial())


class SimCall:
    """The adapter's end of a stream."""

    def __init__(self, wire: Wire | None) -> None:
        self._wire = wire
        self._failed = None if wire else (grpc.StatusCode.UNAVAILABLE, "nobody answers", ())

    async def write(self, frame: pb.AdapterFrame) -> None:
        """As grpc.aio does."""
        if self._wire is None or self._wire.status is not None:
            raise self._error()
        await self._wire.up.write(frame)
        if self._wire.status is not None:
            raise self._error()

    async def read(self) -> Any:
        """As grpc.aio does."""
        frame = None if self._wire is None else await self._wire.down.read()
        return grpc.aio.EOF if frame is None else frame

    def add_done_callback(self, callback: object) -> None:
        """Nobody is told: a status never becomes another one here."""

    async def code(self) -> grpc.StatusCode:
        """As grpc.aio does."""
        if self._wire is not None:
            await self._wire.ended()
        return self._code()

    async def initial_metadata(self) -> tuple[()]:
        """None."""
        return ()

    async def trailing_metadata(self) -> Any:
        """As grpc.aio does."""
        return self._status[2]

    async def details(self) -> str:
        """As grpc.aio does."""
        return str(self._status[1])

    def done(self) -> bool:
        """As grpc.aio does."""
        return self._wire is None or self._wire.status is not None

    def cancel(self) -> None:
        """The relayer hears that the adapter has gone."""
        if self._wire is not None:
            self._wire.close(grpc.StatusCode.CANCELLED)
            self._wire.network.leave(self._wire)

    @property
    def _status(self) -> Any:
        return self._failed or (self._wire and self._wire.status)

    def _error(self) -> grpc.aio.AioRpcError:
        nothing = grpc.aio.Metadata()
        return grpc.aio.AioRpcError(self._code(), nothing, nothing, str(self._status[1]))

    def _code(self) -> grpc.StatusCode:
        code: grpc.StatusCode = self._status[0]
        return code


class Incoming:
    """The relayer's end, to read from."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        frame = await self._wire.up.read()
        if frame is None:
            raise StopAsyncIteration
        return frame


class SimContext:
    """The relayer's end, to write to and to end."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def write(self, frame: pb.RelayerFrame) -> None:
        """As grpc.aio does."""
        if self.wire.up.is_over:
            raise grpc.aio.UsageError("RPC already finished.")
        await self.wire.down.write(frame)

    async def abort_with_status(self, status: Any) -> NoReturn:
        """As grpc.aio does."""
        self.wire.finish(status.code, status.details, status.trailing_metadata)
        raise grpc.aio.AbortError


class SimCallers:
    """Who is at the other end, as a certificate would tell."""

    def admit(self, context: SimContext) -> PeerId:
        """The city that dialled."""
        return PeerId(context.wire.city)

    def attend(self, session: object, context: object) -> None:
        """Nobody is revoked."""

    def leave(self, session: object) -> None:
        """Likewise."""
