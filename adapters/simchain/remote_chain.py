"""The chain's own process, as the adapter's process calls it: SimchainService, mutual TLS.

Each connection is dialled anew, with the certificate read anew. A call that failed tells nothing of
what became of it, unless the chain itself gave a reason.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
from ydhub.simchain.v1 import simchain_service_pb2 as pb
from ydhub.simchain.v1 import simchain_service_pb2_grpc as service

from adapters.sdk.waiting import within
from hub.core.errors import LimitExceeded, RecordCorrupt
from hub.core.time import SECOND, Duration
from hub.wire.identity.credentials import channel_credentials
from hub.wire.status import RemoteError, from_rpc_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from adapters.sdk.clock import Clock
    from adapters.sdk.config import Tls

MAX_TRANSACTION: Final = 8 * 1024 * 1024
"""Bytes; more than the frame that a relayer asks an execution by."""
MAX_RECORD: Final = 512 * 1024 * 1024
"""Bytes of a block's record; no chain of ours comes near."""
SILENCE: Final = Duration(5 * SECOND)
"""A chain that says nothing for so long (ns) is gone, whatever its connection looks like."""
_SUBMITTED_WITHIN_S: Final = 5

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_send_message_length", MAX_TRANSACTION + 64 * 1024),
    # Each dial is a fresh one: no backoff of an earlier channel to the same address counts.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A block, as another node makes it again."""

    record: bytes
    header: bytes
    """The signed header that it must lead to."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What the chain said."""

    blocks: tuple[SignedRecord, ...]
    height: int
    """Of its newest block."""


class RemoteChain:
    """One chain's process, dialled whenever it is followed."""

    def __init__(self, address: str, tls: Tls, clock: Clock) -> None:
        """The chain that listens at *address*, host:port."""
        self._address = address
        self._tls = tls
        self._clock = clock
        self._stub: service.SimchainServiceAsyncStub | None = None

    async def follow(self, from_height: int) -> AsyncGenerator[Followed, None]:
        """Every block from *from_height* on, until the connection ends.

        Raises ``RemoteError`` then, ``FieldInvalid`` for unreadable certificates, ``RecordCorrupt``
        for a block beyond all bounds.
        """
        tls = self._tls
        credentials = channel_credentials(tls.cert_file, tls.key_file, tls.ca_file)
        async with grpc.aio.secure_channel(self._address, credentials, options=_OPTIONS) as channel:
            self._stub = service.SimchainServiceStub(channel)
            try:
                stream = self._stub.FollowBlocks(pb.FollowBlocksRequest(from_height=from_height))
                record = bytearray()
                while True:
                    answer = await self._next(stream)
                    yield Followed(tuple(_whole(answer, record)), answer.height)
            finally:
                self._stub = None

    async def submit(self, data: bytes) -> int:
        """The height of the one block that may hold the transaction with the bytes *data*.

        Raises ``RemoteError``, or ``LimitExceeded`` where it is too long to be taken.
        """
        if len(data) > MAX_TRANSACTION:
            raise LimitExceeded(what="transaction's bytes", count=len(data), limit=MAX_TRANSACTION)
        if self._stub is None:
            raise _unavailable("is not connected")
        request = pb.SubmitTransactionRequest(transaction=data)
        call = self._stub.SubmitTransaction(request, timeout=_SUBMITTED_WITHIN_S)
        try:
            return (await call).height
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The connection that it went over was given up.
            raise _unavailable("was disconnected") from None

    async def _next(
        self, stream: grpc.aio.UnaryStreamCall[pb.FollowBlocksRequest, pb.FollowBlocksResponse]
    ) -> pb.FollowBlocksResponse:
        """What the chain says next. Raises ``RemoteError``."""
        try:
            answer = await within(stream.read(), self._clock, SILENCE)
        except TimeoutError as error:
            raise _unavailable("is silent") from error
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        if not isinstance(answer, pb.FollowBlocksResponse):
            raise _unavailable("has ended the stream")
        return answer


def _whole(answer: pb.FollowBlocksResponse, record: bytearray) -> list[SignedRecord]:
    """The blocks that *answer* completes; what there is of the next one stays in *record*."""
    found = []
    for part in answer.parts:
        record += part.record
        if len(record) > MAX_RECORD:
            stored, computed = f"over {MAX_RECORD} bytes", "less"
            raise RecordCorrupt(what="followed block", stored=stored, computed=computed)
        if part.header:
            found.append(SignedRecord(bytes(record), part.header))
            record.clear()
    return found


def _unavailable(problem: str) -> RemoteError:
    return RemoteError(code="UNAVAILABLE", reason=None, message=f"the chain's process {problem}")
