"""The twin of the registry in memory: the same answers and errors, nothing durable.

Every method does its work without waiting, so each is one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.registry.mailboxes import LocalChanges
from hub.registry.memory.audit import MemoryAudit
from hub.registry.memory.certificates import MemoryCertificates
from hub.registry.memory.clients import MemoryClients
from hub.registry.memory.exceptions import MemoryExceptions
from hub.registry.memory.forwarding import MemoryForwarding
from hub.registry.memory.lanes import MemoryLanes
from hub.registry.memory.leases import MemoryLeases
from hub.registry.memory.outcomes import MemoryOutcomes
from hub.registry.memory.overview import MemoryOverview
from hub.registry.memory.packets import MemoryPackets
from hub.registry.memory.peers import MemoryPeers
from hub.registry.memory.relayers import MemoryRelayers
from hub.registry.memory.state import State, stepping_clock
from hub.registry.memory.watching import MemoryWatching

if TYPE_CHECKING:
    from hub.ports.certificates import Certificates
    from hub.ports.clients import Clients
    from hub.ports.clock import Clock
    from hub.ports.forwarding import Forwarding
    from hub.ports.lanes import Lanes
    from hub.ports.leases import Leases
    from hub.ports.overview import Overview
    from hub.ports.packets import Exceptions, Outcomes, Packets
    from hub.ports.peers import Peers
    from hub.ports.registry import Audit, Changes
    from hub.ports.relayers import Relayers
    from hub.ports.watching import Watching


class MemoryRegistry:
    """``hub.ports.registry.Registry`` in memory."""

    def __init__(self, clock: Clock | None = None) -> None:
        """An empty registry; *clock* is its database's clock, which else moves when it is read."""
        self.state = State(
            now=clock.now if clock is not None else stepping_clock(), changes=LocalChanges()
        )
        self.peers: Peers = MemoryPeers(self.state)
        self.clients: Clients = MemoryClients(self.state)
        self.leases: Leases = MemoryLeases(self.state)
        self.lanes: Lanes = MemoryLanes(self.state)
        self.packets: Packets = MemoryPackets(self.state)
        self.outcomes: Outcomes = MemoryOutcomes(self.state)
        self.exceptions: Exceptions = MemoryExceptions(self.state)
        self.changes: Changes = self.state.changes
        self.audit: Audit = MemoryAudit(self.state)
        self.certificates: Certificates = MemoryCertificates(self.state)
        self.overview: Overview = MemoryOverview(self.state)
        self.watching: Watching = MemoryWatching(self.state)
        self.relayers: Relayers = MemoryRelayers(self.state)
        self.forwarding: Forwarding = MemoryForwarding(self.state)
