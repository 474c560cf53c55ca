"""Find sequences that others carried: missing here, given out by the source, and gone from it.

A packet that the source still holds is shown by its adapter sooner or later. One that stays missing
is asked for, with many others at once: where its commitment is proven absent, while the source's
next sequence is beyond it, it was executed or refunded by others, and nothing is owed. A packet is
missing where one after it is accepted, or where the destination has answered it.

Source: design section 3, "settled elsewhere"; reliability notes section 6, "Clear sweep".
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import HubError
from hub.core.paths import commitment_key, next_sequence_send_key
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import NewOutcome, OutcomeKind
from hub.core.time import SECOND, Duration, Timestamp
from hub.exchange.outcomes import ProvenOutcomes
from relayer.deadline import within
from relayer.reproof import KEYS, ask
from relayer.verification import Root, prove_gone
from relayer.watches import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.core.ids import PeerId
    from hub.ports.leases import Fence
    from relayer.inbound import Inbound
    from relayer.switchboard import LaneDesk, Switchboard

_log = structlog.get_logger()

EVERY: Final = Duration(10 * SECOND)
"""What is missing in two sweeps, one after the other, is asked for."""
WITHIN: Final = Duration(30 * SECOND)
"""For all lanes from one source in one sweep, however slow its adapter is; some answers as late as
they may be."""
PARTS: Final = 64
"""Most questions about one lane in one sweep."""
LONGEST_REST: Final = 8
"""Sweeps that a lane is left alone where nothing of it was found to have ended, again and again."""


@dataclass(slots=True)
class _Search:
    """What is known of one lane's missing sequences."""

    missing: RangeSet = EMPTY
    """In the sweep before."""
    asked: int = 0
    """What is below this was asked for last; what is left is asked for first."""
    rest: int = 0
    """Sweeps until it may be asked about."""
    next_rest: int = 1

    def ended(self, *, is_useful: bool) -> None:
        """It was asked about; what the source still holds is left to its adapter for a while."""
        self.rest, self.next_rest = (
            (0, 1) if is_useful else (self.next_rest, min(2 * self.next_rest, LONGEST_REST))
        )


