"""The registry as a whole, and how running processes notice its changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from hub.core.invariants import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from hub.core.invariants import InvariantViolation
    from hub.core.time import Duration, Timestamp
    from hub.ports.certificates import Certificates
    from hub.ports.clients import Clients
    from hub.ports.forwarding import Forwarding
    from hub.ports.lanes import Lanes
    from hub.ports.leases import Leases
    from hub.ports.overview import Overview
    from hub.ports.packets import Exceptions, Outcomes, Packets
    from hub.ports.peers import Peers
    from hub.ports.relayers import Relayers
    from hub.ports.watching import Watching


class Topic(StrEnum):
    """What a change concerns."""

    PEERS = "peers"
    """A peer or its client; key is the peer id."""
    HEADERS = "headers"
    """Headers of a peer's chain were stored, and nothing else changed; key is the peer id."""
    LANES = "lanes"
    """A lane, a route or an opening; key is the lane id, or empty."""
    ACCEPTED = "accepted"
    """Packets of a lane were accepted; key is the lane id."""
    OUTCOMES = "outcomes"
    """Outcomes of a lane were recorded; key is the lane id."""
    RETRIES = "retries"
    """An operator asked to try packets of a lane again; key is the lane id."""
    RELAYERS = "relayers"
    """A relayer began, ended, or shall drain or not; key is its name."""
    FORWARDED = "forwarded"
    """Something is asked of a peer's session; key is the peer id."""
    ANSWERED = "answered"
    """A forwarded request has its answer; key is its number."""
    CERTIFICATES = "certificates"
    """A certificate was issued or revoked; the key is empty."""
    PROMOTED = "promoted"
    """Another server is the database's primary: what was read before may never have been there, if
    nobody answered for it; the key is empty."""


@dataclass(frozen=True, slots=True)
class Change:
    """A hint to read something again. Hints may be lost; a slow poll stands behind them."""

    topic: Topic
    key: str


class Changes(Protocol):
    """Hints between processes."""

    def announce(self, change: Change) -> None:
        """*change* is told to every listener soon, repeated ones once; never waits, never fails."""
        ...

    def listen(self) -> AsyncIterator[Change]:
        """Changes as they come, this process's own among them."""
        ...

    def relax(self, is_relaxed: bool) -> None:  # noqa: FBT001
        """Whether what is announced may wait a little longer: only watchers are told by it."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far one has come who asks of a part of the records at a time."""

    number: int = 0
    """Times that all lanes were looked at."""
    after: int = 0
    """The last lane, in this one."""


class Audit(Protocol):
    """Checks of the registry as a whole."""

    async def violations(self, within: Duration = WITHIN) -> Sequence[InvariantViolation]:
        """One entry for each invariant, count 0 where it holds; by name.

        Reads whole tables, for *within* (ns) at most, one of them for a quarter of it: what is not
        finished by then says so.
        """
        ...

    async def recent(self, sweep: Sweep) -> tuple[Sequence[InvariantViolation], Sweep]:
        """The same of some of the records, the newest among them, and where to go on.

        Costs the same however many records there are.
        """
        ...

    async def schema_revision(self) -> str:
        """The revision of the database's schema. Raises ``RegistryUnreachable``."""
        ...

    async def clock(self) -> Timestamp:
        """The database's clock (ns); shows that it answers. Raises ``RegistryUnreachable``."""
        ...

    async def ready(self) -> None:
        """The registry takes changes: its database answers, with a standby where one is demanded.

        Raises ``RegistryUnreachable``, ``StandbyMissing``, ``TimelineOutdated``.
        """
        ...

    async def partition_days(self) -> int:
        """Days after today, without a gap, whose packets have where to go.

        Raises ``RegistryUnreachable``.
        """
        ...


class Registry(Protocol):
    """The exchange registry: in Postgres, or its twin in memory."""

    peers: Peers
    clients: Clients
    leases: Leases
    lanes: Lanes
    packets: Packets
    outcomes: Outcomes
    exceptions: Exceptions
    changes: Changes
    audit: Audit
    certificates: Certificates
    overview: Overview
    relayers: Relayers
    forwarding: Forwarding
    watching: Watching
