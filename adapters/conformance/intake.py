"""What the adapter shows, verified and kept as a hub would keep it, and the verdicts on it.

What is kept here is what the next welcome says is durable. An item of the exam may keep a verdict
back, or have a frame not taken at all, as a relayer that dies at a bad moment would.

Source: design section 5; relay.proto, PacketBatch, AcknowledgementBatch, Verdict, LaneCursor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, assert_never

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance.demand import Failed
from adapters.conformance.watch import BATCHES, HEADERS, HEADERS_FIRST, SHOWN_ONCE
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import FrameInvalid, HubError, Reason
from hub.core.lane import LaneKey, Side
from hub.core.paths import acknowledgement_key, commitment_key
from hub.core.ranges import EMPTY, RangeSet
from hub.wire.frames import (
    AbsenceFrame,
    AcknowledgementsFrame,
    HeadersFrame,
    MisbehaviourFrame,
    PacketsFrame,
    decode_frame,
    ranges_to_proto,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.conformance.follower import Follower
    from adapters.conformance.session import Session
    from adapters.conformance.watch import Watch
    from hub.core.height import Height
    from hub.core.packet import Acknowledgement, Packet

ItemsFrame = PacketsFrame | AcknowledgementsFrame


class Treatment(Enum):
    """What the examiner does with a frame of packets."""

    ANSWER = "answer"
    KEEP_SILENT = "keep silent"
    """It is durable, and nobody is told."""
    IGNORE = "ignore"
    """It is as if it had never come; ``answer_ignored`` may make up for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Items of one frame that was taken, with the proof of them all."""

    sequences: tuple[int, ...]
    height: Height
    proof: bytes
    packets: tuple[Packet, ...] = ()
    """Of a lane that leaves the adapter's chain."""
    acknowledgements: tuple[Acknowledgement, ...] = ()
    """Of a lane that arrives there."""


@dataclass(slots=True)
class Book:
    """One lane, as the hub holds it for the adapter's end."""

    key: LaneKey
    side: Side
    done: RangeSet = EMPTY
    """Durable."""
    batches: list[Batch] = field(default_factory=list)
    """In the order in which they were taken."""

    @property
    def cursor(self) -> pb.LaneCursor:
        """Where the lane stands, as a welcome says it."""
        ends = (self.key.source_client, self.key.destination_client)
        own, other = ends if self.side is Side.SOURCE else ends[::-1]
        return pb.LaneCursor(
            lane=self.key.name,
            is_source=self.side is Side.SOURCE,
            first_sequence=1,
            done=ranges_to_proto(self.done),
            proof_height=self.batches[-1].height.number if self.batches else 0,
            client=own,
            counterparty_client=other,
        )


