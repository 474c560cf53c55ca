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
from hub.core.paths import receipt_key
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, whole_seconds
from hub.wire.frames import AbsenceFrame, absence_to_proto
from relayer.failpoints import Failpoint, hit
from relayer.reproof import KEYS, ask
from relayer.verification import Root, prove_absence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import ConsensusState
    from hub.core.record import StoredPacket, TimeoutBatch
    from hub.ports.leases import Fence
    from relayer.inbound import Inbound
    from relayer.switchboard import LaneDesk, Switchboard

_log = structlog.get_logger()

BATCHES: Final = 16
"""Batches of one lane that one sweep looks at."""
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
        failed = False
        for desk in list(self._board.desks.values()):
            is_ours = desk.key.destination_peer == self._fence.peer
            if not is_ours or not desk.view.source.done - desk.view.destination.done:
                continue
            try:
                await self._sweep_lane(desk, state)
            except HubError as error:
                failed = True
                _log.info(
                    "lane_not_swept", lane=desk.key.name, reason=error.reason, detail=str(error)
                )
        if not failed:
            self._swept_at = whole_seconds(state.time)

    async def _sweep_lane(self, desk: LaneDesk, state: ConsensusState) -> None:
        registry = self._board.registry
        at = whole_seconds(state.time)
        moves: list[tuple[TimeoutBatch, int | None]] = []
        for batch in await registry.packets.due_timeouts(desk.view.lane.lane_id, at, BATCHES):
            span = RangeSet.span(batch.first, batch.last + 1)
            moves.append((batch, await self._sweep_span(desk, span, state)))
        if moves:
            await registry.packets.move_timeouts(self._fence, moves)

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
            part = rest.take(KEYS)
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
                self._board.pool, prove_absence, root, frame, packet.timeout_timestamp
            )
            hit(Failpoint.ABSENCE_PROVEN)
            judgement = await self._inbound.record_outcomes(desk, proven, absence_to_proto(frame))
            is_open = is_open or bool(judgement.refused)
        return is_open
