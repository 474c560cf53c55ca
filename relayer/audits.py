"""Look on the source's chain for what its adapter reported executed; what was not is open again.

An execution deletes the packet's commitment. One in a thousand, and every one that was tried
before, is looked for under a header later than its completion: many at once, one question at a
time, a few proofs checked between frames. Who lies of a packet again and again needs an operator.

Source: design section 3, "The audit of ``completed`` is sampled (1 in 1,000, and every retry); a
commitment found present opens the packet again".
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import structlog

from hub.core.errors import ExecutionDisproven, HubError, SequenceRetired
from hub.core.paths import commitment_key
from hub.core.ranges import RangeSet
from hub.core.record import Disproof, Refusal
from hub.core.time import SECOND, Duration, Timestamp
from hub.exchange.packets import check_stands
from hub.exchange.reading import in_parts
from relayer.reproof import KEYS, ask
from relayer.steps.audits import added, due, removed
from relayer.verification import Root, look
from relayer.watches import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import ConsensusState
    from hub.ports.leases import Fence
    from relayer.headers import HeaderKeeper
    from relayer.switchboard import LaneDesk, Switchboard
    from relayer.telemetry import Telemetry

_log = structlog.get_logger()

EVERY: Final = Duration(5 * SECOND)
CHECKED_TOGETHER: Final = 16
"""Proofs; then frames that wait have their turn."""
LIES: Final = 3
"""A packet that was reported executed so often, and never was, is parked."""


class Result(StrEnum):
    """What came of looking."""

    ABSENT = "ABSENT"
    """It is as was reported."""
    PRESENT = "PRESENT"
    """The packet is open again."""
    UNPROVEN = "UNPROVEN"
    """The adapter has shown neither; it is asked again."""
    LOST = "LOST"
    """There was no room for it to wait, or its records are dropped."""


@dataclass(frozen=True, slots=True)
class _Report:
    """One reported execution, and where on the chain it shows."""

    desk: LaneDesk
    outcome_index: int
    sequence: int
    key: bytes


class Audits:
    """The audit of one peer's reports, whose lease this process holds."""

    def __init__(
        self,
        board: Switchboard,
        fence: Fence,
        telemetry: Telemetry,
    ) -> None:
        """An audit of lanes that begin at the peer."""
        self._board = board
        self._fence = fence
        self.watch: Watch[LaneDesk] = Watch()
        """Lanes of which more was reported."""
        self._lanes: dict[int, LaneDesk] = {}
        """Those of which something waits, by id."""
        self._telemetry = telemetry
        self._last_lane = 0

    async def run(self) -> None:
        """Looks now and then."""
        while True:
            await self._board.clock.sleep(EVERY)
            try:
                await self.audit()
            except HubError as error:
                peer = self._fence.peer
                _log.info("audit_failed", peer=peer, reason=error.reason, detail=str(error))

    async def audit(self) -> None:
        """What is due of all lanes is looked at, as far as one question holds it.

        Raises ``HubError`` where nothing could be asked, or an answer could not be recorded.
        """
        keeper = await self._board.keeper(self._fence.peer)
        state = keeper.latest_verified()
        options = keeper.hub_client.anchor.options
        for desk in self.watch.take():
            self._lanes[desk.view.lane.lane_id] = desk
        reports = await self._due(Timestamp(state.time - options.max_clock_drift))
        try:
            if reports:
                await self._look(keeper, state, reports)
        finally:
            self._tell()

    async def _due(self, until: Timestamp) -> list[_Report]:
        """Reports of executions by *until*, lanes in turn."""
        found: list[_Report] = []
        for desk in self._in_turn():
            items = due(desk.to_audit, until, KEYS - len(found))
            if items:
                found += await self._read(desk, items)
                self._last_lane = desk.view.lane.lane_id
            if len(found) >= KEYS:
                break
        return sorted(found, key=attrgetter("key"))

    def _in_turn(self) -> list[LaneDesk]:
        waiting = {
            desk.view.lane.lane_id: desk
            for desk in self._lanes.values()
            if desk.to_audit.entries and not desk.view.source_stopped
        }
        later = [lane_id for lane_id in sorted(waiting) if lane_id > self._last_lane]
        sooner = [lane_id for lane_id in sorted(waiting) if lane_id <= self._last_lane]
        return [waiting[lane_id] for lane_id in (*later, *sooner)]

    async def _read(self, desk: LaneDesk, items: RangeSet) -> list[_Report]:
        client, lane_id = desk.key.source_client, desk.view.lane.lane_id
        try:
            parts = in_parts(self._board.registry.outcomes.read, lane_id, items, "outcome_index")
            found = [(one.outcome_index, one.sequence) async for part in parts for one in part]
        except SequenceRetired:
            self._lose(desk, items)
            return []
        return [
            _Report(desk, index, sequence, commitment_key(client, sequence))
            for index, sequence in found
        ]

    async def _look(
        self, keeper: HeaderKeeper, state: ConsensusState, reports: Sequence[_Report]
    ) -> None:
        # A freeze or pause between here and the record asks for another look.
        gates = {report.desk: report.desk.view.source.gate for report in reports}
        for desk in gates:
            # It may be heard of sooner than its client's new anchor is read.
            check_stands(keeper.peer, desk.view.source_anchor, state.height.number)
        # Whatever comes of it, others have their turn before these are asked for again.
        for desk in gates:
            mine = [report for report in reports if report.desk is desk]
            self._postpone(desk, mine, state.time)
        answer = await ask(self._board, keeper, state, [one.key for one in reports], batch=False)
        keys = [report.key for report in reports]
        shown = list(zip(keys, answer.values, answer.proofs, strict=True))
        root = Root(keeper.light_client, keeper.hub_client.anchor.prefix, state)
        found = await self._check(root, shown)
        disproofs: dict[LaneDesk, list[Disproof]] = defaultdict(list)
        for report, stands, (_, _, proof) in zip(reports, found, shown, strict=True):
            if isinstance(stands, HubError):
                self._unproven(report, stands)
            elif not stands:
                self._done(report.desk, RangeSet.of([report.outcome_index]), Result.ABSENT)
            else:
                disproofs[report.desk].append(
                    Disproof(
                        outcome_index=report.outcome_index,
                        sequence=report.sequence,
                        height=state.height.number,
                        proof=proof,
                    )
                )
        for desk, some in disproofs.items():
            await self._reopen(desk, gates[desk], some)

    async def _check(
        self, root: Root, shown: Sequence[tuple[bytes, bytes, bytes]]
    ) -> list[bool | HubError]:
        loop, found = asyncio.get_running_loop(), list[bool | HubError]()
        for start in range(0, len(shown), CHECKED_TOGETHER):
            part = shown[start : start + CHECKED_TOGETHER]
            found += await loop.run_in_executor(self._board.pool, look, root, part)
        return found

    async def _reopen(self, desk: LaneDesk, gate: int, found: Sequence[Disproof]) -> None:
        """What was not executed is durably open, and tried once more. Raises ``HubError``."""
        registry, lane_id = self._board.registry, desk.view.lane.lane_id
        shown = RangeSet.of([one.outcome_index for one in found])
        try:
            async with desk.settling:  # the exceptions that it leaves are not those of before
                times = await registry.outcomes.reopen(self._fence, lane_id, gate, found)
                desk.reopened(RangeSet.of(times))
        except SequenceRetired:
            self._lose(desk, shown)
            return
        self._done(desk, shown, Result.PRESENT)
        for one in found:
            if one.outcome_index in times:
                self._try_again(desk, one, times[one.outcome_index])

    def _try_again(self, desk: LaneDesk, found: Disproof, times: int) -> None:
        packet = f"{desk.key.name}/packets/{found.sequence}"
        error = ExecutionDisproven(packet=packet, height=found.height)
        _log.error(
            "execution_disproven",
            peer=self._fence.peer,
            packet=packet,
            reason=error.reason,
            detail=str(error),
            times=times,
        )
        refusal = Refusal(error.reason, str(error), is_final=True) if times >= LIES else None
        if desk.settlement is not None:
            desk.settlement.reopened(RangeSet.of([found.outcome_index]), refusal)

    def _unproven(self, report: _Report, error: HubError) -> None:
        self._telemetry.audited(self._fence.peer, Result.UNPROVEN, 1)
        _log.warning(
            "execution_not_shown",
            packet=f"{report.desk.key.name}/packets/{report.sequence}",
            reason=error.reason,
            detail=str(error),
        )

    def _postpone(self, desk: LaneDesk, reports: Sequence[_Report], at: Timestamp) -> None:
        """They are due under a header later than now, and than the one *at* that time."""
        items = RangeSet.of([report.outcome_index for report in reports])
        desk.to_audit, _ = added(desk.to_audit, items, max(self._board.clock.now(), at))

    def _lose(self, desk: LaneDesk, items: RangeSet) -> None:
        self._done(desk, items, Result.LOST)

    def _done(self, desk: LaneDesk, items: RangeSet, result: Result) -> None:
        desk.to_audit = removed(desk.to_audit, items)
        self._telemetry.audited(self._fence.peer, result, len(items))

    def _tell(self) -> None:
        """How many wait, and how many found no room."""
        own = self._lanes.values()
        self._telemetry.audits_waiting(self._fence.peer, sum(len(desk.to_audit) for desk in own))
        for desk in own:
            self._telemetry.audited(self._fence.peer, Result.LOST, desk.audits_lost)
            desk.audits_lost = 0
        self._lanes = {
            lane_id: desk for lane_id, desk in self._lanes.items() if desk.to_audit.entries
        }