class HoleSweep:
    """The sweep over all lanes towards one peer, which this process owns."""

    def __init__(self, board: Switchboard, fence: Fence, inbound: Inbound) -> None:
        """A sweep that hands what is proven gone to *inbound*."""
        self._board = board
        self._fence = fence
        self._inbound = inbound
        self.watch: Watch[LaneDesk] = Watch()
        """Lanes that have changed, or in which something is missing."""
        self._searches: dict[int, _Search] = {}
        """By lane id."""
        self._left: dict[PeerId, int] = {}
        """By source the first lane for which no time was left in the sweep before."""

    async def run(self) -> None:
        """Sweeps now and then."""
        while True:
            await self._board.clock.sleep(EVERY)
            await self.sweep()

    async def sweep(self) -> None:
        """Every lane that may miss something is looked at; one that fails holds up no other.

        Sources do not wait for each other; of one that is slow, some may be left for the next.
        """
        lanes: defaultdict[PeerId, list[LaneDesk]] = defaultdict(list)
        for desk in self.watch.take():
            lanes[desk.key.source_peer].append(desk)
        async with asyncio.TaskGroup() as tasks:
            for source, desks in lanes.items():
                tasks.create_task(self._sweep_source(source, desks))

    async def _sweep_source(self, source: PeerId, desks: Iterable[LaneDesk]) -> None:
        clock, first = self._board.clock, self._left.pop(source, 0)
        until = Timestamp(clock.monotonic() + WITHIN)
        waiting = deque(sorted(desks, key=lambda desk: desk.view.lane.lane_id < first))
        while waiting and clock.monotonic() < until:
            desk, left = waiting.popleft(), until - clock.monotonic()
            if not await self._search(desk, until, is_cut_short=left < WITHIN):
                waiting.appendleft(desk)  # the next sweep begins with it, and has time
                break
            if desk.view.lane.lane_id in self._searches:
                self.watch.see(desk)
        if waiting:
            self._left[source] = waiting[0].view.lane.lane_id
        for desk in waiting:
            self.watch.see(desk)

    async def _search(self, desk: LaneDesk, until: Timestamp, *, is_cut_short: bool) -> bool:
        """Whether the lane was looked at; not where time, which *is_cut_short*, ended that."""
        missing = _missing(desk)
        lane_id = desk.view.lane.lane_id
        if not missing:
            self._searches.pop(lane_id, None)
            return True
        search = self._searches.setdefault(lane_id, _Search())
        again = missing & search.missing
        search.missing = missing
        if search.rest:
            search.rest -= 1
        elif again:
            is_useful = await self._settle_all(desk, search, again, until)
            if is_cut_short and not is_useful and self._board.clock.monotonic() >= until:
                return False
            search.ended(is_useful=is_useful)
        return True

    async def _settle_all(
        self, desk: LaneDesk, search: _Search, missing: RangeSet, until: Timestamp
    ) -> bool:
        """Whether any of *missing* is found to have ended; those that are proven gone have.

        Nothing is asked for after *until*: the next time goes on there.
        """
        is_useful, first = False, missing - RangeSet.span(0, search.asked)
        try:
            for _ in range(PARTS):
                part = (first or missing).take(KEYS - 1)
                if not part or self._board.clock.monotonic() >= until:
                    break
                first, missing = first - part, missing - part
                is_useful = await self._settle(desk, part, until) or is_useful
                search.asked = part.end
        except HubError as error:
            lane, reason = desk.key.name, error.reason
            _log.info("holes_not_settled", lane=lane, reason=reason, detail=str(error))
        return is_useful

    async def _settle(self, desk: LaneDesk, missing: RangeSet, until: Timestamp) -> bool:
        """Whether any of *missing* is proven gone, and so has ended. Raises ``HubError``."""
        client = desk.key.source_client
        keeper = await self._board.keeper(desk.key.source_peer)
        state = keeper.latest_verified()
        keys = [commitment_key(client, sequence) for sequence in missing]
        keys = sorted([*keys, next_sequence_send_key(client)])
        left = Duration(until - self._board.clock.monotonic())
        asking = ask(self._board, keeper, state, keys, batch=False)
        # Only the question is cut off: what is recorded must be heard of.
        answer = await within(self._board.clock, left, "proofs", asking)
        pairs = zip(answer.values, answer.proofs, strict=True)
        shown = dict(zip(keys, pairs, strict=True))
        root = Root(keeper.light_client, keeper.hub_client.anchor.prefix, state)
        end, gone = await asyncio.get_running_loop().run_in_executor(
            self._board.pool_of(keeper.peer), prove_gone, root, client, missing, shown
        )
        # What was never given out nobody can have carried: it was answered too early, or in a lie.
        desk.unknown -= RangeSet.span(end, missing.end)
        if gone:
            proven = ProvenOutcomes(
                outcomes=tuple(
                    [NewOutcome(sequence, OutcomeKind.SETTLED_ELSEWHERE, b"") for sequence in gone]
                ),
                commitments=(b"",) * len(gone),
                proof_height=state.height.number,
                proof=answer.SerializeToString(deterministic=True),
            )
            frame = pb.AdapterFrame(answer=pb.Answer(proofs=answer))
            await self._inbound.record_outcomes(desk, proven, frame)
        return bool(gone)


def _missing(desk: LaneDesk) -> RangeSet:
    """Sequences that others have carried, or that nobody has shown yet, and that have not ended."""
    view = desk.view
    first, accepted, ended = view.lane.first_sequence, view.source.done, view.destination.done
    desk.unknown -= accepted | ended
    answered = desk.unknown - RangeSet.span(0, first)
    return (accepted.holes(first) - ended) | answered
