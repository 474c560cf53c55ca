"""Work on one session's proven frames, in order: verify, judge, record, answer.

The verdict goes out only after the registry has committed. A frame that fails changes nothing but a
counter; what is evidence is kept. What is cheap is checked first: sizes and ranges, whether the
peer must wait, the lane and its state, whether all of it is known already, whether the header of
the proof is; only then is anything hashed.

Source: design section 5; reliability notes section 6, crash points C1 to C4.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, assert_never

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    ClientFrozen,
    ClientPending,
    HubError,
    IdentityNotAllowed,
    LeaseLost,
    OutcomeDiffers,
    PacketDiffers,
    PacketNotFound,
    Reason,
)
from hub.core.ids import parse_peer_id
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import OutcomeKind
from hub.exchange import outcomes, packets
from hub.exchange.packets import Judgement
from hub.wire.frames import (
    MAX_HEADERS,
    AbsenceFrame,
    AcknowledgementsFrame,
    HeadersFrame,
    MisbehaviourFrame,
    PacketsFrame,
    decode_frame,
    headers_from_proto,
    ranges_to_proto,
)
from hub.wire.tracing import Stage
from relayer.failpoints import Failpoint, hit
from relayer.penalties import PACE
from relayer.steps.events import Added, Ended, Lapsed
from relayer.verdicts import broken, verdict
from relayer.verification import Root, prove_absence, prove_acknowledgements, prove_packets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub.core.client import ConsensusState, Header
    from hub.core.errors import RateLimited
    from hub.core.height import Height
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from hub.exchange.outcomes import ProvenOutcomes
    from hub.ports.leases import Fence
    from hub.wire.tracing import Span
    from relayer.headers import HeaderKeeper
    from relayer.session import Session
    from relayer.switchboard import LaneDesk, Switchboard
    from relayer.telemetry import Telemetry

T = TypeVar("T")
F = TypeVar("F", PacketsFrame, AcknowledgementsFrame)

BRIEF_BYTES: Final = 64 * 1024
"""Of a proof batch: what 256 leaves of a tree of 10^6 keys need, and some more; at most two
milliseconds of hashing under the interpreter's lock. Handing that to a thread and back takes 85 us
of CPU besides, and, where the interpreter is busy, up to two switch intervals (10 ms)."""

_log = structlog.get_logger()

_SLOWED = str(Reason.RATE_LIMITED)


class Inbound:
    """The worker of one session's frames."""

    def __init__(
        self, board: Switchboard, session: Session, fence: Fence, telemetry: Telemetry
    ) -> None:
        """A worker that writes under *fence*."""
        self._board = board
        self._session = session
        self._fence = fence
        self._telemetry = telemetry

    async def run(self) -> None:
        """Works until the session ends."""
        while True:
            frames = [await self._session.work.get()]
            if frames[0].HasField("headers"):
                frames += self._session.work.headers()
                await self._climb(frames)
            for frame in frames:
                await self._judge(frame)

    async def record_outcomes(
        self, desk: LaneDesk, proven: ProvenOutcomes, shown: pb.AdapterFrame
    ) -> Judgement:
        """What became of the outcomes that *shown* proves, durable, and told to the lane's ways.

        Two outcomes proven for one packet freeze the destination's client. Raises as
        ``outcomes.record``.
        """
        hit(Failpoint.OUTCOMES_VERIFIED)
        async with desk.settling:
            judgement, view = await outcomes.record(
                self._board.registry, self._fence, desk.view, proven
            )
            hit(Failpoint.OUTCOMES_COMMITTED)
            indexes = desk.settled(view, judgement.accepted)
        if judgement.accepted:
            if desk.delivery is not None:
                desk.delivery.feed(_end(proven, judgement.accepted))
            if desk.settlement is not None:
                desk.settlement.feed(Added(indexes))
            self._telemetry.outcomes(desk.key, len(judgement.accepted))
        await self._keep_conflict(desk, judgement, shown, view.destination_anchor)
        return judgement

    async def _climb(self, frames: Sequence[pb.AdapterFrame]) -> None:
        """The headers of *frames* are verified and stored together, as far as they are in order.

        Each frame is judged afterwards, so what fails here fails there.
        """
        if sum(len(frame.headers.headers) for frame in frames) > 1:
            peer = self._session.peer
            try:
                self._board.penalties.check(peer, "headers")
                headers = [one for frame in frames for one in headers_from_proto(frame.headers)]
                await (await self._board.keeper(peer)).climb(headers[:MAX_HEADERS])
            except HubError as error:
                _log.info("climb_failed", peer=peer, reason=error.reason, detail=str(error))
            except Exception:  # noqa: BLE001 - as where a frame is judged
                _log.exception("climb_broke", peer=peer)

    async def _judge(self, frame: pb.AdapterFrame) -> None:
        """The frame's verdict goes out."""
        hit(Failpoint.FRAME_RECEIVED)
        kind = str(frame.WhichOneof("body"))
        answer = await self._answer(frame, kind)
        self._telemetry.frame(self._session.peer, kind, answer)
        self._session.answered(frame, answer)
        hit(Failpoint.VERDICT_SENT)
        if any(not one.sequence and one.reason == _SLOWED for one in answer.refused):
            await self._board.clock.sleep(PACE)

    async def _answer(self, frame: pb.AdapterFrame, kind: str) -> pb.Verdict:
        peer, penalties = self._session.peer, self._board.penalties
        try:
            penalties.check(peer, kind)
            return await self._work(frame)
        except HubError as error:
            penalties.judged(peer, kind, error)
            _log.warning(
                "frame_refused",
                peer=self._session.peer,
                kind=kind,
                frame=frame.frame_id,
                reason=error.reason,
                detail=str(error),
            )
            if isinstance(error, LeaseLost):
                self._session.end(error)
            return verdict(frame.frame_id, Judgement(refused=((0, error),)))
        except Exception:  # noqa: BLE001 - a bug costs one frame, not the session
            _log.exception("frame_broke", peer=self._session.peer, frame=frame.frame_id, kind=kind)
            return broken(frame.frame_id)

    async def _work(self, frame: pb.AdapterFrame) -> pb.Verdict:
        decoded = decode_frame(frame)
        match decoded:
            case PacketsFrame():
                return verdict(frame.frame_id, await self._packets(decoded, frame))
            case AcknowledgementsFrame():
                return verdict(frame.frame_id, await self._acknowledgements(decoded, frame))
            case AbsenceFrame():
                return verdict(frame.frame_id, await self._absence(decoded, frame))
            case HeadersFrame(headers=headers):
                keeper = await self._board.keeper(self._session.peer)
                accepted = ranges_to_proto(RangeSet.of(await keeper.add(headers)))
                return pb.Verdict(frame_id=frame.frame_id, accepted=accepted)
            case MisbehaviourFrame():
                await self._misbehaviour(decoded)
                return pb.Verdict(frame_id=frame.frame_id)
            case _:
                assert_never(decoded)

    async def _packets(self, frame: PacketsFrame, shown: pb.AdapterFrame) -> Judgement:
        desk = await self._desk(frame.lane, frame.lane.source_peer)
        packets.check_accepts(desk.view)
        before = await packets.repeated(self._board.registry, desk.view, frame)
        if before is not None:
            return before
        over = self._over(desk, frame)
        if len(over) == len(frame.packets):
            now = self._board.clock.monotonic()
            desk.limiter.note(frame.packets, desk.routes, EMPTY, over, now)
            return Judgement(refused=tuple(over.items()))
        items = partial(RangeSet.of, (packet.sequence for packet in frame.packets))
        tracing, lane = self._board.tracing, desk.key.name
        with tracing.stage(Stage.ACCEPT, lane, items, shown.trace) as span:
            judgement, anchor = await self._accept(desk, frame, span)
        taken = judgement.accepted
        if taken:
            if desk.delivery is not None:
                open_ones = taken - desk.view.destination.done
                desk.delivery.feed(Added(open_ones - judgement.denied))
            self._telemetry.accepted(desk.key, len(taken), len(judgement.denied))
        await self._keep_conflict(desk, judgement, shown, anchor)
        return judgement

    def _over(self, desk: LaneDesk, frame: PacketsFrame) -> dict[int, RateLimited]:
        """The new ones of *frame* that are over the limits of their routes now."""
        done, now = desk.view.source.done, self._board.clock.monotonic()
        new = [packet for packet in frame.packets if packet.sequence not in done]
        return desk.limiter.over(new, desk.routes, now)

    async def _accept(
        self, desk: LaneDesk, frame: PacketsFrame, span: Span
    ) -> tuple[Judgement, int]:
        """What became of the packets that *frame* proves, durable; the anchor's height then."""
        tracing = self._board.tracing
        with tracing.part(Stage.VERIFY, span):
            root = await self._root(frame.proof_height)
            hit(Failpoint.VERIFICATION_BEGUN)
            proven = await self._prove(prove_packets, root, frame)
        hit(Failpoint.PACKETS_VERIFIED)
        with tracing.part(Stage.STORE, span):
            async with desk.accepting:
                now = self._board.clock.monotonic()
                over = self._over(desk, frame)
                judgement, view = await packets.accept(
                    self._board.registry, self._fence, desk.view, desk.routes, proven, over=over
                )
                hit(Failpoint.PACKETS_COMMITTED)
                desk.accepted(view, judgement.accepted, _earliest(frame))
                desk.limiter.note(frame.packets, desk.routes, judgement.accepted, over, now)
        return judgement, view.source_anchor

    async def _acknowledgements(
        self, frame: AcknowledgementsFrame, shown: pb.AdapterFrame
    ) -> Judgement:
        desk = await self._desk(frame.lane, frame.lane.destination_peer)
        outcomes.check_takes_outcomes(desk.view)
        before = await outcomes.repeated(self._board.registry, desk.view, frame)
        if before is not None:
            return before
        tracing, lane = self._board.tracing, desk.key.name
        items = partial(RangeSet.of, frame.sequences)
        with tracing.stage(Stage.ACKNOWLEDGE, lane, items, shown.trace) as span:
            with tracing.part(Stage.VERIFY, span):
                root = await self._root(frame.proof_height)
                proven = await self._prove(prove_acknowledgements, root, frame)
            with tracing.part(Stage.STORE, span):
                judgement = await self.record_outcomes(desk, proven, shown)
        unknown = [s for s, error in judgement.refused if isinstance(error, PacketNotFound)]
        if unknown:
            desk.answered(RangeSet.of(unknown))
        return judgement

    async def _absence(self, frame: AbsenceFrame, shown: pb.AdapterFrame) -> Judgement:
        desk = await self._desk(frame.lane, frame.lane.destination_peer)
        outcomes.check_takes_outcomes(desk.view)
        root = await self._root(frame.proof_height)
        wanted = RangeSet.of([frame.sequence])
        stored = await self._board.registry.packets.read(desk.view.lane.lane_id, wanted)
        if not stored:
            raise PacketNotFound(name=f"{desk.key.name}/packets/{frame.sequence}")
        timeout = stored[0].timeout_timestamp
        proven = await self._run(prove_absence, root, frame, timeout)
        return await self.record_outcomes(desk, proven, shown)

    async def _misbehaviour(self, frame: MisbehaviourFrame) -> None:
        """Two headers that contradict each other freeze the hub's client of their chain."""
        peer = parse_peer_id(frame.peer) if frame.peer else self._session.peer
        keeper = await self._board.keeper(peer)
        anchor = keeper.hub_client.anchor
        await self._check_news(keeper)
        sides = []
        for header, height in (
            (frame.first, frame.first_trusted_height),
            (frame.second, frame.second_trusted_height),
        ):
            state = await self._trusted(keeper, header, height)
            sides.append((state, await keeper.validators_after(state), header))
        now = self._board.clock.now()
        await self._run(lambda: keeper.light_client.verify_misbehaviour(anchor, *sides, now=now))
        cause = "misbehaviour submitted by an adapter"
        await keeper.freeze(cause, frame.first, frame.second, anchor)

    async def _check_news(self, keeper: HeaderKeeper) -> None:
        """More evidence against the chain is of use. Raises ``ClientFrozen``.

        A client that an administrator froze, without evidence, takes the first; what was recorded
        before it was recovered last is not against it any more.
        """
        client, clients = keeper.hub_client, self._board.registry.clients
        if client.is_frozen and await clients.evidence(client.peer, standing=True):
            raise ClientFrozen(client=client.name, cause=client.frozen_cause)

    async def _trusted(self, keeper: HeaderKeeper, header: Header, height: int) -> ConsensusState:
        """The state to judge *header* from: at *height*, or the newest below it where that is 0.

        What was verified before a recovery does not count: the same evidence freezes once.
        """
        if height:
            return await keeper.standing(height)
        claimed = await self._run(keeper.light_client.read_header, header)
        return await keeper.standing_below(claimed.height.number)

    async def _desk(self, lane: LaneKey, end: PeerId) -> LaneDesk:
        """The lane's desk, whose *end* the frame speaks for. Raises ``IdentityNotAllowed``."""
        if end != self._session.peer:
            identity = f"peers/{self._session.peer}"
            raise IdentityNotAllowed(identity=identity, action=f"speak for {lane.name} here")
        return await self._board.desk(lane)

    async def _root(self, height: Height) -> Root:
        keeper = await self._board.keeper(self._session.peer)
        state = await keeper.root_at(height)
        return Root(keeper.light_client, keeper.hub_client.anchor.prefix, state)

    async def _keep_conflict(
        self, desk: LaneDesk, judgement: Judgement, shown: pb.AdapterFrame, anchor: int
    ) -> None:
        """Two proven truths under one identity are evidence, and freeze the client that proved.

        One is enough: what was *shown* proves all of them. The client started from the height
        *anchor* when they were judged. Raises ``ClientPending`` where it has started again since.
        """
        for sequence, error in judgement.refused:
            if not isinstance(error, PacketDiffers | OutcomeDiffers):
                continue
            cause = f"two truths for {desk.key.name}/packets/{sequence}"
            stored = await self._stored(desk, sequence, error)
            evidence = (error.reason, stored, shown.SerializeToString(deterministic=True))
            peer = self._session.peer
            _log.error("misbehaviour", peer=peer, cause=cause, reason=error.reason)
            under = (await self._board.keeper(peer)).hub_client.anchor
            if under.height.number != anchor:
                raise ClientPending(client=f"peers/{peer}/client", height=under.height.number)
            clients, caller = self._board.registry.clients, self._board.caller
            await clients.freeze(peer, cause, evidence, caller, under)
            await self._board.refresh(peer)
            return

    async def _stored(self, desk: LaneDesk, sequence: int, error: HubError) -> bytes:
        """What *error* contradicts: a packet's canonical bytes, or an outcome's kind and bytes."""
        registry, lane_id = self._board.registry, desk.view.lane.lane_id
        one = RangeSet.of([sequence])
        if isinstance(error, PacketDiffers):
            return b"".join(
                [packet.content for packet in await registry.packets.read(lane_id, one)]
            )
        found = await registry.outcomes.find(lane_id, one)
        return b"".join([f"{outcome.kind} ".encode() + outcome.content for outcome in found])

    async def _prove(self, prove: Callable[[Root, F], T], root: Root, frame: F) -> T:
        """What *frame* proves; in a thread, unless that would take longer than the work itself.

        Everybody else has had a turn before what is done here.
        """
        if len(frame.proof_batch) > BRIEF_BYTES:
            return await self._run(prove, root, frame)
        await asyncio.sleep(0)
        began = time.thread_time_ns()
        try:
            return prove(root, frame)
        finally:
            self._telemetry.verified(self._session.peer, time.thread_time_ns() - began)

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        pool = self._board.pool_of(self._session.peer)
        return await asyncio.get_running_loop().run_in_executor(pool, function, *args)


def _end(proven: ProvenOutcomes, items: RangeSet) -> Ended | Lapsed:
    """How *items*, of the outcomes *proven* together, have ended: with a receipt or without."""
    is_received = proven.outcomes[0].kind is OutcomeKind.ACKNOWLEDGEMENT
    return Ended(items) if is_received else Lapsed(items)


def _earliest(frame: PacketsFrame) -> int:
    """The earliest timeout (s) of the packets of *frame*."""
    return min([packet.timeout_timestamp for packet in frame.packets])
