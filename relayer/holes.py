"""Find sequences that others carried: missing here, given out by the source, and gone from it.

A packet that the source still holds is shown by its adapter sooner or later. One that stays missing
is asked for: where its commitment is proven absent, while the source's next sequence is beyond it,
it was executed or refunded by others, and nothing is owed.

Source: design section 3, "settled elsewhere"; reliability notes section 6, "Clear sweep".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import HubError
from hub.core.paths import commitment_key, next_sequence_send_key
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import NewOutcome, OutcomeKind
from hub.core.time import SECOND, Duration
from hub.exchange.outcomes import ProvenOutcomes
from relayer.reproof import KEYS, ask
from relayer.verification import Root, prove_next_sequence

if TYPE_CHECKING:
    from hub.core.lane import LaneView
    from hub.ports.leases import Fence
    from relayer.inbound import Inbound
    from relayer.switchboard import LaneDesk, Switchboard

_log = structlog.get_logger()

EVERY: Final = Duration(30 * SECOND)
"""What is missing in two sweeps, one after the other, is asked for."""


class HoleSweep:
    """The sweep over all lanes towards one peer, which this process owns."""

    def __init__(self, board: Switchboard, fence: Fence, inbound: Inbound) -> None:
        """A sweep that hands what is proven gone to *inbound*."""
        self._board = board
        self._fence = fence
        self._inbound = inbound
        self._missing: dict[int, RangeSet] = {}
        """By lane id: what was missing in the sweep before."""

    async def run(self) -> None:
        """Sweeps now and then."""
        while True:
            await self._board.clock.sleep(EVERY)
            await self.sweep()

    async def sweep(self) -> None:
        """Every lane is looked at; one that fails is swept again, and holds up no other."""
        for desk in list(self._board.desks.values()):
            if desk.key.destination_peer != self._fence.peer:
                continue
            lane_id, missing = desk.view.lane.lane_id, _missing(desk.view)
            again = missing & self._missing.get(lane_id, EMPTY)
            self._missing[lane_id] = missing
            if not again:
                continue
            try:
                await self._settle(desk, again.take(KEYS - 1))
            except HubError as error:
                _log.info(
                    "holes_not_settled", lane=desk.key.name, reason=error.reason, detail=str(error)
                )

    async def _settle(self, desk: LaneDesk, missing: RangeSet) -> None:
        """Those of *missing* that are proven gone have ended. Raises ``HubError``."""
        client = desk.key.source_client
        keeper = await self._board.keeper(desk.key.source_peer)
        state = keeper.latest_verified()
        next_key = next_sequence_send_key(client)
        sequences = {commitment_key(client, sequence): sequence for sequence in missing}
        keys = sorted([*sequences, next_key])
        answer = await ask(self._board, keeper, state, keys, batch=False)
        found = {
            key: (value, proof)
            for key, value, proof in zip(keys, answer.values, answer.proofs, strict=True)
        }
        root = Root(keeper.light_client, keeper.hub_client.anchor.prefix, state)
        end = prove_next_sequence(root, client, *found.pop(next_key))
        gone = [key for key, (value, _) in found.items() if not value and sequences[key] < end]
        for key in gone:
            root.client.verify_non_membership(state.root, root.prefix, key, found[key][1])
        if gone:
            proven = ProvenOutcomes(
                outcomes=tuple(
                    [NewOutcome(sequences[key], OutcomeKind.SETTLED_ELSEWHERE, b"") for key in gone]
                ),
                commitments=(b"",) * len(gone),
                proof_height=state.height.number,
                proof=answer.SerializeToString(deterministic=True),
            )
            shown = pb.AdapterFrame(answer=pb.Answer(proofs=answer))
            await self._inbound.record_outcomes(desk, proven, shown)


def _missing(view: LaneView) -> RangeSet:
    """Sequences between accepted ones that nobody has shown, and that have not ended."""
    return view.source.done.holes(view.lane.first_sequence) - view.destination.done
