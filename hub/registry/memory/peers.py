"""Peers in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.core.errors import IllegalMove, PeerExists
from hub.core.lane import Side
from hub.core.peer import Peer, PeerState
from hub.ports.registry import Topic
from hub.registry.memory.state import ClientRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor
    from hub.core.ids import PeerId
    from hub.ports.caller import Caller
    from hub.registry.memory.state import State


class MemoryPeers:
    """``hub.ports.peers.Peers`` in memory."""

    def __init__(self, state: State) -> None:
        """The peers of *state*."""
        self._state = state

    async def register(
        self, peer: PeerId, display_name: str, anchor: Anchor, by: Caller
    ) -> tuple[Peer, bool]:
        """As the port says."""
        state = self._state
        known = state.peers.get(peer)
        again = state.repeated(by)
        if known is not None:
            if (known.display_name, known.anchor) != (display_name, anchor):
                raise PeerExists(name=known.name)
            if again is None:
                state.carried_out(by)
            return known, True
        made = Peer(
            peer=peer,
            display_name=display_name,
            state=PeerState.ACTIVE,
            anchor=anchor,
            created_at=state.now(),
            revision=1,
        )
        state.peers[peer] = made
        state.clients[peer] = ClientRow(anchor)
        state.carried_out(by)
        state.audit(by.identity, "peer.register", made.name, made.revision, display_name)
        state.announce(Topic.PEERS, peer)
        return made, False

    async def get(self, peer: PeerId) -> Peer:
        """As the port says."""
        return self._state.peer(peer)

    async def suspend(self, peer: PeerId, cause: str, by: Caller) -> bool:
        """As the port says."""
        return self._turn(peer, PeerState.SUSPENDED, cause, by)

    async def resume(self, peer: PeerId, cause: str, by: Caller) -> bool:
        """As the port says."""
        return self._turn(peer, PeerState.ACTIVE, cause, by)

    async def page(self, after: str, limit: int) -> Sequence[Peer]:
        """As the port says."""
        names = sorted(name for name in self._state.peers if name > after)
        return [self._state.peers[name] for name in names[:limit]]

    def _turn(self, peer: PeerId, to: PeerState, cause: str, by: Caller) -> bool:
        """The peer, ACTIVE or SUSPENDED now, is in the state *to*; whether it was before."""
        state = self._state
        found = state.peer(peer)
        is_suspended = to is PeerState.SUSPENDED
        verb = "suspend" if is_suspended else "resume"
        if state.repeated(by) is not None or found.state is to:
            state.carried_out(by)
            return True
        if found.state not in {PeerState.ACTIVE, PeerState.SUSPENDED}:
            raise IllegalMove(state=found.state, event=verb)
        state.carried_out(by)
        revision = found.revision + 1
        suspend_cause = cause if is_suspended else ""
        state.peers[peer] = replace(found, state=to, suspend_cause=suspend_cause, revision=revision)
        state.audit(by.identity, f"peer.{verb}", found.name, revision, cause)
        state.announce(Topic.PEERS, peer)
        state.raise_gates(
            lambda lane, side: (
                lane.sides[side].peer == peer
                or (side is Side.SOURCE and lane.lane.key.destination_peer == peer)
            )
        )
        return False
