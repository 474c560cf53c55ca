"""Find packets whose timeout has passed at the destination, and have their absence proven.

The destination's verified header decides, never a clock of ours: one header gives both the time and
the root. A packet that turns out to be received is left to its acknowledgement.

Source: design section 3, "A timeout is legal from every state that is not acknowledged";
ICS-04 v2, timeoutPacket.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from hub.core.errors import HubError
from hub.core.packet import MAX_TIMEOUT
from hub.core.paths import receipt_key
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import SECOND, whole_seconds
from hub.wire.frames import AbsenceFrame, absence_to_proto
from relayer.failpoints import Failpoint, hit
from relayer.reproof import ask
from relayer.verification import Root, prove_absence

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
TIDIED: Final = 64
"""Lanes whose leftovers one sweep looks for."""
ASK_AGAIN: Final = 5
"""Seconds of the destination's time until a packet that is received, but not acknowledged, is asked
for again."""


class TimeoutSweep:
    """The sweep over all lanes towards one peer, which this process owns."""

    def __init__(self, board: Switchboard, fence: Fence, inbound: Inbound) -> None:
        """A sweep that hands proven absences to *inbound*."""
        self._board = board
        self._fence = fence
        self._inbound = inbound
        self._swept_at = 0
        self._tidied: dict[int, RangeSet] = {}
        """By lane id: what was accepted, and had ended, when no batch was left of it."""

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
        ``ClientFrozen`` or ``TrustExpired``.
        """
        state = (await self._board.keeper(self._fence.peer)).latest_verified()
        if whole_seconds(state.time) <= self._swept_at:
            return
        is_swept = True
        for desk in self._open_lanes():
            is_swept = await self._try(self._sweep_lane(desk, state), desk) and is_swept
        for desk in self._untidy_lanes()[:TIDIED]:
            await self._try(self._tidy(desk, state), desk)
        if is_swept:
            self._swept_at = whole_seconds(state.time)

    def _open_lanes(self) -> list[LaneDesk]:
        """Lanes towards the peer with packets that have not ended."""
        return [
            desk for desk in self._lanes() if desk.view.source.done - desk.view.destination.done
        ]

    def _untidy_lanes(self) -> list[LaneDesk]:
        """Lanes towards the peer all of whose packets have ended, and may have left batches."""
        return [
            desk
            for desk in self._lanes()
            if not desk.view.source.done - desk.view.destination.done
            and self._tidied.get(desk.view.lane.lane_id, EMPTY) != desk.view.source.done
        ]

    def _lanes(self) -> list[LaneDesk]:
        desks = self._board.desks.values()
        return [desk for desk in desks if desk.key.destination_peer == self._fence.peer]

    async def _try(self, work: Coroutine[object, object, None], desk: LaneDesk) -> bool:
        """Whether *work* on *desk*'s lane was done."""
        try:
            await work
        except HubError as error:
            _log.info("lane_not_swept", lane=desk.key.name, reason=error.reason, detail=str(error))
            return False
        return True

    async def _sweep_lane(self, desk: LaneDesk, state: ConsensusState) -> None:
        await self._sweep_batches(desk, state, whole_seconds(state.time))

    async def _tidy(self, desk: LaneDesk, state: ConsensusState) -> None:
        """Batches of packets that have all ended wait no more, whenever they would be due.

        Their day could not be dropped else.
        """
        ended = desk.view.source.done
        if await self._sweep_batches(desk, state, MAX_TIMEOUT) < BATCHES:
            self._tidied[desk.view.lane.lane_id] = ended

    async def _sweep_batches(self, desk: LaneDesk, state: ConsensusState, due_at: int) -> int:
        """How many batches of the lane, due by *due_at* (s), were looked at."""
        registry = self._board.registry
        moves: list[tuple[TimeoutBatch, int | None]] = []
        for batch in await registry.packets.due_timeouts(desk.view.lane.lane_id, due_at, BATCHES):
            span = RangeSet.span(batch.first, batch.last + 1)
            moves.append((batch, await self._sweep_span(desk, span, state)))
        if moves:
            await registry.packets.move_timeouts(self._fence, moves)
        return len(moves)

    async def _sweep_span(
        self, desk: LaneDesk, span: RangeSet, state: ConsensusState
    ) -> int | None:
        """When one of *span* is due next (s), after those that are due are judged; None if never.

        A frame's packets may lie far apart, with others between: few are read at a time.
        """
        at = whole_seconds(state.time)
        rest = span - desk.view.destination.done
        waits: list[int] = []
        while rest:
            part = rest.take(PACKETS)
            rest -= part
            packets = await self._board.registry.packets.read(desk.view.lane.lane_id, part)
            due = [packet for packet in packets if packet.timeout_timestamp <= at]
            later = [p.timeout_timestamp for p in packets if p.timeout_timestamp > at]
            if due and await self._judge(desk, due, state):
                later.append(at + ASK_AGAIN)
            waits += [min(later)] if later else []
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
