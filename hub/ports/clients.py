"""What the registry remembers of light clients, headers and evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor, ChainClient, ConsensusState, HubClient, VerifiedHeader
    from hub.core.errors import Reason
    from hub.core.ids import ClientId, PeerId
    from hub.core.time import Timestamp
    from hub.ports.caller import Caller
    from hub.ports.leases import Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Two truths of one chain that contradict each other."""

    reason: Reason
    first: bytes
    second: bytes
    recorded_at: Timestamp
    number: int
    """Within its peer, from 1."""
    carried_to: tuple[tuple[PeerId, ClientId], ...] = ()
    """Chain clients, (whose chain, native id), that are frozen by it; by name."""


class Clients(Protocol):
    """Hub clients by peer, chain clients by peer and native id."""

    async def hub_client(self, peer: PeerId) -> HubClient:
        """The hub's client of the peer's chain. Raises ``ClientNotFound``."""
        ...

    async def hub_clients(self, after: str, limit: int) -> Sequence[HubClient]:
        """At most *limit* hub clients of peers whose id is above *after*, by id."""
        ...

    async def frozen(self) -> Sequence[PeerId]:
        """The peers whose hub client is frozen, by id."""
        ...

    async def header(self, peer: PeerId, height: int) -> VerifiedHeader | None:
        """The verified header of that number; None if none is stored."""
        ...

    async def header_at_or_below(self, peer: PeerId, height: int) -> VerifiedHeader | None:
        """The verified header of the highest number that is not above *height*."""
        ...

    async def header_above(self, peer: PeerId, height: int) -> VerifiedHeader | None:
        """The verified header of the lowest number above *height*."""
        ...

    async def heights(self, peer: PeerId, low: int, high: int) -> Sequence[int]:
        """Numbers of the stored headers from *low* to *high*, both included, rising."""
        ...

    async def validators(self, digest: bytes) -> bytes | None:
        """The canonical bytes of the validator set with that hash."""
        ...

    async def add_headers(
        self, fence: Fence, anchor: Anchor, headers: Sequence[VerifiedHeader]
    ) -> None:
        """*headers* of the fence's peer are stored, each once; the same one again changes nothing.

        They were verified by a client that started from *anchor*. Raises ``LeaseLost``,
        ``ClientFrozen``, ``ClientPending`` when it has started from another one since, or
        ``ConsensusStateDiffers`` when another header is stored at a height: misbehaviour. Then
        nothing is stored.
        """
        ...

    async def freeze(
        self,
        peer: PeerId,
        cause: str,
        evidence: tuple[Reason, bytes, bytes] | None,
        by: Caller,
        under: Anchor | None = None,
    ) -> bool:
        """The hub client is frozen, the gates of all its lanes are raised; whether it was before.

        Evidence is kept in either case. It was verified *under* an anchor, from which the client
        must not have started again: the same evidence freezes once. None where nothing was
        verified. Raises ``ClientNotFound``, ``ClientPending``, ``RequestIdReused``.
        """
        ...

    async def recover(
        self, peer: PeerId, anchor: Anchor, now: Timestamp, cause: str, by: Caller
    ) -> bool:
        """The hub client starts again from *anchor*, not frozen, and waits for its header.

        The gates of all that it proves are raised; evidence and headers stay. Returns whether it
        had started from *anchor* before and still may be built on at *now*. Raises
        ``ClientNotFound``, ``RequestIdReused``, or as ``hub.core.client.check_recovery``.
        """
        ...

    async def note_carried(self, fence: Fence, peer: PeerId, number: int, client: ClientId) -> None:
        """The *client* on the fence's peer's chain is frozen by that evidence against *peer*.

        Raises ``LeaseLost``, ``EvidenceNotFound``, ``ClientNotFound`` for one without a mirror.
        """
        ...

    async def evidence(self, peer: PeerId, *, standing: bool = False) -> Sequence[Evidence]:
        """The evidence against the peer's chain, oldest first.

        With *standing* only what was recorded since its hub client was recovered last.
        """
        ...

    async def put_chain_client(self, fence: Fence, client: ChainClient) -> None:
        """The mirror of a client on the fence's peer's chain is as given. Raises ``LeaseLost``."""
        ...

    async def chain_client(self, peer: PeerId, client: ClientId) -> ChainClient:
        """The mirror. Raises ``ClientNotFound``."""
        ...

    async def chain_clients(self, peer: PeerId) -> Sequence[ChainClient]:
        """All mirrors of clients on the peer's chain, by native id."""
        ...

    async def consensus_state(self, peer: PeerId, height: int) -> ConsensusState | None:
        """What is kept of the header of that number; lighter than ``header``."""
        ...