class Intake:
    """Everything that is durable, and the verdicts on what comes."""

    def __init__(self, follower: Follower, watch: Watch) -> None:
        """Nothing was taken."""
        self.books: dict[LaneKey, Book] = {}
        self.treat: Callable[[PacketsFrame], Treatment] = lambda _: Treatment.ANSWER
        self.ignored: list[tuple[Session, pb.AdapterFrame]] = []
        """Frames that were not taken, and are not answered yet."""
        self._follower = follower
        self._watch = watch
        self._shown: dict[LaneKey, RangeSet] = {}
        """In this session, or durable before it."""

    def resume(self) -> list[pb.LaneCursor]:
        """Where the lanes stand; a session begins with it."""
        self.ignored.clear()
        self._shown = {key: book.done for key, book in self.books.items()}
        return [book.cursor for book in self.books.values()]

    def open(self, key: LaneKey, side: Side) -> Book:
        """The book of a lane that is open now."""
        self._shown[key] = EMPTY
        return self.books.setdefault(key, Book(key, side))

    def shown_of(self, key: LaneKey) -> Callable[[], RangeSet]:
        """Sequences of a lane that were shown in this session, or were durable before it."""
        return lambda: self._shown[key]

    async def run(self, session: Session) -> None:
        """Frames of *session* are worked on, in order."""
        while True:
            frame = await session.work.get()
            try:
                verdict = await self._verdict(session, frame, is_new=True)
                if verdict is not None:
                    session.answer(verdict)
            finally:
                session.work.task_done()
            self._watch.tell()

    async def answer_ignored(self) -> None:
        """Frames that were not taken are taken and answered now."""
        waiting, self.ignored = self.ignored, []
        for session, frame in waiting:
            verdict = await self._verdict(session, frame, is_new=False)
            session.answer(verdict or pb.Verdict(frame_id=frame.frame_id))
        self._watch.tell()

    async def _verdict(
        self, session: Session, frame: pb.AdapterFrame, *, is_new: bool
    ) -> pb.Verdict | None:
        """What becomes of *frame*; None where nobody is told."""
        try:
            return await self._judged(session, frame, is_new=is_new)
        except (HubError, Failed) as error:
            rule = HEADERS if frame.HasField("headers") else BATCHES
            kind = frame.WhichOneof("body")
            reason = error.reason if isinstance(error, HubError) else Reason.ANSWER_OVERDUE
            came = f"{reason}: {error}"
            self._watch.hold(rule, False, f"a frame of {kind} that verifies", came)
            refusal = pb.Refusal(reason=reason, detail=str(error)[:512])
            return pb.Verdict(frame_id=frame.frame_id, refused=[refusal])

    async def _judged(
        self, session: Session, frame: pb.AdapterFrame, *, is_new: bool
    ) -> pb.Verdict | None:
        decoded = decode_frame(frame)
        match decoded:
            case HeadersFrame():
                return await self._headers(decoded)
            case PacketsFrame() | AcknowledgementsFrame():
                treatment = Treatment.ANSWER
                if is_new and isinstance(decoded, PacketsFrame):
                    treatment = self.treat(decoded)
                if is_new:
                    self._note(decoded)
                if treatment is Treatment.IGNORE:
                    self.ignored.append((session, frame))
                    return None
                verdict = self._items(decoded)
                return verdict if treatment is Treatment.ANSWER else None
            case AbsenceFrame() | MisbehaviourFrame():
                # Both may be told unasked; the exam asks for absence, and the chain is honest.
                return pb.Verdict(frame_id=frame.frame_id)
            case _:
                assert_never(decoded)

    async def _headers(self, frame: HeadersFrame) -> pb.Verdict:
        heights = [(await self._follower.add(header)).height.number for header in frame.headers]
        rises = heights == sorted(set(heights))
        self._watch.hold(HEADERS, rises, "heights that rise within a frame", heights)
        accepted = ranges_to_proto(RangeSet.of(heights))
        return pb.Verdict(frame_id=frame.frame_id, accepted=accepted)

    def _note(self, frame: ItemsFrame) -> None:
        """What can be wrong with when *frame* is shown."""
        newest = self._follower.newest
        shown = newest.height.number if newest else 0
        wanted = f"the header at {frame.proof_height} before what it proves"
        is_first = frame.proof_height.number <= shown and self._knows(frame.proof_height)
        self._watch.hold(HEADERS_FIRST, is_first, wanted, f"headers up to {shown}")
        before = self._shown.get(frame.lane, EMPTY)
        fresh = RangeSet.of(_sequences(frame))
        again = before & fresh
        wanted = f"each sequence of {frame.lane.name} once in a session, and none that is durable"
        self._watch.hold(SHOWN_ONCE, not again, wanted, f"{list(again)[:8]} again")
        self._shown[frame.lane] = before | fresh

    def _knows(self, height: Height) -> bool:
        try:
            return self._follower.state(height.number).height == height
        except HubError:
            return False

    def _items(self, frame: ItemsFrame) -> pb.Verdict:
        """The verdict on *frame*, whose items are durable now. Raises ``HubError``."""
        book = self.books.get(frame.lane)
        side = Side.SOURCE if isinstance(frame, PacketsFrame) else Side.DESTINATION
        if book is None or book.side is not side:
            problem = f"is no lane with this end here: {frame.lane.name}"
            raise FrameInvalid(frame="items", problem=problem)
        state = self._follower.state(frame.proof_height.number)
        client, prefix = self._follower.light_client, self._follower.anchor.prefix
        client.verify_batch(state.root, prefix, _leaves(frame), frame.proof_batch)
        self._watch.seen[BATCHES] += 1
        sequences = RangeSet.of(_sequences(frame))
        new, old = sequences - book.done, sequences & book.done
        book.done |= sequences
        if new:
            book.batches.append(_batch(frame))
        return pb.Verdict(
            frame_id=frame.frame_id,
            accepted=ranges_to_proto(new),
            already_done=ranges_to_proto(old),
        )


def _sequences(frame: ItemsFrame) -> tuple[int, ...]:
    if isinstance(frame, PacketsFrame):
        return tuple([packet.sequence for packet in frame.packets])
    return frame.sequences


def _leaves(frame: ItemsFrame) -> list[tuple[bytes, bytes]]:
    """What the frame's proof batch must show."""
    if isinstance(frame, PacketsFrame):
        source = frame.lane.source_client
        return [(commitment_key(source, one.sequence), commit_packet(one)) for one in frame.packets]
    client = frame.lane.destination_client
    pairs = zip(frame.sequences, frame.acknowledgements, strict=True)
    return [(acknowledgement_key(client, at), commit_acknowledgement(one)) for at, one in pairs]


def _batch(frame: ItemsFrame) -> Batch:
    return Batch(
        sequences=_sequences(frame),
        height=frame.proof_height,
        proof=frame.proof_batch,
        packets=frame.packets if isinstance(frame, PacketsFrame) else (),
        acknowledgements=() if isinstance(frame, PacketsFrame) else frame.acknowledgements,
    )
