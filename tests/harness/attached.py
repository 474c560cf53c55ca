"""An adapter client of a paper chain, attached to a scripted relayer over mTLS on loopback."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.accepted_log import AcceptedLog
from adapters.sdk.anchors import Anchors
from adapters.sdk.client import AdapterClient, Relayers
from adapters.sdk.session import City
from hub.core.time import SECOND, Duration
from hub.wire.packet import encode_packet
from tests.harness.certificates import Certificates
from tests.harness.city import BACK, CLIENT, OUT, PaperChain
from tests.harness.clock import FixedChance, ManualClock, until
from tests.harness.packet_samples import PACKET
from tests.harness.relayer import RelayedSession, ScriptedRelayer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from hub.core.lane import LaneKey


@dataclass
class Attached:
    """Both sides of one adapter's session."""

    chain: PaperChain
    clock: ManualClock
    relayer: ScriptedRelayer
    client: AdapterClient
    log: AcceptedLog

    async def session(self, *cursors: pb.LaneCursor, **fields: int) -> RelayedSession:
        """The next session, welcomed with these cursors."""
        session = await self.relayer.attached()
        await session.expect("hello")
        session.welcome(cursors, **fields)
        await until(lambda: self.client._session and self.client._session.is_welcome)
        return session

    async def redialled(self, *cursors: pb.LaneCursor, **fields: int) -> RelayedSession:
        """The session after one that has ended."""
        await until(lambda: self.client._session is None and self.clock.is_awaited)
        await self.clock.advance(Duration(3 * SECOND))
        return await self.session(*cursors, **fields)

    async def heard(self, session: RelayedSession) -> None:
        """The adapter has taken every frame that was said so far."""
        assert self.client._session is not None
        pump = self.client._session.pump
        heard: list[int] = []
        pump.grant = heard.append  # type: ignore[assignment, method-assign]
        session.say(credits=pb.Credits(count=0))
        await until(lambda: heard)
        del pump.grant  # the class has its own

    async def advance(self, session: RelayedSession, seconds: int) -> None:
        """Seconds pass, after each of which the relayer is heard."""
        for _ in range(seconds):
            await self.heard(session)
            await self.clock.advance(SECOND)
        await self.heard(session)


class StuckStream:
    """A stream whose other side takes nothing."""

    async def send(self, frame: pb.AdapterFrame) -> int:
        await asyncio.get_running_loop().create_future()
        return frame.frame_id


@asynccontextmanager
async def attached(
    directory: Path,
    *,
    chain: PaperChain | None = None,
    anchors: dict[str, Path] | None = None,
    more_relayers: int = 0,
    first_relayers: Sequence[str] = (),
    execution_credits: int = 2,
) -> AsyncIterator[Attached]:
    """A running adapter client; its relayer takes it, and says nothing by itself."""
    certificates = Certificates.make(directory / "certs")
    relayer = ScriptedRelayer()
    address = await relayer.start(certificates)
    chain = chain or PaperChain()
    clock = ManualClock()
    log = AcceptedLog(directory / "accepted.jsonl")
    cert_file, key_file, ca_file = map(str, certificates.files("/peers/hangzhou"))
    client = AdapterClient(
        City(
            chain=chain,
            anchors=Anchors.of_files(anchors or {}),
            log=log,
            clock=clock,
            randomness=FixedChance(),
            adapter="paper 1",
            execution_credits=execution_credits,
        ),
        Relayers(
            # Port 9 is discard: nobody listens there.
            addresses=[*first_relayers, *["127.0.0.1:9"] * more_relayers, address],
            cert_file=cert_file,
            key_file=key_file,
            ca_file=ca_file,
        ),
    )
    running = asyncio.ensure_future(client.run())
    try:
        yield Attached(chain, clock, relayer, client, log)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await relayer.stop()
        log.close()


def cursor(
    lane: LaneKey = OUT,
    *,
    is_source: bool = True,
    done: tuple[tuple[int, int], ...] = (),
    first: int = 1,
) -> pb.LaneCursor:
    """Where a lane stands."""
    ends = (lane.source_client, lane.destination_client)
    client, counterparty = ends if is_source else ends[::-1]
    return pb.LaneCursor(
        lane=lane.name,
        is_source=is_source,
        first_sequence=first,
        done=[pb.SequenceRange(first=low, last=high) for low, high in done],
        client=client,
        counterparty_client=counterparty,
    )


def sequences(frame: pb.AdapterFrame) -> list[int]:
    """The sequences of the paper items in *frame*."""
    if frame.WhichOneof("body") == "acknowledgements":
        return list(frame.acknowledgements.sequences)
    return [int(item.rstrip(b"\0")[1:]) for item in frame.packets.packets]


async def shown(session: RelayedSession) -> pb.AdapterFrame:
    """The next frame of items; headers before it are accepted."""
    while True:
        frame = await session.next()
        if frame.WhichOneof("body") != "headers":
            return frame
        session.accept(frame)


async def headers(session: RelayedSession, *heights: int) -> pb.AdapterFrame:
    """The next frame, which shows the headers of exactly these heights; it is accepted."""
    frame = await session.expect("headers")
    assert [header.content for header in frame.headers.headers] == [b"h%d" % n for n in heights]
    session.accept(frame, [(height, height) for height in heights])
    return frame


def receive(number: int, *packets: int) -> pb.Execution:
    """An execution that asks to receive packets."""
    return pb.Execution(
        execution_id=number,
        lane=BACK.name,
        client=CLIENT,
        receive=pb.Receive(
            packets=[encode_packet(replace(PACKET, sequence=number)) for number in packets],
            proof_height=client_pb2.Height(revision=1, number=7),
            proof_batch=b"batch",
        ),
    )
