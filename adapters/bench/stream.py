"""One stream to the relayer, as light as it can be: bytes out, credits, frame ids.

Frames are bytes that were built before; only their id, and the height that their proof ends at, is
put in front when they leave.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import grpc
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.wire.identity.credentials import channel_credentials

if TYPE_CHECKING:
    from hub.core.height import Height
    from hub.core.ids import ChainId

_ATTACH: Final = "/ydhub.relay.v1.RelayService/Attach"
_PACKETS: Final = pb.AdapterFrame.PACKETS_FIELD_NUMBER
_ACKNOWLEDGEMENTS: Final = pb.AdapterFrame.ACKNOWLEDGEMENTS_FIELD_NUMBER
_PROOF_HEIGHT: Final = pb.PacketBatch.PROOF_HEIGHT_FIELD_NUMBER
_BYTES: Final = 2 * 1024 * 1024
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _BYTES),
    ("grpc.max_send_message_length", _BYTES),
)
Batch = tuple[bytes, int, int]
"""A batch without its height, how many items it has, and the part of the load it belongs to."""
EXECUTIONS: Final = 64
"""Executions that the relayer may have outstanding here."""


class Stream:
    """An attached stream: what is to be sent, in order, within the relayer's credits."""

    def __init__(self, address: str, files: tuple[str, str, str]) -> None:
        """A stream to *address* with the certificate, key and CA of *files*, not dialled."""
        self._channel = grpc.aio.secure_channel(address, channel_credentials(*files), _OPTIONS)
        method: Any = self._channel.stream_stream(_ATTACH)  # no serialisers: bytes in, bytes out
        self._call: Any = method()
        self._plain: deque[bytes] = deque()
        self._acknowledgements: deque[Batch] = deque()
        self._packets: deque[Batch] = deque()
        self._charged: dict[int, tuple[int, bool]] = {}
        self._credits = 0
        self._packet_credits = 0
        self._last_id = 0
        self._heights: dict[int, bytes] = {}
        self._woken = asyncio.Event()

    async def attach(self, chain: ChainId, *, enforced: bool = False) -> pb.Welcome:
        """The relayer's welcome to the adapter of *chain*, which keeps order or not."""
        hello = pb.Hello(
            protocol_versions=[1],
            adapter="bench",
            chain_id=chain,
            execution_credits=EXECUTIONS,
            order_enforceable=enforced,
        )
        await self._write(pb.AdapterFrame(hello=hello).SerializeToString())
        welcome = (await self.receive()).welcome
        self._credits = welcome.item_credits
        # Acknowledgements must always find room: what waits for them would never become free.
        self._packet_credits = welcome.item_credits // 2
        return welcome

    def at(self, chunk: int, height: Height) -> None:
        """Proofs of that part of the load end at *height* from now on; its header was sent before.

        Those of other parts end where they did: at the last header of their root.
        """
        content = varint_field(1, height.revision) + varint_field(2, height.number)
        self._heights[chunk] = message_field(_PROOF_HEIGHT, content)

    def send(self, frame: pb.AdapterFrame) -> None:
        """*frame* goes out as soon as it can."""
        self._plain.append(frame.SerializeToString())
        self._woken.set()

    def send_packets(self, batch: Batch) -> None:
        """A ``PacketBatch`` without height goes out when there are credits for it."""
        self._packets.append(batch)
        self._woken.set()

    def send_acknowledgements(self, batch: Batch) -> None:
        """An ``AcknowledgementBatch`` without height goes out when there are credits for it."""
        self._acknowledgements.append(batch)
        self._woken.set()

    def answered(self, frame_id: int) -> None:
        """The relayer has answered the frame: its credits are free."""
        count, are_packets = self._charged.pop(frame_id, (0, False))
        self._credits += count
        if are_packets:
            self._packet_credits += count
        self._woken.set()

    async def receive(self) -> pb.RelayerFrame:
        """The next frame. Raises ``ConnectionError`` when the stream is over."""
        content = await self._call.read()
        if not isinstance(content, bytes):
            problem = f"{await self._call.code()}: {await self._call.details()}"
            raise ConnectionError(f"the relayer ended the stream: {problem}")
        return pb.RelayerFrame.FromString(content)

    async def run(self) -> None:
        """Sends until it is cancelled."""
        while True:
            self._woken.clear()
            while (frame := self._take()) is not None:
                await self._write(frame)
            await self._woken.wait()

    async def close(self) -> None:
        """The stream and its channel are over."""
        self._call.cancel()
        await self._channel.close()

    def _take(self) -> bytes | None:
        """The next frame that may go out, without its id."""
        if self._plain:
            return self._plain.popleft()
        if self._acknowledgements and self._acknowledgements[0][1] <= self._credits:
            return self._charge(_ACKNOWLEDGEMENTS, self._acknowledgements.popleft())
        limit = min(self._credits, self._packet_credits)
        if self._packets and self._packets[0][1] <= limit:
            batch = self._packets.popleft()
            self._packet_credits -= batch[1]
            return self._charge(_PACKETS, batch)
        return None

    def _charge(self, field: int, batch: Batch) -> bytes:
        content, count, chunk = batch
        self._credits -= count
        self._charged[self._last_id + 1] = (count, field == _PACKETS)
        return bytes_field(field, content + self._heights[chunk])

    async def _write(self, frame: bytes) -> None:
        self._last_id += 1
        await self._call.write(varint_field(1, self._last_id) + frame)
