"""Find packets whose timeout has passed at the destination, and have their absence proven.

The destination's verified header decides, never a clock of ours: one header gives both the time and
the root. A packet that turns out to be received is left to its acknowledgement.

Source: design section 3, "A timeout is legal from every state that is not acknowledged";
ICS-04 v2, timeoutPacket.
"""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING, Final

import structlog

from hub.core.errors import HubError
from hub.core.packet import MAX_TIMEOUT
from hub.core.paths import receipt_key
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, whole_seconds
from hub.exchange.reading import in_parts
from hub.wire.frames import AbsenceFrame, absence_to_proto
from relayer.failpoints import Failpoint, hit
from relayer.reproof import ask
from relayer.verification import Root, prove_absence
from relayer.watches import Watch

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from hub.core.client import ConsensusState
    from hub.core.record import StoredPacket, TimeoutBatch
    from hub.ports.leases import Fence
    from relayer.inbound import Inbound
    from relayer.switchboard import LaneDesk, Switchboard

_log = structlog.get_logger()

BATCHES: Final = 16
"""Batches of one lane that one sweep looks at."""
PACKETS: Final = 64
"""Packets that are judged together; each may be large."""
LANES_AT_ONCE: Final = 1024
"""Lanes that one question to the registry is about."""
TIDY_EVERY: Final = 30
"""Seconds of the destination's time between two looks for what lanes at rest have left."""
ASK_AGAIN: Final = 5
"""Seconds of the destination's time until a packet that is received, but not acknowledged, is asked
for again."""


