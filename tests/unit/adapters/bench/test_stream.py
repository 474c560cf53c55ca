"""What leaves a stream, in which order, within which credits; the call is a list."""

from __future__ import annotations

from typing import Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.bench.stream import EXECUTIONS, Stream
from hub.core.height import Height
from hub.core.ids import ChainId

CREDITS = 10
PACKETS = pb.PacketBatch(lane="lanes/x").SerializeToString()
ANSWERS = pb.AcknowledgementBatch(lane="lanes/x").SerializeToString()


class Call:
    """Keeps what was written, and gives one welcome."""

    def __init__(self) -> None:
        self.written: list[pb.AdapterFrame] = []
        self.answers: list[object] = [
            pb.RelayerFrame(welcome=pb.Welcome(item_credits=CREDITS)).SerializeToString()
        ]

    async def write(self, content: bytes) -> None:
        self.written.append(pb.AdapterFrame.FromString(content))

    async def read(self) -> object:
        return self.answers.pop(0)

    async def code(self) -> str:
        return "UNAVAILABLE"

    async def details(self) -> str:
        return "gone"


@pytest.fixture
async def attached() -> tuple[Stream, Call]:
    stream: Any = object.__new__(Stream)
    call = Call()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapters.bench.stream.channel_credentials", lambda *_: None)
        patch.setattr("adapters.bench.stream.grpc.aio.secure_channel", lambda *_: Channel(call))
        stream = Stream("127.0.0.1:1", ("", "", ""))
    await stream.attach(ChainId("east-1"), enforced=True)
    stream.at(0, Height(1, 5))
    return stream, call


class Channel:
    def __init__(self, call: Call) -> None:
        self._call = call

    def stream_stream(self, _: str) -> Any:
        return lambda: self._call


async def flush(stream: Stream) -> None:
    while (frame := stream._take()) is not None:
        await stream._write(frame)


async def test_it_says_which_chain_and_whether_it_keeps_order(
    attached: tuple[Stream, Call],
) -> None:
    hello = attached[1].written[0].hello
    assert (hello.chain_id, hello.order_enforceable) == ("east-1", True)
    assert hello.execution_credits == EXECUTIONS


async def test_packets_leave_half_of_the_room_to_acknowledgements(
    attached: tuple[Stream, Call],
) -> None:
    stream, call = attached
    stream.send_packets((PACKETS, 4, 0))
    stream.send_packets((PACKETS, 4, 0))
    stream.send_acknowledgements((ANSWERS, 5, 0))
    await flush(stream)
    bodies = [frame.WhichOneof("body") for frame in call.written[1:]]
    assert bodies == ["acknowledgements", "packets"]
    assert [frame.frame_id for frame in call.written] == [1, 2, 3]
    stream.answered(3)
    await flush(stream)
    assert call.written[-1].WhichOneof("body") == "packets"
    stream.answered(99)  # of nothing that is charged


async def test_proofs_end_at_the_height_of_their_own_part(attached: tuple[Stream, Call]) -> None:
    stream, call = attached
    stream.at(1, Height(1, 9))
    for chunk in (0, 1):
        stream.send_acknowledgements((ANSWERS, 1, chunk))
    await flush(stream)
    heights = [frame.acknowledgements.proof_height.number for frame in call.written[1:]]
    assert heights == [5, 9]


async def test_what_holds_no_items_goes_first(attached: tuple[Stream, Call]) -> None:
    stream, call = attached
    stream.send_acknowledgements((ANSWERS, 1, 0))
    stream.send(pb.AdapterFrame(heartbeat=pb.Heartbeat()))
    await flush(stream)
    assert call.written[1].WhichOneof("body") == "heartbeat"


async def test_the_end_of_the_stream_is_told(attached: tuple[Stream, Call]) -> None:
    stream, call = attached
    call.answers.append(None)
    with pytest.raises(ConnectionError, match="UNAVAILABLE: gone"):
        await stream.receive()
