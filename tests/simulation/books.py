"""A registry that can be forked: the twin in memory, copied as far as one lane needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hub.core.height import Height
from hub.core.ids import ClientId, PeerId
from hub.core.lane import Lane, LaneKey, LaneState, Order, Route, RouteAction, RouteKey, Side
from hub.core.peer import PeerState
from hub.core.time import SECOND, Timestamp
from hub.registry.mailboxes import LocalChanges
from hub.registry.memory.lanes import MemoryLanes
from hub.registry.memory.leases import MemoryLeases
from hub.registry.memory.outcomes import MemoryOutcomes
from hub.registry.memory.packets import MemoryPackets
from hub.registry.memory.state import ClientRow, LaneRow, LeaseRow, SideRow, State
from tests.harness.simchain import TRANSFER
from tests.simulation.database import done

if TYPE_CHECKING:
    from hub.core.lane import LaneView

SOURCE, DESTINATION = PeerId("hangzhou"), PeerId("suzhou")
CLIENT = ClientId("07-tendermint-0")
KEY = LaneKey(SOURCE, CLIENT, DESTINATION, CLIENT)
LANE = 1
ROUTE = Route(key=RouteKey(KEY, TRANSFER, TRANSFER), action=RouteAction.ALLOW)
ROUTES = {(str(TRANSFER), str(TRANSFER)): ROUTE}
NOW = Timestamp(1_800_000_000 * SECOND)


class _Active:
    """A peer that takes part."""

    state = PeerState.ACTIVE
    suspend_cause = ""


class _Anchor:
    """Where every client began."""

    height = Height(1, 1)


class Books:
    """One lane's registry; time in it stands, and a lease ends when it is told to."""

    def __init__(self, state: State) -> None:
        """Over *state*."""
        self.state = state
        self.packets = MemoryPackets(state)
        self.outcomes = MemoryOutcomes(state)
        self.leases = MemoryLeases(state)
        self.lanes = MemoryLanes(state)

    @classmethod
    def opened(cls, order: Order) -> Books:
        """The lane is open from sequence 1."""
        state = State(now=_now, changes=LocalChanges())
        for peer in (SOURCE, DESTINATION):
            state.peers[peer] = _Active()  # type: ignore[assignment]
            state.clients[peer] = ClientRow(_Anchor())  # type: ignore[arg-type]  # no header is verified here
            state.leases[peer] = LeaseRow()
        lane = Lane(
            lane_id=LANE,
            key=KEY,
            state=LaneState.OPEN,
            order=order,
            first_sequence=1,
            pause_cause="",
            created_at=NOW,
            revision=1,
        )
        sides = {Side.SOURCE: SideRow(SOURCE, 0), Side.DESTINATION: SideRow(DESTINATION, 0)}
        state.lanes[LANE] = LaneRow(lane=lane, sides=sides)
        state.lane_ids[KEY] = LANE
        return cls(state)

    def fork(self) -> Books:
        """The same registry, from here on another one."""
        old = self.state
        state = State(now=old.now, changes=old.changes)
        state.peers, state.clients, state.lane_ids = old.peers, old.clients, old.lane_ids
        state.leases = {peer: replace(row) for peer, row in old.leases.items()}
        state.proofs = dict(old.proofs)
        row = old.lanes[LANE]
        state.lanes[LANE] = LaneRow(
            packets=dict(row.packets),
            outcomes=list(row.outcomes),
            outcome_of=dict(row.outcome_of),
            timeouts=dict(row.timeouts),
            exceptions=dict(row.exceptions),
            lane=row.lane,
            sides={side: replace(found) for side, found in row.sides.items()},
        )
        return Books(state)

    @property
    def row(self) -> LaneRow:
        """The lane's row."""
        return self.state.lanes[LANE]

    def view(self) -> LaneView:
        """The lane as a relayer reads it."""
        found: LaneView = done(self.lanes.view(LANE))
        return found

    def key(self) -> tuple[Any, ...]:
        """What tells this registry from others, but for who owns what."""
        row = self.row
        sides = [
            (side.epoch, side.gate, side.done, side.progress, side.outcome_count)
            for side in row.sides.values()
        ]
        outcomes = tuple([(one.outcome_index, one.sequence, one.kind) for one in row.outcomes])
        return (*sides, tuple(row.packets), outcomes)


def _now() -> Timestamp:
    return NOW