class TimeoutSweep:
    """The sweep over all lanes towards one peer, which this process owns.

    It knows when each lane with open packets is due next, and looks at no other.
    """

    def __init__(self, board: Switchboard, fence: Fence, inbound: Inbound) -> None:
        """A sweep that hands proven absences to *inbound*."""
        self._board = board
        self._fence = fence
        self._inbound = inbound
        self._swept_at = 0
        self._tidied_at = 0
        self.watch: Watch[LaneDesk] = Watch()
        """Lanes with more open packets than before, or fewer."""
        self._due: list[tuple[int, int]] = []
        """Times (s) and lane ids, the earliest first."""
        self._waits: dict[int, tuple[int, LaneDesk]] = {}
        """By lane id when it is due (s); other entries of the line are void."""
        self._resting: dict[int, LaneDesk] = {}
        """Lanes all of whose packets have ended, and may have left batches."""

    async def run(self) -> None:
        """Sweeps once for every second of the destination's own time."""
        while True:
            await self._board.clock.sleep(SECOND)
            try:
                await self.sweep()
            except HubError as error:
                _log.info("sweep_failed", reason=error.reason, detail=str(error))

    async def sweep(self) -> None:
        """Every due packet of every lane is judged by the destination's newest header, once.

        A lane that fails is swept again, and holds up no other. Raises ``ClientPending``,
        ``ClientFrozen``, ``TrustExpired`` or ``RegistryUnreachable``.
        """
        state = (await self._board.keeper(self._fence.peer)).latest_verified()
        at = whole_seconds(state.time)
        if at <= self._swept_at:
            return
        await self._line_up()
        failed: list[LaneDesk] = []
        for desk in self._take_due(at):
            desk.next_timeout = None
            if not await self._try(self._sweep_batches(desk, state, at), desk):
                failed.append(desk)
            self.watch.see(desk)
        if not failed:
            self._swept_at = at
        await self._tidy(at)

    async def _line_up(self) -> None:
        """Lanes that changed stand in the line by when they are due next, or rest."""
        unknown: list[LaneDesk] = []
        for desk in self.watch.take():
            lane_id = desk.view.lane.lane_id
            if not desk.view.source.done - desk.view.destination.done:
                self._waits.pop(lane_id, None)
                if desk.view.source.done:
                    self._resting[lane_id] = desk
                continue
            self._resting.pop(lane_id, None)
            if desk.next_timeout is None:
                unknown.append(desk)
            else:
                self._wait(desk, desk.next_timeout)
        await self._read_times(unknown)

    async def _read_times(self, desks: list[LaneDesk]) -> None:
        """*desks* stand in the line as the registry says. Raises ``RegistryUnreachable``."""
        for at in range(0, len(desks), LANES_AT_ONCE):
            some = {desk.view.lane.lane_id: desk for desk in desks[at : at + LANES_AT_ONCE]}
            for desk in some.values():
                desk.next_timeout = MAX_TIMEOUT  # what is accepted meanwhile may be earlier
            try:
                times = await self._board.registry.packets.earliest_timeouts(some)
            except BaseException:  # the lane outlives the session, which may end here
                for desk in desks[at:]:
                    desk.next_timeout = None
                    self.watch.see(desk)
                raise
            for lane_id, desk in some.items():
                if desk.next_timeout is None:  # others have accepted something meanwhile
                    self.watch.see(desk)
                else:
                    desk.next_timeout = min(desk.next_timeout, times.get(lane_id, MAX_TIMEOUT))
                    self._wait(desk, desk.next_timeout)

    def _wait(self, desk: LaneDesk, due: int) -> None:
        lane_id = desk.view.lane.lane_id
        if self._waits.get(lane_id, (-1, desk))[0] != due:
            self._waits[lane_id] = (due, desk)
            heapq.heappush(self._due, (due, lane_id))

    def _take_due(self, at: int) -> list[LaneDesk]:
        """Lanes that are due by *at* (s); they stand in the line no more."""
        found: list[LaneDesk] = []
        while self._due and self._due[0][0] <= at:
            due, lane_id = heapq.heappop(self._due)
            if self._waits.get(lane_id, (-1,))[0] == due:
                found.append(self._waits.pop(lane_id)[1])
        return found

    async def _tidy(self, at: int) -> None:
        """Batches of lanes at rest wait no more, whenever they would be due; many at once.

        Their day could not be dropped else. Raises ``RegistryUnreachable`` or ``LeaseLost``.
        """
        if at < self._tidied_at + TIDY_EVERY:
            return
        self._tidied_at = at
        resting, self._resting = self._resting, {}
        lanes = list(resting)
        for start in range(0, len(lanes), LANES_AT_ONCE):
            some = lanes[start : start + LANES_AT_ONCE]
            try:
                await self._board.registry.packets.drop_ended_timeouts(self._fence, some)
            except HubError:
                self._resting = {lane_id: resting[lane_id] for lane_id in lanes[start:]}
                raise

    async def _try(self, work: Coroutine[object, object, None], desk: LaneDesk) -> bool:
        """Whether *work* on *desk*'s lane was done."""
        try:
            await work
        except HubError as error:
            _log.info("lane_not_swept", lane=desk.key.name, reason=error.reason, detail=str(error))
            return False
        return True

    async def _sweep_batches(self, desk: LaneDesk, state: ConsensusState, due_at: int) -> None:
        """The lane's batches that are due by *due_at* (s) were looked at, some of very many.

        The lanes before may have taken long: *state* must stand still.
        """
        await (await self._board.keeper(self._fence.peer)).root_at(state.height)
        registry = self._board.registry
        moves: list[tuple[TimeoutBatch, int | None]] = []
        for batch in await registry.packets.due_timeouts(desk.view.lane.lane_id, due_at, BATCHES):
            span = RangeSet.span(batch.first, batch.last + 1)
            moves.append((batch, await self._sweep_span(desk, span, state)))
        if moves:
            await registry.packets.move_timeouts(self._fence, moves)

    async def _sweep_span(
        self, desk: LaneDesk, span: RangeSet, state: ConsensusState
    ) -> int | None:
        """When one of *span* is due next (s), after those that are due are judged; None if never.

        A frame's packets may lie far apart, with others between, and be large: few are read at a
        time.
        """
        at = whole_seconds(state.time)
        rest = span - desk.view.destination.done
        waits: list[int] = []
        while rest:
            part = rest.take(PACKETS)
            rest -= part
            read = self._board.registry.packets.read
            async for packets in in_parts(read, desk.view.lane.lane_id, part):
                due = [packet for packet in packets if packet.timeout_timestamp <= at]
                waits += [p.timeout_timestamp for p in packets if p.timeout_timestamp > at]
                if due and await self._judge(desk, due, state):
                    waits.append(at + ASK_AGAIN)
        return min(waits, default=None)

    async def _judge(
        self, desk: LaneDesk, due: Sequence[StoredPacket], state: ConsensusState
    ) -> bool:
        """Whether any of *due* is still open after the proven absences are recorded."""
        hit(Failpoint.TIMEOUT_DUE)
        is_open = False
        keeper = await self._board.keeper(self._fence.peer)
        root = Root(keeper.light_client, keeper.hub_client.anchor.prefix, state)
        keys = [receipt_key(desk.key.destination_client, packet.sequence) for packet in due]
        answer = await ask(self._board, keeper, state, keys, batch=False)
        for packet, value, proof in zip(due, answer.values, answer.proofs, strict=True):
            if value:
                is_open = True
                continue
            frame = AbsenceFrame(
                frame_id=0,
                lane=desk.key,
                sequence=packet.sequence,
                proof_height=state.height,
                proof=proof,
            )
            proven = await asyncio.get_running_loop().run_in_executor(
                self._board.pool_of(keeper.peer),
                prove_absence,
                root,
                frame,
                packet.timeout_timestamp,
            )
            hit(Failpoint.ABSENCE_PROVEN)
            judgement = await self._inbound.record_outcomes(desk, proven, absence_to_proto(frame))
            hit(Failpoint.ABSENCE_COMMITTED)
            is_open = is_open or bool(judgement.refused)
        return is_open
